"""How a programme is used, from the database, for :mod:`cloud.ports.programme_use`."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Engine, RowMapping, and_, func, select

from cloud.adapters.sql.report_overviews import read_programme_uses
from cloud.adapters.sql.tables import item_category, merchant, redemption, site_place
from cloud.adapters.sql.taipei import day_in_taipei, read_day
from cloud.adapters.sql.transactions import reading
from cloud.domain.calendar import day_bounds
from cloud.ports.programme_use import CountyAmount, ItemAmount
from cloud.ports.reports import DayAmount, ProgrammeUse

_COUNT = func.count()
_VOUCHERS = func.sum(redemption.c.voucher_count)
_TWD = func.sum(redemption.c.redeemed_twd)
_NAMES = ("name_zh", "name_en", "name_ja", "name_ko")


class SqlProgrammeUses:
    """``ProgrammeUses`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find_use(self, programme_id: str) -> ProgrammeUse | None:
        with reading(self._engine) as connection:
            return next((use for use in read_programme_uses(connection) if use.programme_id == programme_id), None)

    def days(self, programme_id: str, *, first_day: date, last_day: date) -> Sequence[DayAmount]:
        with reading(self._engine) as connection:
            day = day_in_taipei(connection, redemption.c.redeemed_at)
            rows = connection.execute(
                select(day, _COUNT, _TWD)
                .where(
                    redemption.c.programme_id == programme_id,
                    # Named by merchant, because that is what the index of redemptions begins with.
                    redemption.c.merchant_id.in_(select(merchant.c.merchant_id)),
                    redemption.c.redeemed_at >= day_bounds(first_day)[0],
                    redemption.c.redeemed_at < day_bounds(last_day)[1],
                )
                .group_by(day)
            )
            found = {read_day(when): (int(count), int(twd)) for when, count, twd in rows}
        days = [first_day + timedelta(days=number) for number in range((last_day - first_day).days + 1)]
        return [DayAmount(when, *found.get(when, (0, 0))) for when in days]

    def items(self, programme_id: str) -> Sequence[ItemAmount]:
        sold = (
            select(
                merchant.c.merchant_category,
                redemption.c.item_category,
                _COUNT.label("redemption_count"),
                _VOUCHERS.label("voucher_count"),
                _TWD.label("redeemed_twd"),
            )
            .join(merchant, merchant.c.merchant_id == redemption.c.merchant_id)
            .where(redemption.c.programme_id == programme_id)
            .group_by(merchant.c.merchant_category, redemption.c.item_category)
            .subquery("sold")
        )
        its_names = and_(
            item_category.c.merchant_category == sold.c.merchant_category,
            item_category.c.item_category == sold.c.item_category,
        )
        # An item that nobody has a name for is shown by its code.
        names = (func.coalesce(item_category.c[name], sold.c.item_category).label(name) for name in _NAMES)
        wanted = (
            select(sold, *names)
            .outerjoin(item_category, its_names)
            .order_by(sold.c.redeemed_twd.desc(), sold.c.merchant_category, sold.c.item_category)
        )
        with reading(self._engine) as connection:
            return [ItemAmount(**_whole(row)) for row in connection.execute(wanted).mappings()]

    def counties(self, programme_id: str) -> Sequence[CountyAmount]:
        wanted = (
            select(
                site_place.c.county,
                _COUNT.label("redemption_count"),
                _VOUCHERS.label("voucher_count"),
                _TWD.label("redeemed_twd"),
            )
            .select_from(redemption)
            .outerjoin(site_place, site_place.c.site_id == redemption.c.site_id)
            .where(redemption.c.programme_id == programme_id)
            .group_by(site_place.c.county)
            .order_by(_TWD.desc(), site_place.c.county)
        )
        with reading(self._engine) as connection:
            return [CountyAmount(**_whole(row)) for row in connection.execute(wanted).mappings()]


def _whole(row: RowMapping) -> dict[str, Any]:
    # PostgreSQL sums to numeric: back to whole vouchers and dollars.
    return dict(row) | {name: int(row[name]) for name in ("redemption_count", "voucher_count", "redeemed_twd")}
