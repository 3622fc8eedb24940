"""The audit log in the database, for :mod:`cloud.ports.audit`.

Who appends takes one advisory lock of PostgreSQL; on SQLite a writing transaction is alone anyway. The lock is asked for by
nothing else: the hot path never meets it. With ``READ COMMITTED`` the head that is read behind the lock is the newest there is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, func, insert, select

from cloud.adapters.sql.tables import audit_entry, audit_head, staff
from cloud.adapters.sql.transactions import Lock, reading, take_lock, upsert
from cloud.domain.audit import EMPTY, AuditEntry, AuditFact, Head, link
from cloud.domain.calendar import day_bounds
from cloud.ports.audit import AuditNames, AuditPage, AuditRow, AuditSearch

_HEAD_NO = 1
_PIECE_ROWS = 1_000


class SqlAuditLog:
    """``AuditLog`` on the connection of an open transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(self, fact: AuditFact) -> Head:
        take_lock(self._connection, Lock.AUDIT)
        entry = link(_read_head(self._connection), fact)
        self._connection.execute(insert(audit_entry), _row(entry))
        head = {"head_no": _HEAD_NO, "entry_no": entry.entry_no, "entry_hash": entry.entry_hash}
        upsert(self._connection, audit_head, [head])
        return Head(entry.entry_no, entry.entry_hash)


class SqlAuditTrail:
    """``AuditTrail`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def walk(self) -> Iterator[tuple[Head, Iterator[AuditEntry]]]:
        with reading(self._engine) as connection:
            yield _read_head(connection), _entries(connection)

    def search(self, wanted: AuditSearch, *, page_size: int, below_no: int | None = None) -> AuditPage:
        conditions = _conditions(wanted)
        rows = (
            select(audit_entry, staff.c.name)
            .outerjoin(staff, staff.c.staff_id == audit_entry.c.actor)
            .where(*conditions)
            .order_by(audit_entry.c.entry_no.desc())
            .limit(page_size)
        )
        if below_no is not None:
            rows = rows.where(audit_entry.c.entry_no < below_no)
        with reading(self._engine) as connection:
            count = connection.scalar(select(func.count()).select_from(audit_entry).where(*conditions))
            found = [AuditRow(_entry(row), row.name or "") for row in connection.execute(rows)]
        return AuditPage(found, int(count or 0))

    def names(self) -> AuditNames:
        actors = (
            select(audit_entry.c.actor, func.coalesce(staff.c.name, ""))
            .outerjoin(staff, staff.c.staff_id == audit_entry.c.actor)
            .distinct()
            .order_by(audit_entry.c.actor)
        )
        actions = select(audit_entry.c.action).distinct().order_by(audit_entry.c.action)
        with reading(self._engine) as connection:
            return AuditNames([(actor, name) for actor, name in connection.execute(actors)], list(connection.scalars(actions)))


def _read_head(connection: Connection) -> Head:
    found = connection.execute(select(audit_head.c.entry_no, audit_head.c.entry_hash)).one_or_none()
    return EMPTY if found is None else Head(found.entry_no, bytes(found.entry_hash))


def _entries(connection: Connection) -> Iterator[AuditEntry]:
    """Read by number, piece by piece: a log of years need not fit into memory, and no cursor stays open meanwhile."""
    last_no: int | None = None
    while True:
        piece: Select[Any] = select(audit_entry).order_by(audit_entry.c.entry_no).limit(_PIECE_ROWS)
        if last_no is not None:
            piece = piece.where(audit_entry.c.entry_no > last_no)
        rows = connection.execute(piece).all()
        yield from map(_entry, rows)
        if len(rows) < _PIECE_ROWS:
            return
        last_no = rows[-1].entry_no


def _conditions(wanted: AuditSearch) -> list[Any]:
    names = ("actor", "action", "object_kind", "object_id")
    found: list[Any] = [audit_entry.c[name] == value for name in names if (value := getattr(wanted, name)) is not None]
    if wanted.first_day is not None:
        found.append(audit_entry.c.happened_at >= day_bounds(wanted.first_day)[0])
    if wanted.last_day is not None:
        found.append(audit_entry.c.happened_at < day_bounds(wanted.last_day)[1])
    return found


def _entry(row: Row[Any]) -> AuditEntry:
    fact = AuditFact(
        happened_at=row.happened_at,
        actor=row.actor,
        action=row.action,
        object_kind=row.object_kind,
        object_id=row.object_id,
        before=row.before,
        after=row.after,
    )
    return AuditEntry(
        entry_no=row.entry_no, fact=fact, previous_hash=bytes(row.previous_hash), entry_hash=bytes(row.entry_hash)
    )


def _row(entry: AuditEntry) -> dict[str, Any]:
    fact = entry.fact
    return {
        "entry_no": entry.entry_no,
        "happened_at": fact.happened_at,
        "actor": fact.actor,
        "action": fact.action,
        "object_kind": fact.object_kind,
        "object_id": fact.object_id,
        "before": fact.before,
        "after": fact.after,
        "previous_hash": entry.previous_hash,
        "entry_hash": entry.entry_hash,
    }
