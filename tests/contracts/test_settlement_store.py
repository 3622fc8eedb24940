"""Weekly settlement, on both databases, through the service."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, select

from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import claim, claim_line, settlement
from cloud.domain.calendar import Period
from cloud.domain.ledger import claimed_account, redeemed_account
from cloud.domain.settlement import Settlement, claim_id_of
from cloud.services.confirm import confirm_all
from cloud.services.settle import next_due, settle_due
from tests.support.money import Till
from tests.support.setups import PLACES, load_example

pytest_plugins = ("tests.support.databases",)

WEEK = Period(date(2026, 11, 4))
NOON = datetime(2026, 11, 5, 4, tzinfo=UTC)
AFTER = WEEK.ends_at + timedelta(seconds=5)
HOTEL, PARK = PLACES[1], PLACES[2]


@pytest.fixture
def till(engine: Engine) -> Till:
    load_example(engine)
    return Till(engine)


def confirm_everything(till: Till, now: datetime = NOON) -> None:
    for place in PLACES:
        store = SqlConfirmationStore(till.engine)
        confirm_all(store, merchant_id=place.merchant_id, staff_id=place.staff_id, now=now)


def settle(till: Till, now: datetime = AFTER) -> list[Settlement]:
    return settle_due(SqlSettlementStore(till.engine), now=now)


def lines(till: Till) -> dict[UUID, date]:
    """Week in which each redemption was claimed."""
    joined = select(claim_line.c.redemption_id, claim.c.period_starts_on).join(claim, claim.c.claim_id == claim_line.c.claim_id)
    with till.engine.connect() as connection:
        return {row.redemption_id: row.period_starts_on for row in connection.execute(joined)}


def claims(till: Till) -> Sequence[Any]:
    with till.engine.connect() as connection:
        return connection.execute(select(claim).order_by(claim.c.period_starts_on, claim.c.merchant_id)).all()


def test_the_reference_example_claims_vouchers_not_totals(till: Till) -> None:
    till.redeem(NOON, order_total_twd=5_050)
    till.redeem(NOON, order_total_twd=2_100)
    confirm_everything(till)
    (closed,) = settle(till)
    assert (closed.claim_count, closed.redemption_count, closed.voucher_count, closed.claimed_twd) == (1, 2, 2, 2_000)
    (made,) = claims(till)
    assert (made.merchant_id, made.redemption_count, made.voucher_count, made.amount_twd) == ("boan-hotel", 2, 2, 2_000)
    assert made.claim_id == claim_id_of(WEEK, made.merchant_id, made.programme_id)
    assert till.balance(redeemed_account("boan-hotel")) == 0
    assert till.balance(claimed_account("boan-hotel")) == -2_000


def test_each_merchant_has_its_own_claim(till: Till) -> None:
    for place in (HOTEL, PARK, HOTEL):
        till.redeem(NOON, place=place)
    confirm_everything(till)
    settle(till)
    assert {made.merchant_id: made.amount_twd for made in claims(till)} == {"boan-hotel": 2_000, "yunling-park": 1_000}
    with till.engine.connect() as connection:
        row = connection.execute(select(settlement)).one()
        assert (row.period_starts_on, row.claim_count, row.voucher_count, row.claimed_twd) == (WEEK.starts_on, 2, 3, 3_000)
        assert connection.scalar(select(func.sum(claim.c.amount_twd))) == 3_000


def test_not_before_the_week_has_ended(till: Till) -> None:
    till.redeem(NOON)
    confirm_everything(till)
    assert settle(till, WEEK.ends_at - timedelta(microseconds=1)) == []
    assert len(settle(till, WEEK.ends_at)) == 1


def test_twice_is_once(till: Till) -> None:
    till.redeem(NOON)
    confirm_everything(till)
    assert len(settle(till)) == 1
    assert settle(till) == []
    assert len(lines(till)) == 1


def test_the_last_instant_of_the_week_is_in_it_and_the_next_is_not(till: Till) -> None:
    last, first = till.redeem(WEEK.ends_at - timedelta(microseconds=1)), till.redeem(WEEK.ends_at)
    confirm_everything(till, WEEK.ends_at)
    settle(till)
    assert lines(till) == {last: WEEK.starts_on}
    settle(till, WEEK.following.ends_at)
    assert lines(till) == {last: WEEK.starts_on, first: WEEK.following.starts_on}


def test_what_is_confirmed_late_goes_into_the_next_claim(till: Till) -> None:
    late = till.redeem(NOON)
    (closed,) = settle(till)
    assert closed.claim_count == 0
    confirm_everything(till, AFTER)
    assert settle(till) == []
    (following,) = settle(till, WEEK.following.ends_at)
    assert (following.claim_count, following.claimed_twd) == (1, 1_000)
    assert lines(till) == {late: WEEK.following.starts_on}


def test_a_redemption_that_appears_after_its_week_was_closed_is_not_lost(till: Till) -> None:
    till.redeem(NOON)
    confirm_everything(till)
    settle(till)
    late_commit = till.redeem(NOON - timedelta(days=30))
    confirm_everything(till)
    settle(till, WEEK.following.ends_at)
    assert lines(till)[late_commit] == WEEK.following.starts_on


def test_missed_weeks_are_closed_oldest_first_without_a_gap(till: Till) -> None:
    till.redeem(NOON)
    confirm_everything(till)
    closed = settle(till, NOON + timedelta(days=28))
    assert [one.period.starts_on for one in closed] == [WEEK.starts_on + timedelta(days=7 * week) for week in range(4)]
    assert [one.claim_count for one in closed] == [1, 0, 0, 0]


def test_nothing_redeemed_is_nothing_to_close(till: Till) -> None:
    assert settle(till) == []
    assert next_due(SqlSettlementStore(till.engine), now=NOON) == WEEK.ends_at


def test_next_due_is_the_oldest_open_week(till: Till) -> None:
    store = SqlSettlementStore(till.engine)
    till.redeem(NOON)
    much_later = NOON + timedelta(days=70)
    assert next_due(store, now=much_later) == WEEK.ends_at
    settle(till, AFTER)
    assert next_due(store, now=AFTER) == WEEK.following.ends_at


def fail_in_the_middle(till: Till) -> None:
    with SqlSettlementStore(till.engine).begin() as transaction:
        assert transaction.find_open_period() == WEEK
        assert transaction.close(WEEK, closed_at=AFTER).claimed_twd == 1_000
        raise RuntimeError("power")


def test_an_exception_leaves_nothing_behind(till: Till) -> None:
    till.redeem(NOON)
    confirm_everything(till)
    with pytest.raises(RuntimeError, match="power"):
        fail_in_the_middle(till)
    assert len(settle(till)) == 1
