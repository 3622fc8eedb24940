"""交易紀錄 (V-S9): a merchant's redemptions with how far each is, one page at a time, with the sums of all that match.

Pages are found by the row where the last one ended, never by counting rows: the thousandth page costs what the first does. A
filter joins only the tables that it asks about, so that the sums of an unfiltered list are read from one table.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Select,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from cloud.adapters.sql.borders import is_claimed_in_range, is_its_claim
from cloud.adapters.sql.disputing import is_blocked
from cloud.adapters.sql.progress import claim_progress
from cloud.adapters.sql.tables import (
    claim,
    confirmation,
    dispute,
    dispute_end,
    item_category,
    merchant,
    redemption,
    redemption_line,
    settlement_range,
    site,
    staff,
)
from cloud.adapters.sql.transactions import reading
from cloud.domain.calendar import day_bounds
from cloud.ports.reports import (
    NEWEST_FIRST,
    Mark,
    Order,
    SortColumn,
    TransactionFilter,
    TransactionPage,
    TransactionRow,
)

PAGE_SIZE_MAX = 1_000
OLDEST_FIRST = Order(descending=False)


def find_transactions(
    connection: Connection, wanted: TransactionFilter, *, page_size: int, order: Order, mark: Mark | None
) -> TransactionPage:
    """List what the filter matches: the first page, or the one that ``mark`` points to."""
    if not 1 <= page_size <= PAGE_SIZE_MAX:
        raise ValueError(f"a page has 1 to {PAGE_SIZE_MAX} rows")
    progress = claim_progress()
    conditions = _conditions(wanted, progress)
    sums = select(func.count(), func.sum(redemption.c.voucher_count), func.sum(redemption.c.redeemed_twd))
    count, vouchers, amount = connection.execute(sums.select_from(_asked(wanted, progress)).where(*conditions)).one()
    rows = _rows(connection, progress, [*conditions, *_beyond(order, mark)], limit=page_size, order=_walk(order, mark))
    if mark is not None and mark.before:
        rows.reverse()
    return TransactionPage(rows, int(count), int(vouchers or 0), int(amount or 0))


def walk_transactions(engine: Engine, wanted: TransactionFilter) -> Iterator[TransactionRow]:
    """Yield what the filter matches, oldest first, page by page, each in a transaction of its own."""
    mark: Mark | None = None
    while True:
        with reading(engine) as connection:
            progress = claim_progress()
            conditions = [*_conditions(wanted, progress), *_beyond(OLDEST_FIRST, mark)]
            rows = _rows(connection, progress, conditions, limit=PAGE_SIZE_MAX, order=OLDEST_FIRST)
        yield from rows
        if len(rows) < PAGE_SIZE_MAX:
            return
        mark = Mark(rows[-1].redeemed_at, rows[-1].redemption_id)


def find_transaction(connection: Connection, redemption_id: UUID, *, merchant_id: str) -> TransactionRow | None:
    """Find one redemption, if it is this merchant's."""
    conditions = [redemption.c.redemption_id == redemption_id, redemption.c.merchant_id == merchant_id]
    found = _rows(connection, claim_progress(), conditions, limit=1, order=NEWEST_FIRST)
    return found[0] if found else None


_COLUMNS: dict[SortColumn, Column[Any]] = {
    "redeemed_at": redemption.c.redeemed_at,
    "order_total": redemption.c.order_total_twd,
    "voucher_count": redemption.c.voucher_count,
}


def _walk(order: Order, mark: Mark | None) -> Order:
    """The order to read rows in: backwards where the page in front of a row is wanted."""
    return replace(order, descending=not order.descending) if mark is not None and mark.before else order


def _beyond(order: Order, mark: Mark | None) -> list[ColumnElement[bool]]:
    """Only rows behind the mark, in the direction that they are read."""
    if mark is None:
        return []
    column, key = _COLUMNS[order.column], redemption.c.redemption_id
    there = tuple_(literal(mark.value, column.type), literal(mark.redemption_id, key.type))
    here = tuple_(column, key)
    return [here < there if _walk(order, mark).descending else here > there]


def _state(progress: FromClause) -> ColumnElement[str]:
    return case(
        (progress.c.state.is_not(None), progress.c.state),
        (confirmation.c.redemption_id.is_not(None), "confirmed"),
        (dispute_end.c.outcome == "set_aside", "set_aside"),
        (and_(dispute.c.redemption_id.is_not(None), dispute_end.c.outcome.is_(None)), "disputed"),
        else_="unconfirmed",
    )


def redemption_conditions(wanted: TransactionFilter) -> list[ColumnElement[bool]]:
    """What a filter says about redemptions themselves: everything but state and claim."""
    conditions: list[ColumnElement[bool]] = [redemption.c.merchant_id == wanted.merchant_id]
    if wanted.first_day is not None:
        conditions.append(redemption.c.redeemed_at >= day_bounds(wanted.first_day)[0])
    if wanted.last_day is not None:
        conditions.append(redemption.c.redeemed_at < day_bounds(wanted.last_day)[1])
    if wanted.redeemed_through is not None:
        conditions.append(redemption.c.redeemed_at <= wanted.redeemed_through)
    if wanted.taken_by is not None:
        conditions.append(or_(redemption.c.staff_id == wanted.taken_by, redemption.c.device_id == wanted.taken_by))
    if wanted.site_id is not None:
        conditions.append(redemption.c.site_id == wanted.site_id)
    if wanted.voucher_no is not None:
        of_voucher = select(redemption_line.c.redemption_id).where(redemption_line.c.voucher_no == wanted.voucher_no)
        conditions.append(redemption.c.redemption_id.in_(of_voucher))
    return conditions


