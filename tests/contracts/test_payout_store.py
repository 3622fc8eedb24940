"""Payout files and the bank's answers, on both databases, through the services and a bank."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, select, update

from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.payouts import SqlPayoutStore
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import bank_return, merchant, payout, payout_file, payout_outcome
from cloud.domain.ach import AchError
from cloud.domain.calendar import Period
from cloud.domain.ledger import IN_TRANSIT, claimed_account, funds_account, returned_account
from cloud.domain.payouts import Originator, PayoutFile, PayoutFormat
from cloud.domain.returns import ReturnError
from cloud.services.confirm import confirm_all
from cloud.services.pay import Imported, import_return, make_payout_file
from cloud.services.settle import settle_due
from tests.support.bank import Received, answer_p01, read_p01
from tests.support.money import HANDS, Till
from tests.support.setups import PLACES, PROGRAMME_ID, load_example

pytest_plugins = ("tests.support.databases",)

WEEK = Period(date(2026, 11, 4))
NOON = datetime(2026, 11, 5, 4, tzinfo=UTC)
PAY_DAY = WEEK.ends_at + timedelta(hours=9)
BANK_DAY = date(2026, 11, 12)
ORIGINATOR = Originator("0040037", "1234567890", "04595257", "101", "TOURISM VOUCHER PROGRAMME")
HOTEL_ACCOUNT, PARK_ACCOUNT = "3001987654", "41210765432"
FUNDS = funds_account(PROGRAMME_ID)


@pytest.fixture
def till(engine: Engine) -> Till:
    load_example(engine)
    return Till(engine)


def claim_week(till: Till, week: Period = WEEK, *, hotel: int = 2, park: int = 3) -> None:
    """Redeem, confirm and settle one week: a claim of the hotel and one of the park."""
    for place, vouchers in ((PLACES[1], hotel), (PLACES[2], park)):
        if vouchers:
            till.redeem(week.starts_at + timedelta(days=1), place=place, vouchers=vouchers)
            store = SqlConfirmationStore(till.engine)
            confirm_all(store, merchant_id=place.merchant_id, staff_id=place.staff_id, now=week.starts_at + timedelta(days=2))
    settle_due(SqlSettlementStore(till.engine), now=week.ends_at)


def pay(till: Till, now: datetime = PAY_DAY, format: PayoutFormat = "ach_p01") -> PayoutFile | None:
    return make_payout_file(SqlPayoutStore(till.engine), format, ORIGINATOR, hands=HANDS, now=now)


def must_pay(till: Till, now: datetime = PAY_DAY) -> PayoutFile:
    file = pay(till, now)
    assert file is not None
    return file


def hear(till: Till, content: bytes, *, file_no: int | None = None) -> Imported:
    return import_return(
        SqlPayoutStore(till.engine), content, by=HANDS.prepared_by, now=PAY_DAY + timedelta(days=1), file_no=file_no
    )


def outcomes(till: Till) -> dict[UUID, tuple[str, str | None]]:
    with till.engine.connect() as connection:
        return {row.payout_id: (row.state, row.return_code) for row in connection.execute(select(payout_outcome))}


def test_nothing_to_pay_makes_no_file(till: Till) -> None:
    assert pay(till) is None


def test_every_claim_is_one_line(till: Till) -> None:
    claim_week(till)
    file = must_pay(till)
    assert (file.file_no, file.total_twd, file.value_date) == (1, 5_000, BANK_DAY)
    received = read_p01(file.content)
    assert received.sent_on == "01151111"
    assert {(one.account_no, one.amount_twd, one.payee_id) for one in received.payments} == {
        (HOTEL_ACCOUNT, 2_000, "00683704"),
        (PARK_ACCOUNT, 3_000, "00488240"),
    }
    assert till.balance(IN_TRANSIT) == -5_000
    assert till.balance(claimed_account("boan-hotel")) == 0
    with till.engine.connect() as connection:
        stored = connection.execute(select(payout_file)).one()
    assert (bytes(stored.content), stored.line_count, stored.total_twd) == (file.content, 2, 5_000)


def test_twice_is_once(till: Till) -> None:
    claim_week(till)
    must_pay(till)
    assert pay(till) is None


def test_only_failures_are_listed_and_the_rest_is_paid(till: Till) -> None:
    claim_week(till)
    answer = answer_p01(must_pay(till).content, failures={PARK_ACCOUNT: "05"}, answered_on=BANK_DAY)
    assert hear(till, answer) == Imported(1, paid_count=1, paid_twd=2_000, returned_count=1, returned_twd=3_000)
    assert sorted(outcomes(till).values(), key=str) == [("paid", None), ("returned", "05")]
    assert (till.balance(IN_TRANSIT), till.balance(FUNDS), till.balance(returned_account("yunling-park"))) == (
        0,
        -2_000,
        -3_000,
    )


def test_the_same_answer_again_changes_nothing(till: Till) -> None:
    claim_week(till)
    answer = answer_p01(must_pay(till).content, failures={PARK_ACCOUNT: "05"}, answered_on=BANK_DAY)
    hear(till, answer)
    before = outcomes(till)
    assert hear(till, answer) == Imported(file_no=None)
    assert outcomes(till) == before
    assert till.balance(FUNDS) == -2_000


def test_what_came_back_is_paid_by_the_next_file(till: Till) -> None:
    claim_week(till)
    hear(till, answer_p01(must_pay(till).content, failures={PARK_ACCOUNT: "22"}, answered_on=BANK_DAY))
    second = must_pay(till, PAY_DAY + timedelta(days=7))
    (again,) = second.payouts
    assert (again.payable.attempt, again.payable.amount_twd, second.file_no) == (2, 3_000, 2)
    assert till.balance(returned_account("yunling-park")) == 0
    answer = answer_p01(second.content, failures={}, answered_on=BANK_DAY + timedelta(days=7))
    assert hear(till, answer) == Imported(2, paid_count=1, paid_twd=3_000)
    assert till.balance(FUNDS) == -5_000
    assert pay(till, PAY_DAY + timedelta(days=14)) is None


def test_two_files_of_one_day_share_no_number(till: Till) -> None:
    claim_week(till)
    first = must_pay(till)
    hear(till, answer_p01(first.content, failures={PARK_ACCOUNT: "22"}, answered_on=BANK_DAY))
    second = must_pay(till, PAY_DAY + timedelta(hours=1))
    assert [one.line_no for one in first.payouts + second.payouts] == [1, 2, 3]
    assert hear(till, answer_p01(second.content, failures={PARK_ACCOUNT: "22"}, answered_on=BANK_DAY)).returned_count == 1


def test_an_empty_answer_with_two_waiting_files_must_be_named(till: Till) -> None:
    claim_week(till, park=0)
    first = must_pay(till)
    claim_week(till, WEEK.following, hotel=0)
    second = must_pay(till, PAY_DAY + timedelta(hours=1))
    answer = answer_p01(second.content, failures={}, answered_on=BANK_DAY)
    with pytest.raises(ReturnError, match="fits payout files 1, 2"):
        hear(till, answer)
    assert outcomes(till) == {}
    assert hear(till, answer, file_no=2).paid_twd == 3_000
    assert hear(till, answer_p01(first.content, failures={HOTEL_ACCOUNT: "04"}, answered_on=BANK_DAY)).returned_twd == 2_000


def test_a_merchant_without_account_waits(till: Till) -> None:
    with till.engine.begin() as connection:
        connection.execute(update(merchant).where(merchant.c.merchant_id == "yunling-park").values(account_no=None))
    claim_week(till)
    assert [one.payable.merchant_id for one in must_pay(till).payouts] == ["boan-hotel"]
    with till.engine.begin() as connection:
        connection.execute(update(merchant).where(merchant.c.merchant_id == "yunling-park").values(account_no="42"))
    assert [one.payable.account_no for one in must_pay(till, PAY_DAY + timedelta(days=1)).payouts] == ["42"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda content: content.replace(b"0000003000", b"0000003001").replace(b"000000003000", b"000000003001"), "3001 TWD"),
        (lambda content: content.replace(b"0115111100000002B", b"0115111100000007B"), "Record 7 is not in payout file 1"),
        (lambda content: content.replace(b"01151111", b"01151110"), "No payout file of that day"),
        (lambda content: content.replace(b"ACHR0101151112", b"ACHR0101151101"), "older than payout file 1"),
    ],
)
def test_an_answer_that_does_not_fit_changes_nothing(till: Till, change: Callable[[bytes], bytes], problem: str) -> None:
    claim_week(till)
    answer = change(answer_p01(must_pay(till).content, failures={PARK_ACCOUNT: "05"}, answered_on=BANK_DAY))
    with pytest.raises(ReturnError, match=problem):
        hear(till, answer)
    with till.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(bank_return)) == 0
    assert outcomes(till) == {}


def test_an_answer_for_another_payout_in_note_is_refused(till: Till) -> None:
    claim_week(till)
    file = must_pay(till)
    first, second = (payout.payout_id.hex.encode() for payout in file.payouts)
    answer = answer_p01(file.content, failures={PARK_ACCOUNT: "05"}, answered_on=BANK_DAY)
    with pytest.raises(ReturnError, match="names another payout"):
        hear(till, answer.replace(second, first))
    assert hear(till, answer.replace(second, b" " * 32)).returned_count == 1


def test_a_bank_cannot_take_back_that_it_paid(till: Till) -> None:
    claim_week(till)
    file = must_pay(till)
    hear(till, answer_p01(file.content, failures={}, answered_on=BANK_DAY))
    with pytest.raises(ReturnError, match="was reported as paid before"):
        hear(till, answer_p01(file.content, failures={PARK_ACCOUNT: "05"}, answered_on=BANK_DAY))
    assert till.balance(FUNDS) == -5_000


def test_garbage_is_no_answer(till: Till) -> None:
    with pytest.raises(AchError, match="line 1"):
        hear(till, b"BOFACHR01")


def test_iso_20022_is_made_from_the_same_claims(till: Till) -> None:
    claim_week(till)
    file = pay(till, format="pain_001")
    assert file is not None
    assert "泊岸旅館股份有限公司".encode() in file.content
    assert b"<CtrlSum>5000</CtrlSum>" in file.content
    assert pay(till) is None


def test_an_originator_that_does_not_fit_writes_nothing(till: Till) -> None:
    claim_week(till)
    broken = Originator("0040037", "1" * 17, "04595257", "101", "X")
    with pytest.raises(ValueError, match="PCLNO"):
        make_payout_file(SqlPayoutStore(till.engine), "ach_p01", broken, hands=HANDS, now=PAY_DAY)
    with till.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(payout)) == 0
    assert till.balance(IN_TRANSIT) == 0


def test_the_bank_may_refuse_by_amount(till: Till) -> None:
    claim_week(till)

    def dear(payment: Received) -> str | None:
        return "99" if payment.amount_twd > 2_500 else None

    assert hear(till, answer_p01(must_pay(till).content, failures=dear, answered_on=BANK_DAY)).returned_twd == 3_000
