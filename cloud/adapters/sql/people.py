"""Accounts, read from the database for :mod:`cloud.ports.people`."""

from typing import Any

from sqlalchemy import ColumnElement, Engine, select

from cloud.adapters.sql.tables import merchant, site, staff
from cloud.adapters.sql.transactions import reading
from cloud.ports.people import Person

_PERSON = select(
    staff.c.staff_id,
    staff.c.name,
    staff.c.door,
    staff.c.login,
    staff.c.role,
    staff.c.active,
    staff.c.password_hash,
    staff.c.merchant_id,
    merchant.c.name.label("merchant_name"),
    merchant.c.merchant_category,
    site.c.name.label("site_name"),
).select_from(staff.outerjoin(merchant).outerjoin(site, site.c.site_id == staff.c.site_id))
"""The second join names its columns: site hangs on merchant as well as on staff."""


class SqlPeople:
    """``People`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find_by_login(self, door: str, login: str) -> Person | None:
        return self._find((staff.c.door == door) & (staff.c.login == login))

    def find_person(self, staff_id: str) -> Person | None:
        return self._find(staff.c.staff_id == staff_id)

    def _find(self, which: ColumnElement[bool]) -> Person | None:
        with reading(self._engine) as connection:
            row = connection.execute(_PERSON.where(which)).mappings().one_or_none()
        return None if row is None else Person(**_without_nulls(dict(row)))


def _without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the outer joins did not find, so that the record's defaults stand."""
    return {name: value for name, value in row.items() if value is not None}
