"""The merchant's confirmation, on both databases."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, select

from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.tables import confirmation
from cloud.ports.confirmations import Confirmed
from cloud.services.confirm import confirm, confirm_all
from tests.support.money import Till
from tests.support.setups import PLACES, load_example

pytest_plugins = ("tests.support.databases",)

NOON = datetime(2026, 11, 4, 4, tzinfo=UTC)
HOTEL, PARK = PLACES[1], PLACES[2]
NOTHING = Confirmed(0, 0, 0)


@pytest.fixture
def till(engine: Engine) -> Till:
    load_example(engine)
    return Till(engine)


def confirm_hotel(till: Till, *ids: UUID, now: datetime = NOON) -> Confirmed:
    return confirm(SqlConfirmationStore(till.engine), ids, merchant_id=HOTEL.merchant_id, staff_id="boan-admin", now=now)


def confirmed(till: Till) -> dict[UUID, datetime]:
    with till.engine.connect() as connection:
        return {row.redemption_id: row.confirmed_at for row in connection.execute(select(confirmation))}


def test_some_are_confirmed(till: Till) -> None:
    first, second, third = till.redeem(NOON), till.redeem(NOON, vouchers=3), till.redeem(NOON)
    assert confirm_hotel(till, first, second) == Confirmed(2, 4, 4_000)
    assert set(confirmed(till)) == {first, second}
    assert third not in confirmed(till)


def test_confirming_again_changes_nothing(till: Till) -> None:
    one = till.redeem(NOON)
    confirm_hotel(till, one)
    assert confirm_hotel(till, one, one, now=NOON + timedelta(days=1)) == NOTHING
    assert confirmed(till) == {one: NOON}


def test_other_merchants_ids_are_not_found(till: Till) -> None:
    theirs, mine = till.redeem(NOON, place=PARK), till.redeem(NOON)
    assert confirm_hotel(till, theirs, UUID(int=404)) == NOTHING
    assert confirm_hotel(till, theirs, mine) == Confirmed(1, 1, 1_000)
    assert set(confirmed(till)) == {mine}


def test_all_is_all_of_this_merchant(till: Till) -> None:
    mine = {till.redeem(NOON - timedelta(days=day)) for day in range(3)}
    till.redeem(NOON, place=PARK)
    store = SqlConfirmationStore(till.engine)
    assert confirm_all(store, merchant_id=HOTEL.merchant_id, staff_id="boan-admin", now=NOON) == Confirmed(3, 3, 3_000)
    assert set(confirmed(till)) == mine
    assert confirm_all(store, merchant_id=HOTEL.merchant_id, staff_id="boan-admin", now=NOON) == NOTHING


def test_no_ids_is_nothing(till: Till) -> None:
    till.redeem(NOON)
    assert confirm_hotel(till) == NOTHING


def test_more_ids_than_one_statement_takes(till: Till) -> None:
    one = till.redeem(NOON)
    assert confirm_hotel(till, *(UUID(int=number) for number in range(1_200)), one) == Confirmed(1, 1, 1_000)
