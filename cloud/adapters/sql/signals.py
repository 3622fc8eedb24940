"""Signals of collusion, from the database, for :mod:`cloud.ports.signals`: each kind is one query over the days in question."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Select, Subquery, and_, case, func, or_, select

from cloud.adapters.sql.tables import item_category, merchant, redemption, redemption_line, site, staff, voucher, voucher_holder
from cloud.adapters.sql.taipei import day_in_taipei, epoch_s, hour_in_taipei, read_day
from cloud.adapters.sql.transactions import reading
from cloud.domain.calendar import day_bounds
from cloud.domain.signals import NIGHT_FROM_H, NIGHT_UNTIL_H, SHOWN_MAX, Thresholds
from cloud.ports.signals import PairSignal, SignalRow, SignalRows, Signals, TillSignal

_TILL = func.coalesce(redemption.c.device_id, redemption.c.staff_id)
_TILL_NAME = func.coalesce(staff.c.name, redemption.c.device_id, redemption.c.staff_id)
_ITEM_NAMES = ("name_zh", "name_en", "name_ja", "name_ko")


class SqlSignals:
    """``SignalReports`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find_signals(self, thresholds: Thresholds, *, today: date) -> Signals:
        first_day = today - timedelta(days=thresholds.days - 1)
        with reading(self._engine) as connection:
            return Signals(
                bursts=_tills(connection, _bursts(connection, thresholds, first_day, today)),
                nights=_tills(connection, _nights(connection, thresholds, first_day, today)),
                pairs=_pairs(connection, thresholds, first_day, today),
            )

    def find_rows(self, wanted: SignalRows, *, limit: int) -> tuple[str, int, Sequence[SignalRow]]:
        with reading(self._engine) as connection:
            name = connection.scalar(select(merchant.c.name).where(merchant.c.merchant_id == wanted.merchant_id))
            conditions = _row_conditions(connection, wanted)
            count = connection.scalar(select(func.count()).select_from(redemption).where(*conditions))
            rows = connection.execute(_rows(conditions).limit(limit)).mappings()
            return name or "", int(count or 0), [SignalRow(**row) for row in rows]


def _within(first_day: date, last_day: date) -> tuple[Any, ...]:
    return (
        # Named by merchant, because that is what the index of redemptions begins with.
        redemption.c.merchant_id.in_(select(merchant.c.merchant_id)),
        redemption.c.redeemed_at >= day_bounds(first_day)[0],
        redemption.c.redeemed_at < day_bounds(last_day)[1],
    )


def _bursts(connection: Connection, thresholds: Thresholds, first_day: date, last_day: date) -> Select[Any]:
    """Tills that redeemed often within minutes, by day: how many there were in the minutes before each redemption."""
    within = func.count().over(
        partition_by=(redemption.c.merchant_id, _TILL),
        order_by=epoch_s(connection, redemption.c.redeemed_at),
        range_=(-60 * thresholds.burst_minutes, 0),
    )
    counted = select(*_columns(connection), within.label("within")).where(*_within(first_day, last_day)).subquery("counted")
    most = func.max(counted.c.within)
    return (
        select(*_of_till(counted), counted.c.day.label("first_day"), counted.c.day.label("last_day"), *_sums(counted, most))
        .group_by(*_of_till(counted), counted.c.day)
        .having(most >= thresholds.burst_count)
        .order_by(most.desc(), counted.c.day.desc(), counted.c.till)
        .limit(SHOWN_MAX)
    )


def _nights(connection: Connection, thresholds: Thresholds, first_day: date, last_day: date) -> Select[Any]:
    """Tills that redeemed at night."""
    at_night = _is_night(connection)
    counted = select(*_columns(connection)).where(*_within(first_day, last_day), at_night).subquery("counted")
    count = func.count()
    days = (func.min(counted.c.day).label("first_day"), func.max(counted.c.day).label("last_day"))
    return (
        select(*_of_till(counted), *days, *_sums(counted, count))
        .group_by(*_of_till(counted))
        .having(count >= thresholds.night_count)
        .order_by(count.desc(), counted.c.till)
        .limit(SHOWN_MAX)
    )


def _pairs(connection: Connection, thresholds: Thresholds, first_day: date, last_day: date) -> Sequence[PairSignal]:
    """People whose vouchers came to one merchant in many orders. Known only where a voucher knows whose it is."""
    orders = func.count(redemption.c.redemption_id.distinct())
    paired = (
        select(
            voucher_holder.c.holder_tag,
            redemption.c.merchant_id,
            func.min(redemption_line.c.voucher_no).label("voucher_no"),
            orders.label("order_count"),
            func.count().label("voucher_count"),
            func.sum(redemption_line.c.face_value_twd).label("redeemed_twd"),
            func.min(redemption.c.redeemed_at).label("first_at"),
            func.max(redemption.c.redeemed_at).label("last_at"),
        )
        .select_from(redemption)
        .join(redemption_line, redemption_line.c.redemption_id == redemption.c.redemption_id)
        .join(voucher_holder, voucher_holder.c.voucher_no == redemption_line.c.voucher_no)
        .where(*_within(first_day, last_day))
        .group_by(voucher_holder.c.holder_tag, redemption.c.merchant_id)
        .having(orders >= thresholds.pair_count)
        .order_by(orders.desc(), redemption.c.merchant_id, voucher_holder.c.holder_tag)
        .limit(SHOWN_MAX)
        .subquery("paired")
    )
    wanted = (
        select(
            paired.c.merchant_id,
            merchant.c.name.label("merchant_name"),
            paired.c.holder_tag,
            voucher.c.holder_name_masked,
            paired.c.order_count,
            paired.c.voucher_count,
            paired.c.redeemed_twd,
            paired.c.first_at,
            paired.c.last_at,
        )
        .join(merchant, merchant.c.merchant_id == paired.c.merchant_id)
        .join(voucher, voucher.c.voucher_no == paired.c.voucher_no)
        .order_by(paired.c.order_count.desc(), paired.c.merchant_id, paired.c.holder_tag)
    )
    rows = [dict(row) for row in connection.execute(wanted).mappings()]
    return [
        PairSignal(**(row | {"redeemed_twd": int(row["redeemed_twd"]), "holder_tag": bytes(row["holder_tag"])})) for row in rows
    ]


def _columns(connection: Connection) -> tuple[Any, ...]:
    return (
        redemption.c.merchant_id,
        redemption.c.site_id,
        _TILL.label("till"),
        redemption.c.redeemed_twd,
        day_in_taipei(connection, redemption.c.redeemed_at).label("day"),
    )


def _of_till(counted: Subquery) -> tuple[Any, ...]:
    return (counted.c.merchant_id, counted.c.site_id, counted.c.till)


def _sums(counted: Subquery, most: Any) -> tuple[Any, ...]:
    return (
        most.label("most"),
        func.count().label("redemption_count"),
        func.sum(counted.c.redeemed_twd).label("redeemed_twd"),
    )


def _tills(connection: Connection, found: Select[Any]) -> Sequence[TillSignal]:
    """Give names to what was found: few rows, however many were looked at."""
    signal = found.subquery("signal")
    wanted = (
        select(
            signal.c.merchant_id,
            merchant.c.name.label("merchant_name"),
            site.c.name.label("site_name"),
            signal.c.till,
            func.coalesce(staff.c.name, signal.c.till).label("till_name"),
            signal.c.first_day,
            signal.c.last_day,
            signal.c.most,
            signal.c.redemption_count,
            signal.c.redeemed_twd,
        )
        .join(merchant, merchant.c.merchant_id == signal.c.merchant_id)
        .join(site, site.c.site_id == signal.c.site_id)
        .outerjoin(staff, staff.c.staff_id == signal.c.till)
        .order_by(signal.c.most.desc(), signal.c.last_day.desc(), signal.c.till)
    )
    rows = [dict(row) for row in connection.execute(wanted).mappings()]
    days = ("first_day", "last_day")
    return [
        TillSignal(**(row | {name: read_day(row[name]) for name in days} | {"redeemed_twd": int(row["redeemed_twd"])}))
        for row in rows
    ]


def _is_night(connection: Connection) -> Any:
    hour = hour_in_taipei(connection, redemption.c.redeemed_at)
    return or_(hour >= NIGHT_FROM_H, hour < NIGHT_UNTIL_H)


def _row_conditions(connection: Connection, wanted: SignalRows) -> list[Any]:
    found: list[Any] = [
        redemption.c.merchant_id == wanted.merchant_id,
        redemption.c.redeemed_at >= day_bounds(wanted.first_day)[0],
        redemption.c.redeemed_at < day_bounds(wanted.last_day)[1],
    ]
    if wanted.till is not None:
        found.append(_TILL.in_([wanted.till]))
    if wanted.at_night:
        found.append(_is_night(connection))
    if wanted.holder_tag is not None:
        theirs = (
            select(redemption_line.c.redemption_id)
            .join(voucher_holder, voucher_holder.c.voucher_no == redemption_line.c.voucher_no)
            .where(voucher_holder.c.holder_tag == wanted.holder_tag)
        )
        found.append(redemption.c.redemption_id.in_(theirs))
    return found


def _rows(conditions: Sequence[Any]) -> Select[Any]:
    its_item = and_(
        item_category.c.merchant_category == merchant.c.merchant_category,
        item_category.c.item_category == redemption.c.item_category,
    )
    names = (func.coalesce(item_category.c[name], redemption.c.item_category).label(f"item_{name}") for name in _ITEM_NAMES)
    return (
        select(
            redemption.c.redemption_id,
            redemption.c.redeemed_at,
            redemption.c.programme_id,
            site.c.name.label("site_name"),
            case((redemption.c.device_id.is_not(None), redemption.c.device_id), else_=_TILL_NAME).label("till_name"),
            *names,
            redemption.c.voucher_count,
            redemption.c.order_total_twd,
            redemption.c.redeemed_twd,
        )
        .join(merchant, merchant.c.merchant_id == redemption.c.merchant_id)
        .join(site, site.c.site_id == redemption.c.site_id)
        .outerjoin(staff, staff.c.staff_id == redemption.c.staff_id)
        .outerjoin(item_category, its_item)
        .where(*conditions)
        .order_by(redemption.c.redeemed_at.desc(), redemption.c.redemption_id)
    )
