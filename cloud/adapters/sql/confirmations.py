"""Confirmations in the database, for :mod:`cloud.ports.confirmations`.

A confirmation copies what a claim sums (programme, vouchers, amount, time of the redemption) and gets the next number, so that
a settlement reads nothing else. Redemptions never change, so neither can the copy become wrong.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Engine, Executable, Select, exists, func, literal, select, true

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
            return confirm_in(connection, redemption_ids, merchant_id=merchant_id, staff_id=staff_id, confirmed_at=confirmed_at)


def confirm_in(
    connection: Connection,
    redemption_ids: Sequence[UUID] | None,
    *,
    merchant_id: str,
    staff_id: str,
    confirmed_at: datetime,
) -> Confirmed:
    """Confirm within a transaction that is open; see :meth:`cloud.ports.confirmations.ConfirmationStore.confirm`."""
    count = vouchers = amount = 0
    add = _add_on_postgres if connection.dialect.name == "postgresql" else _add_on_sqlite
    for which in _choices(redemption_ids):
        some = add(connection, _waiting(which, merchant_id, literal(staff_id), literal(confirmed_at, Instant())))
        count, vouchers, amount = count + some[0], vouchers + some[1], amount + some[2]
    return Confirmed(count, vouchers, amount)


def _choices(redemption_ids: Sequence[UUID] | None) -> Iterator[ColumnElement[bool]]:
    if redemption_ids is None:
        yield true()
        return
    # Sorted, as the rows of one statement are: two that confirm the same ones take them in one order.
    in_order = sorted(redemption_ids)
    for start in range(0, len(in_order), ROWS_PER_STATEMENT_MAX):
        yield redemption.c.redemption_id.in_(in_order[start : start + ROWS_PER_STATEMENT_MAX])


def _waiting(which: ColumnElement[bool], merchant_id: str, *by_and_at: ColumnElement[Any]) -> Select[Any]:
    # The merchant twice: its own confirmations are looked through then, not everybody's.
    known = exists().where(
        confirmation.c.redemption_id == redemption.c.redemption_id, confirmation.c.merchant_id == merchant_id
    )
    staff_id, confirmed_at = by_and_at
    return (
        select(
            redemption.c.redemption_id,
            redemption.c.merchant_id,
            staff_id.label("staff_id"),
            confirmed_at.label("confirmed_at"),
            redemption.c.programme_id,
            redemption.c.voucher_count,
            redemption.c.redeemed_twd.label("amount_twd"),
            redemption.c.redeemed_at,
        )
        .where(redemption.c.merchant_id == merchant_id, which, ~known)
        .order_by(redemption.c.redemption_id)
    )


def _add_on_postgres(connection: Connection, waiting: Select[Any]) -> tuple[int, int, int]:
    """Confirm and sum in one statement; of two that run at once the primary key lets each redemption pass once."""
    columns = [column.name for column in waiting.selected_columns]
    added = (
        insert_into(connection, confirmation)
        .from_select(columns, waiting)
        .on_conflict_do_nothing()
        .returning(confirmation.c.voucher_count, confirmation.c.amount_twd)
        .cte("added")
    )
    return _sums(connection, select(func.count(), func.sum(added.c.voucher_count), func.sum(added.c.amount_twd)))


def _add_on_sqlite(connection: Connection, waiting: Select[Any]) -> tuple[int, int, int]:
    """Number the rows here: SQLite numbers keys only. One transaction writes at a time, so no number is given twice."""
    last_no = connection.scalar(select(func.max(confirmation.c.confirmation_no))) or 0
    number = func.row_number().over(order_by=redemption.c.redemption_id) + last_no
    columns = [column.name for column in waiting.selected_columns]
    numbered = waiting.add_columns(number.label("confirmation_no"))
    connection.execute(insert_into(connection, confirmation).from_select([*columns, "confirmation_no"], numbered))
    sums = select(func.count(), func.sum(confirmation.c.voucher_count), func.sum(confirmation.c.amount_twd))
    return _sums(connection, sums.where(confirmation.c.confirmation_no > last_no))


def _sums(connection: Connection, sums: Executable) -> tuple[int, int, int]:
    count, vouchers, amount = connection.execute(sums).one()
    return int(count), int(vouchers or 0), int(amount or 0)
