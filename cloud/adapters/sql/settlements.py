"""Settlements in the database, for :mod:`cloud.ports.settlements`.

A settlement is a border: it has seen the confirmations up to a number, and claims those of them that were redeemed before its
week's end, except what the settlement before had claimed by the same rule. No row is marked; ``claim_line`` is a view, and one
pass over the confirmations since the last border makes the sums. What holds it:

* Numbers are given out in order but committed out of order. Every confirming transaction shares a lock (a trigger takes it),
  and the settlement takes it alone before it reads the highest number: whoever has a lower one has committed or is gone.
* A trigger refuses a confirmation whose number a settlement has already seen: what is closed stays closed.
* ``settlement_range`` is a chain by foreign key and unique constraints, so two borders cannot take the same confirmation.
* What was seen but redeemed after the week's end (a settlement that ran late) stays open; ``open_from_no`` is the lowest such
  number, and the next pass begins there.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Select, and_, func, insert, or_, select

from cloud.adapters.sql.journals import insert_journals
from cloud.adapters.sql.tables import claim, confirmation, redemption, settlement, settlement_range
from cloud.adapters.sql.transactions import Lock, Row, reading, take_lock, writing
from cloud.domain.calendar import Period
from cloud.domain.records import Journal
from cloud.domain.settlement import Claim, Claimable, Settlement, first_open_period


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


@dataclass(frozen=True, slots=True)
class _Border:
    """Where the settlement before stopped, or what stands for it before the first."""

    previous_starts_on: date | None
    starts_at: datetime
    after_no: int
    open_from_no: int


class _Transaction:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._range: Row | None = None

    def find_open_period(self) -> Period | None:
        return _find_open_period(self._connection)

    def claimable(self, period: Period) -> Sequence[Claimable]:
        take_lock(self._connection, Lock.CONFIRM)
        border = _last_border(self._connection, period)
        through_no = self._connection.scalar(select(func.max(confirmation.c.confirmation_no))) or 0
        open_from_no = through_no + 1
        found: list[Claimable] = []
        for row in self._connection.execute(_open_sums(border, through_no, period.ends_at)):
            if row.due:
                found.append(Claimable(*row[2:]))
            else:
                open_from_no = min(open_from_no, row.first_no)
        self._range = {
            "period_starts_on": period.starts_on,
            "previous_starts_on": border.previous_starts_on,
            "starts_at": border.starts_at,
            "ends_at": period.ends_at,
            "after_no": border.after_no,
            "through_no": through_no,
            "open_from_no": open_from_no,
        }
        return found

    def save(self, settlement_: Settlement, journals: Sequence[Journal]) -> None:
        starts_on = settlement_.period.starts_on
        if self._range is None or self._range["period_starts_on"] != starts_on:
            raise RuntimeError("a settlement is saved with what was claimable in its own week, and nothing was asked for")
        self._connection.execute(
            insert(settlement).values(
                period_starts_on=starts_on,
                closed_at=settlement_.closed_at,
                claim_count=len(settlement_.claims),
                voucher_count=settlement_.voucher_count,
                claimed_twd=settlement_.claimed_twd,
            )
        )
        self._connection.execute(insert(settlement_range).values(self._range))
        if settlement_.claims:
            self._connection.execute(insert(claim), [_claim_row(one, starts_on) for one in settlement_.claims])
        insert_journals(self._connection, journals)


def _find_open_period(connection: Connection) -> Period | None:
    last_closed: date | None = connection.scalar(select(func.max(settlement.c.period_starts_on)))
    if last_closed is not None:
        return first_open_period(last_closed, None)
    first_redeemed_at: datetime | None = connection.scalar(select(func.min(redemption.c.redeemed_at)))
    return first_open_period(None, first_redeemed_at)


def _last_border(connection: Connection, period: Period) -> _Border:
    last = connection.execute(
        select(settlement_range).order_by(settlement_range.c.period_starts_on.desc()).limit(1)
    ).one_or_none()
    if last is None:
        return _Border(None, period.starts_at, after_no=0, open_from_no=1)
    return _Border(last.period_starts_on, last.ends_at, after_no=last.through_no, open_from_no=last.open_from_no)


def _open_sums(border: _Border, through_no: int, ends_at: datetime) -> Select[Any]:
    """Sum what is in no claim, per merchant, programme and whether its week has ended. There is no lower bound in time."""
    due = (confirmation.c.redeemed_at < ends_at).label("due")
    pair = (confirmation.c.merchant_id, confirmation.c.programme_id)
    seen = confirmation.c.confirmation_no <= through_no
    unclaimed = or_(confirmation.c.confirmation_no > border.after_no, confirmation.c.redeemed_at >= border.starts_at)
    return (
        select(
            due,
            func.min(confirmation.c.confirmation_no).label("first_no"),
            *pair,
            func.count(),
            func.sum(confirmation.c.voucher_count),
            func.sum(confirmation.c.amount_twd),
        )
        .where(and_(confirmation.c.confirmation_no >= border.open_from_no, seen, unclaimed))
        .group_by(due, *pair)
    )


def _claim_row(one: Claim, starts_on: date) -> Row:
    return {
        "claim_id": one.claim_id,
        "period_starts_on": starts_on,
        "merchant_id": one.merchant_id,
        "programme_id": one.programme_id,
        "redemption_count": one.redemption_count,
        "voucher_count": one.voucher_count,
        "amount_twd": one.amount_twd,
    }
