"""The hot path on PostgreSQL, through the driver itself: two round trips per batch, whatever its size.

The first sends the locks and every read at once (:mod:`cloud.adapters.postgres_pipeline`), the second every insert and the
commit. Each statement is prepared, takes whole columns as arrays, and is planned once for all (:data:`_PLANNING`).

Append-only: a redemption inserts rows and updates none. Constraints judge (see :mod:`cloud.adapters.sql.tables`); a violation
is a :class:`ConflictError`, and the service judges again. Whatever can change is read in the very transaction that judges by
it: a device's state, a merchant's, a programme's rules. Remembered is only *which* programmes are worth asking for.

**Guesses at digits are serialised per voucher.** Constraints alone count right but not strictly: twenty transactions that
read "four wrong tries" at once each compare one guess, and if the twentieth is right it commits without touching a counter,
which makes it the twenty-fourth evaluation instead of the fifth. So nobody may compare before the one in front has written
its count: before the first read the transaction locks every voucher number of its batch, in order, with advisory locks
(cheaper than row locks, which would dirty a page per voucher, and numbers that do not exist have no row). They live in shared
memory of fixed size, so a batch of more than :data:`VOUCHER_LOCKS_MAX` numbers takes the gate alone instead, which every
other batch shares. Reading after locking needs ``READ COMMITTED``: under a stricter level the snapshot would be older than
the lock. The same locks keep holds and uses of a voucher still while they are judged.

**What is read may not have reached a standby.** After a crash, or after somebody ended a waiting commit, the primary shows
transactions that a fail-over would still forget. So a stored answer is not given again before a commit of this very
transaction has waited for the standbys, even if it writes nothing: commits reach them in order. And after any failure the
connection is not used again: the next one looks for the server that takes writes.
"""

import select
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

import psycopg
from psycopg.pq import TransactionStatus

from cloud.adapters import ingest_queries as queries
from cloud.adapters.commit_doubt import CommitDoubt
from cloud.adapters.driver_failures import translated
from cloud.adapters.idle_connections import IdleConnections
from cloud.adapters.ingest_knowledge import Decoding, Found, Row, knowledge_of
from cloud.adapters.ingest_queries import Wanted, wanted_by
from cloud.adapters.ingest_rows import APPENDED, HOLDS, Spelling, Target, remembered
from cloud.adapters.postgres_arrays import (
    COLUMN_TYPES,
    array_of,
    encode_instant,
    int_array,
    text_array,
    uuid_array,
)
from cloud.adapters.postgres_pipeline import Call, PipelinedConnection
from cloud.adapters.sql.engine import POSTGRES_OPTIONS, check_synchronous_commit
from cloud.domain.records import Ask, Decisions, Knowledge
from cloud.ports.ingest import IngestTransaction, Meanwhile
from protocol.errors import PortError

VOUCHER_LOCKS_MAX: Final = 1_000
"""PostgreSQL has room for 6 400 locks as installed: six such batches at once."""

ANSWER_WAIT_S: Final = 15.0
"""A server that says nothing for so long is left and looked for anew. Longer than it waits for a lock, shorter than a dead
primary is mourned."""

