"""Over random weeks of redemptions, late confirmations and repeated settlements, claims partition what was confirmed."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select

from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import claim, claim_line, confirmation, ledger_entry, metadata, redemption, settlement
from cloud.domain.calendar import Period
from cloud.services.confirm import confirm
from cloud.services.settle import settle_due
from tests.support.money import FACE_VALUE_TWD, Till
from tests.support.setups import PLACES, load_example

FIRST = Period(date(2026, 10, 7))
HOUR = timedelta(hours=1)
WEEKS = 4


@dataclass(frozen=True, slots=True)
class Event:
    """One redemption and when it is confirmed, in hours since the first week began; None: never."""

    place: int
    vouchers: int
    redeemed_h: int
    late_h: int | None

    @property
    def at(self) -> datetime:
        return FIRST.starts_at + self.redeemed_h * HOUR

    @property
    def confirmed_at(self) -> datetime | None:
        return None if self.late_h is None else self.at + self.late_h * HOUR


EVENTS = st.lists(
    st.builds(
        Event,
        place=st.integers(0, 2),
        vouchers=st.integers(1, 3),
        redeemed_h=st.integers(0, WEEKS * 168 - 1),
        late_h=st.one_of(st.none(), st.integers(0, 400)),
    ),
    max_size=10,
)
SETTLE_TIMES = st.lists(st.integers(0, (WEEKS + 3) * 168), max_size=8).map(sorted)


@cache
def template() -> bytes:
    """A database file with the example in it, made once: making one takes longer than a whole play."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cloud.sqlite3"
        engine = make_engine(f"sqlite:///{path}")
        metadata.create_all(engine)
        load_example(engine)
        engine.dispose()
        return path.read_bytes()


@contextmanager
def fresh_till() -> Iterator[Till]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cloud.sqlite3"
        path.write_bytes(template())
        engine = make_engine(f"sqlite:///{path}")
        try:
            yield Till(engine)
        finally:
            engine.dispose()


def play(till: Till, events: list[Event], settle_hours: list[int]) -> None:
    """Let everything happen in order of time; at the same instant redemptions come before confirmations before settling."""
    ids: dict[int, UUID] = {}
    agenda: list[tuple[datetime, int, int]] = [(event.at, 0, number) for number, event in enumerate(events)]
    agenda += [(event.confirmed_at, 1, number) for number, event in enumerate(events) if event.confirmed_at is not None]
    agenda += [(FIRST.starts_at + hours * HOUR, 2, 0) for hours in settle_hours]
    for now, kind, number in sorted(agenda):
        if kind == 0:
            ids[number] = till.redeem(now, place=PLACES[events[number].place], vouchers=events[number].vouchers)
        elif kind == 1:
            place = PLACES[events[number].place]
            store = SqlConfirmationStore(till.engine)
            confirm(store, [ids[number]], merchant_id=place.merchant_id, staff_id=place.staff_id, now=now)
        else:
            settle_due(SqlSettlementStore(till.engine), now=now)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EVENTS, SETTLE_TIMES)
def test_claims_partition_what_was_confirmed(events: list[Event], settle_hours: list[int]) -> None:
    with fresh_till() as till:
        play(till, events, settle_hours)
        far = FIRST.starts_at + timedelta(weeks=WEEKS + 6)
        settle_due(SqlSettlementStore(till.engine), now=far)
        assert settle_due(SqlSettlementStore(till.engine), now=far) == []
        _check_partition(till.engine)
        _check_sums(till.engine)
        _check_weeks(till.engine, events)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EVENTS, SETTLE_TIMES)
def test_settling_more_often_claims_the_same(events: list[Event], settle_hours: list[int]) -> None:
    """Once after each week's end, or that and any number of times more: the same claims."""
    ends = [(week + 1) * 168 for week in range(WEEKS + 4)]
    with fresh_till() as seldom, fresh_till() as often:
        play(seldom, events, ends)
        play(often, events, sorted(ends + settle_hours))
        assert _claims(seldom.engine) == _claims(often.engine)


def _check_partition(engine: Engine) -> None:
    with engine.connect() as connection:
        confirmed = set(connection.scalars(select(confirmation.c.redemption_id)))
        claimed = Counter(connection.scalars(select(claim_line.c.redemption_id)))
        assert set(claimed) == confirmed
        assert set(claimed.values()) <= {1}


def _check_sums(engine: Engine) -> None:
    with engine.connect() as connection:
        by_lines = select(claim_line.c.claim_id, func.sum(claim_line.c.amount_twd)).group_by(claim_line.c.claim_id)
        assert sorted(connection.execute(by_lines)) == sorted(connection.execute(select(claim.c.claim_id, claim.c.amount_twd)))
        vouchers = connection.scalar(
            select(func.sum(redemption.c.voucher_count)).join(
                confirmation, confirmation.c.redemption_id == redemption.c.redemption_id
            )
        )
        assert (connection.scalar(select(func.sum(claim.c.amount_twd))) or 0) == (vouchers or 0) * FACE_VALUE_TWD
        assert (connection.scalar(select(func.sum(settlement.c.claimed_twd))) or 0) == (vouchers or 0) * FACE_VALUE_TWD
        assert (connection.scalar(select(func.sum(ledger_entry.c.amount_twd))) or 0) == 0


def _check_weeks(engine: Engine, events: list[Event]) -> None:
    """Closed weeks follow each other from the first redemption on, and nothing is claimed before its own week."""
    with engine.connect() as connection:
        closed = sorted(connection.scalars(select(settlement.c.period_starts_on)))
        weeks = connection.execute(
            select(redemption.c.redeemed_at, claim.c.period_starts_on)
            .join(claim_line, claim_line.c.redemption_id == redemption.c.redemption_id)
            .join(claim, claim.c.claim_id == claim_line.c.claim_id)
        ).all()
    assert all(later - earlier == timedelta(days=7) for earlier, later in pairwise(closed))
    assert bool(closed) == bool(events)
    assert all(redeemed_at < Period(starts_on).ends_at for redeemed_at, starts_on in weeks)


def _claims(engine: Engine) -> list[tuple[date, str, int]]:
    wanted = select(claim.c.period_starts_on, claim.c.merchant_id, claim.c.amount_twd)
    with engine.connect() as connection:
        return sorted((row[0], row[1], row[2]) for row in connection.execute(wanted))


def test_the_agenda_is_not_empty_by_accident() -> None:
    with fresh_till() as till:
        play(till, [Event(0, 2, 0, 1), Event(1, 1, 200, None)], [168, 168 * 2])
        assert _claims(till.engine) == [(FIRST.starts_on, "rizuo-travel", 2_000)]
