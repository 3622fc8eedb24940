"""What a driver's error means, whoever called the driver: somebody else came first, the world broke, or the fault is ours.

Used where the drivers are called directly (the ingest hot path) and, through :mod:`cloud.adapters.sql.failures`, where
SQLAlchemy calls them.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from cloud.ports.ingest import ConflictError
from protocol.errors import PortError

DriverError = sqlite3.Error | psycopg.Error

_POSTGRES_CONFLICTS = frozenset({"40001", "40P01"})
"""Serialization failure and deadlock: the server picked this transaction to go again."""

_POSTGRES_PASSING = ("08", "53", "57", "58", "55P03", "25006", "25P03")
"""Connection lost, resources short (a full disk among them), shut down or cancelled, the server's disk fails (a fail-over is
near), lock wait over, read-only because it is a standby now, idle for too long."""

_SQLITE_PASSING = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_PROTOCOL")
_REFUSED = (sqlite3.IntegrityError, psycopg.IntegrityError)
_BROKEN = (
    sqlite3.OperationalError,
    sqlite3.InterfaceError,
    sqlite3.InternalError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,
)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the drivers' errors into the ports'. Faults that the driver calls ours (wrong SQL, wrong values) pass through.

    Raises:
        ConflictError: a constraint, a deadlock or a serialization failure refused the transaction.
        PortError: the database cannot be reached or cannot go on.
    """
    try:
        yield
    except (sqlite3.Error, psycopg.Error) as problem:
        meaning = meaning_of(problem)
        if meaning is None:
            raise
        raise meaning from problem


def meaning_of(problem: BaseException) -> ConflictError | PortError | None:
    """Return what to raise instead; None where the fault is ours."""
    if isinstance(problem, _REFUSED) or _sqlstate(problem) in _POSTGRES_CONFLICTS:
        return ConflictError(_sentence(problem))
    if isinstance(problem, _BROKEN):
        return PortError(f"the database failed: {_sentence(problem)}", retry=may_heal(problem))
    return None


def may_heal(problem: BaseException) -> bool:
    """Tell whether the same transaction may succeed later without anybody changing the program."""
    if isinstance(problem, sqlite3.Error):
        return str(getattr(problem, "sqlite_errorname", "")).startswith(_SQLITE_PASSING)
    state = _sqlstate(problem)
    # No state at all: the server never answered.
    return state is None or state.startswith(_POSTGRES_PASSING)


def _sqlstate(problem: BaseException) -> str | None:
    return getattr(problem, "sqlstate", None)


def _sentence(problem: BaseException) -> str:
    # The driver's first line only: PostgreSQL adds the offending row's values.
    return str(problem).partition("\n")[0]
