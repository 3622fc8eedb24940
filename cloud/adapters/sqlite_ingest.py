"""The hot path on SQLite, through the driver itself: one ``BEGIN IMMEDIATE`` … ``COMMIT`` per batch.

Lists go in as one JSON text each, so that the statements are the same for every size of batch and are compiled once; rows are
inserted by the driver's own loop. The settings (WAL, ``synchronous=FULL``, …) are those of :mod:`cloud.adapters.sql.engine`,
read back on each connection.

Constraints judge, and a violation is a :class:`ConflictError`; but there is only one writing transaction at a time, and it has
the lock before its first read, so nothing changes under it: not a voucher's use or hold, and not the count of guesses at its
digits, of which therefore no more than five are ever compared.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from cloud.adapters import ingest_queries as queries
from cloud.adapters.driver_failures import translated
from cloud.adapters.idle_connections import IdleConnections
from cloud.adapters.ingest_knowledge import Decoding, Found, Row, knowledge_of
from cloud.adapters.ingest_queries import wanted_by
from cloud.adapters.ingest_rows import APPENDED, HOLDS, Spelling, Target, remembered
from cloud.adapters.sql.engine import set_up_sqlite
from cloud.domain.records import Ask, Decisions, Knowledge
from cloud.ports.ingest import IngestTransaction, Meanwhile

_LIST: Final = "json_each(?) AS w"
_PAIRS: Final = (
    "(SELECT json_extract(value, '$[0]') AS sender_id, json_extract(value, '$[1]') AS sequence FROM json_each(?)) AS w"
)
_AMONG: Final = "IN (SELECT value FROM json_each(?1))"
_VOUCHERS: Final = queries.VOUCHERS.substitute(among=_AMONG)
_MARKS: Final = queries.MARKS.substitute(among=_AMONG)
_ANSWERS: Final = queries.ANSWERS.substitute(among=_AMONG)
_SEQUENCES: Final = queries.SEQUENCES.substitute(wanted=_PAIRS)
_DEVICES: Final = queries.DEVICES.substitute(wanted=_LIST)
_STAFF: Final = queries.STAFF.substitute(wanted=_LIST)
_PROGRAMMES: Final = queries.PROGRAMMES.substitute(wanted=_LIST)
_LET_GO: Final = "DELETE FROM hold WHERE voucher_no IN (SELECT value FROM json_each(?))"


class SqliteIngestStore:
    """``IngestStore`` on SQLite. Any number of threads may use it; each transaction has a connection of its own."""

    def __init__(self, database: str, parameters: Mapping[str, Any]) -> None:
        """``database`` and ``parameters`` are those of ``sqlite3.connect``: which file, and how its name is to be read."""
        self._database = database
        self._parameters = dict(parameters)
        self._connections = IdleConnections(self._connect, is_fit=_is_fit)

    def begin(self, meanwhile: Meanwhile | None = None) -> AbstractContextManager[IngestTransaction]:  # noqa: ARG002
        """Wait for the writer in front and begin; leaving it without ``save`` rolls back.

        Raises:
            PortError: the file cannot be opened or is full, or the writer in front took too long.
        """
        return self._begin()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._connections.close()

    @contextmanager
    def _begin(self) -> Iterator[IngestTransaction]:
        with translated(), self._connections.borrow() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield _SqliteIngestTransaction(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _connect(self) -> sqlite3.Connection:
        # Lent to one thread at a time, not always to the one that opened it.
        connection: sqlite3.Connection = sqlite3.connect(self._database, **{**self._parameters, "check_same_thread": False})
        try:
            set_up_sqlite(connection)
        except BaseException:
            connection.close()
            raise
        return connection


class _SqliteIngestTransaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def load(self, asks: Sequence[Ask]) -> Knowledge:
        with translated():
            wanted = wanted_by(asks)
            vouchers = self._all(_VOUCHERS, wanted.numbers)
            programme_ids = sorted({row[1] for row in vouchers})
            found = Found(
                vouchers=vouchers,
                marks=self._all(_MARKS, wanted.numbers),
                answers=self._all(_ANSWERS, [request_id.hex for request_id in wanted.requests]),
                sequences=self._all(_SEQUENCES, wanted.sequences),
                senders=self._all(_DEVICES, wanted.devices) + self._all(_STAFF, wanted.staff),
                programmes=self._all(_PROGRAMMES, programme_ids),
            )
            return knowledge_of(found, _DECODING)

    def save(self, decisions: Decisions) -> None:
        with translated():
            spell = Spelling(attrgetter("hex"), remembered(_write_instant))
            for target in APPENDED:
                self._connection.executemany(_INSERTS[target.table], target.rows(decisions, spell))
            if decisions.holds:
                self._connection.execute(_LET_GO, [json.dumps(sorted(decisions.holds))])
                self._connection.executemany(_INSERTS[HOLDS.table], HOLDS.rows(decisions, spell))
            self._connection.execute("COMMIT")

    def _all(self, statement: str, wanted: Sequence[Any]) -> list[Row]:
        return self._connection.execute(statement, [json.dumps(wanted)]).fetchall() if wanted else []


def _insert_statement(target: Target) -> str:
    values = ", ".join("?" * len(target.columns))
    return f"INSERT INTO {target.table} ({', '.join(target.columns)}) VALUES ({values})"  # noqa: S608 - ours


_INSERTS: Final = {target.table: _insert_statement(target) for target in (*APPENDED, HOLDS)}


def _write_instant(value: datetime) -> str:
    # As SQLAlchemy writes it (cloud.adapters.sql.tables.Instant): UTC, sortable.
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def _read_instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


_DECODING: Final = Decoding(uuid=UUID, instant=_read_instant, date=date.fromisoformat)


def _is_fit(connection: sqlite3.Connection) -> bool:
    return not connection.in_transaction
