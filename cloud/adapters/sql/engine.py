"""Opens the database, SQLite or PostgreSQL, with the settings that the money depends on, and refuses to run without them.

* **SQLite**: WAL, ``synchronous=FULL`` (an accepted answer survives a power cut), foreign keys on, recursive triggers on (so
  that ``INSERT OR REPLACE`` cannot delete behind the append-only triggers). Every one is read back after it is set: SQLite
  ignores a pragma it cannot honour, for example WAL on a network share or in memory. A transaction begins ``IMMEDIATE``: it
  has the write lock before its first read, so what it judged by cannot change under it.
* **PostgreSQL**: psycopg 3, ``READ COMMITTED``, UTC, and a ``synchronous_commit`` that waits for the standbys. Waits are
  limited on the server. Where the URL names several hosts, the one that takes writes is meant: after a fail-over the next
  connection finds the new primary, and a connection to a server that has become read-only is not used again.

:func:`for_reading` gives an engine for queries only: on SQLite they neither wait for the writer nor block it, and on both
databases a write through it fails.
"""

import re
import sqlite3
import time
from collections.abc import Mapping
from typing import Any, Final

import psycopg
from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor, ExceptionContext
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from cloud.adapters.commit_doubt import CommitDoubt
from cloud.adapters.limited_wait import LimitedConnection
from protocol.errors import PortError

BUSY_WAIT_MS: Final = 10_000
"""How long a SQLite transaction waits for the writer before it."""

POSTGRES_CONNECTING: Final[Mapping[str, str]] = {
    # For each host in turn.
    "connect_timeout": "3",
    # A server that vanished without a word (power, network) is noticed after ten seconds, whether we wait for it or send to it.
    "keepalives": "1",
    "keepalives_idle": "4",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""How to connect, where the URL does not say otherwise. Seconds, but the last: milliseconds."""

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
_WEAK_COMMITS: Final = frozenset({"off", "local"})
_READ_ONLY: Final = "vk_read_only"
_READ_ONLY_SERVER: Final = "25006"
_DOUBT: Final = "vk_commit_doubt"
_MANY_HOSTS: Final = re.compile(r"(?P<before>postgresql://(?:[^/?#]*@)?)(?P<hosts>[^/?#@]*,[^/?#@]*)(?P<after>[/?#].*)?")
_HOST: Final = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*)(?::(?P<port>[0-9]+))?")
_POSTGRES_PORT: Final = "5432"


def make_engine(url: str, *, answer_wait_s: float | None = None) -> Engine:
    """Open a database. Nothing is connected before the first use.

    Args:
        url: ``sqlite:////absolute/path`` or ``postgresql://user@host:port/name``; the driver part is ours to choose. Several
            hosts, one of which is the primary: ``postgresql://user@host1:port,host2:port/name``, or libpq's
            ``postgresql://user@/name?host=host1,host2&port=port1,port2``. Other parameters of libpq may follow.
        answer_wait_s: a PostgreSQL server that is silent for longer is left (:mod:`cloud.adapters.limited_wait`); None: never.

    Raises:
        ValueError: it is another database, SQLite without a file, or no URL at all.

    A connection that cannot have the settings above raises ``PortError`` (``retry`` is False) at first use.
    """
    try:
        return _make_engine(make_url(_hosts_as_parameters(url)), answer_wait_s)
    except ArgumentError as problem:
        raise ValueError(str(problem)) from problem


def _make_engine(parsed: URL, answer_wait_s: float | None) -> Engine:
    match parsed.get_backend_name():
        case "sqlite":
            if parsed.database in (None, "", ":memory:"):
                raise ValueError("a SQLite database needs a file: sqlite:////absolute/path")
            return _sqlite(create_engine(parsed))
        case "postgresql":
            return _postgres(create_engine(_complete(parsed), **_postgres_arguments()), answer_wait_s)
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


def _hosts_as_parameters(url: str) -> str:
    """Rewrite ``host1:port,host2:port``, which SQLAlchemy's URLs do not know, as libpq's lists."""
    several = _MANY_HOSTS.fullmatch(url)
    if several is None:
        return url
    places = [_HOST.fullmatch(place) for place in several["hosts"].split(",")]
    found = [(place["host"].strip("[]"), place["port"] or _POSTGRES_PORT) for place in places if place is not None]
    if len(found) < len(places):
        raise ValueError("each host is written host:port")
    before, after = several["before"], several["after"] or "/"
    lists = f"host={','.join(host for host, _ in found)}&port={','.join(port for _, port in found)}"
    return f"{before}{after}{'&' if '?' in after else '?'}{lists}"


def _complete(url: URL) -> URL:
    """Add what the URL leaves open: driver and ways to connect; of several hosts, the one that takes writes."""
    wanted = {name: value for name, value in POSTGRES_CONNECTING.items() if name not in url.query}
    hosts = url.query.get("host", "")
    if not isinstance(hosts, str) or "," in hosts:
        wanted |= {} if "target_session_attrs" in url.query else {"target_session_attrs": "read-write"}
    return url.set(drivername="postgresql+psycopg").update_query_dict(wanted)


def _postgres_arguments() -> dict[str, Any]:
    return {
        "isolation_level": "READ COMMITTED",
        "pool_pre_ping": True,
        "connect_args": {
            "options": " ".join(f"-c {name}={value}" for name, value in POSTGRES_OPTIONS.items()),
            # A plan prepared while a table was empty scans it whole for ever after; measured: it grows with every row.
            "prepare_threshold": None,
        },
    }


def _postgres(engine: Engine, answer_wait_s: float | None) -> Engine:
    def connect(_dialect: Dialect, _entry: object, _positional: object, parameters: dict[str, Any]) -> LimitedConnection:
        connection = LimitedConnection.connect(**parameters)
        connection.answer_wait_s = answer_wait_s
        return connection

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "connect", _set_up_postgres)
    event.listen(engine, "handle_error", _drop_read_only)
    return engine


def _set_up_postgres(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    assert isinstance(connection, psycopg.Connection)
    check_synchronous_commit(connection)
    entry.info[_DOUBT] = CommitDoubt.of(connection)


def _drop_read_only(context: ExceptionContext) -> None:
    # The server takes no writes any more: the next connection looks for the one that does.
    if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY_SERVER:
        context.is_disconnect = True


def commit_doubt_of(connection: Connection) -> CommitDoubt:
    """Return what this connection's server has said about its commits; silent for ever on SQLite."""
    doubt: CommitDoubt | None = connection.info.get(_DOUBT)
    return doubt or CommitDoubt()


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
