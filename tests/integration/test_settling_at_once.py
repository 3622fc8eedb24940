"""Two schedulers, two paymasters and a merchant at the same time, on a real PostgreSQL."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from functools import partial
from threading import Barrier
from typing import TypeVar

import pytest
from sqlalchemy import Engine, func, select, text

from cloud.adapters.sql.books import SqlBooks
from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.payouts import SqlPayoutStore
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import claim, claim_line, confirmation, payout, settlement
from cloud.domain.calendar import Period
from cloud.domain.payouts import Originator
from cloud.services.confirm import confirm, confirm_all
from cloud.services.pay import make_payout_file
from cloud.services.settle import settle_due
from tests.support.money import HANDS, Till
from tests.support.setups import PLACES, load_example

pytest_plugins = ("tests.support.databases",)

WEEK = Period(date(2026, 11, 4))
NOON = datetime(2026, 11, 5, 4, tzinfo=UTC)
ORIGINATOR = Originator("0040037", "1234567890", "04595257", "101", "TOURISM VOUCHER PROGRAMME")
THREADS = 4
CONFIRM_BY_HAND = (
    "INSERT INTO confirmation (redemption_id, merchant_id, staff_id, confirmed_at, programme_id, voucher_count, amount_twd, "
    "redeemed_at) SELECT redemption_id, merchant_id, 'amy', redeemed_at, programme_id, voucher_count, redeemed_twd, "
    "redeemed_at FROM redemption"
)
Result = TypeVar("Result")


@pytest.fixture
def till(postgres_url: str) -> Iterator[Till]:
    engine = make_engine(postgres_url)
    load_example(engine)
    yield Till(engine)
    engine.dispose()


def at_once(work: Callable[[], Result]) -> list[Result]:
    """Do the work in several threads that start together."""
    barrier = Barrier(THREADS)

    def wait_and_work() -> Result:
        barrier.wait(timeout=10)
        return work()

    with ThreadPoolExecutor(THREADS) as pool:
        return [future.result(timeout=60) for future in [pool.submit(wait_and_work) for _ in range(THREADS)]]


def count(engine: Engine, table: object) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)  # type: ignore[arg-type]


def test_a_week_is_closed_once_however_many_close_it(till: Till) -> None:
    for place in PLACES:
        till.redeem(NOON, place=place, vouchers=2)
        store = SqlConfirmationStore(till.engine)
        confirm_all(store, merchant_id=place.merchant_id, staff_id=place.staff_id, now=NOON)
    closed = at_once(lambda: settle_due(SqlSettlementStore(till.engine), now=WEEK.following.ends_at))
    assert sorted(one.period.starts_on for each in closed for one in each) == [WEEK.starts_on, WEEK.following.starts_on]
    assert (count(till.engine, settlement), count(till.engine, claim), count(till.engine, claim_line)) == (2, 4, 4)


def test_confirming_during_settlements_loses_nothing(till: Till) -> None:
    place = PLACES[1]
    ids = [till.redeem(NOON) for _ in range(40)]
    waiting = iter(ids)

    def confirm_one_and_settle() -> None:
        store = SqlConfirmationStore(till.engine)
        for week in range(10):
            confirm(store, [next(waiting)], merchant_id=place.merchant_id, staff_id=place.staff_id, now=NOON)
            settle_due(SqlSettlementStore(till.engine), now=WEEK.ends_at + timedelta(weeks=week))

    at_once(confirm_one_and_settle)
    settle_due(SqlSettlementStore(till.engine), now=WEEK.ends_at + timedelta(weeks=20))
    assert count(till.engine, confirmation) == count(till.engine, claim_line) == 40
    with till.engine.connect() as connection:
        assert connection.scalar(select(func.sum(claim.c.amount_twd))) == 40_000


def test_a_settlement_waits_for_whoever_confirms(till: Till) -> None:
    till.redeem(NOON)
    with ThreadPoolExecutor(1) as pool:
        with till.engine.begin() as connection:
            # Not through the store: the lock is taken by a trigger, whoever writes.
            connection.execute(text(CONFIRM_BY_HAND))
            closing = pool.submit(lambda: settle_due(SqlSettlementStore(till.engine), now=WEEK.ends_at))
            wait_until_somebody_waits(till.engine)
            assert not closing.done()
        (closed,) = closing.result(timeout=60)
    assert (closed.claim_count, closed.claimed_twd) == (1, 1_000)


def test_who_confirms_waits_for_a_settlement_and_is_in_the_next(till: Till) -> None:
    till.redeem(NOON)
    place = PLACES[1]
    confirming = partial(confirm_all, SqlConfirmationStore(till.engine), merchant_id=place.merchant_id, now=NOON)
    with ThreadPoolExecutor(1) as pool:
        with SqlSettlementStore(till.engine).begin() as transaction:
            assert transaction.close(WEEK, closed_at=WEEK.ends_at).claim_count == 0
            late = pool.submit(lambda: confirming(staff_id=place.staff_id))
            wait_until_somebody_waits(till.engine)
            assert not late.done()
        assert late.result(timeout=60).redemption_count == 1
    (following,) = settle_due(SqlSettlementStore(till.engine), now=WEEK.following.ends_at)
    assert following.redemption_count == 1
    assert SqlBooks(till.engine).audit(WEEK.following.ends_at).breach is None


def wait_until_somebody_waits(engine: Engine) -> None:
    """Wait until a session of this database waits for an advisory lock."""
    query = text(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with engine.connect() as connection:
            if connection.scalar(query):
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits for the lock")


def test_confirming_all_at_once_confirms_each_once(till: Till) -> None:
    place = PLACES[1]
    for _ in range(10):
        till.redeem(NOON)
    store = SqlConfirmationStore(till.engine)
    added = at_once(lambda: confirm_all(store, merchant_id=place.merchant_id, staff_id=place.staff_id, now=NOON))
    assert sum(one.redemption_count for one in added) == count(till.engine, confirmation) == 10
    assert sum(one.amount_twd for one in added) == 10_000


def test_a_claim_is_paid_once_however_many_pay(till: Till) -> None:
    for place in PLACES:
        till.redeem(NOON, place=place)
        store = SqlConfirmationStore(till.engine)
        confirm_all(store, merchant_id=place.merchant_id, staff_id=place.staff_id, now=NOON)
    settle_due(SqlSettlementStore(till.engine), now=WEEK.ends_at)
    files = at_once(lambda: make_payout_file(SqlPayoutStore(till.engine), "ach_p01", ORIGINATOR, hands=HANDS, now=WEEK.ends_at))
    assert [file.total_twd for file in files if file is not None] == [4_000]
    assert count(till.engine, payout) == 4
