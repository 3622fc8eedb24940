"""Settlements in the database, for :mod:`cloud.ports.settlements`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    FromClause,
    Select,
    String,
    Uuid,
    exists,
    func,
    insert,
    literal,
    select,
    union_all,
)

from cloud.adapters.sql.journals import insert_journals
from cloud.adapters.sql.tables import claim, claim_line, confirmation, redemption, settlement
from cloud.adapters.sql.transactions import Lock, reading, take_lock, writing
from cloud.domain.calendar import Period
from cloud.domain.records import Journal
from cloud.domain.settlement import Claim, NewClaim, Settlement, first_open_period

_CLAIMS_PER_STATEMENT_MAX = 200
"""SQLite compounds at most 500 selects."""


class SqlSettlementStore:
    """``SettlementStore`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find_open_period(self) -> Period | None:
        with reading(self._engine) as connection:
            return _find_open_period(connection)

    @contextmanager
    def begin(self) -> Iterator["_Transaction"]:
        with writing(self._engine) as connection:
            take_lock(connection, Lock.SETTLE)
            yield _Transaction(connection)


class _Transaction:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find_open_period(self) -> Period | None:
        return _find_open_period(self._connection)

    def claimable(self, before: datetime) -> Sequence[tuple[str, str]]:
        pairs = _claimable(before, redemption.c.merchant_id, redemption.c.programme_id).distinct()
        return [(merchant_id, programme_id) for merchant_id, programme_id in self._connection.execute(pairs)]

    def add_lines(self, claims: Sequence[NewClaim], before: datetime) -> Sequence[Claim]:
        made: list[Claim] = []
        for start in range(0, len(claims), _CLAIMS_PER_STATEMENT_MAX):
            some = claims[start : start + _CLAIMS_PER_STATEMENT_MAX]
            self._connection.execute(_insert_lines(some, before))
            made += self._sums(some)
        return made

    def save(self, settlement_: Settlement, journals: Sequence[Journal]) -> None:
        starts_on = settlement_.period.starts_on
        self._connection.execute(
            insert(settlement).values(
                period_starts_on=starts_on,
                closed_at=settlement_.closed_at,
                claim_count=len(settlement_.claims),
                voucher_count=settlement_.voucher_count,
                claimed_twd=settlement_.claimed_twd,
            )
        )
        if settlement_.claims:
            self._connection.execute(insert(claim), [_claim_row(one, starts_on) for one in settlement_.claims])
        insert_journals(self._connection, journals)

    def _sums(self, claims: Sequence[NewClaim]) -> list[Claim]:
        sums = (
            select(
                claim_line.c.claim_id,
                func.count().label("redemption_count"),
                func.sum(claim_line.c.voucher_count).label("voucher_count"),
                func.sum(claim_line.c.amount_twd).label("amount_twd"),
            )
            .where(claim_line.c.claim_id.in_([one.claim_id for one in claims]))
            .group_by(claim_line.c.claim_id)
        )
        by_id = {row.claim_id: row for row in self._connection.execute(sums)}
        return [
            Claim(
                claim_id=one.claim_id,
                merchant_id=one.merchant_id,
                programme_id=one.programme_id,
                redemption_count=by_id[one.claim_id].redemption_count,
                voucher_count=int(by_id[one.claim_id].voucher_count),
                amount_twd=int(by_id[one.claim_id].amount_twd),
            )
            for one in claims
        ]


def _find_open_period(connection: Connection) -> Period | None:
    last_closed: date | None = connection.scalar(select(func.max(settlement.c.period_starts_on)))
    if last_closed is not None:
        return first_open_period(last_closed, None)
    first_redeemed_at: datetime | None = connection.scalar(select(func.min(redemption.c.redeemed_at)))
    return first_open_period(None, first_redeemed_at)


def _claimable(before: datetime, *columns: Any) -> Select[Any]:
    """Membership: confirmed, before the end of the week, in no claim. There is no lower bound, and there must be none."""
    claimed = exists().where(claim_line.c.redemption_id == redemption.c.redemption_id)
    return (
        select(*columns)
        .join_from(redemption, confirmation, confirmation.c.redemption_id == redemption.c.redemption_id)
        .where(redemption.c.redeemed_at < before, ~claimed)
    )


def _insert_lines(claims: Sequence[NewClaim], before: datetime) -> Any:
    new = _as_rows(claims)
    lines = _claimable(
        before, redemption.c.redemption_id, new.c.claim_id, redemption.c.voucher_count, redemption.c.redeemed_twd
    ).join(new, (new.c.merchant_id == redemption.c.merchant_id) & (new.c.programme_id == redemption.c.programme_id))
    return insert(claim_line).from_select(["redemption_id", "claim_id", "voucher_count", "amount_twd"], lines)


def _as_rows(claims: Sequence[NewClaim]) -> FromClause:
    """Make a table of the claims inside the statement; SQLite cannot name the columns of a VALUES list."""
    rows = [
        select(
            literal(one.claim_id, Uuid()).label("claim_id"),
            literal(one.merchant_id, String()).label("merchant_id"),
            literal(one.programme_id, String()).label("programme_id"),
        )
        for one in claims
    ]
    return union_all(*rows).subquery("new_claim")


def _claim_row(one: Claim, starts_on: date) -> dict[str, Any]:
    return {
        "claim_id": one.claim_id,
        "period_starts_on": starts_on,
        "merchant_id": one.merchant_id,
        "programme_id": one.programme_id,
        "redemption_count": one.redemption_count,
        "voucher_count": one.voucher_count,
        "amount_twd": one.amount_twd,
    }
