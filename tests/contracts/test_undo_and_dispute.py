"""Taking a confirmation back, disputing instead of confirming, and what a settlement sees of both, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.exc import IntegrityError

from cloud.adapters.sql.books import SqlBooks
from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.disputing import SqlDisputeStore
from cloud.adapters.sql.reports import SqlReports
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import confirmation, confirmation_undo, dispute
from cloud.domain.calendar import Period
from cloud.ports.confirmations import Confirmed, Undo
from cloud.ports.reports import ClaimState, TransactionFilter
from cloud.services.confirm import UNDO_WINDOW, confirm, confirm_all, undo
from cloud.services.dispute import open_dispute, resolve_dispute, withdraw_dispute
from cloud.services.reconcile import reconcile
from cloud.services.settle import settle_due
from tests.support.money import Till
from tests.support.setups import PLACES, load_example

pytest_plugins = ("tests.support.databases",)

WEEK = Period(date(2026, 11, 4))
NOON = datetime(2026, 11, 5, 4, tzinfo=UTC)
HOTEL = "boan-hotel"
NOTHING = Confirmed(0, 0, 0)


@pytest.fixture
def till(engine: Engine) -> Till:
    load_example(engine)
    return Till(engine)


def confirm_hotel(till: Till, *ids: UUID, at: datetime = NOON, among: TransactionFilter | None = None) -> Confirmed:
    store = SqlConfirmationStore(till.engine)
    if ids:
        return confirm(store, ids, merchant_id=HOTEL, staff_id="boan-admin", now=at)
    return confirm_all(store, merchant_id=HOTEL, staff_id="boan-admin", now=at, among=among)


def undo_hotel(till: Till, *, confirmed_at: datetime = NOON, now: datetime = NOON, merchant_id: str = HOTEL) -> Confirmed:
    return undo(SqlConfirmationStore(till.engine), confirmed_at, merchant_id=merchant_id, staff_id="boan-admin", now=now)


def state_of(till: Till, redemption_id: UUID) -> ClaimState:
    row = SqlReports(till.engine).find_transaction(redemption_id, merchant_id=HOTEL)
    assert row is not None
    return row.state


def listed(till: Till, state: ClaimState) -> int:
    return SqlReports(till.engine).find_transactions(TransactionFilter(HOTEL, state=state), page_size=10).row_count


def dispute_it(till: Till, redemption_id: UUID, *, reason: str = "金額打錯", merchant_id: str = HOTEL) -> str | None:
    return open_dispute(SqlDisputeStore(till.engine), redemption_id, reason, merchant_id=merchant_id, by="boan-admin", now=NOON)


def test_one_click_is_taken_back_whole_and_can_be_done_again(till: Till) -> None:
    first, second = till.redeem(NOON), till.redeem(NOON, vouchers=2)
    confirm_hotel(till, first)
    confirm_hotel(till, at=NOON + timedelta(minutes=1))
    later = NOON + timedelta(minutes=2)
    assert undo_hotel(till, confirmed_at=NOON + timedelta(minutes=1), now=later) == Confirmed(1, 2, 2_000)
    assert (state_of(till, first), state_of(till, second)) == ("confirmed", "unconfirmed")
    assert confirm_hotel(till, at=later) == Confirmed(1, 2, 2_000)
    assert undo_hotel(till, confirmed_at=later, now=later) == Confirmed(1, 2, 2_000)
    trail = SqlReports(till.engine).find_trail(second, merchant_id=HOTEL)
    assert trail is not None
    assert [(one.confirmed_at, one.undone_at) for one in trail.undone] == [(NOON + timedelta(minutes=1), later), (later, later)]
    with till.engine.connect() as connection:
        numbers = list(connection.execute(select(confirmation_undo.c.confirmation_no)).scalars())
    assert len(set(numbers)) == 2, "no number is given twice"


def test_undo_has_an_end_and_an_owner(till: Till) -> None:
    till.redeem(NOON)
    confirm_hotel(till)
    assert undo_hotel(till, now=NOON + UNDO_WINDOW + timedelta(microseconds=1)) == NOTHING
    assert undo_hotel(till, now=NOON - timedelta(seconds=1)) == NOTHING
    assert undo_hotel(till, merchant_id="yunling-park") == NOTHING
    assert undo_hotel(till, now=NOON + UNDO_WINDOW) == Confirmed(1, 1, 1_000)
    assert undo_hotel(till, now=NOON + UNDO_WINDOW) == NOTHING


def test_what_a_settlement_has_seen_stays(till: Till) -> None:
    till.redeem(NOON)
    till.redeem(WEEK.ends_at + timedelta(minutes=1))
    at = WEEK.ends_at + timedelta(minutes=2)
    confirm_hotel(till, at=at)
    (closed,) = settle_due(SqlSettlementStore(till.engine), now=at)
    assert closed.redemption_count == 1
    assert undo_hotel(till, confirmed_at=at, now=at) == NOTHING, "neither what it claims nor what it left for the next"
    assert reconcile(SqlBooks(till.engine), now=at).breach is None


def test_a_week_is_settled_without_what_was_taken_back(till: Till) -> None:
    kept, taken_back = till.redeem(NOON), till.redeem(NOON, vouchers=3)
    confirm_hotel(till, kept)
    confirm_hotel(till, taken_back, at=NOON + timedelta(seconds=1))
    undo_hotel(till, confirmed_at=NOON + timedelta(seconds=1), now=NOON + timedelta(minutes=1))
    (closed,) = settle_due(SqlSettlementStore(till.engine), now=WEEK.ends_at)
    assert (closed.redemption_count, closed.claimed_twd) == (1, 1_000)
    confirm_hotel(till, at=WEEK.ends_at)
    (following,) = settle_due(SqlSettlementStore(till.engine), now=WEEK.following.ends_at)
    assert (following.redemption_count, following.claimed_twd) == (1, 3_000)
    assert reconcile(SqlBooks(till.engine), now=WEEK.following.ends_at).breach is None


def test_the_database_deletes_no_confirmation_behind_anybodys_back(till: Till) -> None:
    till.redeem(NOON)
    confirm_hotel(till)
    with pytest.raises(IntegrityError, match="holds facts"), till.engine.begin() as connection:
        connection.execute(delete(confirmation))
    settle_due(SqlSettlementStore(till.engine), now=WEEK.ends_at)
    with till.engine.connect() as connection:
        row = connection.execute(select(confirmation)).one()
    kept = {name: getattr(row, name) for name in ("confirmation_no", "redemption_id", "merchant_id", "confirmed_at")}
    by = {"confirmed_by": row.staff_id, "undone_by": "x", "undone_at": WEEK.ends_at}
    with till.engine.connect() as connection:
        connection.execute(insert(confirmation_undo).values(**kept, **by))
        with pytest.raises(IntegrityError, match="already seen"):
            connection.execute(delete(confirmation))


def test_undo_and_settlement_at_once_agree(till: Till) -> None:
    for _ in range(4):
        till.redeem(NOON)
    at = WEEK.ends_at - timedelta(seconds=1)
    confirm_hotel(till, at=at)
    store = SqlConfirmationStore(till.engine)
    with ThreadPoolExecutor(2) as pool:
        undoing = pool.submit(store.undo, Undo(HOTEL, at, "boan-admin", WEEK.ends_at))
        closing = pool.submit(settle_due, SqlSettlementStore(till.engine), now=WEEK.ends_at)
        (closed,), undone = closing.result(60), undoing.result(60)
    assert (closed.redemption_count, undone.redemption_count) in {(4, 0), (0, 4)}
    assert reconcile(SqlBooks(till.engine), now=WEEK.ends_at).breach is None


def test_only_what_was_looked_at_is_confirmed(till: Till) -> None:
    seen = till.redeem(NOON)
    later = till.redeem(NOON + timedelta(minutes=1))
    looked = TransactionFilter(HOTEL, redeemed_through=NOON)
    assert confirm_hotel(till, at=NOON + timedelta(minutes=2), among=looked) == Confirmed(1, 1, 1_000)
    assert (state_of(till, seen), state_of(till, later)) == ("confirmed", "unconfirmed")
    assert confirm_hotel(till, among=TransactionFilter(HOTEL, site_id="elsewhere")) == NOTHING
    assert confirm_hotel(till, among=TransactionFilter(HOTEL, taken_by=PLACES[1].staff_id)).redemption_count == 1


def test_what_is_disputed_waits_for_the_office(till: Till) -> None:
    wrong, right = till.redeem(NOON), till.redeem(NOON)
    assert dispute_it(till, wrong, reason="  ") == "no_reason"
    assert dispute_it(till, wrong, merchant_id="yunling-park") == "unknown"
    assert dispute_it(till, wrong) is None
    assert dispute_it(till, wrong) == "disputed_before"
    assert (state_of(till, wrong), listed(till, "disputed"), listed(till, "unconfirmed")) == ("disputed", 1, 1)
    overview = SqlReports(till.engine).overview(merchant_id=HOTEL, now=NOON)
    assert (overview.unconfirmed_count, overview.unconfirmed_twd) == (1, 1_000)
    assert confirm_hotel(till).redemption_count == 1
    assert confirm_hotel(till, wrong) == NOTHING
    assert dispute_it(till, right) == "confirmed"
    store = SqlDisputeStore(till.engine)
    assert not resolve_dispute(store, wrong, "stands", " ", by="office-1", now=NOON)
    assert not withdraw_dispute(store, wrong, merchant_id="yunling-park", by="yunling-admin", now=NOON)
    assert resolve_dispute(store, wrong, "stands", "金額正確", by="office-1", now=NOON)
    assert not resolve_dispute(store, wrong, "set_aside", "again", by="office-1", now=NOON)
    assert confirm_hotel(till) == Confirmed(1, 1, 1_000)


def test_what_is_set_aside_is_never_claimed(till: Till) -> None:
    wrong = till.redeem(NOON, vouchers=2)
    dispute_it(till, wrong)
    assert resolve_dispute(SqlDisputeStore(till.engine), wrong, "set_aside", "服務未提供", by="office-1", now=NOON)
    assert confirm_hotel(till, wrong) == confirm_hotel(till) == NOTHING
    assert (state_of(till, wrong), listed(till, "set_aside")) == ("set_aside", 1)
    trail = SqlReports(till.engine).find_trail(wrong, merchant_id=HOTEL)
    assert trail is not None
    assert trail.dispute is not None
    assert (trail.dispute.outcome, trail.dispute.end_reason) == ("set_aside", "服務未提供")
    settle_due(SqlSettlementStore(till.engine), now=WEEK.ends_at)
    assert reconcile(SqlBooks(till.engine), now=WEEK.ends_at).breach is None


def test_a_merchant_takes_its_dispute_back(till: Till) -> None:
    mine = till.redeem(NOON)
    dispute_it(till, mine)
    assert withdraw_dispute(SqlDisputeStore(till.engine), mine, merchant_id=HOTEL, by="boan-admin", now=NOON)
    assert confirm_hotel(till).redemption_count == 1


def test_the_database_confirms_nothing_that_is_disputed(till: Till) -> None:
    mine = till.redeem(NOON)
    confirm_hotel(till)
    with till.engine.connect() as connection:
        row = dict(connection.execute(select(confirmation)).mappings().one())
    undo_hotel(till)
    dispute_it(till, mine)
    numbered = {"confirmation_no": 99} if till.engine.dialect.name == "sqlite" else {}
    row.pop("confirmation_no")
    with pytest.raises(IntegrityError, match="disputed"), till.engine.begin() as connection:
        connection.execute(insert(confirmation).values(**row, **numbered))
    with pytest.raises(IntegrityError, match="holds facts"), till.engine.begin() as connection:
        connection.execute(delete(dispute))
