"""What a failed statement means: somebody else came first, the world broke and may heal, or the fault is ours.

The first is :class:`ConflictError`; the others are :class:`PortError`, with ``retry`` true where waiting can help. Faults that
the driver itself calls programming errors or wrong values pass through and end the program.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from cloud.ports.ingest import ConflictError
from protocol.errors import PortError

_POSTGRES_CONFLICTS = frozenset({"40001", "40P01"})
"""Serialization failure and deadlock: the server picked this transaction to go again."""

_POSTGRES_PASSING = ("08", "53", "57", "55P03", "25006", "25P03")
"""Connection lost, resources short (a full disk among them), shut down or cancelled, lock wait over, read-only because it is
a standby now, idle for too long."""

_SQLITE_PASSING = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_PROTOCOL")


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into the ports'.

    Raises:
        ConflictError: a constraint, a deadlock or a serialization failure refused the transaction.
        PortError: the database cannot be reached or cannot go on.
    """
    try:
        yield
    except IntegrityError as problem:
        raise ConflictError(_sentence(problem)) from problem
    except (OperationalError, InterfaceError, InternalError) as problem:
        if _sqlstate(problem) in _POSTGRES_CONFLICTS:
            raise ConflictError(_sentence(problem)) from problem
        raise PortError(f"the database failed: {_sentence(problem)}", retry=may_heal(problem)) from problem
    except PoolTimeoutError as problem:
        raise PortError("no database connection became free in time", retry=True) from problem


def may_heal(problem: DBAPIError) -> bool:
    """Tell whether the same transaction may succeed later without anybody changing the program."""
    if problem.connection_invalidated:
        return True
    if isinstance(problem.orig, sqlite3.Error):
        return str(getattr(problem.orig, "sqlite_errorname", "")).startswith(_SQLITE_PASSING)
    state = _sqlstate(problem)
    # No state at all: the server never answered.
    return state is None or state.startswith(_POSTGRES_PASSING)


def _sqlstate(problem: DBAPIError) -> str | None:
    return getattr(problem.orig, "sqlstate", None)


def _sentence(problem: DBAPIError) -> str:
    # The driver's first line only: PostgreSQL adds the offending row's values, SQLAlchemy the statement's.
    return str(problem.orig).partition("\n")[0]
