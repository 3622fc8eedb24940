"""The hot path's database: reads what a batch touches, writes what was decided, in a handful of statements whatever its size.

Append-only: a redemption inserts rows and updates none. Constraints judge (see :mod:`cloud.adapters.sql.tables`); a violation
is a :class:`ConflictError`, and the service judges again.

**Guesses at digits are serialised per voucher.** Constraints alone count right but not strictly: twenty transactions that
read "four wrong tries" at once each compare one guess, and if the twentieth is right it commits without touching a counter,
which makes it the twenty-fourth evaluation instead of the fifth. So nobody may compare before the one in front has written
its count:

* SQLite: the transaction begins ``IMMEDIATE``; there is only one at a time.
* PostgreSQL: before the first read the transaction locks every voucher number of its batch, in order, with advisory locks
  (cheaper than row locks, which would dirty a page per voucher, and numbers that do not exist have no row). They live in
  shared memory of fixed size, so a batch of more than :data:`VOUCHER_LOCKS_MAX` numbers takes the gate alone instead, which
  every other batch shares. Reading after locking needs ``READ COMMITTED``: under a stricter level the snapshot would be older
  than the lock.

The same locks keep holds and uses of a voucher still while they are judged.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from sqlalchemy import BigInteger, Connection, Engine, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from cloud.adapters.sql import ingest_queries as queries
from cloud.adapters.sql import ingest_rows as rows
from cloud.adapters.sql.bulk import among, insert_rows
from cloud.adapters.sql.failures import translated
from cloud.adapters.sql.tables import digit_try, hold, inbox, ledger_entry, redemption, redemption_line
from cloud.domain.records import Ask, Decisions, Knowledge
from cloud.ports.ingest import IngestTransaction
from protocol.voucher import is_voucher_no

VOUCHER_LOCKS_MAX: Final = 1_000
"""PostgreSQL has room for 6 400 locks as installed: six such batches at once."""

_LOCK_SPACE: Final = 0x766B << 44
"""Our voucher numbers, below 2**40, lie here among all advisory locks of the database."""

_GATE: Final = _LOCK_SPACE - 1


class SqlIngestStore:
    """``IngestStore`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        """``engine`` is a writing one of :func:`cloud.adapters.sql.engine.make_engine`."""
        self._engine = engine

    def begin(self) -> AbstractContextManager[IngestTransaction]:
        """Open a transaction; leaving it without ``save`` rolls back.

        Raises:
            PortError: the database cannot be reached or is full.
        """
        return self._begin()

    @contextmanager
    def _begin(self) -> Iterator[IngestTransaction]:
        with translated(), self._engine.connect() as connection:
            yield _SqlIngestTransaction(connection)


class _SqlIngestTransaction:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def load(self, asks: Sequence[Ask]) -> Knowledge:
        with translated():
            # A number that is none can be in no table: the judge calls the request malformed.
            numbers = sorted({number for ask in asks for number in ask.request.voucher_nos if is_voucher_no(number)})
            if self._connection.dialect.name == "postgresql":
                _lock_vouchers(self._connection, numbers)
            return _load(self._connection, asks, numbers)

    def save(self, decisions: Decisions) -> None:
        with translated():
            _save(self._connection, decisions)
            self._connection.commit()


def _lock_vouchers(connection: Connection, numbers: Sequence[str]) -> None:
    if len(numbers) > VOUCHER_LOCKS_MAX:
        connection.execute(select(func.pg_advisory_xact_lock(_GATE)))
        return
    connection.execute(select(func.pg_advisory_xact_lock_shared(_GATE)))
    keys = bindparam(None, [_LOCK_SPACE + int(number) for number in numbers], type_=ARRAY(BigInteger))
    key = func.unnest(keys).column_valued("key")
    connection.execute(select(func.count(func.pg_advisory_xact_lock(key))))


def _load(connection: Connection, asks: Sequence[Ask], numbers: Sequence[str]) -> Knowledge:
    found = queries.load_vouchers(connection, numbers)
    programmes = queries.load_programmes(connection, {row["programme_id"] for row in found})
    # A voucher whose programme is gone is no voucher: better refused than judged by no rules.
    found = [row for row in found if row["programme_id"] in programmes]
    return Knowledge(
        answers=queries.load_answers(connection, asks),
        sequences=queries.load_sequences(connection, asks),
        senders=queries.load_senders(connection, asks),
        programmes=programmes,
        vouchers={row["voucher_no"]: rows.to_voucher(row) for row in found},
        uses={row["voucher_no"]: rows.to_use(row) for row in found if row["redemption_id"] is not None},
        wrong_tries=queries.load_wrong_tries(connection, numbers),
        holds={row["voucher_no"]: rows.to_hold(row) for row in found if row["visit_id"] is not None},
    )


def _save(connection: Connection, decisions: Decisions) -> None:
    insert_rows(connection, inbox, rows.of_answers(decisions))
    insert_rows(connection, redemption, rows.of_redemptions(decisions))
    insert_rows(connection, redemption_line, rows.of_lines(decisions))
    insert_rows(connection, ledger_entry, rows.of_journals(decisions))
    insert_rows(connection, digit_try, rows.of_wrong_tries(decisions))
    if decisions.holds:
        connection.execute(delete(hold).where(among(connection, hold.c.voucher_no, sorted(decisions.holds))))
        insert_rows(connection, hold, rows.of_holds(decisions))
