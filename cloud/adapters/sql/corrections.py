"""Corrections in the database, for :mod:`cloud.ports.corrections`, and what a settlement sets off for them.

What counts is what is claimed up to a border: a sum over few rows, each looked up by its key. Nothing is marked, so nothing can
be missed: a correction that commits while a settlement runs is seen by it or by the next one.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Select, and_, func, insert, select

from cloud.adapters.sql.audit import SqlAuditLog
from cloud.adapters.sql.borders import Border, find_last_border, is_claimed_within
from cloud.adapters.sql.journals import insert_journals
from cloud.adapters.sql.tables import claim, confirmation, correction, redemption, set_off
from cloud.adapters.sql.transactions import Lock, reading, take_lock, writing
from cloud.domain.corrections import Correctable, Correction, set_off_of
from cloud.domain.ledger import set_off_journal
from cloud.domain.records import Journal
from cloud.ports.corrections import Debt


class SqlCorrectionStore:
    """``CorrectionStore`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def begin(self) -> Iterator["_Transaction"]:
        with writing(self._engine) as connection:
            take_lock(connection, Lock.CORRECT)
            yield _Transaction(connection)

    def corrections(self) -> Sequence[Correction]:
        wanted = select(correction).order_by(correction.c.corrected_at.desc(), correction.c.redemption_id)
        with reading(self._engine) as connection:
            return [Correction(**row) for row in connection.execute(wanted).mappings()]

    def debts(self) -> Sequence[Debt]:
        with reading(self._engine) as connection:
            return find_debts(connection, find_last_border(connection))


class _Transaction:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def audit(self) -> SqlAuditLog:
        return SqlAuditLog(self._connection)

    def find_redemption(self, redemption_id: UUID) -> Correctable | None:
        columns = [redemption.c[name] for name in ("redemption_id", "merchant_id", "programme_id", "redeemed_twd")]
        found = self._connection.execute(select(*columns).where(redemption.c.redemption_id == redemption_id)).one_or_none()
        return None if found is None else Correctable(*found)

    def find_correction(self, redemption_id: UUID) -> Correction | None:
        wanted = select(correction).where(correction.c.redemption_id == redemption_id)
        row = self._connection.execute(wanted).mappings().one_or_none()
        return None if row is None else Correction(**row)

    def save(self, correction: Correction, journal: Journal) -> None:
        _save(self._connection, correction)
        insert_journals(self._connection, [journal])


def _save(connection: Connection, one: Correction) -> None:
    columns = correction.c.keys()
    connection.execute(insert(correction).values({name: getattr(one, name) for name in columns}))


def find_debts(connection: Connection, border: Border | None) -> list[Debt]:
    """Sum by merchant and programme what is corrected of what is claimed up to a border, and what was set off before."""
    due, done = corrected_within(border).subquery("due"), _set_off().subquery("done")
    pair = and_(done.c.merchant_id == due.c.merchant_id, done.c.programme_id == due.c.programme_id)
    wanted = (
        select(due.c.merchant_id, due.c.programme_id, due.c.amount_twd, func.coalesce(done.c.amount_twd, 0))
        .outerjoin(done, pair)
        .order_by(due.c.merchant_id, due.c.programme_id)
    )
    # PostgreSQL sums bigint as numeric: back to whole dollars.
    return [Debt(merchant, of, int(due_twd), int(done_twd)) for merchant, of, due_twd, done_twd in connection.execute(wanted)]


def corrected_within(border: Border | None) -> Select[Any]:
    """Sum corrections of redemptions that this settlement or one before it claims, by merchant and programme."""
    pair = (correction.c.merchant_id, correction.c.programme_id)
    return (
        select(*pair, func.sum(correction.c.amount_twd).label("amount_twd"))
        .join(confirmation, confirmation.c.redemption_id == correction.c.redemption_id)
        .where(is_claimed_within(border))
        .group_by(*pair)
    )


def _set_off() -> Select[Any]:
    pair = (claim.c.merchant_id, claim.c.programme_id)
    return (
        select(*pair, func.sum(set_off.c.amount_twd).label("amount_twd"))
        .join(claim, claim.c.claim_id == set_off.c.claim_id)
        .group_by(*pair)
    )


def set_claims_off(connection: Connection, border: Border, *, at: datetime) -> None:
    """Set the claims of the week that is being closed off against what their merchants owe, with journals.

    Row by row: there are as many as merchants that owe something, not as many as claims.
    """
    owed = {
        (debt.merchant_id, debt.programme_id): debt.owed_twd for debt in find_debts(connection, border) if debt.owed_twd > 0
    }
    if not owed:
        return
    wanted = (
        select(claim.c.claim_id, claim.c.merchant_id, claim.c.programme_id, claim.c.amount_twd)
        .where(claim.c.period_starts_on == border.period_starts_on, claim.c.merchant_id.in_(select(correction.c.merchant_id)))
        .order_by(claim.c.claim_id)
    )
    rows, journals = [], []
    for claim_id, merchant_id, programme_id, claimed_twd in connection.execute(wanted):
        amount = set_off_of(claimed_twd=claimed_twd, owed_twd=owed.get((merchant_id, programme_id), 0))
        if amount:
            rows.append({"claim_id": claim_id, "amount_twd": amount})
            journals.append(set_off_journal(claim_id, merchant_id, amount_twd=amount, at=at))
    if rows:
        connection.execute(insert(set_off), rows)
        insert_journals(connection, journals)
