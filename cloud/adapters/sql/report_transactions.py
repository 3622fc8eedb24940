"""交易紀錄 (V-S9): a merchant's redemptions with how far each is, one page at a time, with the sums of all that match."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, FromClause, and_, case, func, select

from cloud.adapters.sql.borders import is_claimed_in_range, is_its_claim
from cloud.adapters.sql.progress import claim_progress
from cloud.adapters.sql.tables import (
    claim,
    confirmation,
    item_category,
    merchant,
    redemption,
    redemption_line,
    settlement_range,
    site,
    staff,
)
from cloud.domain.calendar import day_bounds
from cloud.ports.reports import TransactionFilter, TransactionPage, TransactionRow

PAGE_SIZE_MAX = 1_000


def find_transactions(connection: Connection, wanted: TransactionFilter, *, page: int, page_size: int) -> TransactionPage:
    """List what the filter matches, newest first."""
    if page < 1 or not 1 <= page_size <= PAGE_SIZE_MAX:
        raise ValueError(f"pages count from 1 and have 1 to {PAGE_SIZE_MAX} rows")
    progress = claim_progress()
    state = _state(progress)
    conditions = _conditions(wanted, state)
    sums = select(func.count(), func.sum(redemption.c.voucher_count), func.sum(redemption.c.redeemed_twd))
    count, vouchers, amount = connection.execute(sums.select_from(_progressing(progress)).where(*conditions)).one()
    rows = _rows(connection, progress, conditions, limit=page_size, offset=(page - 1) * page_size)
    return TransactionPage(rows, int(count), int(vouchers or 0), int(amount or 0))


def find_transaction(connection: Connection, redemption_id: UUID, *, merchant_id: str) -> TransactionRow | None:
    """Find one redemption, if it is this merchant's."""
    conditions = [redemption.c.redemption_id == redemption_id, redemption.c.merchant_id == merchant_id]
    found = _rows(connection, claim_progress(), conditions, limit=1, offset=0)
    return found[0] if found else None


def _state(progress: FromClause) -> ColumnElement[str]:
    return case(
        (progress.c.state.is_not(None), progress.c.state),
        (confirmation.c.redemption_id.is_not(None), "confirmed"),
        else_="unconfirmed",
    )


def _conditions(wanted: TransactionFilter, state: ColumnElement[str]) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [redemption.c.merchant_id == wanted.merchant_id]
    if wanted.state is not None:
        conditions.append(state == wanted.state)
    if wanted.first_day is not None:
        conditions.append(redemption.c.redeemed_at >= day_bounds(wanted.first_day)[0])
    if wanted.last_day is not None:
        conditions.append(redemption.c.redeemed_at < day_bounds(wanted.last_day)[1])
    if wanted.claim_id is not None:
        conditions.append(claim.c.claim_id == wanted.claim_id)
    return conditions


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


def _rows(
    connection: Connection, progress: FromClause, conditions: Sequence[ColumnElement[bool]], *, limit: int, offset: int
) -> list[TransactionRow]:
    named = (
        _progressing(progress)
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
            redemption.c.voucher_count,
            redemption.c.redeemed_at,
            redemption.c.order_total_twd,
            redemption.c.redeemed_twd,
            redemption.c.topup_twd,
            func.coalesce(item_category.c.name_zh, redemption.c.item_category).label("item_name_zh"),
            func.coalesce(item_category.c.name_en, redemption.c.item_category).label("item_name_en"),
            func.coalesce(staff.c.name, redemption.c.staff_id, redemption.c.device_id).label("by"),
            func.coalesce(site.c.name, redemption.c.site_id).label("site_name"),
            _state(progress).label("state"),
            confirmation.c.confirmed_at,
        )
        .select_from(named)
        .where(*conditions)
        .order_by(redemption.c.redeemed_at.desc(), redemption.c.redemption_id.desc())
        .limit(limit)
        .offset(offset)
    ).mappings()
    rows = [dict(row) for row in found]
    numbers = _voucher_nos(connection, [row["redemption_id"] for row in rows])
    return [TransactionRow(voucher_nos=numbers[row["redemption_id"]], **row) for row in rows]


def _voucher_nos(connection: Connection, redemption_ids: Sequence[UUID]) -> dict[UUID, tuple[str, ...]]:
    lines = (
        select(redemption_line.c.redemption_id, redemption_line.c.voucher_no)
        .where(redemption_line.c.redemption_id.in_(redemption_ids))
        .order_by(redemption_line.c.redemption_id, redemption_line.c.line_no)
    )
    numbers: dict[UUID, list[str]] = defaultdict(list)
    for row in connection.execute(lines):
        numbers[row.redemption_id].append(row.voucher_no)
    return {redemption_id: tuple(numbers[redemption_id]) for redemption_id in redemption_ids}
