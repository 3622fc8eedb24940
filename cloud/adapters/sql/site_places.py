"""Where sites are: one table, written by setup files, by approvals and by merchants, read by everybody who asks."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from cloud.adapters.sql.tables import site, site_place
from cloud.adapters.sql.transactions import upsert
from cloud.domain.counties import area_of
from cloud.ports.merchants import Place

PLACE = select(
    site.c.site_id,
    site.c.merchant_id,
    site.c.name,
    *(func.coalesce(site_place.c[name], "").label(name) for name in ("name_en", "address", "phone")),
).outerjoin(site_place, site_place.c.site_id == site.c.site_id)
"""A site and where it is."""


def find_hands(connection: Connection) -> Mapping[str, tuple[Place, str | None]]:
    """Every site with who wrote last where it is."""
    rows = connection.execute(PLACE.add_columns(site_place.c.changed_by)).mappings()
    return {
        row["site_id"]: (Place(**{name: row[name] for name in row if name != "changed_by"}), row["changed_by"]) for row in rows
    }


def write_places(connection: Connection, places: Sequence[Place], *, by: str, at: datetime) -> None:
    """Write down where sites are. County and district are what the address says, and nothing else."""
    upsert(connection, site_place, [_row(place) | {"changed_by": by, "updated_at": at} for place in places])


def _row(place: Place) -> dict[str, Any]:
    area = area_of(place.address)
    return {
        "site_id": place.site_id,
        "name_en": place.name_en,
        "address": place.address,
        "county": area.county,
        "district": area.district,
        "phone": place.phone,
    }
