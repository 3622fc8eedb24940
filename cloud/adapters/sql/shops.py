"""The public search for shops, for :mod:`cloud.ports.shops`; and how a site's place is written down."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, and_, func, literal, or_, select, tuple_

from cloud.adapters.sql.tables import merchant, site, site_place
from cloud.adapters.sql.transactions import reading, upsert
from cloud.domain.places import place_of
from cloud.ports.shops import Shop, ShopFilter, ShopMark, ShopPage

_FROM = site.join(merchant, merchant.c.merchant_id == site.c.merchant_id).outerjoin(
    site_place, site_place.c.site_id == site.c.site_id
)
_KEY = (merchant.c.name, site.c.name, site.c.site_id)
_COLUMNS = (
    site.c.site_id,
    site.c.name,
    merchant.c.name.label("merchant_name"),
    merchant.c.merchant_category,
    *(func.coalesce(site_place.c[name], "").label(name) for name in ("county", "district", "address", "phone")),
)


class SqlShops:
    """``Shops`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find_shops(self, wanted: ShopFilter, *, page_size: int, mark: ShopMark | None = None) -> ShopPage:
        which = and_(*_conditions(wanted))
        with reading(self._engine) as connection:
            count = connection.scalar(select(func.count()).select_from(_FROM).where(which)) or 0
            key = None if mark is None else connection.execute(select(*_KEY).select_from(_FROM).where(_at(mark))).one_or_none()
            backwards = mark is not None and mark.before and key is not None
            order = [column.desc() for column in _KEY] if backwards else list(_KEY)
            query = select(*_COLUMNS).select_from(_FROM).where(which)
            if key is not None:
                here, there = tuple_(*_KEY), tuple_(*map(literal, key))
                query = query.where(here < there if backwards else here > there)
            rows = connection.execute(query.order_by(*order).limit(page_size + 1)).mappings().all()
        more, rows = len(rows) > page_size, rows[:page_size]
        shops = [Shop(**row) for row in (reversed(rows) if backwards else rows)]
        return ShopPage(shops, count, has_previous=more if backwards else key is not None, has_next=backwards or more)

    def districts(self, county: str) -> Sequence[str]:
        query = (
            select(site_place.c.district)
            .select_from(_FROM)
            .where(merchant.c.state == "approved", site_place.c.county == county, site_place.c.district != "")
            .distinct()
            .order_by(site_place.c.district)
        )
        with reading(self._engine) as connection:
            return list(connection.scalars(query))


def save_places(connection: Connection, places: Sequence[tuple[str, str, str]]) -> None:
    """Write down where sites are: id, address and phone of each. County and district are read from the address."""
    upsert(connection, site_place, [_row(*place) for place in places])


def _row(site_id: str, address: str, phone: str) -> dict[str, Any]:
    place = place_of(address)
    return {"site_id": site_id, "address": address, "phone": phone, "county": place.county, "district": place.district}


def _at(mark: ShopMark) -> ColumnElement[bool]:
    return and_(site.c.site_id == mark.site_id, merchant.c.state == "approved")


def _conditions(wanted: ShopFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [merchant.c.state == "approved"]
    if wanted.merchant_category:
        found.append(merchant.c.merchant_category == wanted.merchant_category)
    if wanted.county:
        found.append(site_place.c.county == wanted.county)
    if wanted.district:
        found.append(site_place.c.district == wanted.district)
    # Every word must stand somewhere; people write 台 for 臺, in names too.
    for word in wanted.text.split():
        spellings = {word, word.replace("台", "臺"), word.replace("臺", "台")}
        places = (merchant.c.name, site.c.name, site_place.c.address)
        found.append(or_(*(place.icontains(spelling, autoescape=True) for place in places for spelling in sorted(spellings))))
    return found