_PLANNING: Final[Mapping[str, object]] = {
    # A plan for all sizes, made once. Made while a table is empty, it would scan it whole for ever after, and slower with every
    # row (measured); so on these connections a scan, and a join that needs one, is the last resort.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
_LOCK_SPACE: Final = 0x766B << 44
"""Our voucher numbers, below 2**40, lie here among all advisory locks of the database."""

_GATE: Final = _LOCK_SPACE - 1
_LOCK_ALL: Final = f"SELECT pg_advisory_xact_lock({_GATE})"
_LOCK_SOME: Final = (
    f"SELECT pg_advisory_xact_lock_shared({_GATE}), "  # noqa: S608 - a number of ours
    "(SELECT count(pg_advisory_xact_lock(key)) FROM unnest($1::bigint[]) AS w(key))"
)
_LIST: Final = "unnest($1::text[]) AS w(value)"
_AMONG: Final = "= ANY($1::text[])"
_VOUCHERS: Final = queries.VOUCHERS.substitute(among=_AMONG)
_MARKS: Final = queries.MARKS.substitute(among=_AMONG)
_ANSWERS: Final = queries.ANSWERS.substitute(among="= ANY($1::uuid[])")
_SEQUENCES: Final = queries.SEQUENCES.substitute(wanted="unnest($1::text[], $2::bigint[]) AS w(sender_id, sequence)")
_DEVICES: Final = queries.DEVICES.substitute(wanted=_LIST)
_STAFF: Final = queries.STAFF.substitute(wanted=_LIST)
_PROGRAMMES: Final = queries.PROGRAMMES.substitute(wanted=_LIST)
_MARK: Final = "SELECT pg_logical_emit_message(true, 'vk', '')"
"""Writes to the log and to no table: a commit without any change would wait for nobody."""

_LET_GO: Final = "DELETE FROM hold WHERE voucher_no = ANY($1::text[])"

# Reading after locking, see above.
_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
_COMMIT: Final = "COMMIT"


class PostgresIngestStore:
    """``IngestStore`` on PostgreSQL. Any number of threads may use it; each transaction has a connection of its own."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        """``parameters`` are those of ``psycopg.connect``: where the database is and who asks."""
        self._parameters = dict(parameters)
        self._connections = IdleConnections(self._connect, is_fit=_is_fit)
        self._programmes: frozenset[str] = frozenset()
        self._doubts: WeakKeyDictionary[PipelinedConnection, CommitDoubt] = WeakKeyDictionary()

    def begin(self, meanwhile: Meanwhile | None = None) -> AbstractContextManager[IngestTransaction]:
        """Open a transaction; leaving it without ``save`` rolls back.

        Raises:
            PortError: the database cannot be reached or is full. The next transaction has a new connection.
        """
        return self._begin(meanwhile)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._connections.close()

    @contextmanager
    def _begin(self, meanwhile: Meanwhile | None) -> Iterator[IngestTransaction]:
        with translated(), self._connections.borrow() as connection:
            try:
                yield _PostgresIngestTransaction(connection, self, meanwhile)
            except PortError:
                connection.close()
                raise
            finally:
                if not connection.closed and connection.info.transaction_status != TransactionStatus.IDLE:
                    # A connection that cannot even roll back has lost its transaction, and is not used again.
                    with suppress(psycopg.Error):
                        connection.rollback()

    def _connect(self) -> PipelinedConnection:
        options = " ".join(f"-c {name}={value}" for name, value in {**POSTGRES_OPTIONS, **_PLANNING}.items())
        connection = PipelinedConnection.connect(**{**self._parameters, "options": options})
        connection.answer_wait_s = ANSWER_WAIT_S
        try:
            check_synchronous_commit(connection)
            connection.prepare(_STATEMENTS)
            self._doubts[connection] = CommitDoubt.of(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def doubt_of(self, connection: PipelinedConnection) -> CommitDoubt:
        """What was heard on a connection about its commits."""
        return self._doubts[connection]

    # What transactions share ---------------------------------------------------------------------------------------------

    @property
    def programmes(self) -> frozenset[str]:
        """Ids of the programmes whose vouchers have been seen. Their rules are read anew each time."""
        return self._programmes

    def remember(self, programme_ids: frozenset[str]) -> None:
        """Ask for these too from now on."""
        self._programmes |= programme_ids


class _PostgresIngestTransaction:
    def __init__(self, connection: PipelinedConnection, store: PostgresIngestStore, meanwhile: Meanwhile | None) -> None:
        self._connection = connection
        self._store = store
        self._meanwhile = meanwhile

    def load(self, asks: Sequence[Ask]) -> Knowledge:
        with translated():
            asked = self._store.programmes
            found = self._read(wanted_by(asks), asked)
            unmet = {row[1] for row in found.vouchers} - asked
            if unmet:
                (more,) = self._connection.run([(_PROGRAMMES, (text_array(sorted(unmet)),))])
                found.programmes = [*found.programmes, *more]
                self._store.remember(frozenset(unmet))
            return knowledge_of(found, _DECODING)

    def save(self, decisions: Decisions) -> None:
        spell = Spelling(attrgetter("bytes"), remembered(encode_instant))
        calls = [_insert(target, rows) for target in APPENDED if (rows := target.rows(decisions, spell))]
        if decisions.holds:
            calls.append((_LET_GO, (text_array(sorted(decisions.holds)),)))
            if held := HOLDS.rows(decisions, spell):
                calls.append(_insert(HOLDS, held))
        if not decisions.answers:
            calls.append((_MARK, ()))
        with translated():
            self._connection.run([*calls, (_COMMIT, ())], self._meanwhile)
        self._store.doubt_of(self._connection).check()

    def _read(self, wanted: Wanted, programmes: frozenset[str]) -> Found:
        numbers = (text_array(wanted.numbers),)
        calls: list[Call | None] = [
            (_BEGIN, ()),
            _locks(wanted.numbers),
            (_VOUCHERS, numbers),
            (_MARKS, numbers),
            (_ANSWERS, (uuid_array([request_id.bytes for request_id in wanted.requests]),)),
            (_SEQUENCES, _columns(wanted.sequences)) if wanted.sequences else None,
            (_DEVICES, (text_array(wanted.devices),)) if wanted.devices else None,
            (_STAFF, (text_array(wanted.staff),)) if wanted.staff else None,
            (_PROGRAMMES, (text_array(sorted(programmes)),)) if programmes else None,
        ]
        found = iter(self._connection.run([call for call in calls if call is not None], self._meanwhile))
        rows = [[] if call is None else next(found) for call in calls]
        _, _, vouchers, marks, answers, sequences, devices, staff, rules = rows
        return Found(vouchers, marks, answers, sequences, [*devices, *staff], rules)


def _locks(numbers: Sequence[str]) -> Call:
    if len(numbers) > VOUCHER_LOCKS_MAX:
        return _LOCK_ALL, ()
    return _LOCK_SOME, (int_array([_LOCK_SPACE + int(number) for number in numbers]),)


def _columns(sequences: Sequence[tuple[str, int]]) -> Sequence[str]:
    return text_array([sender_id for sender_id, _ in sequences]), int_array([sequence for _, sequence in sequences])


def _insert(target: Target, rows: Sequence[Row]) -> Call:
    columns = zip(*rows, strict=True)
    arrays = [array_of(kind, column) for kind, column in zip(target.columns.values(), columns, strict=True)]
    return _INSERTS[target.table], arrays


def _insert_statement(target: Target) -> str:
    arrays = ", ".join(f"${number}::{COLUMN_TYPES[kind]}[]" for number, kind in enumerate(target.columns.values(), start=1))
    return f"INSERT INTO {target.table} ({', '.join(target.columns)}) SELECT * FROM unnest({arrays})"  # noqa: S608 - ours


_INSERTS: Final = {target.table: _insert_statement(target) for target in (*APPENDED, HOLDS)}
_STATEMENTS: Final = (
    _BEGIN,
    _LOCK_ALL,
    _LOCK_SOME,
    _VOUCHERS,
    _MARKS,
    _ANSWERS,
    _SEQUENCES,
    _DEVICES,
    _STAFF,
    _PROGRAMMES,
    _LET_GO,
    _MARK,
    *_INSERTS.values(),
    _COMMIT,
)


def _same_uuid(value: UUID) -> UUID:
    return value


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


_DECODING: Final = Decoding(uuid=_same_uuid, instant=_in_utc, date=lambda value: value)


def _is_fit(connection: PipelinedConnection) -> bool:
    """Tell whether a connection may be used: a server that has gone has said so, or hung up; then it can be read."""
    if connection.closed or connection.info.transaction_status != TransactionStatus.IDLE:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)
