"""Transactions of the services that are not the hot path, and the two statements they share.

A failure of the database becomes a ``PortError`` here, once. Its text names the kind of failure only: the driver's own text
quotes parameters, and parameters do not belong in a log. A violated constraint is not a failure: it passes as it is, because
it is an answer that the caller asked for.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

from sqlalchemy import Connection, Engine, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from cloud.adapters.sql.engine import commit_doubt_of, for_reading
from cloud.adapters.sql.failures import may_heal
from protocol.errors import PortError

ROWS_PER_STATEMENT_MAX = 500
"""SQLite and PostgreSQL both limit the parameters of one statement (32,766 and 65,535)."""

Row = Mapping[str, Any]


class Lock(IntEnum):
    """Use cases of which one at a time runs. The numbers are ours and mean nothing; they must stay different."""

    SETTLE = 7_401
    PAY = 7_402
    CONFIRM = 7_403
    """Every transaction that confirms shares it (a trigger on ``confirmation`` takes it); a settlement has it alone."""
    PURGE = 7_404
    CORRECT = 7_405
    ISSUE = 7_411
    """Every transaction that issues, or that changes a programme: what may be issued is judged by what was issued."""
    AUDIT = 7_412
    """Every transaction that appends to the audit log, from there to its end: always the last lock that is taken."""


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that writes; it is committed on leaving, rolled back on an exception.

    Raises:
        IntegrityError: a constraint refused it: the caller says what that means.
        PortError: the database failed; nothing was written, or (a connection lost at the commit, or a commit that no standby is
            known to have) it is not known.
    """
    with _failing_as_port():
        with engine.begin() as connection:
            doubt = commit_doubt_of(connection)
            yield connection
        doubt.check()


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that sees one moment of the database in all its queries, and waits for no writer.

    Raises:
        PortError: the database failed.
    """
    with _failing_as_port(), for_reading(engine).connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


def take_lock(connection: Connection, lock: Lock) -> None:
    """Let one transaction at a time pass; it is let go when the transaction ends.

    SQLite needs none: there a writing transaction has the whole database to itself from its first statement on.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(int(lock))))


def share_lock(connection: Connection, lock: Lock) -> None:
    """Keep whoever takes the lock alone from passing until this transaction ends; others may share it."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock_shared(int(lock))))


@contextmanager
def _failing_as_port() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, InternalError) as problem:
        # Only the kind: the driver's own text may quote what was to be written.
        raise PortError(f"the database failed: {type(problem.orig).__name__}", retry=may_heal(problem)) from problem
    except PoolTimeoutError as problem:
        raise PortError("no database connection became free in time", retry=True) from problem


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> int:
    """Insert the rows whose primary key is not there yet; return how many that were."""
    added = 0
    for some in chunks(rows):
        statement = insert_into(connection, table).values(some).on_conflict_do_nothing(index_elements=list(table.primary_key))
        added += connection.execute(statement).rowcount
    return added


def upsert(connection: Connection, table: Table, rows: Sequence[Row], *, kept: Collection[str] = ()) -> None:
    """Insert the rows, or bring those that are there to the new values; columns in ``kept`` keep what they have."""
    for some in chunks(rows):
        statement = insert_into(connection, table).values(some)
        key = {column.name for column in table.primary_key}
        changes = {name: statement.excluded[name] for name in some[0] if name not in key and name not in kept}
        if changes:
            statement = statement.on_conflict_do_update(index_elements=sorted(key), set_=changes)
        else:
            statement = statement.on_conflict_do_nothing(index_elements=sorted(key))
        connection.execute(statement)


def chunks(rows: Sequence[Row], size: int = ROWS_PER_STATEMENT_MAX) -> Iterator[list[Row]]:
    """Cut a list into pieces that one statement can take."""
    for start in range(0, len(rows), size):
        yield list(rows[start : start + size])


def insert_into(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Begin an INSERT that may say ``ON CONFLICT``, in the words of this database."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
