"""Confirmations in the database, for :mod:`cloud.ports.confirmations`.

A confirmation copies what a claim sums (programme, vouchers, amount, time of the redemption) and gets the next number, so that
a settlement reads nothing else. Redemptions never change, so neither can the copy become wrong.

What no settlement has seen can be taken back: the row goes, and a row of ``confirmation_undo`` keeps what it said (ADR 0027).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Executable,
    Select,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    true,
)

from cloud.adapters.sql.borders import find_last_border
from cloud.adapters.sql.disputing import is_blocked
from cloud.adapters.sql.report_transactions import redemption_conditions
from cloud.adapters.sql.tables import Instant, confirmation, confirmation_undo, redemption
from cloud.adapters.sql.transactions import ROWS_PER_STATEMENT_MAX, Lock, insert_into, share_lock, writing
from cloud.ports.confirmations import Confirmed, Undo
from cloud.ports.reports import TransactionFilter


class SqlConfirmationStore:
    """``ConfirmationStore`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def confirm(
        self,
        redemption_ids: Sequence[UUID] | None,
        *,
        merchant_id: str,
        staff_id: str,
        confirmed_at: datetime,
        among: TransactionFilter | None = None,
    ) -> Confirmed:
        with writing(self._engine) as connection:
            return confirm_in(
                connection,
                redemption_ids,
                merchant_id=merchant_id,
                staff_id=staff_id,
                confirmed_at=confirmed_at,
                among=among,
            )

    def undo(self, undo: Undo) -> Confirmed:
        with writing(self._engine) as connection:
            # Before anything is read: a settlement that runs is waited for, and what it has seen stays.
            share_lock(connection, Lock.CONFIRM)
            border = find_last_border(connection)
            which = and_(
                confirmation.c.merchant_id == undo.merchant_id,
                confirmation.c.confirmed_at == undo.confirmed_at,
                confirmation.c.confirmation_no > (border.through_no if border else 0),
            )
            sums = select(func.count(), func.sum(confirmation.c.voucher_count), func.sum(confirmation.c.amount_twd))
            taken_back = _sums(connection, sums.where(which))
            kept = ("confirmation_no", "redemption_id", "merchant_id", "staff_id", "confirmed_at")
            columns = [confirmation.c[name] for name in kept]
            by_and_at = (literal(undo.undone_by), literal(undo.undone_at, Instant()))
            names = [*("confirmed_by" if name == "staff_id" else name for name in kept), "undone_by", "undone_at"]
            connection.execute(insert(confirmation_undo).from_select(names, select(*columns, *by_and_at).where(which)))
            connection.execute(delete(confirmation).where(which))
        return Confirmed(*taken_back)


def confirm_in(
    connection: Connection,
    redemption_ids: Sequence[UUID] | None,
    *,
    merchant_id: str,
    staff_id: str,
    confirmed_at: datetime,
    among: TransactionFilter | None = None,
) -> Confirmed:
    """Confirm within a transaction that is open; see :meth:`cloud.ports.confirmations.ConfirmationStore.confirm`."""
    count = vouchers = amount = 0
    narrowed = [] if among is None else redemption_conditions(among)
    add = _add_on_postgres if connection.dialect.name == "postgresql" else _add_on_sqlite
    # Before the statement that looks for disputes: what it sees is then of after the wait for whoever disputes.
    share_lock(connection, Lock.CONFIRM)
    for choice in _choices(redemption_ids):
        which = and_(choice, *narrowed)
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
        .where(redemption.c.merchant_id == merchant_id, which, ~known, ~is_blocked())
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
    highest = [connection.scalar(select(func.max(table.c.confirmation_no))) or 0 for table in (confirmation, confirmation_undo)]
    last_no = max(highest)
    number = func.row_number().over(order_by=redemption.c.redemption_id) + last_no
    columns = [column.name for column in waiting.selected_columns]
    numbered = waiting.add_columns(number.label("confirmation_no"))
    connection.execute(insert_into(connection, confirmation).from_select([*columns, "confirmation_no"], numbered))
    sums = select(func.count(), func.sum(confirmation.c.voucher_count), func.sum(confirmation.c.amount_twd))
    return _sums(connection, sums.where(confirmation.c.confirmation_no > last_no))


def _sums(connection: Connection, sums: Executable) -> tuple[int, int, int]:
    count, vouchers, amount = connection.execute(sums).one()
    return int(count), int(vouchers or 0), int(amount or 0)
