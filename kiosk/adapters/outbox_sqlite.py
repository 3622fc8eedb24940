"""The outbox on SQLite: what was appended or answered survives a power cut, and nobody can change it afterwards.

Rules, each held by the schema or checked before the first use:

* WAL and ``synchronous=FULL``, read back. With anything less a commit may be lost when the power goes, and SQLite does not
  say so: a pragma that fails is silent.
* The sequence has no gap and each request names the hash of the one before it; the whole chain is verified at the start.
* A request, its vouchers and an answer can be inserted and neither updated nor deleted. A request with an answer cannot
  become pending again.
* One transaction per call. A call that raises has changed nothing.
* Room on the disk is checked before a transaction starts, so that a full disk is met here and not in the middle of a visit.

Not here: when to publish (:mod:`kiosk.domain.outbox`), and pruning. A request takes about two kilobytes for ever: a
thousand a day for a year fill less than a gigabyte.

Source for the settings: https://www.sqlite.org/pragma.html#pragma_synchronous, https://www.sqlite.org/wal.html.
"""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from kiosk.adapters.outbox_schema import VERSION, statements
from kiosk.domain.outbox import find_break
from kiosk.ports import OutboxRow
from protocol.chain import FIRST_SEQUENCE, GENESIS, link_of
from protocol.envelope import Event
from protocol.errors import PortError
from protocol.limits import BODY_BYTES_MAX

RESERVE_BYTES: Final = 8 << 20
"""Free room that a disk must have before a request is taken: far more than one request and its answer need."""

BUSY_WAIT_S: Final = 5.0
_FULL: Final = 2

_ROW: Final = """
select r.sequence, r.id, r.source, r.type, r.time, r.body, r.auth, r.saved_at,
       a.source, a.type, a.time, a.body, a.auth, s.sequence is not null
from request r left join answer a using (sequence) left join shown s using (sequence)
"""


