"""The scheduler on a real (SQLite) store and a calendar that jumps."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pytest_mock import MockerFixture
from sqlalchemy import Engine, insert, select

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import redemption, settlement
from cloud.ports.retention import RetentionStore
from cloud.schedule import RETRY_S, ScheduleParts, run_schedule
from cloud.services import purge
from protocol.errors import PortError
from tests.fakes.cloud_retention import nobody_to_forget
from tests.fakes.edge_parts import FakeClock
from tests.support.retention import DISPUTED, DUE, memory_past, retention_world

pytest_plugins = ("tests.support.databases",)

FIRST_SALE = datetime(2021, 11, 3, 4, 0, tzinfo=UTC)  # a Wednesday noon in Taipei
FIRST_WEEK = date(2021, 11, 3)


@pytest.fixture
def sold(sqlite_url: str) -> Iterator[Engine]:
    """A database with one redemption."""
    engine = make_engine(sqlite_url)
    with engine.begin() as connection:
        connection.execute(
            insert(redemption).values(
                redemption_id=UUID(int=1),
                programme_id="autumn",
                merchant_id="inn",
                site_id="lobby",
                device_id="kiosk-abcdef",
                item_category="night",
                order_total_twd=1000,
                voucher_count=1,
                redeemed_twd=1000,
                topup_twd=0,
                redeemed_at=FIRST_SALE,
            )
        )
    yield engine
    engine.dispose()


def closed(engine: Engine) -> list[date]:
    with engine.connect() as connection:
        return list(connection.scalars(select(settlement.c.period_starts_on).order_by(settlement.c.period_starts_on)))


class Failing:
    """A store of which the first uses fail."""

    def __init__(self, store: SqlSettlementStore, *failures: PortError) -> None:
        self._store, self._failures = store, list(failures)

    def __getattr__(self, name: str) -> Any:
        if self._failures:
            raise self._failures.pop(0)
        return getattr(self._store, name)


class Script:
    """A stop that lets one thing happen at each pause, and stops after the last."""

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)
        self.pauses_s: list[float] = []
        self.stopped = False

    def is_set(self) -> bool:
        return self.stopped

    def wait(self, timeout: float) -> bool:
        self.pauses_s.append(timeout)
        if self.steps:
            self.steps.pop(0)()
        else:
            self.stopped = True
        return self.stopped


def run(store: Any, clock: FakeClock, script: Script, *, retention: RetentionStore | None = None, **settings: float) -> None:
    run_schedule(ScheduleParts(store, clock, script, retention or nobody_to_forget(), **settings))


def test_a_week_is_closed_at_the_moment_it_has_ended_and_not_before(sold: Engine) -> None:
    clock = FakeClock(FIRST_SALE)
    end = datetime(2021, 11, 9, 16, 0, tzinfo=UTC)  # Wednesday 00:00 in Taipei
    seen: list[int] = []

    def at(moment: datetime) -> None:
        seen.append(len(closed(sold)))
        clock.moment = moment

    script = Script(lambda: at(end - timedelta(microseconds=1)), lambda: at(end), lambda: at(end))
    run(SqlSettlementStore(sold), clock, script)
    assert seen == [0, 0, 1]
    assert closed(sold) == [FIRST_WEEK]


def test_a_calendar_that_jumps_over_weeks_closes_each_of_them(sold: Engine) -> None:
    clock = FakeClock(FIRST_SALE)

    def jump() -> None:
        clock.moment += timedelta(days=22)

    run(SqlSettlementStore(sold), clock, Script(jump))
    assert closed(sold) == [FIRST_WEEK, date(2021, 11, 10), date(2021, 11, 17)]


def test_it_sleeps_no_longer_than_told(sold: Engine) -> None:
    script = Script(lambda: None, lambda: None)
    run(SqlSettlementStore(sold), FakeClock(FIRST_SALE), script, look_every_s=0.25)
    assert script.pauses_s == [0.25] * 3


def test_a_second_run_closes_nothing_again(sold: Engine) -> None:
    clock = FakeClock(FIRST_SALE + timedelta(days=8))
    for _ in range(2):
        run(SqlSettlementStore(sold), clock, Script())
    assert closed(sold) == [FIRST_WEEK]


def test_a_database_that_is_away_is_asked_again(sold: Engine) -> None:
    away = PortError("away", retry=True)
    script = Script(lambda: None, lambda: None)
    run(Failing(SqlSettlementStore(sold), away, away), FakeClock(FIRST_SALE + timedelta(days=8)), script)
    assert script.pauses_s[:2] == [RETRY_S] * 2
    assert closed(sold) == [FIRST_WEEK]


def test_what_waiting_does_not_heal_ends_it(sold: Engine) -> None:
    broken = Failing(SqlSettlementStore(sold), PortError("wrong schema", retry=False))
    with pytest.raises(PortError, match="wrong schema"):
        run(broken, FakeClock(FIRST_SALE), Script())


def test_holders_are_forgotten_with_the_first_week_that_ends_after_the_disputes(sold: Engine) -> None:
    past = memory_past(retention_world())
    clock, known = FakeClock(DISPUTED), []

    def jump() -> None:
        known.append(len(past.tags()))
        clock.moment += timedelta(days=7)

    run(SqlSettlementStore(sold), clock, Script(jump, *[lambda: None] * 9), retention=past.retention)
    assert (known, len(past.tags())) == ([16], 8)


def test_told_to_stop_while_it_forgets_it_ends_at_once_and_goes_on_next_time(sold: Engine, mocker: MockerFixture) -> None:
    mocker.patch.object(purge, "VOUCHERS_PER_STEP", 3)
    past = memory_past(retention_world())
    run(SqlSettlementStore(sold), FakeClock(DUE), Script(), retention=past.retention)
    assert len(past.tags()) == 13
    run(SqlSettlementStore(sold), FakeClock(DUE), Script(*[lambda: None] * 9), retention=past.retention)
    assert len(past.tags()) == 8
