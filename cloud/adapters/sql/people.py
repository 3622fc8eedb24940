"""Accounts, read from the database for :mod:`cloud.ports.people`."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Engine, RowMapping, select

from cloud.adapters.sql.tables import merchant, site, staff
from cloud.adapters.sql.transactions import reading
from cloud.ports.people import OFFICE_DOOR, Person

PERSON_COLUMNS = (
    staff.c.staff_id,
    staff.c.name,
    staff.c.door,
    staff.c.login,
    staff.c.role,
    staff.c.active,
    staff.c.password_hash,
    staff.c.merchant_id,
    staff.c.site_id,
    merchant.c.name.label("merchant_name"),
    merchant.c.merchant_category,
    site.c.name.label("site_name"),
)
PERSON_FROM = staff.outerjoin(merchant).outerjoin(site, site.c.site_id == staff.c.site_id)
"""The second join names its columns: site hangs on merchant as well as on staff."""

_PERSON = select(*PERSON_COLUMNS).select_from(PERSON_FROM)


class SqlPeople:
    """``People`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find_by_login(self, door: str, login: str) -> Person | None:
        return self._find((staff.c.door == door) & (staff.c.login == login))

    def find_at_other_doors(self, door: str, login: str) -> Person | None:
        return self._find((staff.c.door != door) & (staff.c.login == login) & staff.c.active)

    def find_person(self, staff_id: str) -> Person | None:
        return self._find(staff.c.staff_id == staff_id)

    def staff_of(self, merchant_id: str) -> Sequence[Person]:
        return self._list((staff.c.merchant_id == merchant_id) & (staff.c.role == "scan_staff"), staff.c.name)

    def office_people(self) -> Sequence[Person]:
        which = (staff.c.door == OFFICE_DOOR) | (staff.c.role == "merchant_admin")
        return self._list(which, (staff.c.door != OFFICE_DOOR), staff.c.door, merchant.c.name, staff.c.name)

    def _find(self, which: ColumnElement[bool]) -> Person | None:
        with reading(self._engine) as connection:
            row = connection.execute(_PERSON.where(which).order_by(staff.c.staff_id).limit(1)).mappings().one_or_none()
        return None if row is None else person_of(row)

    def _list(self, which: ColumnElement[bool], *order: ColumnElement[Any]) -> Sequence[Person]:
        wanted = _PERSON.where(which).order_by(staff.c.active.desc(), *order, staff.c.staff_id)
        with reading(self._engine) as connection:
            return [person_of(row) for row in connection.execute(wanted).mappings()]


def person_of(row: RowMapping) -> Person:
    """Make the record of a row of :data:`PERSON_COLUMNS` (it may have more)."""
    values = {column.key: row[column.key] for column in PERSON_COLUMNS}
    # What the outer joins did not find is left out, so that the record's defaults stand.
    return Person(**{name: value for name, value in values.items() if value is not None})
