"""Over random weeks of redemptions, corrections and settlements, nobody is paid too much, too little, or less than nothing."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select

from cloud.adapters.sql.books import SqlBooks
from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.corrections import SqlCorrectionStore
from cloud.adapters.sql.people import SqlPeople
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import claim, set_off
from cloud.domain.corrections import set_off_of
from cloud.services.confirm import confirm
from cloud.services.correct import Wish, correct
from cloud.services.reconcile import reconcile
from cloud.services.settle import settle_due
from tests.property.test_settlement_properties import FIRST, HOUR, WEEKS, fresh_till
from tests.support.money import FACE_VALUE_TWD, Till
from tests.support.setups import PLACES

REDEEM, CONFIRM, CORRECT, SETTLE = range(4)
FAR = FIRST.starts_at + timedelta(weeks=WEEKS + 8)


@dataclass(frozen=True, slots=True)
class Order:
    """One redemption; in hours after it, when it is confirmed and corrected, if it ever is; and by how many vouchers."""

    place: int
    vouchers: int
    redeemed_h: int
    confirmed_h: int | None
    corrected_h: int | None
    wrong_vouchers: int

    @property
    def amount_twd(self) -> int:
        """What its correction takes back."""
        return min(self.wrong_vouchers, self.vouchers) * FACE_VALUE_TWD


ORDERS = st.lists(
    st.builds(
        Order,
        place=st.integers(0, 1),
        vouchers=st.integers(1, 4),
        redeemed_h=st.integers(0, WEEKS * 168 - 1),
        confirmed_h=st.one_of(st.none(), st.integers(0, 300)),
        corrected_h=st.one_of(st.none(), st.integers(0, 600)),
        wrong_vouchers=st.integers(1, 4),
    ),
    max_size=8,
)
SETTLED = st.lists(st.integers(0, (WEEKS + 6) * 168), max_size=8).map(sorted)


def play(till: Till, orders: list[Order], settled: list[int]) -> None:
    """Let everything happen in order of time; at one instant in the order redeem, confirm, correct, settle."""
    agenda: list[tuple[datetime, int, int]] = [(FIRST.starts_at + hours * HOUR, SETTLE, 0) for hours in settled]
    for number, order in enumerate(orders):
        at = FIRST.starts_at + order.redeemed_h * HOUR
        agenda.append((at, REDEEM, number))
        if order.confirmed_h is not None:
            agenda.append((at + order.confirmed_h * HOUR, CONFIRM, number))
        if order.corrected_h is not None:
            agenda.append((at + order.corrected_h * HOUR, CORRECT, number))
    ids: dict[int, UUID] = {}
    for now, kind, number in sorted(agenda):
        if kind == SETTLE:
            settle_due(SqlSettlementStore(till.engine), now=now)
            continue
        order, place = orders[number], PLACES[orders[number].place]
        if kind == REDEEM:
            ids[number] = till.redeem(now, place=place, vouchers=order.vouchers)
        elif kind == CONFIRM:
            store = SqlConfirmationStore(till.engine)
            confirm(store, [ids[number]], merchant_id=place.merchant_id, staff_id=place.staff_id, now=now)
        else:
            wish = Wish(ids[number], "wrong", "office-1", order.amount_twd)
            correct(SqlCorrectionStore(till.engine), SqlPeople(till.engine), wish, now=now)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ORDERS, SETTLED)
def test_whatever_happens_each_merchant_is_paid_what_it_earned(orders: list[Order], settled: list[int]) -> None:
    with fresh_till() as till:
        play(till, orders, settled)
        assert reconcile(SqlBooks(till.engine), now=FAR).breach is None
        settle_due(SqlSettlementStore(till.engine), now=FAR)
        assert reconcile(SqlBooks(till.engine), now=FAR).breach is None
        owed = {debt.merchant_id: debt.owed_twd for debt in SqlCorrectionStore(till.engine).debts()}
        for number, place in enumerate(PLACES[:2]):
            mine = [order for order in orders if order.place == number and order.confirmed_h is not None]
            earned = sum(order.vouchers for order in mine) * FACE_VALUE_TWD
            corrected = sum(order.amount_twd for order in mine if order.corrected_h is not None)
            assert paid(till.engine, place.merchant_id) - owed.get(place.merchant_id, 0) == earned - corrected
            assert owed.get(place.merchant_id, 0) >= 0


def paid(engine: Engine, merchant_id: str) -> int:
    """What a merchant's claims are to be paid together; none of them less than nothing."""
    net = claim.c.amount_twd - func.coalesce(set_off.c.amount_twd, 0)
    wanted = select(net).outerjoin(set_off, set_off.c.claim_id == claim.c.claim_id).where(claim.c.merchant_id == merchant_id)
    with engine.connect() as connection:
        amounts = connection.scalars(wanted).all()
    assert min(amounts, default=0) >= 0
    return sum(amounts)


@given(st.integers(1, 10**9), st.integers(-(10**9), 10**9))
def test_nothing_is_set_off_that_is_not_owed_or_not_claimed(claimed_twd: int, owed_twd: int) -> None:
    amount = set_off_of(claimed_twd=claimed_twd, owed_twd=owed_twd)
    assert 0 <= amount <= claimed_twd
    assert amount == claimed_twd or amount == max(0, owed_twd)


def test_the_play_is_not_empty_by_accident() -> None:
    with fresh_till() as till:
        play(till, [Order(0, 2, 0, 1, 2, 1), Order(0, 3, 200, 1, None, 1)], [168, 168 * 2])
        assert paid(till.engine, PLACES[0].merchant_id) == 4_000