def _conditions(wanted: TransactionFilter, progress: FromClause) -> list[ColumnElement[bool]]:
    conditions = redemption_conditions(wanted)
    match wanted.state:
        case None:
            pass
        case "unconfirmed":
            conditions += [_is_unconfirmed(), ~is_blocked()]
        case "disputed":
            # By way of the disputes, which are few.
            conditions.append(redemption.c.redemption_id.in_(_disputed(dispute_end.c.outcome.is_(None))))
        case "set_aside":
            conditions.append(redemption.c.redemption_id.in_(_disputed(dispute_end.c.outcome == "set_aside")))
        case "confirmed":
            conditions += [confirmation.c.redemption_id.is_not(None), claim.c.claim_id.is_(None)]
        case state:
            conditions.append(progress.c.state == state)
    if wanted.claim_id is not None:
        conditions.append(claim.c.claim_id == wanted.claim_id)
    return conditions


def _is_unconfirmed() -> ColumnElement[bool]:
    # Not by the outer join of the rows: asked so, a page stops at its last row, and the sums join nothing.
    known = confirmation.alias("known")
    return ~exists().where(
        known.c.redemption_id == redemption.c.redemption_id, known.c.merchant_id == redemption.c.merchant_id
    ).correlate(redemption)


def _disputed(which: ColumnElement[bool]) -> Select[Any]:
    joined = dispute.outerjoin(dispute_end, dispute_end.c.redemption_id == dispute.c.redemption_id)
    return select(dispute.c.redemption_id).select_from(joined).where(which)


def _asked(wanted: TransactionFilter, progress: FromClause) -> FromClause:
    """Redemptions with no more tables than the filter's conditions name."""
    if wanted.claim_id is None and wanted.state in (None, "unconfirmed", "disputed", "set_aside"):
        return redemption
    return _progressing(progress)


def _progressing(progress: FromClause) -> FromClause:
    """Each redemption with its confirmation, claim and progress, where it has them.

    Joined part by part: SQLite makes the whole view ``claim_line`` before it outer-joins it.
    """
    return (
        redemption.outerjoin(confirmation, confirmation.c.redemption_id == redemption.c.redemption_id)
        .outerjoin(settlement_range, is_claimed_in_range())
        .outerjoin(claim, is_its_claim())
        .outerjoin(progress, progress.c.claim_id == claim.c.claim_id)
    )


def _disputing(transactions: FromClause) -> FromClause:
    return transactions.outerjoin(dispute, dispute.c.redemption_id == redemption.c.redemption_id).outerjoin(
        dispute_end, dispute_end.c.redemption_id == dispute.c.redemption_id
    )


def _rows(
    connection: Connection, progress: FromClause, conditions: Sequence[ColumnElement[bool]], *, limit: int, order: Order
) -> list[TransactionRow]:
    named = (
        _disputing(_progressing(progress))
        .join(merchant, merchant.c.merchant_id == redemption.c.merchant_id)
        .outerjoin(site, site.c.site_id == redemption.c.site_id)
        .outerjoin(staff, staff.c.staff_id == redemption.c.staff_id)
        .outerjoin(
            item_category,
            and_(
                item_category.c.item_category == redemption.c.item_category,
                item_category.c.merchant_category == merchant.c.merchant_category,
            ),
        )
    )
    found = connection.execute(
        select(
            redemption.c.redemption_id,
            redemption.c.voucher_nos,
            redemption.c.voucher_count,
            redemption.c.redeemed_at,
            redemption.c.order_total_twd,
            redemption.c.redeemed_twd,
            redemption.c.topup_twd,
            *_item_names(),
            func.coalesce(staff.c.name, redemption.c.staff_id, redemption.c.device_id).label("by"),
            func.coalesce(site.c.name, redemption.c.site_id).label("site_name"),
            _state(progress).label("state"),
            confirmation.c.confirmed_at,
        )
        .select_from(named)
        .where(*conditions)
        .order_by(*_sorting(order))
        .limit(limit)
    ).mappings()
    return [TransactionRow(**{**row, "voucher_nos": tuple(row["voucher_nos"].split())}) for row in found]


def _sorting(order: Order) -> list[ColumnElement[Any]]:
    keys = (_COLUMNS[order.column], redemption.c.redemption_id)
    return [key.desc() if order.descending else key.asc() for key in keys]


def _item_names() -> list[ColumnElement[str]]:
    """What was bought in every language; its code where the programme office has taken the category away since."""
    return [
        func.coalesce(item_category.c[f"name_{tag}"], redemption.c.item_category).label(f"item_name_{tag}")
        for tag in ("zh", "en", "ja", "ko")
    ]
