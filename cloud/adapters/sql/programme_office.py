"""Programmes as the office keeps them, in the database, for :mod:`cloud.ports.programme_office`.

The terms that hold are the row of ``programme``, which the hot path reads, with what it does not need (budget, caps, offline
policy) in the newest row of ``programme_version``. A programme without any version has no limits.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, Row, and_, delete, exists, func, insert, select

from cloud.adapters.sql.audit import SqlAuditLog
from cloud.adapters.sql.tables import (
    issue_batch,
    issue_purge,
    item_category,
    programme,
    programme_merchant_category,
    programme_version,
    staff,
)
from cloud.adapters.sql.transactions import Lock, reading, take_lock, upsert, writing
from cloud.domain.setup import ItemCategorySetup, ProgrammeSetup
from cloud.ports.programme_office import ProgrammeState, ProgrammeVersion

_CORE = (
    "name_zh", "name_en", "face_value_twd", "starts_on", "ends_on", "vouchers_per_order_max", "signing_key_id",
    "dispute_days",
)  # fmt: skip
_LIMITS = (
    "budget_twd", "vouchers_per_holder_max", "offline_order_max_twd", "offline_kiosk_max_twd", "offline_age_max_h",
)  # fmt: skip
_NEVER_OFFLINE = ("offline_order_max_twd", "offline_kiosk_max_twd", "offline_age_max_h")


class SqlProgrammeOffice:
    """``ProgrammeOffice`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def begin(self) -> Iterator["_Transaction"]:
        with writing(self._engine) as connection:
            take_lock(connection, Lock.ISSUE)
            yield _Transaction(connection)

    def programmes(self) -> Sequence[ProgrammeState]:
        with reading(self._engine) as connection:
            return read_states(connection)

    def find(self, programme_id: str) -> ProgrammeState | None:
        with reading(self._engine) as connection:
            return find_state(connection, programme_id)

    def versions(self, programme_id: str) -> Sequence[ProgrammeVersion]:
        wanted = (
            select(programme_version, func.coalesce(staff.c.name, "").label("by_name"))
            .outerjoin(staff, staff.c.staff_id == programme_version.c.changed_by)
            .where(programme_version.c.programme_id == programme_id)
            .order_by(programme_version.c.version_no.desc())
        )
        with reading(self._engine) as connection:
            return [_version(row) for row in connection.execute(wanted)]

    def item_categories(self) -> Mapping[str, Sequence[ItemCategorySetup]]:
        found: dict[str, list[ItemCategorySetup]] = defaultdict(list)
        with reading(self._engine) as connection:
            for item in _items(connection):
                found[item.merchant_category].append(item)
        return dict(found)


class _Transaction:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def audit(self) -> SqlAuditLog:
        return SqlAuditLog(self._connection)

    def find(self, programme_id: str) -> ProgrammeState | None:
        return find_state(self._connection, programme_id)

    def save(self, terms: ProgrammeSetup, *, by: str, at: datetime) -> int:
        return write_terms(self._connection, terms, by=by, at=at)

    def item_categories(self) -> Sequence[ItemCategorySetup]:
        return _items(self._connection)

    def save_item_category(self, item: ItemCategorySetup, *, position: int) -> None:
        upsert(self._connection, item_category, [msgspec.structs.asdict(item) | {"position": position}])


def find_state(connection: Connection, programme_id: str) -> ProgrammeState | None:
    """Read one programme as it is now."""
    return next(iter(read_states(connection, programme_id)), None)


def read_states(connection: Connection, programme_id: str | None = None) -> Sequence[ProgrammeState]:
    """Read every programme as it is now, newest first; or one."""
    newest = (
        select(programme_version.c.programme_id, func.max(programme_version.c.version_no).label("version_no"))
        .group_by(programme_version.c.programme_id)
        .subquery("newest")
    )
    issued = (
        select(func.coalesce(func.sum(issue_batch.c.voucher_count), 0))
        .where(issue_batch.c.programme_id == programme.c.programme_id)
        .scalar_subquery()
    )
    forgotten = exists().where(
        issue_batch.c.programme_id == programme.c.programme_id, issue_purge.c.issue_id == issue_batch.c.issue_id
    )
    is_newest = and_(
        programme_version.c.programme_id == newest.c.programme_id, programme_version.c.version_no == newest.c.version_no
    )
    wanted = (
        select(
            programme,
            *(programme_version.c[name] for name in _LIMITS),
            programme_version.c.version_no,
            issued.label("issued_count"),
            forgotten.label("forgotten"),
        )
        .outerjoin(newest, newest.c.programme_id == programme.c.programme_id)
        .outerjoin(programme_version, is_newest)
        .order_by(programme.c.starts_on.desc(), programme.c.programme_id)
    )
    if programme_id is not None:
        wanted = wanted.where(programme.c.programme_id == programme_id)
    taken = _categories(connection)
    return [
        ProgrammeState(_terms(row, taken[row.programme_id]), row.version_no or 0, int(row.issued_count), row.forgotten)
        for row in connection.execute(wanted)
    ]


def find_newest_hand(connection: Connection, programme_id: str) -> str | None:
    """Who changed a programme last."""
    mine = programme_version.c.programme_id == programme_id
    return connection.scalar(
        select(programme_version.c.changed_by).where(mine).order_by(programme_version.c.version_no.desc()).limit(1)
    )


def write_terms(connection: Connection, terms: ProgrammeSetup, *, by: str, at: datetime) -> int:
    """Make these the terms that hold, and write their version; returns its number."""
    core = {name: getattr(terms, name) for name in _CORE}
    upsert(connection, programme, [{"programme_id": terms.programme_id, **core}])
    categories = sorted(terms.merchant_categories)
    taken = programme_merchant_category
    connection.execute(delete(taken).where(taken.c.programme_id == terms.programme_id))
    rows = [{"programme_id": terms.programme_id, "merchant_category": name} for name in categories]
    connection.execute(insert(taken), rows)
    last_no = connection.scalar(
        select(func.max(programme_version.c.version_no)).where(programme_version.c.programme_id == terms.programme_id)
    )
    version_no = (last_no or 0) + 1
    connection.execute(
        insert(programme_version).values(
            programme_id=terms.programme_id,
            version_no=version_no,
            effective_at=at,
            changed_by=by,
            merchant_categories=" ".join(categories),
            **core,
            **{name: getattr(terms, name) for name in _LIMITS},
        )
    )
    return version_no


def _categories(connection: Connection) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    taken = programme_merchant_category
    for row in connection.execute(select(taken).order_by(taken.c.programme_id, taken.c.merchant_category)):
        found[row.programme_id].append(row.merchant_category)
    return found


def _terms(row: Row[Any], categories: Sequence[str]) -> ProgrammeSetup:
    limits = {name: getattr(row, name) for name in _LIMITS}
    limits |= {name: limits[name] or 0 for name in _NEVER_OFFLINE}
    core = {name: getattr(row, name) for name in _CORE}
    return ProgrammeSetup(programme_id=row.programme_id, merchant_categories=list(categories), **core, **limits)


def _version(row: Row[Any]) -> ProgrammeVersion:
    terms = _terms(row, row.merchant_categories.split())
    return ProgrammeVersion(row.version_no, row.effective_at, row.changed_by, row.by_name, terms)


def _items(connection: Connection) -> list[ItemCategorySetup]:
    columns = [column for column in item_category.c if column.name != "position"]
    wanted = select(*columns).order_by(
        item_category.c.merchant_category, item_category.c.position, item_category.c.item_category
    )
    return [ItemCategorySetup(**row) for row in connection.execute(wanted).mappings()]
