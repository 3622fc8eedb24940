"""Opens the database, SQLite or PostgreSQL, with the settings that the money depends on, and refuses to run without them.

* **SQLite**: WAL, ``synchronous=FULL`` (an accepted answer survives a power cut), foreign keys on, recursive triggers on (so
  that ``INSERT OR REPLACE`` cannot delete behind the append-only triggers). Every one is read back after it is set: SQLite
  ignores a pragma it cannot honour, for example WAL on a network share or in memory. A transaction begins ``IMMEDIATE``: it
  has the write lock before its first read, so what it judged by cannot change under it.
* **PostgreSQL**: psycopg 3, ``READ COMMITTED``, UTC, and ``synchronous_commit`` not off. Waits are limited on the server.

:func:`for_reading` gives an engine for queries only: on SQLite they neither wait for the writer nor block it, and on both
databases a write through it fails.
"""

import sqlite3
import time
from collections.abc import Mapping
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor

from protocol.errors import PortError

BUSY_WAIT_MS: Final = 10_000
"""How long a SQLite transaction waits for the writer before it."""

CONNECT_WAIT_S: Final = 5
LOCK_WAIT_MS: Final = 10_000
"""How long a PostgreSQL statement waits for a lock."""

IDLE_IN_TRANSACTION_MS: Final = 60_000
"""A stopped worker must not keep vouchers locked for ever: the server ends its transaction after this."""

POSTGRES_OPTIONS: Final[Mapping[str, object]] = {
    "timezone": "UTC",
    "lock_timeout": LOCK_WAIT_MS,
    "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_MS,
}
"""Of every session."""

_SQLITE_SETTINGS: Final = {
    "busy_timeout": BUSY_WAIT_MS,
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "recursive_triggers": 1,
}
_BUSY_PAUSE_S: Final = 0.01
_WEAK_COMMITS: Final = frozenset({"off"})
_READ_ONLY: Final = "vk_read_only"


def make_engine(url: str) -> Engine:
    """Open a database. Nothing is connected before the first use.

    Args:
        url: ``sqlite:////absolute/path`` or ``postgresql://user@host:port/name``; the driver part is ours to choose.

    Raises:
        ValueError: it is another database, or SQLite without a file.

    A connection that cannot have the settings above raises ``PortError`` (``retry`` is False) at first use.
    """
    parsed = make_url(url)
    match parsed.get_backend_name():
        case "sqlite":
            if parsed.database in (None, "", ":memory:"):
                raise ValueError("a SQLite database needs a file: sqlite:////absolute/path")
            return _sqlite(create_engine(parsed))
        case "postgresql":
            return _postgres(create_engine(parsed.set(drivername="postgresql+psycopg"), **_postgres_arguments()))
        case other:
            raise ValueError(f"{other} is not a database of this program: sqlite or postgresql")


def for_reading(engine: Engine) -> Engine:
    """Return a view of the same engine, on the same connections, whose transactions only read."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(postgresql_readonly=True)
    return engine.execution_options(**{_READ_ONLY: True})


def _sqlite(engine: Engine) -> Engine:
    event.listen(engine, "connect", lambda connection, _: set_up_sqlite(connection))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def set_up_sqlite(connection: DBAPIConnection | sqlite3.Connection) -> None:
    """Give a connection the settings above.

    Raises:
        PortError: SQLite cannot keep one of them here.
    """
    # The driver's own transactions begin too late (before the first write, after the first read): ours are explicit.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        for name, wanted in _SQLITE_SETTINGS.items():
            if _setting(cursor, name) == wanted:
                continue
            _set(cursor, name, wanted)
            found = _setting(cursor, name)
            if found != wanted:
                raise PortError(f"SQLite does not keep {name} = {wanted} here, but {found}", retry=False)
    finally:
        cursor.close()


def _setting(cursor: DBAPICursor | sqlite3.Cursor, name: str) -> Any:
    cursor.execute(f"PRAGMA {name}")
    (found,) = cursor.fetchone() or (None,)
    return found


def _set(cursor: DBAPICursor | sqlite3.Cursor, name: str, wanted: object) -> None:
    # Turning a file to WAL, once in its life, does not wait for others who do the same: SQLite says at once that it is locked.
    end = time.monotonic() + BUSY_WAIT_MS / 1000
    while True:
        try:
            cursor.execute(f"PRAGMA {name} = {wanted}")
        except sqlite3.OperationalError as problem:
            if problem.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(_BUSY_PAUSE_S)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    reads = bool(connection.get_execution_options().get(_READ_ONLY, False))
    connection.exec_driver_sql(f"PRAGMA query_only = {int(reads)}")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _postgres_arguments() -> dict[str, Any]:
    return {
        "isolation_level": "READ COMMITTED",
        "pool_pre_ping": True,
        "connect_args": {
            "connect_timeout": CONNECT_WAIT_S,
            "options": " ".join(f"-c {name}={value}" for name, value in POSTGRES_OPTIONS.items()),
            # A plan prepared while a table was empty scans it whole for ever after; measured: it grows with every row.
            "prepare_threshold": None,
        },
    }


def _postgres(engine: Engine) -> Engine:
    event.listen(engine, "connect", lambda connection, _: check_synchronous_commit(connection))
    return engine


def check_synchronous_commit(connection: DBAPIConnection | psycopg.Connection[Any]) -> None:
    """Refuse a session whose commits may be forgotten.

    Raises:
        PortError: they may.
    """
    cursor = connection.cursor()
    try:
        cursor.execute("SHOW synchronous_commit")
        (found,) = cursor.fetchone() or (None,)
    finally:
        cursor.close()
    connection.rollback()
    if found in _WEAK_COMMITS:
        raise PortError(f"PostgreSQL has synchronous_commit = {found}: an accepted answer could be lost", retry=False)
