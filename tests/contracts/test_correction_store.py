"""Corrections on both databases: what is taken back, from which claim on, and that nobody is ever paid less than nothing."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, delete, func, insert, select, update
from sqlalchemy.exc import DatabaseError, IntegrityError

from cloud.adapters.sql.books import SqlBooks
from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.corrections import SqlCorrectionStore
from cloud.adapters.sql.migrations import migrate
from cloud.adapters.sql.payouts import SqlPayoutStore
from cloud.adapters.sql.people import SqlPeople
from cloud.adapters.sql.reports import SqlReports
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import claim, claim_line, correction, payout, set_off, staff
from cloud.domain.calendar import Period
from cloud.domain.corrections import Correction, CorrectionError
from cloud.domain.payouts import Originator
from cloud.ports.corrections import Debt
from cloud.services.confirm import confirm
from cloud.services.correct import Wish, correct
from cloud.services.pay import import_return, make_payout_file
from cloud.services.reconcile import reconcile
from cloud.services.settle import settle_due
from tests.contracts.test_books import damage
from tests.support.bank import answer_p01
from tests.support.money import HANDS, Till
from tests.support.setups import PLACES, PROGRAMME_ID, Place, load_example

pytest_plugins = ("tests.support.databases",)

WEEK = Period(date(2026, 11, 4))
DAY, SEVEN_DAYS = timedelta(days=1), timedelta(days=7)
TUESDAY = WEEK.ends_at - timedelta(hours=12)
HOTEL, PARK = PLACES[1], PLACES[2]
BY = "office-1"
ORIGINATOR = Originator("0040037", "1234567890", "04595257", "101", "TOURISM VOUCHER PROGRAMME")


@pytest.fixture
def till(engine: Engine) -> Till:
    load_example(engine)
    return Till(engine)


def redeem(till: Till, *, vouchers: int = 1, at: datetime = WEEK.starts_at + DAY, place: Place = HOTEL) -> UUID:
    """Redeem and confirm."""
    redemption_id = till.redeem(at, place=place, vouchers=vouchers)
    confirm_one(till, redemption_id, at=at, place=place)
    return redemption_id


def confirm_one(till: Till, redemption_id: UUID, *, at: datetime, place: Place = HOTEL) -> None:
    store = SqlConfirmationStore(till.engine)
    confirm(store, [redemption_id], merchant_id=place.merchant_id, staff_id=place.staff_id, now=at)


def take_back(
    till: Till, redemption_id: UUID, amount_twd: int | None = None, *, by: str = BY, at: datetime = TUESDAY
) -> Correction:
    wish = Wish(redemption_id, "the guest never came", by, amount_twd)
    return correct(SqlCorrectionStore(till.engine), SqlPeople(till.engine), wish, now=at)


def settle(till: Till, *, weeks: int = 1) -> None:
    """Settle up to the end of that week."""
    settle_due(SqlSettlementStore(till.engine), now=WEEK.ends_at + (weeks - 1) * SEVEN_DAYS)


def set_offs(till: Till) -> list[tuple[date, str, int, int]]:
    """Week, merchant, what was claimed, what of it was set off."""
    wanted = (
        select(claim.c.period_starts_on, claim.c.merchant_id, claim.c.amount_twd, set_off.c.amount_twd)
        .join(set_off, set_off.c.claim_id == claim.c.claim_id)
        .order_by(claim.c.period_starts_on, claim.c.merchant_id)
    )
    with till.engine.connect() as connection:
        return [(row[0], row[1], row[2], row[3]) for row in connection.execute(wanted)]


def pay(till: Till, *, at: datetime = WEEK.ends_at) -> Sequence[int]:
    """Make a payout file; the amounts in it."""
    file = make_payout_file(SqlPayoutStore(till.engine), "ach_p01", ORIGINATOR, hands=HANDS, now=at)
    return [] if file is None else [one.payable.amount_twd for one in file.payouts]


def check_books(till: Till) -> None:
    assert reconcile(SqlBooks(till.engine), now=WEEK.ends_at).breach is None


def debts(till: Till) -> Sequence[Debt]:
    return SqlCorrectionStore(till.engine).debts()


# When ------------------------------------------------------------------------------------------------------------------------


def test_corrected_before_its_claim_it_is_never_paid(till: Till) -> None:
    wrong = redeem(till, vouchers=2)
    redeem(till, vouchers=3)
    take_back(till, wrong)
    check_books(till)
    settle(till)
    assert set_offs(till) == [(WEEK.starts_on, HOTEL.merchant_id, 5_000, 2_000)]
    check_books(till)
    assert pay(till) == [3_000]
    check_books(till)


def test_corrected_after_its_claim_the_next_one_bears_it(till: Till) -> None:
    wrong = redeem(till, vouchers=2)
    settle(till)
    assert pay(till) == [2_000]
    take_back(till, wrong, at=WEEK.ends_at + DAY)
    check_books(till)
    redeem(till, vouchers=3, at=WEEK.ends_at + DAY)
    settle(till, weeks=2)
    assert set_offs(till) == [(WEEK.following.starts_on, HOTEL.merchant_id, 3_000, 2_000)]
    assert pay(till, at=WEEK.ends_at + SEVEN_DAYS) == [1_000]
    check_books(till)


def test_what_is_not_confirmed_costs_nobody_anything_until_it_is_claimed(till: Till) -> None:
    wrong = till.redeem(WEEK.starts_at + DAY, place=HOTEL, vouchers=2)
    redeem(till, vouchers=3)
    take_back(till, wrong)
    settle(till)
    assert set_offs(till) == []
    assert debts(till) == []
    assert pay(till) == [3_000]
    confirm_one(till, wrong, at=WEEK.ends_at + DAY)
    settle(till, weeks=2)
    assert set_offs(till) == [(WEEK.following.starts_on, HOTEL.merchant_id, 2_000, 2_000)]
    assert pay(till, at=WEEK.ends_at + SEVEN_DAYS) == []
    check_books(till)


def test_nothing_below_zero_is_paid_and_the_rest_goes_on(till: Till) -> None:
    wrong = redeem(till, vouchers=5)
    settle(till)
    pay(till)
    take_back(till, wrong, at=WEEK.ends_at)
    for week, vouchers in ((1, 2), (2, 2), (3, 4)):
        redeem(till, vouchers=vouchers, at=WEEK.starts_at + week * SEVEN_DAYS + DAY)
    settle(till, weeks=4)
    weeks = [WEEK.starts_on + week * SEVEN_DAYS for week in (1, 2, 3)]
    amounts = [(2_000, 2_000), (2_000, 2_000), (4_000, 1_000)]
    assert set_offs(till) == [(week, HOTEL.merchant_id, *both) for week, both in zip(weeks, amounts, strict=True)]
    assert debts(till) == [Debt(HOTEL.merchant_id, PROGRAMME_ID, 5_000, 5_000)]
    assert pay(till, at=WEEK.ends_at + 3 * SEVEN_DAYS) == [3_000]
    check_books(till)


def test_a_week_without_claims_bears_nothing(till: Till) -> None:
    wrong = redeem(till)
    settle(till)
    take_back(till, wrong, at=WEEK.ends_at)
    settle(till, weeks=3)
    assert set_offs(till) == []
    assert [debt.owed_twd for debt in debts(till)] == [1_000]
    check_books(till)


def test_another_merchant_bears_nothing(till: Till) -> None:
    wrong = redeem(till, vouchers=2)
    redeem(till, vouchers=3, place=PARK)
    take_back(till, wrong)
    settle(till)
    assert set_offs(till) == [(WEEK.starts_on, HOTEL.merchant_id, 2_000, 2_000)]
    assert pay(till) == [3_000]


def test_part_of_an_order_is_taken_back(till: Till) -> None:
    take_back(till, redeem(till, vouchers=3), 1_000)
    settle(till)
    assert set_offs(till) == [(WEEK.starts_on, HOTEL.merchant_id, 3_000, 1_000)]
    check_books(till)


def test_what_the_bank_returned_is_paid_again_by_the_same_amount(till: Till) -> None:
    take_back(till, redeem(till, vouchers=3), 1_000)
    settle(till)
    file = make_payout_file(SqlPayoutStore(till.engine), "ach_p01", ORIGINATOR, hands=HANDS, now=WEEK.ends_at)
    assert file is not None
    answer = answer_p01(file.content, failures={"3001987654": "22"}, answered_on=date(2026, 11, 12))
    import_return(SqlPayoutStore(till.engine), answer, by=HANDS.prepared_by, now=WEEK.ends_at + DAY)
    check_books(till)
    assert pay(till, at=WEEK.ends_at + DAY) == [2_000]
    check_books(till)


# What stays -----------------------------------------------------------------------------------------------------------------


def test_the_voucher_stays_redeemed_and_claims_stay_whole(till: Till) -> None:
    wrong = redeem(till, vouchers=2)
    take_back(till, wrong)
    settle(till)
    totals = SqlReports(till.engine).totals()
    assert (totals.vouchers_redeemed, totals.redeemed_twd, totals.claimed_twd, totals.unclaimed_twd) == (2, 2_000, 2_000, 0)
    assert (totals.corrected_twd, totals.set_off_twd, totals.open_twd) == (2_000, 2_000, 0)
    with till.engine.connect() as connection:
        assert connection.scalar(select(func.sum(claim_line.c.amount_twd))) == 2_000
    assert till.balance(f"programme:{PROGRAMME_ID}:outstanding") == 0
    assert till.balance(f"merchant:{HOTEL.merchant_id}:corrected") == 0
    assert till.balance(f"programme:{PROGRAMME_ID}:corrected") == -2_000


def test_a_claim_that_is_set_off_whole_is_done_with(till: Till) -> None:
    take_back(till, redeem(till))
    settle(till)
    (row,) = SqlReports(till.engine).claims(merchant_id=HOTEL.merchant_id)
    assert (row.amount_twd, row.set_off_twd, row.state, row.file_no) == (1_000, 1_000, "paid", None)
    with till.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(payout)) == 0


def test_reports_count_what_is_paid(till: Till) -> None:
    take_back(till, redeem(till, vouchers=3), 1_000)
    settle(till)
    pay(till)
    reports = SqlReports(till.engine)
    (week,) = reports.settlements()
    assert (week.claimed_twd, week.sent_twd) == (3_000, 2_000)
    (row,) = reports.claims(merchant_id=HOTEL.merchant_id)
    assert (row.amount_twd, row.set_off_twd, row.state) == (3_000, 1_000, "sent")


# Who, and once --------------------------------------------------------------------------------------------------------------


def test_correcting_again_changes_nothing(till: Till) -> None:
    wrong = redeem(till, vouchers=2)
    first = take_back(till, wrong)
    assert first == Correction(wrong, HOTEL.merchant_id, PROGRAMME_ID, 2_000, "the guest never came", BY, TUESDAY)
    assert take_back(till, wrong, at=TUESDAY + DAY) == first
    with pytest.raises(CorrectionError, match=r"by 2000 TWD already"):
        take_back(till, wrong, 1_000)
    assert SqlCorrectionStore(till.engine).corrections() == [first]
    check_books(till)


def test_corrections_are_listed_newest_first(till: Till) -> None:
    first, second = redeem(till), redeem(till)
    made = [take_back(till, first), take_back(till, second, at=TUESDAY + DAY)]
    assert SqlCorrectionStore(till.engine).corrections() == made[::-1]


@pytest.mark.parametrize("amount_twd", [0, -1, 2_001])
def test_no_more_is_taken_back_than_was_redeemed(till: Till, amount_twd: int) -> None:
    with pytest.raises(CorrectionError, match="at most 2000 TWD"):
        take_back(till, redeem(till, vouchers=2), amount_twd)


def test_what_nobody_redeemed_cannot_be_corrected(till: Till) -> None:
    with pytest.raises(CorrectionError, match="no redemption"):
        take_back(till, UUID(int=1))


@pytest.mark.parametrize("by", ["nobody", "reviewer-1", "boan-admin"])
def test_only_finance_corrects(till: Till, by: str) -> None:
    with pytest.raises(CorrectionError, match="nobody who may correct"):
        take_back(till, redeem(till), by=by)


def test_whoever_has_left_corrects_nothing(till: Till) -> None:
    with till.engine.begin() as connection:
        connection.execute(update(staff).where(staff.c.staff_id == BY).values(active=False))
    with pytest.raises(CorrectionError, match="nobody who may correct"):
        take_back(till, redeem(till))


# What the database holds ----------------------------------------------------------------------------------------------------


def test_corrections_are_facts(till: Till) -> None:
    take_back(till, redeem(till))
    settle(till)
    for table in (correction, set_off):
        for change in (update(table).values(amount_twd=1), delete(table)):
            with pytest.raises(DatabaseError, match="never changed"), till.engine.begin() as connection:
                connection.execute(change)


def test_a_closed_week_is_not_set_off_any_more(till: Till) -> None:
    redeem(till)
    settle(till)
    with till.engine.begin() as connection, pytest.raises(DatabaseError, match="its week is closed"):
        connection.execute(insert(set_off).values(claim_id=connection.scalar(select(claim.c.claim_id)), amount_twd=1))


def test_corrections_are_not_lost_with_an_older_schema(till: Till) -> None:
    take_back(till, redeem(till))
    with pytest.raises(RuntimeError, match="correction holds rows"):
        migrate(till.engine, revision="base")
    assert len(SqlCorrectionStore(till.engine).corrections()) == 1


def test_a_second_correction_is_refused(till: Till) -> None:
    made = take_back(till, redeem(till, vouchers=2), 1_000)
    row = {column.name: getattr(made, column.name) for column in correction.columns}
    with pytest.raises(IntegrityError), till.engine.begin() as connection:
        connection.execute(insert(correction).values(row))


@pytest.mark.parametrize(
    ("rule", "sentence", "statements"),
    [
        ("I7", "or over more than it", ["UPDATE correction SET merchant_id = 'yunling-park'"]),
        (
            "I7",
            "or over more than it",
            [
                "UPDATE correction SET amount_twd = 9000",
                "UPDATE ledger_entry SET amount_twd = amount_twd * 9 WHERE kind = 'correct'",
            ],
        ),
        (
            "I7",
            "set off by more than was corrected",
            [
                "UPDATE set_off SET amount_twd = 2000",
                "UPDATE ledger_entry SET amount_twd = amount_twd * 2 WHERE kind = 'set_off'",
            ],
        ),
        (
            "I7",
            "by more than it is over",
            [
                "UPDATE set_off SET amount_twd = 5000",
                "UPDATE ledger_entry SET amount_twd = amount_twd * 5 WHERE kind = 'set_off'",
            ],
        ),
        ("I4", "a fact has no journal", ["DELETE FROM ledger_entry WHERE kind = 'correct'"]),
        ("I4", "a fact has no journal", ["DELETE FROM ledger_entry WHERE kind = 'set_off'"]),
        ("I4", "a fact has no journal", ["DELETE FROM set_off"]),
        (
            "I4",
            "an account does not hold",
            ["UPDATE ledger_entry SET account = 'z' WHERE kind = 'set_off' AND account LIKE '%:claimed'"],
        ),
    ],
)
def test_damage_is_found_and_named(till: Till, rule: str, sentence: str, statements: list[str]) -> None:
    take_back(till, redeem(till, vouchers=3), 1_000)
    settle(till)
    check_books(till)
    damage(till.engine, statements)
    breach = reconcile(SqlBooks(till.engine), now=WEEK.ends_at).breach
    assert breach is not None
    assert (breach.rule, sentence in breach.sentence) == (rule, True), breach


def test_a_payout_over_the_whole_claim_is_found(till: Till) -> None:
    take_back(till, redeem(till, vouchers=3), 1_000)
    settle(till)
    pay(till)
    doubled = "UPDATE ledger_entry SET amount_twd = amount_twd * 3 / 2 WHERE kind = 'pay'"
    damage(till.engine, ["UPDATE payout SET amount_twd = 3000", doubled])
    breach = reconcile(SqlBooks(till.engine), now=WEEK.ends_at).breach
    assert breach is not None
    assert breach.sentence == "a payout is not over its claim's amount less what is set off"


def test_debts_say_what_is_owed() -> None:
    debt = Debt("hotel", "stay-2021", 5_000, 2_000)
    assert (debt.owed_twd, replace(debt, set_off_twd=5_000).owed_twd) == (3_000, 0)
