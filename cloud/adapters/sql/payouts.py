"""Payout files and the bank's answers in the database, for :mod:`cloud.ports.payouts`."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Select, case, func, insert, select

from cloud.adapters.sql.journals import insert_journals
from cloud.adapters.sql.progress import payable_twd
from cloud.adapters.sql.tables import bank_return, claim, merchant, payout, payout_file, payout_outcome, set_off
from cloud.adapters.sql.transactions import Lock, take_lock, writing
from cloud.domain.calendar import day_bounds, day_of
from cloud.domain.payouts import KeptFile, Payable, Payout, PayoutFile, PayoutFormat
from cloud.domain.records import Journal
from cloud.domain.returns import Outcome, SentFile, SentPayout


class SqlPayoutStore:
    """``PayoutStore`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def begin(self) -> Iterator["_Transaction"]:
        with writing(self._engine) as connection:
            take_lock(connection, Lock.PAY)
            yield _Transaction(connection)


class _Transaction:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def payables(self, limit: int) -> Sequence[Payable]:
        rows = self._connection.execute(_payables().limit(limit)).mappings()
        return [Payable(**row) for row in rows]

    def last_file_no(self) -> int:
        return int(self._connection.scalar(select(func.max(payout_file.c.file_no))) or 0)

    def last_line_no(self, day: date) -> int:
        start, end = day_bounds(day)
        highest = (
            select(func.max(payout.c.line_no))
            .join(payout_file, payout_file.c.file_id == payout.c.file_id)
            .where(payout_file.c.made_at >= start, payout_file.c.made_at < end)
        )
        return int(self._connection.scalar(highest) or 0)

    def save_file(self, file: PayoutFile, journals: Sequence[Journal]) -> None:
        self._connection.execute(
            insert(payout_file).values(
                file_id=file.file_id,
                file_no=file.file_no,
                format=file.format,
                made_at=file.made_at,
                value_date=file.value_date,
                content=file.content,
                sha256=hashlib.sha256(file.content).digest(),
                line_count=len(file.payouts),
                total_twd=file.total_twd,
            )
        )
        self._connection.execute(insert(payout), [_payout_row(one, file.file_id) for one in file.payouts])
        insert_journals(self._connection, journals)

    def kept_file(self, file_no: int) -> KeptFile | None:
        columns = (payout_file.c.content, payout_file.c.sha256, payout_file.c.line_count, payout_file.c.total_twd)
        row = self._connection.execute(select(*columns).where(payout_file.c.file_no == file_no)).one_or_none()
        if row is None:
            return None
        return KeptFile(file_no, bytes(row.content), bytes(row.sha256), row.line_count, row.total_twd)

    def is_imported(self, sha256: bytes) -> bool:
        return self._connection.execute(select(bank_return.c.sha256).where(bank_return.c.sha256 == sha256)).first() is not None

    def sent_files(self, *, day: date | None, file_no: int | None) -> Sequence[SentFile]:
        wanted = _files("ach_p01")
        if day is not None:
            start, end = day_bounds(day)
            wanted = wanted.where(payout_file.c.made_at >= start, payout_file.c.made_at < end)
        if file_no is not None:
            wanted = wanted.where(payout_file.c.file_no == file_no)
        return self._sent_files(wanted.order_by(payout_file.c.file_no))

    def sent_message(self, file_id: UUID) -> SentFile | None:
        found = self._sent_files(_files("pain_001").where(payout_file.c.file_id == file_id))
        return found[0] if found else None

    def save_return(
        self, content: bytes, file: SentFile, outcomes: Sequence[Outcome], journals: Sequence[Journal], *, known_at: datetime
    ) -> None:
        sha256 = hashlib.sha256(content).digest()
        self._connection.execute(
            insert(bank_return).values(sha256=sha256, file_id=file.file_id, imported_at=known_at, content=content)
        )
        rows = [
            {
                "payout_id": one.payout.payout_id,
                "state": one.state,
                "return_code": one.return_code,
                "known_at": known_at,
                "return_sha256": sha256,
            }
            for one in outcomes
        ]
        if rows:
            self._connection.execute(insert(payout_outcome), rows)
        insert_journals(self._connection, journals)

    def _sent_files(self, wanted: Select[Any]) -> list[SentFile]:
        return [
            SentFile(row.file_id, row.file_no, day_of(row.made_at), self._sent_payouts(row.file_id))
            for row in self._connection.execute(wanted).all()
        ]

    def _sent_payouts(self, file_id: UUID) -> tuple[SentPayout, ...]:
        rows = self._connection.execute(
            select(
                payout.c.payout_id,
                payout.c.line_no,
                payout.c.amount_twd,
                claim.c.merchant_id,
                claim.c.programme_id,
                payout_outcome.c.state,
                payout_outcome.c.return_code,
            )
            .join(claim, claim.c.claim_id == payout.c.claim_id)
            .outerjoin(payout_outcome, payout_outcome.c.payout_id == payout.c.payout_id)
            .where(payout.c.file_id == file_id)
            .order_by(payout.c.line_no)
        ).mappings()
        return tuple(SentPayout(**row) for row in rows)


def _files(format: PayoutFormat) -> Select[Any]:
    return select(payout_file.c.file_id, payout_file.c.file_no, payout_file.c.made_at).where(payout_file.c.format == format)


def _payables() -> Select[Any]:
    """Claims that are not set off whole, and all of whose payouts came back; one without outcome may still be paid."""
    attempts, returned = func.count(payout.c.payout_id), func.count(case((payout_outcome.c.state == "returned", 1)))
    account = (merchant.c.bank_code, merchant.c.account_no, merchant.c.account_name, merchant.c.payee_id)
    keys, payable = ("claim_id", "merchant_id", "period_starts_on", "programme_id"), payable_twd()
    return (
        select(
            claim.c.claim_id,
            claim.c.merchant_id,
            (func.coalesce(func.max(payout.c.attempt), 0) + 1).label("attempt"),
            payable.label("amount_twd"),
            *account,
        )
        .outerjoin(set_off, set_off.c.claim_id == claim.c.claim_id)
        .join(merchant, merchant.c.merchant_id == claim.c.merchant_id)
        .outerjoin(payout, payout.c.claim_id == claim.c.claim_id)
        .outerjoin(payout_outcome, payout_outcome.c.payout_id == payout.c.payout_id)
        .where(*(column.is_not(None) for column in account), payable > 0)
        .group_by(*(claim.c[name] for name in keys), payable, *account)
        .having(attempts == returned)
        .order_by(claim.c.period_starts_on, claim.c.merchant_id, claim.c.programme_id)
    )


def _payout_row(one: Payout, file_id: UUID) -> dict[str, Any]:
    return {
        "payout_id": one.payout_id,
        "claim_id": one.payable.claim_id,
        "attempt": one.payable.attempt,
        "file_id": file_id,
        "line_no": one.line_no,
        "amount_twd": one.payable.amount_twd,
        "bank_code": one.payable.bank_code,
        "account_no": one.payable.account_no,
    }