class SqliteOutbox:
    """See :class:`kiosk.ports.Outbox`. Used by one thread at a time."""

    def __init__(self, path: Path, *, source: str, reserve_bytes: int = RESERVE_BYTES) -> None:
        """Open, or make, and verify.

        Args:
            source: CloudEvents source of this kiosk; a file of another kiosk is refused.

        Raises:
            PortError: the file cannot be opened, its settings do not hold, or its chain is broken.
        """
        self._path = path
        self._reserve_bytes = reserve_bytes
        with _as_port_error():
            self._db = sqlite3.connect(path, timeout=BUSY_WAIT_S, isolation_level=None, check_same_thread=False)
        try:
            with _as_port_error():
                path.chmod(0o600)
                self._set_up()
                self._verify(source)
        except BaseException:
            self._db.close()
            raise

    def append(self, make: Callable[[int, str], Event], *, voucher_nos: Sequence[str], saved_at: datetime) -> OutboxRow:
        """See the port."""
        self._require_room()
        with self._transaction() as db:
            last = db.execute("select sequence, body from request order by sequence desc limit 1").fetchone()
            sequence, previous = (last[0] + 1, link_of(last[1])) if last else (FIRST_SEQUENCE, GENESIS)
            request = make(sequence, previous)
            if len(request.body) > BODY_BYTES_MAX:
                raise ValueError(f"a body of {len(request.body)} bytes is above the limit of {BODY_BYTES_MAX}")
            db.execute(
                "insert into request values (?, ?, ?, ?, ?, ?, ?, ?)",
                (sequence, str(request.id), *_attributes(request), saved_at.isoformat()),
            )
            rows = [(voucher_no, sequence, position) for position, voucher_no in enumerate(voucher_nos)]
            db.executemany("insert into request_voucher values (?, ?, ?)", rows)
            db.execute("insert into pending values (?)", (sequence,))
        return OutboxRow(sequence, request, tuple(voucher_nos), saved_at, None)

    def store_answer(self, request_id: UUID, answer: Event) -> OutboxRow | None:
        """See the port."""
        with self._transaction() as db:
            row = self._find("where r.id = ?", str(request_id))
            if row is None or row.answer is not None:
                return row
            db.execute("insert into answer values (?, ?, ?, ?, ?, ?)", (row.sequence, *_attributes(answer)))
            db.execute("delete from pending where sequence = ?", (row.sequence,))
        return OutboxRow(row.sequence, row.request, row.voucher_nos, row.saved_at, answer)

    def mark_shown(self, request_id: UUID) -> None:
        """See the port."""
        with self._transaction() as db:
            db.execute(
                "insert or ignore into shown select a.sequence from answer a join request r using (sequence) where r.id = ?",
                (str(request_id),),
            )

    def probe(self) -> None:
        """See the port."""
        self._require_room()
        with self._transaction() as db:
            db.execute("update probe set count = count + 1")

    def pending(self, limit: int) -> Sequence[OutboxRow]:
        """See the port."""
        with _as_port_error():
            found = self._db.execute(_ROW + "join pending p using (sequence) order by r.sequence limit ?", (limit,)).fetchall()
            return [self._row(columns) for columns in found]

    def pending_count(self) -> int:
        """See the port."""
        with _as_port_error():
            count: int = self._db.execute("select count(*) from pending").fetchone()[0]
            return count

    def find(self, request_id: UUID) -> OutboxRow | None:
        """See the port."""
        with _as_port_error():
            return self._find("where r.id = ?", str(request_id))

    def find_by_voucher(self, voucher_no: str) -> OutboxRow | None:
        """See the port."""
        newest = "where r.sequence = (select max(sequence) from request_voucher where voucher_no = ?)"
        with _as_port_error():
            return self._find(newest, voucher_no)

    def close(self) -> None:
        """See the port."""
        self._db.close()

    def _set_up(self) -> None:
        db = self._db
        mode = db.execute("pragma journal_mode = wal").fetchone()[0]
        db.execute("pragma synchronous = full")
        db.execute("pragma foreign_keys = on")
        settings = (mode, _read(db, "synchronous"), _read(db, "foreign_keys"))
        if settings != ("wal", _FULL, 1):
            raise PortError(f"the outbox is not safe on this disk: SQLite's settings are {settings}", retry=False)
        version = _read(db, "user_version")
        if version == 0:
            with self._transaction():
                for statement in statements():
                    db.execute(statement)
                db.execute(f"pragma user_version = {VERSION}")
        elif version != VERSION:
            raise PortError(f"the outbox has schema {version}; this program knows {VERSION}", retry=False)

    def _verify(self, source: str) -> None:
        rows = self._db.execute("select sequence, body from request order by sequence")
        if problem := find_break((sequence, body) for sequence, body in rows):
            raise PortError(f"the outbox is damaged: {problem}", retry=False)
        if self._db.execute("select 1 from request where source <> ?", (source,)).fetchone():
            raise PortError("the outbox belongs to another kiosk", retry=False)
        missing = self._db.execute("select 1 from (select * from unanswered except select * from pending)").fetchone()
        extra = self._db.execute("select 1 from (select * from pending except select * from unanswered)").fetchone()
        if missing or extra:
            raise PortError("the outbox is damaged: what is pending is not what is unanswered", retry=False)

    def _require_room(self) -> None:
        free = shutil.disk_usage(self._path.parent).free
        if free < self._reserve_bytes:
            raise PortError(f"the disk is full: {free} bytes are free, {self._reserve_bytes} are kept in reserve", retry=True)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _as_port_error():
            self._db.execute("begin immediate")
            try:
                yield self._db
                self._db.execute("commit")
            except BaseException:
                # A failed commit may have ended the transaction already.
                if self._db.in_transaction:
                    self._db.execute("rollback")
                raise

    def _find(self, where: str, value: str) -> OutboxRow | None:
        columns = self._db.execute(_ROW + where, (value,)).fetchone()
        return None if columns is None else self._row(columns)

    def _row(self, columns: Sequence[Any]) -> OutboxRow:
        sequence, request_id, *request = columns[:7]
        vouchers = self._db.execute("select voucher_no from request_voucher where sequence = ? order by position", (sequence,))
        answer = None if columns[8] is None else Event(UUID(request_id), *columns[8:13])
        return OutboxRow(
            sequence=sequence,
            request=Event(UUID(request_id), *request),
            voucher_nos=tuple(voucher_no for (voucher_no,) in vouchers),
            saved_at=datetime.fromisoformat(columns[7]),
            answer=answer,
            shown=bool(columns[13]),
        )


def _attributes(event: Event) -> tuple[str, str, str, bytes, str]:
    return event.source, event.type, event.time, event.body, event.auth


def _read(db: sqlite3.Connection, pragma: str) -> int:
    value: int = db.execute(f"pragma {pragma}").fetchone()[0]
    return value


@contextlib.contextmanager
def _as_port_error() -> Iterator[None]:
    """Turn what SQLite and the file system say into the port's error. A full or busy disk may recover; a bad one does not."""
    try:
        yield
    except sqlite3.Error as problem:
        retry = getattr(problem, "sqlite_errorcode", None) in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR}
        raise PortError(f"the outbox failed: {problem}", retry=retry) from problem
    except PortError:
        raise
    except OSError as problem:
        raise PortError(f"the outbox failed: {problem.strerror}", retry=False) from problem
