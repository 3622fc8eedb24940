"""Payout files and the bank's answers in the database, for :mod:`cloud.ports.payouts`."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Select,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
)

from cloud.adapters.sql.audit import SqlAuditLog
from cloud.adapters.sql.journals import insert_journals
from cloud.adapters.sql.progress import payable_twd
from cloud.adapters.sql.tables import (
    bank_return,
    bank_return_draft,
    claim,
    merchant,
    pay_run,
    pay_run_end,
    pay_run_line,
    payout,
    payout_file,
    payout_outcome,
    set_off,
)
from cloud.adapters.sql.transactions import Lock, insert_new, take_lock, writing
from cloud.domain.calendar import day_bounds, day_of
from cloud.domain.pay_runs import ACCOUNT_FAULTS, PayRun, PayRunEnd
from cloud.domain.payouts import KeptFile, Payable, Payout, PayoutFile, PayoutFormat
from cloud.domain.records import Journal
from cloud.domain.returns import Outcome, SentFile, SentPayout
from cloud.ports.payouts import Heard

DRAFTS_KEPT: Final = timedelta(days=1)


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

    @property
    def audit(self) -> SqlAuditLog:
        return SqlAuditLog(self._connection)

    def payables(self, limit: int) -> Sequence[Payable]:
        rows = self._connection.execute(select_payables().limit(limit)).mappings()
        return [Payable(**row) for row in rows]

    def payables_of(self, run_id: UUID) -> Sequence[Payable]:
        mine = select(pay_run_line.c.claim_id).where(pay_run_line.c.run_id == run_id)
        rows = self._connection.execute(select_payables().where(claim.c.claim_id.in_(mine))).mappings()
        return [Payable(**row) for row in rows]

    def last_run_no(self) -> int:
        return int(self._connection.scalar(select(func.max(pay_run.c.run_no))) or 0)

    def find_run(self, run_id: UUID) -> tuple[PayRun, PayRunEnd | None] | None:
        found = self._connection.execute(select(pay_run).where(pay_run.c.run_id == run_id)).one_or_none()
        if found is None:
            return None
        lines = tuple(Payable(**row) for row in self._connection.execute(_run_lines(run_id)).mappings())
        run = PayRun(found.run_id, found.run_no, found.format, found.prepared_by, found.prepared_at, lines)
        names = ("outcome", "ended_by", "ended_at", "reason", "file_id")
        ended = select(*(pay_run_end.c[name] for name in names)).where(pay_run_end.c.run_id == run_id)
        end = self._connection.execute(ended).mappings().one_or_none()
        return run, None if end is None else PayRunEnd(**end)

    def has_open_run(self) -> bool:
        ended = exists().where(pay_run_end.c.run_id == pay_run.c.run_id)
        return self._connection.execute(select(pay_run.c.run_id).where(~ended).limit(1)).first() is not None

    def save_run(self, run: PayRun) -> None:
        self._connection.execute(
            insert(pay_run).values(
                run_id=run.run_id,
                run_no=run.run_no,
                format=run.format,
                prepared_by=run.prepared_by,
                prepared_at=run.prepared_at,
                line_count=len(run.lines),
                total_twd=run.total_twd,
            )
        )
        names = ("claim_id", "attempt", "amount_twd", "bank_code", "account_no", "account_name", "payee_id")
        rows = [
            {"run_id": run.run_id, "line_no": line_no} | {name: getattr(line, name) for name in names}
            for line_no, line in enumerate(run.lines, start=1)
        ]
        self._connection.execute(insert(pay_run_line), rows)

    def end_run(self, run: PayRun, end: PayRunEnd) -> None:
        self._connection.execute(
            insert(pay_run_end).values(
                run_id=run.run_id,
                prepared_by=run.prepared_by,
                outcome=end.outcome,
                ended_by=end.ended_by,
                ended_at=end.ended_at,
                reason=end.reason,
                file_id=end.file_id,
            )
        )

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

    def save_return(self, heard: Heard, file: SentFile, outcomes: Sequence[Outcome], journals: Sequence[Journal]) -> None:
        sha256 = hashlib.sha256(heard.content).digest()
        self._connection.execute(
            insert(bank_return).values(
                sha256=sha256, file_id=file.file_id, imported_at=heard.at, imported_by=heard.by, content=heard.content
            )
        )
        self._connection.execute(delete(bank_return_draft).where(bank_return_draft.c.sha256 == sha256))
        rows = [
            {
                "payout_id": one.payout.payout_id,
                "state": one.state,
                "return_code": one.return_code,
                "known_at": heard.at,
                "return_sha256": sha256,
            }
            for one in outcomes
        ]
        if rows:
            self._connection.execute(insert(payout_outcome), rows)
        insert_journals(self._connection, journals)

    def save_draft(self, draft: Heard) -> None:
        self._connection.execute(delete(bank_return_draft).where(bank_return_draft.c.uploaded_at < draft.at - DRAFTS_KEPT))
        sha256 = hashlib.sha256(draft.content).digest()
        row = {"sha256": sha256, "uploaded_by": draft.by, "uploaded_at": draft.at, "content": draft.content}
        insert_new(self._connection, bank_return_draft, [row])

    def find_draft(self, sha256: bytes) -> bytes | None:
        found = self._connection.scalar(select(bank_return_draft.c.content).where(bank_return_draft.c.sha256 == sha256))
        return None if found is None else bytes(found)

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


def select_payables() -> Select[Any]:
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
            _is_unmended().label("is_unmended"),
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


def _is_unmended() -> ColumnElement[bool]:
    """Whether the newest attempt came back for a fault of the account, and nothing of the account has changed since."""
    last, outcome, newer, line = payout.alias(), payout_outcome.alias(), payout.alias(), pay_run_line.alias()
    joined = last.join(outcome, outcome.c.payout_id == last.c.payout_id).outerjoin(
        line, and_(line.c.claim_id == last.c.claim_id, line.c.attempt == last.c.attempt, _is_released(line))
    )
    return (
        exists()
        .select_from(joined)
        .where(
            last.c.claim_id == claim.c.claim_id,
            ~exists().where(newer.c.claim_id == last.c.claim_id, newer.c.attempt > last.c.attempt),
            outcome.c.return_code.in_(sorted(ACCOUNT_FAULTS)),
            last.c.bank_code == merchant.c.bank_code,
            last.c.account_no == merchant.c.account_no,
            # What was sent before runs were kept has no line: then bank and number are all that can be compared.
            or_(line.c.payee_id.is_(None), line.c.payee_id == merchant.c.payee_id),
            or_(line.c.account_name.is_(None), line.c.account_name == merchant.c.account_name),
        )
        .correlate(claim, merchant)
    )


def _is_released(line: FromClause) -> ColumnElement[bool]:
    return exists().where(pay_run_end.c.run_id == line.c.run_id, pay_run_end.c.outcome == "released")


def _run_lines(run_id: UUID) -> Select[Any]:
    names = ("claim_id", "attempt", "amount_twd", "bank_code", "account_no", "account_name", "payee_id")
    return (
        select(claim.c.merchant_id, *(pay_run_line.c[name] for name in names))
        .join(claim, claim.c.claim_id == pay_run_line.c.claim_id)
        .where(pay_run_line.c.run_id == run_id)
        .order_by(pay_run_line.c.line_no)
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
