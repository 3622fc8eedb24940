"""Settlements in the database, for :mod:`cloud.ports.settlements`.

A settlement is a border: it has seen the confirmations up to a number, and claims those of them that were redeemed before its
week's end, except what the settlement before had claimed by the same rule. No row is marked; ``claim_line`` is a view, and one
pass over the confirmations since the last border makes the sums. What holds it:

* Numbers are given out in order but committed out of order. Every confirming transaction shares a lock (a trigger takes it),
  and the settlement takes it alone before it reads the highest number: whoever has a lower one has committed or is gone.
* A trigger refuses a confirmation whose number a settlement has already seen: what is closed stays closed.
* ``settlement_range`` is a chain by foreign key and unique constraints, so two borders cannot take the same confirmation. Its
  row is written last and is the seal: a trigger refuses claims in a week that has one.
* What was seen but redeemed after the week's end (a settlement that ran late) stays open; ``open_from_no`` is the lowest such
  number, and the next pass begins there.

The rows are made where they are kept (:mod:`cloud.adapters.sql.claims`): none of them travels.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime

from sqlalchemy import ColumnElement, Connection, Engine, and_, func, insert, select, text

from cloud.adapters.sql.borders import Border, find_last_border, is_unclaimed_by
from cloud.adapters.sql.claims import NewClaims
from cloud.adapters.sql.corrections import set_claims_off
from cloud.adapters.sql.tables import confirmation, redemption, settlement, settlement_range
from cloud.adapters.sql.transactions import Lock, reading, take_lock, writing
from cloud.domain.calendar import Period
from cloud.domain.settlement import Settlement, first_open_period


class SqlSettlementStore:
    """``SettlementStore`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find_open_period(self) -> Period | None:
        with reading(self._engine) as connection:
            return _find_open_period(connection)

    @contextmanager
    def begin(self) -> Iterator["_Transaction"]:
        with writing(self._engine) as connection:
            take_lock(connection, Lock.SETTLE)
            yield _Transaction(connection)


class _Transaction:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find_open_period(self) -> Period | None:
        return _find_open_period(self._connection)

    def close(self, period: Period, *, closed_at: datetime) -> Settlement:
        take_lock(self._connection, Lock.CONFIRM)
        border = find_last_border(self._connection)
        through_no = self._connection.scalar(select(func.max(confirmation.c.confirmation_no))) or 0
        if self._connection.dialect.name == "postgresql":
            # Worth it from far more rows on than there are: compiling takes as long as a good part of the sums.
            self._connection.execute(text("SET LOCAL jit = off"))
        claims = NewClaims(self._connection, period)
        unclaimed = is_unclaimed_by(border, through_no)
        closed = claims.add_up(and_(unclaimed, confirmation.c.redeemed_at < period.ends_at), closed_at)
        first_left = _find_first_left(self._connection, and_(unclaimed, confirmation.c.redeemed_at >= period.ends_at))
        self._connection.execute(
            insert(settlement).values(
                period_starts_on=period.starts_on,
                closed_at=closed_at,
                claim_count=closed.claim_count,
                voucher_count=closed.voucher_count,
                claimed_twd=closed.claimed_twd,
            )
        )
        claims.write(closed)
        set_claims_off(self._connection, Border(period.starts_on, period.ends_at, through_no, 0), at=closed_at)
        self._connection.execute(
            insert(settlement_range).values(
                period_starts_on=period.starts_on,
                previous_starts_on=border.period_starts_on if border else None,
                starts_at=border.ends_at if border else period.starts_at,
                ends_at=period.ends_at,
                after_no=border.through_no if border else 0,
                through_no=through_no,
                open_from_no=first_left or through_no + 1,
            )
        )
        return closed


def _find_open_period(connection: Connection) -> Period | None:
    last_closed: date | None = connection.scalar(select(func.max(settlement.c.period_starts_on)))
    if last_closed is not None:
        return first_open_period(last_closed, None)
    first_redeemed_at: datetime | None = connection.scalar(select(func.min(redemption.c.redeemed_at)))
    return first_open_period(None, first_redeemed_at)


def _find_first_left(connection: Connection, which: ColumnElement[bool]) -> int | None:
    # Counted too, and the count thrown away: PostgreSQL would look for a minimum alone in order of the numbers, which is a walk
    # past all of them where none is left. So it takes the index of the times, and is done at once.
    first_no: int | None
    first_no, _ = connection.execute(select(func.min(confirmation.c.confirmation_no), func.count()).where(which)).one()
    return first_no
