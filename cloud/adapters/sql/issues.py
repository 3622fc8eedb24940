"""Issued vouchers in the database, for :mod:`cloud.ports.issues`."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Connection, Engine, Select, func, insert, select

from cloud.adapters.sql.audit import SqlAuditLog
from cloud.adapters.sql.journals import insert_journals
from cloud.adapters.sql.programme_office import find_state
from cloud.adapters.sql.tables import issue_batch, issue_draft_line, programme, voucher, voucher_holder
from cloud.adapters.sql.transactions import Lock, chunks, insert_into, reading, take_lock, writing
from cloud.domain.programmes import BudgetMeter
from cloud.domain.records import Journal
from cloud.ports.issues import Allowance, IssueBatch, IssuedVoucher, IssueTerms, NewVoucher

_TAGS_PER_QUERY_MAX = 5_000


class SqlIssueStore:
    """``IssueStore`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def begin(self) -> Iterator["IssueOpen"]:
        with writing(self._engine) as connection:
            take_lock(connection, Lock.ISSUE)
            yield IssueOpen(connection)

    def find_issue(self, issue_id: UUID) -> tuple[IssueTerms, Sequence[IssuedVoucher]] | None:
        its_programme = _terms().join(issue_batch, issue_batch.c.programme_id == programme.c.programme_id)
        vouchers = (
            select(
                voucher.c.voucher_no,
                voucher.c.position,
                func.coalesce(voucher.c.holder_name_masked, "").label("holder_name_masked"),
            )
            .where(voucher.c.issue_id == issue_id)
            .order_by(voucher.c.position)
        )
        with reading(self._engine) as connection:
            found = connection.execute(its_programme.where(issue_batch.c.issue_id == issue_id)).mappings().one_or_none()
            if found is None:
                return None
            return IssueTerms(**found), [IssuedVoucher(**row) for row in connection.execute(vouchers).mappings()]


class IssueOpen:
    """``IssueTransaction`` on an open connection that has the lock of issuing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def audit(self) -> SqlAuditLog:
        return SqlAuditLog(self._connection)

    def get_allowance(self, programme_id: str) -> Allowance:
        state = find_state(self._connection, programme_id)
        if state is None:
            return Allowance(BudgetMeter(0, 0), None)
        return Allowance(state.budget, state.terms.vouchers_per_holder_max)

    def count_of_holders(self, programme_id: str, holder_tags: Collection[bytes]) -> Mapping[bytes, int]:
        wanted, counts = sorted(holder_tags), dict[bytes, int]()
        for start in range(0, len(wanted), _TAGS_PER_QUERY_MAX):
            some = wanted[start : start + _TAGS_PER_QUERY_MAX]
            rows = self._connection.execute(
                select(voucher_holder.c.holder_tag, func.count())
                .where(voucher_holder.c.programme_id == programme_id, voucher_holder.c.holder_tag.in_(some))
                .group_by(voucher_holder.c.holder_tag)
            )
            counts |= {bytes(tag): count for tag, count in rows}
        return counts

    def find_terms(self, programme_id: str) -> IssueTerms | None:
        found = self._connection.execute(_terms().where(programme.c.programme_id == programme_id)).mappings().one_or_none()
        return None if found is None else IssueTerms(**found)

    def add_batch(self, batch: IssueBatch) -> None:
        self._connection.execute(
            insert(issue_batch).values(
                issue_id=batch.issue_id,
                programme_id=batch.programme_id,
                issued_at=batch.issued_at,
                issued_by=batch.issued_by,
                voucher_count=batch.voucher_count,
            )
        )

    def add_vouchers(self, batch: IssueBatch, vouchers: Sequence[NewVoucher]) -> frozenset[str]:
        numbers = [one.voucher_no for one in vouchers]
        staged = find_staged(self._connection, numbers)
        added: set[str] = set()
        for some in chunks([_row(batch, one) for one in vouchers if one.voucher_no not in staged]):
            statement = insert_into(self._connection, voucher).values(some).on_conflict_do_nothing()
            added.update(self._connection.scalars(statement.returning(voucher.c.voucher_no)))
        holders = [
            {"voucher_no": one.voucher_no, "programme_id": batch.programme_id, "holder_tag": one.holder_tag}
            for one in vouchers
            if one.holder_tag is not None and one.voucher_no in added
        ]
        if holders:
            self._connection.execute(insert(voucher_holder), holders)
        return frozenset(numbers) - added

    def save_journal(self, journal: Journal) -> None:
        insert_journals(self._connection, [journal])


def find_staged(connection: Connection, numbers: Sequence[str]) -> frozenset[str]:
    """Which of these numbers vouchers have that somebody is about to issue."""
    return _taken(connection, issue_draft_line.c.voucher_no, numbers)


def find_issued(connection: Connection, numbers: Sequence[str]) -> frozenset[str]:
    """Which of these numbers vouchers have."""
    return _taken(connection, voucher.c.voucher_no, numbers)


def _taken(connection: Connection, column: Column[str], numbers: Sequence[str]) -> frozenset[str]:
    found: set[str] = set()
    for start in range(0, len(numbers), _TAGS_PER_QUERY_MAX):
        found.update(connection.scalars(select(column).where(column.in_(numbers[start : start + _TAGS_PER_QUERY_MAX]))))
    return frozenset(found)


def _terms() -> Select[Any]:
    return select(
        programme.c.programme_id,
        programme.c.name_zh,
        programme.c.name_en,
        programme.c.face_value_twd,
        programme.c.starts_on,
        programme.c.ends_on,
        programme.c.signing_key_id,
    )


def _row(batch: IssueBatch, one: NewVoucher) -> dict[str, Any]:
    return {
        "voucher_no": one.voucher_no,
        "programme_id": batch.programme_id,
        "issue_id": batch.issue_id,
        "position": one.position,
        "holder_name_masked": one.holder_name_masked,
        "holder_id_masked": one.holder_id_masked,
        "digit_tag": one.digit_tag,
    }
