"""The read side of the pages, on both databases."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import get_args
from uuid import UUID

import pytest
from sqlalchemy import Engine, insert

from cloud.adapters.sql import report_transactions
from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.payouts import SqlPayoutStore
from cloud.adapters.sql.reports import SqlReports
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import device, device_presence, digit_try
from cloud.domain.calendar import Period
from cloud.domain.payouts import Originator
from cloud.ports.reports import (
    NEWEST_FIRST,
    ClaimState,
    DayAmount,
    Mark,
    OfficeOverview,
    Order,
    Overview,
    SortColumn,
    Totals,
    TransactionFilter,
    TransactionPage,
    TransactionRow,
    TransactionTrail,
)
from cloud.services.confirm import confirm, confirm_all
from cloud.services.pay import import_return, make_payout_file
from cloud.services.settle import settle_due
from tests.support.bank import answer_p01
from tests.support.money import HANDS, Till
from tests.support.setups import PLACES, load_example

pytest_plugins = ("tests.support.databases",)

WEEK = Period(date(2026, 11, 4))
NOON = datetime(2026, 11, 5, 4, tzinfo=UTC)
HOTEL, PARK = PLACES[1], PLACES[2]
ORIGINATOR = Originator("0040037", "1234567890", "04595257", "101", "TOURISM VOUCHER PROGRAMME")
STATES: tuple[ClaimState, ...] = ("unconfirmed", "confirmed", "claimed", "sent", "paid", "returned")


@pytest.fixture
def till(engine: Engine) -> Till:
    load_example(engine)
    return Till(engine)


@pytest.fixture
def reports(engine: Engine) -> SqlReports:
    return SqlReports(engine)


def confirm_hotel(till: Till, *ids: UUID) -> None:
    store = SqlConfirmationStore(till.engine)
    confirm(store, ids, merchant_id=HOTEL.merchant_id, staff_id="boan-admin", now=NOON + timedelta(hours=3))


def settle(till: Till, weeks: int = 0) -> None:
    settle_due(SqlSettlementStore(till.engine), now=WEEK.ends_at + timedelta(weeks=weeks))


def pay(till: Till, *, weeks: int = 0) -> bytes:
    at = WEEK.ends_at + timedelta(weeks=weeks, hours=9)
    file = make_payout_file(SqlPayoutStore(till.engine), "ach_p01", ORIGINATOR, hands=HANDS, now=at)
    assert file is not None
    return file.content


def hear(till: Till, content: bytes, **failures: str) -> None:
    failing = {account.removeprefix("a"): code for account, code in failures.items()}
    answer = answer_p01(content, failures=failing, answered_on=date(2026, 12, 30))
    import_return(SqlPayoutStore(till.engine), answer, by=HANDS.prepared_by, now=WEEK.ends_at + timedelta(weeks=8))


def six_weeks(till: Till) -> None:
    """Six redemptions of the hotel: two paid, the first of them at the second attempt, then sent, claimed, confirmed, new."""
    for week in range(4):
        confirm_hotel(till, till.redeem(NOON + timedelta(weeks=week), vouchers=week + 1))
        settle(till, week)
        if week < 3:
            content = pay(till, weeks=week)
        if week == 0:
            hear(till, content, a3001987654="22")
        if week == 1:
            hear(till, content)
    confirm_hotel(till, till.redeem(NOON + timedelta(weeks=4)))
    till.redeem(NOON + timedelta(weeks=5), order_total_twd=5_050)


def state_of(reports: SqlReports, redemption_id: UUID) -> str:
    row = reports.find_transaction(redemption_id, merchant_id=HOTEL.merchant_id)
    assert row is not None
    return row.state


def test_a_transaction_goes_through_every_state(till: Till, reports: SqlReports) -> None:
    one = till.redeem(NOON)
    assert state_of(reports, one) == "unconfirmed"
    confirm_hotel(till, one)
    assert state_of(reports, one) == "confirmed"
    settle(till)
    assert state_of(reports, one) == "claimed"
    first = pay(till)
    assert state_of(reports, one) == "sent"
    hear(till, first, a3001987654="22")
    assert state_of(reports, one) == "returned"
    second = pay(till, weeks=1)
    assert state_of(reports, one) == "sent"
    hear(till, second)
    assert state_of(reports, one) == "paid"


def test_each_state_can_be_filtered(till: Till, reports: SqlReports) -> None:
    redeemed = {state: till.redeem(NOON) for state in ("unconfirmed", "confirmed")}
    confirm_hotel(till, redeemed["confirmed"])
    for state in STATES:
        page = reports.find_transactions(TransactionFilter(HOTEL.merchant_id, state=state), page_size=10)
        assert [row.redemption_id for row in page.rows] == ([redeemed[state]] if state in redeemed else [])
        assert page.row_count == len(page.rows)


def test_a_row_says_everything(till: Till, reports: SqlReports) -> None:
    one = till.redeem(NOON, vouchers=3, order_total_twd=5_050)
    row = reports.find_transaction(one, merchant_id=HOTEL.merchant_id)
    assert row is not None
    assert (row.voucher_count, len(row.voucher_nos), row.redeemed_at) == (3, 3, NOON)
    assert list(row.voucher_nos) == sorted(row.voucher_nos)
    assert (row.order_total_twd, row.redeemed_twd, row.topup_twd) == (5_050, 3_000, 2_050)
    assert (row.item_name_zh, row.item_name_en, row.by, row.site_name) == ("住宿", "Room", "許雅筑", "泊岸旅館 一樓大廳")
    assert row.confirmed_at is None


def test_another_merchants_rows_are_not_there(till: Till, reports: SqlReports) -> None:
    one = till.redeem(NOON, place=PARK)
    assert reports.find_transaction(one, merchant_id=HOTEL.merchant_id) is None
    assert reports.find_transactions(TransactionFilter(HOTEL.merchant_id), page_size=10).row_count == 0
    assert reports.claims(merchant_id=HOTEL.merchant_id) == []
    assert reports.overview(merchant_id=HOTEL.merchant_id, now=NOON).today_count == 0


def test_pages_are_newest_first_and_sum_everything(till: Till, reports: SqlReports) -> None:
    ids = [till.redeem(NOON + timedelta(minutes=minute), vouchers=2) for minute in range(5)]
    wanted = TransactionFilter(HOTEL.merchant_id)
    pages = list(walk(reports, wanted, NEWEST_FIRST))
    assert [row.redemption_id for page in pages for row in page.rows] == ids[::-1]
    assert {(page.row_count, page.voucher_count, page.redeemed_twd) for page in pages} == {(5, 10, 10_000)}
    with pytest.raises(ValueError, match="a page has 1 to"):
        reports.find_transactions(wanted, page_size=0)


def mark_of(row: TransactionRow, order: Order, *, before: bool = False) -> Mark:
    values = {"redeemed_at": row.redeemed_at, "order_total": row.order_total_twd, "voucher_count": row.voucher_count}
    return Mark(values[order.column], row.redemption_id, before)


def walk(reports: SqlReports, wanted: TransactionFilter, order: Order) -> Iterator[TransactionPage]:
    """Every page of two rows, by the marks that a reader would follow."""
    page = reports.find_transactions(wanted, page_size=2, order=order)
    while page.rows:
        yield page
        page = reports.find_transactions(wanted, page_size=2, order=order, mark=mark_of(page.rows[-1], order))


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("column", get_args(SortColumn))
def test_every_order_reaches_every_row_once_and_back(
    till: Till, reports: SqlReports, column: SortColumn, descending: bool
) -> None:
    for number in range(7):  # with equals, which the id keeps apart
        till.redeem(NOON + timedelta(minutes=number // 2), vouchers=1 + number % 2, order_total_twd=2_000 + 100 * (number % 3))
    wanted, order = TransactionFilter(HOTEL.merchant_id, state="unconfirmed"), Order(column, descending)
    pages = list(walk(reports, wanted, order))
    rows = [row for page in pages for row in page.rows]
    keys = [(mark_of(row, order).value, row.redemption_id) for row in rows]
    assert keys == sorted(keys, reverse=descending)  # type: ignore[type-var]
    assert len(set(keys)) == 7
    for page, before in zip(pages[1:], pages, strict=False):
        back = reports.find_transactions(wanted, page_size=2, order=order, mark=mark_of(page.rows[0], order, before=True))
        assert back.rows == before.rows


def test_the_trail_names_everybody_and_every_attempt(till: Till, reports: SqlReports) -> None:
    one = till.redeem(NOON)
    assert reports.find_trail(one, merchant_id=PARK.merchant_id) is None
    assert reports.find_trail(one, merchant_id=HOTEL.merchant_id) == TransactionTrail(None, None, None, None, ())
    confirm_hotel(till, one)
    settle(till)
    hear(till, pay(till), a3001987654="22")
    hear(till, pay(till, weeks=1))
    trail = reports.find_trail(one, merchant_id=HOTEL.merchant_id)
    assert trail is not None
    assert (trail.confirmed_by, trail.period_starts_on) == ("陳宥安", WEEK.starts_on)
    assert trail.claimed_at == WEEK.ends_at
    assert [(step.file_no, step.state, step.return_code) for step in trail.payouts] == [
        (1, "returned", "22"),
        (2, "paid", None),
    ]


def test_days_are_all_there(till: Till, reports: SqlReports) -> None:
    start = WEEK.starts_at
    till.redeem(start, vouchers=2)
    till.redeem(start + timedelta(days=1, microseconds=-1))
    till.redeem(start + timedelta(days=2))
    till.redeem(start, place=PARK)
    first = WEEK.starts_on
    assert reports.days(merchant_id=HOTEL.merchant_id, first_day=first, last_day=first + timedelta(days=2)) == [
        DayAmount(first, 2, 3_000),
        DayAmount(first + timedelta(days=1), 0, 0),
        DayAmount(first + timedelta(days=2), 1, 1_000),
    ]


def test_office_sees_over_all_merchants(till: Till, reports: SqlReports) -> None:
    add_device(till.engine, "kiosk-1", "boan-lobby", "active")
    add_device(till.engine, "kiosk-2", "boan-lobby", "active")
    add_device(till.engine, "kiosk-3", "boan-lobby", "revoked")
    with till.engine.begin() as connection:
        seen = {"seen_at": NOON, "version": "0.1.0", "pending": 2}
        connection.execute(insert(device_presence).values(device_id="kiosk-1", state="lost", **seen))
        tries = [
            {"voucher_no": "000000000001", "try_no": number, "request_id": UUID(int=number), "tried_at": NOON}
            for number in range(1, 6)
        ]
        connection.execute(insert(digit_try), tries)
    six_weeks(till)
    till.redeem(NOON + timedelta(weeks=6), place=PARK, vouchers=2)
    assert reports.office_overview(now=NOON + timedelta(weeks=6)) == OfficeOverview(
        today_count=1,
        today_twd=2_000,
        next_claim_twd=1_000,
        unconfirmed_count=2,
        unconfirmed_twd=3_000,
        overdue_count=1,
        overdue_twd=1_000,
        returned_count=0,
        returned_twd=0,
        locked_count=1,
        parked_count=0,
        online=0,
        offline=0,
        lost=1,
        never=1,
        pending=2,
    )


def test_a_programme_says_how_far_it_is(till: Till, reports: SqlReports) -> None:
    six_weeks(till)
    till.issue(NOON, vouchers=3)
    used, over = reports.programme_uses()
    assert (used.name_zh, used.issued_count, used.issued_twd) == ("國旅券", 15, 15_000)
    assert (used.redeemed_count, used.redeemed_twd, used.claimed_twd, used.paid_twd) == (12, 12_000, 10_000, 3_000)
    assert (over.programme_id, over.issued_count, over.redeemed_twd) == ("spring-2025", 0, 0)


def test_first_page_of_nothing_is_zero(reports: SqlReports) -> None:
    assert reports.office_overview(now=NOON) == OfficeOverview(*[0] * 16)


def test_days_are_taipei_days_and_inclusive(till: Till, reports: SqlReports) -> None:
    start, end = WEEK.starts_at, WEEK.starts_at + timedelta(days=1)
    inside = [till.redeem(start), till.redeem(end - timedelta(microseconds=1))]
    till.redeem(start - timedelta(microseconds=1))
    till.redeem(end)
    wanted = TransactionFilter(HOTEL.merchant_id, first_day=WEEK.starts_on, last_day=WEEK.starts_on)
    page = reports.find_transactions(wanted, page_size=10)
    assert [row.redemption_id for row in page.rows] == inside[::-1]


def test_claims_lead_to_their_rows(till: Till, reports: SqlReports) -> None:
    first = till.redeem(NOON)
    confirm_hotel(till, first)
    settle(till)
    second = till.redeem(NOON + timedelta(weeks=1), vouchers=2)
    confirm_hotel(till, second)
    settle(till, 1)
    newest, oldest = reports.claims(merchant_id=HOTEL.merchant_id)
    assert (newest.period_starts_on, newest.amount_twd, newest.voucher_count) == (WEEK.following.starts_on, 2_000, 2)
    assert (oldest.state, oldest.file_no, oldest.programme_name_zh) == ("claimed", None, "國旅券")
    assert reports.claims(merchant_id=HOTEL.merchant_id, period_starts_on=WEEK.starts_on) == [oldest]
    page = reports.find_transactions(TransactionFilter(HOTEL.merchant_id, claim_id=oldest.claim_id), page_size=10)
    assert [row.redemption_id for row in page.rows] == [first]
    assert page.redeemed_twd == oldest.amount_twd


def test_a_returned_claim_says_why(till: Till, reports: SqlReports) -> None:
    confirm_hotel(till, till.redeem(NOON))
    settle(till)
    hear(till, pay(till), a3001987654="22")
    (row,) = reports.claims(merchant_id=HOTEL.merchant_id)
    assert (row.state, row.return_code, row.file_no) == ("returned", "22", 1)


def test_the_four_numbers(till: Till, reports: SqlReports) -> None:
    confirm_hotel(till, till.redeem(NOON - timedelta(days=1), vouchers=2))
    till.redeem(NOON, vouchers=3)
    assert reports.overview(merchant_id=HOTEL.merchant_id, now=NOON) == Overview(
        today_count=1, today_twd=3_000, unconfirmed_count=1, unconfirmed_twd=3_000, next_claim_twd=2_000, devices_not_online=0
    )


def test_devices_and_who_needs_help(till: Till, reports: SqlReports) -> None:
    for device_id, site_id, state in (
        ("kiosk-1", "boan-lobby", "active"),
        ("kiosk-2", "boan-harbour", "active"),
        ("kiosk-3", "boan-lobby", "revoked"),
        ("kiosk-4", "yunling-gate", "active"),
    ):
        add_device(till.engine, device_id, site_id, state)
    with till.engine.begin() as connection:
        seen = {"seen_at": NOON, "version": "0.1.0", "pending": 2}
        connection.execute(insert(device_presence).values(device_id="kiosk-1", state="online", **seen))
    mine = reports.devices(merchant_id=HOTEL.merchant_id)
    assert {(row.device_id, row.state, row.presence, row.pending) for row in mine} == {
        ("kiosk-1", "active", "online", 2),
        ("kiosk-2", "active", "never", 0),
        ("kiosk-3", "revoked", "never", 0),
    }
    assert len(reports.devices()) == 4
    assert reports.overview(merchant_id=HOTEL.merchant_id, now=NOON).devices_not_online == 1


def test_issues_and_settlements(till: Till, reports: SqlReports) -> None:
    six_weeks(till)
    assert len(reports.issues()) == 6
    assert all(row.redeemed_count == row.voucher_count for row in reports.issues())
    rows = reports.settlements()
    assert [row.period_starts_on for row in rows] == [WEEK.starts_on + timedelta(weeks=week) for week in (3, 2, 1, 0)]
    assert [row.claimed_twd for row in rows] == [4_000, 3_000, 2_000, 1_000]
    assert [(row.sent_twd, row.paid_twd, row.returned_twd) for row in rows] == [
        (0, 0, 0),
        (3_000, 0, 0),
        (0, 2_000, 0),
        (0, 1_000, 0),
    ]


def test_totals_add_up(till: Till, reports: SqlReports) -> None:
    six_weeks(till)
    totals = reports.totals()
    assert totals == Totals(
        issued=12,
        redemptions=6,
        vouchers_redeemed=12,
        redeemed_twd=12_000,
        topup_twd=4_050,
        confirmed=5,
        claims=4,
        claimed_twd=10_000,
        unclaimed_twd=2_000,
        paid_twd=3_000,
        returned_twd=0,
        open_twd=7_000,
        double_redeemed=0,
        ledger_sum_twd=0,
        unbalanced_journals=0,
    )


def test_totals_of_nothing_are_zero(reports: SqlReports) -> None:
    assert reports.totals() == Totals(*[0] * 15)
    assert reports.issues() == []
    assert reports.settlements() == []


def add_device(engine: Engine, device_id: str, site_id: str, state: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            insert(device).values(
                device_id=device_id,
                site_id=site_id,
                state=state,
                serial=device_id,
                seal_public=bytes(32),
                certificate_serial=device_id,
                certificate_pem="-",
                enrolled_at=NOON,
                state_changed_at=NOON,
            )
        )


def test_all_of_a_merchant_can_be_confirmed_and_seen(till: Till, reports: SqlReports) -> None:
    till.redeem(NOON)
    store = SqlConfirmationStore(till.engine)
    confirm_all(store, merchant_id=HOTEL.merchant_id, staff_id="boan-admin", now=NOON + timedelta(hours=1))
    (row,) = reports.find_transactions(TransactionFilter(HOTEL.merchant_id), page_size=10).rows
    assert (row.state, row.confirmed_at) == ("confirmed", NOON + timedelta(hours=1))


def test_a_walk_reads_every_row_once_page_by_page(till: Till, reports: SqlReports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_transactions, "PAGE_SIZE_MAX", 3)
    ids = [till.redeem(NOON + timedelta(minutes=number // 4)) for number in range(9)]
    till.redeem(NOON, place=PARK)
    confirm_hotel(till, ids[0], ids[8])
    assert [row.redemption_id for row in reports.walk_transactions(TransactionFilter(HOTEL.merchant_id))] == ids
    confirmed = TransactionFilter(HOTEL.merchant_id, state="confirmed")
    assert [row.redemption_id for row in reports.walk_transactions(confirmed)] == [ids[0], ids[8]]
    two = reports.find_transaction(ids[4], merchant_id=HOTEL.merchant_id)
    assert two is not None
    of_voucher = TransactionFilter(HOTEL.merchant_id, voucher_no=two.voucher_nos[0])
    assert list(reports.walk_transactions(of_voucher)) == [two]
    assert list(reports.walk_transactions(TransactionFilter(PARK.merchant_id, voucher_no=two.voucher_nos[0]))) == []
