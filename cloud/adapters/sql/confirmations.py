"""Confirmations in the database, for :mod:`cloud.ports.confirmations`."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Engine, exists, func, literal, select, true

from cloud.adapters.sql.tables import Instant, confirmation, redemption
from cloud.adapters.sql.transactions import ROWS_PER_STATEMENT_MAX, insert_into, writing
from cloud.ports.confirmations import Confirmed


class SqlConfirmationStore:
    """``ConfirmationStore`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def confirm(
        self, redemption_ids: Sequence[UUID] | None, *, merchant_id: str, staff_id: str, confirmed_at: datetime
    ) -> Confirmed:
        with writing(self._engine) as connection:
            added: list[UUID] = []
            for which in _choices(redemption_ids):
                added += _insert(connection, which, merchant_id=merchant_id, staff_id=staff_id, confirmed_at=confirmed_at)
            return _sum(connection, added)


def _choices(redemption_ids: Sequence[UUID] | None) -> Iterator[ColumnElement[bool]]:
    if redemption_ids is None:
        yield true()
        return
    for start in range(0, len(redemption_ids), ROWS_PER_STATEMENT_MAX):
        yield redemption.c.redemption_id.in_(redemption_ids[start : start + ROWS_PER_STATEMENT_MAX])


def _insert(
    connection: Connection, which: ColumnElement[bool], *, merchant_id: str, staff_id: str, confirmed_at: datetime
) -> Sequence[UUID]:
    """Confirm in one statement; of two that run at once the primary key lets each redemption pass once."""
    known = exists().where(confirmation.c.redemption_id == redemption.c.redemption_id)
    waiting = select(
        redemption.c.redemption_id, redemption.c.merchant_id, literal(staff_id), literal(confirmed_at, Instant())
    ).where(redemption.c.merchant_id == merchant_id, which, ~known)
    columns = ["redemption_id", "merchant_id", "staff_id", "confirmed_at"]
    statement = insert_into(connection, confirmation).from_select(columns, waiting).on_conflict_do_nothing()
    return connection.scalars(statement.returning(confirmation.c.redemption_id)).all()


def _sum(connection: Connection, redemption_ids: Sequence[UUID]) -> Confirmed:
    vouchers = amount = 0
    for which in _choices(redemption_ids):
        sums = select(func.sum(redemption.c.voucher_count), func.sum(redemption.c.redeemed_twd)).where(which)
        some_vouchers, some_amount = connection.execute(sums).one()
        vouchers += int(some_vouchers)
        amount += int(some_amount)
    return Confirmed(len(redemption_ids), vouchers, amount)
