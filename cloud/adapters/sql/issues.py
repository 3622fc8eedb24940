"""Issued vouchers in the database, for :mod:`cloud.ports.issues`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Select, func, insert, select

from cloud.adapters.sql.journals import insert_journals
from cloud.adapters.sql.tables import issue_batch, programme, voucher
from cloud.adapters.sql.transactions import chunks, insert_into, reading, writing
from cloud.domain.records import Journal
from cloud.ports.issues import IssueBatch, IssuedVoucher, IssueTerms, NewVoucher


class SqlIssueStore:
    """``IssueStore`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def begin(self) -> Iterator["_Transaction"]:
        with writing(self._engine) as connection:
            yield _Transaction(connection)

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


class _Transaction:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

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
        added: set[str] = set()
        for some in chunks([_row(batch, one) for one in vouchers]):
            statement = insert_into(self._connection, voucher).values(some).on_conflict_do_nothing()
            added.update(self._connection.scalars(statement.returning(voucher.c.voucher_no)))
        return frozenset(one.voucher_no for one in vouchers) - added

    def save_journal(self, journal: Journal) -> None:
        insert_journals(self._connection, [journal])


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
