"""First pages: a merchant's days, and the programme office's numbers over all merchants."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, Subquery, and_, case, exists, func, select

from cloud.adapters.sql.borders import find_last_border, is_unclaimed_after
from cloud.adapters.sql.cases import select_parked
from cloud.adapters.sql.disputing import is_blocked
from cloud.adapters.sql.progress import claim_progress
from cloud.adapters.sql.tables import (
    claim,
    confirmation,
    device,
    device_presence,
    digit_try,
    issue_batch,
    merchant,
    programme,
    redemption,
)
from cloud.domain.calendar import day_bounds, day_of, period_of
from cloud.ports.reports import DayAmount, OfficeOverview, ProgrammeUse
from protocol.limits import DIGIT_TRIES_MAX

_IS_CONFIRMED = exists().where(confirmation.c.redemption_id == redemption.c.redemption_id)


def read_days(connection: Connection, merchant_id: str, first_day: date, last_day: date) -> Sequence[DayAmount]:
    """Sum each day in one pass over the merchant's index."""
    days = [first_day + timedelta(days=number) for number in range((last_day - first_day).days + 1)]
    columns: list[Any] = []
    for day in days:
        start, end = day_bounds(day)
        is_then = and_(redemption.c.redeemed_at >= start, redemption.c.redeemed_at < end)
        columns += [func.count(case((is_then, 1))), func.sum(case((is_then, redemption.c.redeemed_twd), else_=0))]
    found = connection.execute(
        select(*columns).where(
            redemption.c.merchant_id == merchant_id,
            redemption.c.redeemed_at >= day_bounds(first_day)[0],
            redemption.c.redeemed_at < day_bounds(last_day)[1],
        )
    ).one()
    return [DayAmount(day, int(found[2 * number]), int(found[2 * number + 1] or 0)) for number, day in enumerate(days)]


def read_office_overview(connection: Connection, now: datetime) -> OfficeOverview:
    """Read every number of the office's first page."""
    start, end = day_bounds(day_of(now))
    # Named by merchant, because that is what the index of redemptions begins with.
    today = (
        redemption.c.merchant_id.in_(select(merchant.c.merchant_id)),
        redemption.c.redeemed_at >= start,
        redemption.c.redeemed_at < end,
    )
    today_count, today_twd = _sum(connection, *today)
    unconfirmed_count, unconfirmed_twd = _sum(connection, ~_IS_CONFIRMED, ~is_blocked())
    overdue_count, overdue_twd = _sum(
        connection, ~_IS_CONFIRMED, ~is_blocked(), redemption.c.redeemed_at < period_of(now).starts_at
    )
    unclaimed = is_unclaimed_after(find_last_border(connection))
    progress = claim_progress()
    came_back = select(func.count(), func.sum(progress.c.payable_twd)).select_from(progress)
    returned_count, returned_twd = connection.execute(came_back.where(progress.c.state == "returned")).one()
    return OfficeOverview(
        today_count=today_count,
        today_twd=today_twd,
        next_claim_twd=_number(connection, select(func.sum(confirmation.c.amount_twd)).where(unclaimed)),
        unconfirmed_count=unconfirmed_count,
        unconfirmed_twd=unconfirmed_twd,
        overdue_count=overdue_count,
        overdue_twd=overdue_twd,
        returned_count=returned_count,
        returned_twd=int(returned_twd or 0),
        locked_count=_number(connection, select(func.count()).where(digit_try.c.try_no == DIGIT_TRIES_MAX)),
        parked_count=_number(connection, select(func.count()).select_from(select_parked().order_by(None).subquery())),
        **_fleet(connection),
    )


def read_programme_uses(connection: Connection) -> Sequence[ProgrammeUse]:
    """How far each programme is, from its issues, redemptions and claims."""
    progress = claim_progress()
    issued = _by_programme(issue_batch.c.programme_id, {"issued_count": func.sum(issue_batch.c.voucher_count)}, "issued")
    redeemed = _by_programme(
        redemption.c.programme_id,
        {"redeemed_count": func.sum(redemption.c.voucher_count), "redeemed_twd": func.sum(redemption.c.redeemed_twd)},
        "redeemed",
    )
    paid = func.sum(case((progress.c.state == "paid", progress.c.payable_twd), else_=0))
    claimed = (
        select(claim.c.programme_id, func.sum(claim.c.amount_twd).label("claimed_twd"), paid.label("paid_twd"))
        .join(progress, progress.c.claim_id == claim.c.claim_id)
        .group_by(claim.c.programme_id)
        .subquery("claimed")
    )
    names = ("issued_count", "redeemed_count", "redeemed_twd", "claimed_twd", "paid_twd")
    sums = {**issued.c, **redeemed.c, **claimed.c}
    wanted = (
        select(
            programme.c.programme_id,
            programme.c.name_zh,
            programme.c.name_en,
            programme.c.face_value_twd,
            programme.c.starts_on,
            programme.c.ends_on,
            *(func.coalesce(sums[name], 0).label(name) for name in names),
        )
        .outerjoin(issued, issued.c.programme_id == programme.c.programme_id)
        .outerjoin(redeemed, redeemed.c.programme_id == programme.c.programme_id)
        .outerjoin(claimed, claimed.c.programme_id == programme.c.programme_id)
        .order_by(programme.c.starts_on.desc(), programme.c.programme_id)
    )
    found = [dict(row) for row in connection.execute(wanted).mappings()]
    # PostgreSQL sums bigint as numeric: back to whole vouchers and dollars.
    rows = [row | {name: int(row[name]) for name in names} for row in found]
    return [ProgrammeUse(issued_twd=row["issued_count"] * row.pop("face_value_twd"), **row) for row in rows]


def _by_programme(programme_id: Any, sums: dict[str, Any], name: str) -> Subquery:
    columns = (amount.label(column) for column, amount in sums.items())
    return select(programme_id, *columns).group_by(programme_id).subquery(name)


def _fleet(connection: Connection) -> dict[str, int]:
    """Kiosks in use by what they last said, and what they still have to send."""
    said = func.coalesce(device_presence.c.state, "never")
    wanted = (
        select(said.label("presence"), func.count().label("kiosks"), func.sum(device_presence.c.pending).label("pending"))
        .select_from(device)
        .outerjoin(device_presence, device_presence.c.device_id == device.c.device_id)
        .where(device.c.state == "active")
        .group_by(said)
    )
    fleet = {"online": 0, "offline": 0, "lost": 0, "never": 0, "pending": 0}
    for row in connection.execute(wanted):
        fleet[row.presence] += row.kiosks
        fleet["pending"] += int(row.pending or 0)
    return fleet


def _sum(connection: Connection, *conditions: Any) -> tuple[int, int]:
    count, amount = connection.execute(select(func.count(), func.sum(redemption.c.redeemed_twd)).where(*conditions)).one()
    return int(count), int(amount or 0)


def _number(connection: Connection, wanted: Select[Any]) -> int:
    return int(connection.scalar(wanted) or 0)
