"""A bank's pain.002 reports on both databases: outcomes, ledger and what is paid next, through the services and a bank."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select

from cloud.adapters.sql.books import SqlBooks
from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.payouts import SqlPayoutStore
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import bank_return, payout_outcome
from cloud.domain.calendar import Period
from cloud.domain.ledger import IN_TRANSIT, funds_account, returned_account
from cloud.domain.pain002 import Pain002Error
from cloud.domain.payouts import Originator, PayoutFile, PayoutFormat
from cloud.domain.returns import ReturnError
from cloud.services.confirm import confirm_all
from cloud.services.pay import Imported, import_return, kept_payout_file, make_payout_file, newest_file_no
from cloud.services.reconcile import reconcile
from cloud.services.settle import settle_due
from tests.support.bank import Ordered, Says, read_pain001, report_pain001
from tests.support.money import HANDS, Till
from tests.support.setups import PLACES, PROGRAMME_ID, load_example

pytest_plugins = ("tests.support.databases",)

WEEK = Period(date(2026, 11, 4))
PAY_DAY = datetime(2026, 11, 11, 1, tzinfo=UTC)
ORIGINATOR = Originator("0040037", "1234567890", "04595257", "101", "TOURISM VOUCHER PROGRAMME")
HOTEL, PARK = "3001987654", "41210765432"
FUNDS = funds_account(PROGRAMME_ID)


@pytest.fixture
def till(engine: Engine) -> Till:
    """A week with a claim of 2,000 by the hotel and one of 3,000 by the park."""
    load_example(engine)
    till = Till(engine)
    for place, vouchers in ((PLACES[1], 2), (PLACES[2], 3)):
        till.redeem(WEEK.starts_at + timedelta(days=1), place=place, vouchers=vouchers)
        store = SqlConfirmationStore(engine)
        confirm_all(store, merchant_id=place.merchant_id, staff_id=place.staff_id, now=WEEK.starts_at + timedelta(days=2))
    settle_due(SqlSettlementStore(engine), now=WEEK.ends_at)
    return till


def pay(till: Till, now: datetime = PAY_DAY, format: PayoutFormat = "pain_001") -> PayoutFile:
    file = make_payout_file(SqlPayoutStore(till.engine), format, ORIGINATOR, hands=HANDS, now=now)
    assert file is not None
    return file


def hear(till: Till, content: bytes, *, file_no: int | None = None) -> Imported:
    return import_return(
        SqlPayoutStore(till.engine), content, by=HANDS.prepared_by, now=PAY_DAY + timedelta(days=1), file_no=file_no
    )


def says(report_no: int = 1, **by_name: Says) -> Callable[[bytes], bytes]:
    """A report that says this of ``hotel`` and ``park``."""
    accounts = {HOTEL: by_name.get("hotel"), PARK: by_name.get("park")}

    def of(item: Ordered) -> Says | None:
        return accounts[item.account_no]

    return lambda content: report_pain001(content, of, report_no=report_no)


def outcomes(till: Till) -> list[tuple[str, str | None]]:
    with till.engine.connect() as connection:
        rows = connection.execute(select(payout_outcome.c.state, payout_outcome.c.return_code).order_by(payout_outcome.c.state))
        return [(row.state, row.return_code) for row in rows]


def imports(till: Till) -> int:
    with till.engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(bank_return)) or 0


def balances(till: Till) -> tuple[int, int, int]:
    assert reconcile(SqlBooks(till.engine), now=WEEK.ends_at).breach is None
    return till.balance(IN_TRANSIT), till.balance(FUNDS), till.balance(returned_account("yunling-park"))


def test_paid_and_returned_in_one_report(till: Till) -> None:
    answer = says(hotel=Says("ACSC"), park=Says("RJCT", "AC04"))(pay(till).content)
    assert hear(till, answer) == Imported(1, paid_count=1, paid_twd=2_000, returned_count=1, returned_twd=3_000)
    assert outcomes(till) == [("paid", None), ("returned", "AC04")]
    assert balances(till) == (0, -2_000, -3_000)


def test_partial_reports_decide_what_they_name(till: Till) -> None:
    sent = pay(till).content
    assert hear(till, says(1, hotel=Says("ACSP"), park=Says("PDNG"))(sent)) == Imported(1, open_count=2)
    assert balances(till) == (-5_000, 0, 0)
    assert hear(till, says(2, park=Says("ACCC"))(sent)) == Imported(1, paid_count=1, paid_twd=3_000, open_count=1)
    assert hear(till, says(3, hotel=Says("ACSC"), park=Says("ACSC"))(sent)) == Imported(1, paid_count=1, paid_twd=2_000)
    # An older report that comes late takes nothing back.
    assert hear(till, says(4, hotel=Says("ACSP"), park=Says("RCVD"))(sent)) == Imported(1)
    assert balances(till) == (0, -5_000, 0)
    assert imports(till) == 4


def test_the_same_report_twice_changes_nothing(till: Till) -> None:
    answer = says(hotel=Says("ACSC"), park=Says("RJCT", "AC04"))(pay(till).content)
    hear(till, answer)
    before = balances(till)
    assert hear(till, answer) == Imported(file_no=None)
    assert (balances(till), imports(till)) == (before, 1)


def test_what_came_back_is_paid_by_the_next_file_and_reports_are_not_mixed_up(till: Till) -> None:
    first = pay(till)
    hear(till, says(hotel=Says("ACSC"), park=Says("RJCT", "AC04"))(first.content))
    second = pay(till, PAY_DAY + timedelta(days=7))
    assert [(one.payable.attempt, one.payable.amount_twd) for one in second.payouts] == [(2, 3_000)]
    assert hear(till, says(2, park=Says("RJCT", "AC04"))(first.content)) == Imported(1)
    assert hear(till, says(park=Says("ACCC"))(second.content)) == Imported(2, paid_count=1, paid_twd=3_000)
    assert balances(till) == (0, -5_000, 0)


def test_a_bank_cannot_take_back_what_it_said(till: Till) -> None:
    sent = pay(till).content
    hear(till, says(1, hotel=Says("ACSC"))(sent))
    with pytest.raises(ReturnError, match="was reported as paid before"):
        hear(till, says(2, hotel=Says("RJCT", "AC04"), park=Says("ACSC"))(sent))
    assert (outcomes(till), imports(till)) == ([("paid", None)], 1)
    # A second copy that is refused for being one says nothing of the first.
    assert hear(till, says(3, hotel=Says("RJCT", "AM05"), park=Says("RJCT", "AM05"))(sent)) == Imported(1, open_count=1)


def test_a_refusal_of_the_whole_file_waits_for_a_person(till: Till) -> None:
    sent = pay(till).content
    refusal = report_pain001(sent, lambda _: None, whole=Says("RJCT", "FF01"))
    with pytest.raises(ReturnError, match=r"refuses the whole payout file 1 \(FF01\)"):
        hear(till, refusal)
    assert imports(till) == 0
    assert hear(till, refusal, file_no=1) == Imported(1, returned_count=2, returned_twd=5_000)
    assert outcomes(till) == [("returned", "FF01")] * 2
    assert len(pay(till, PAY_DAY + timedelta(days=1)).payouts) == 2


def test_a_whole_file_that_is_a_duplicate_or_settled_decides_nothing(till: Till) -> None:
    sent = pay(till).content
    for status in (Says("RJCT", "DU01"), Says("ACSC"), Says("PART")):
        report = report_pain001(sent, lambda _: None, whole=status)
        assert hear(till, report, file_no=1) == Imported(1, open_count=2)
    assert outcomes(till) == []


def test_each_payment_of_a_refused_file_may_have_a_reason_of_its_own(till: Till) -> None:
    sent = pay(till).content
    mixed = report_pain001(sent, lambda item: Says("RJCT", "AC04") if item.account_no == PARK else None, whole=Says("RJCT"))
    assert hear(till, mixed, file_no=1).returned_count == 2
    assert sorted(outcomes(till)) == [("returned", "AC04"), ("returned", "MS03")]


def ids(content: bytes) -> list[bytes]:
    return [item.end_to_end_id.encode() for item in read_pain001(content).transfers]


BROKEN: dict[str, tuple[Callable[[bytes, bytes], bytes], str]] = {
    "amount": (lambda answer, _: answer.replace(b">3000.00<", b">3001.00<"), "says 3001 TWD, not 3000"),
    "another message": (lambda answer, sent: answer.replace(message_id(sent), b"0" * 32), "none of our payout files"),
    "a message id of another kind": (lambda answer, sent: answer.replace(message_id(sent), b"7"), "none of our payout files"),
    "another block": (lambda answer, _: cut_block(answer), "a payment block that is not in payout file 1"),
    "another payment": (lambda answer, sent: answer.replace(ids(sent)[0], b"0" * 32), "a payment that is not in payout file 1"),
    "upper case": (lambda answer, sent: answer.replace(ids(sent)[0], ids(sent)[0].upper()), "a payment that is not in"),
    "twice": (lambda answer, sent: answer.replace(b">3000.00<", b">2000.00<").replace(ids(sent)[1], ids(sent)[0]), "twice"),
    "whole and not whole": (
        lambda answer, _: answer.replace(b"</p:OrgnlCreDtTm>", b"</p:OrgnlCreDtTm><p:GrpSts>RJCT</p:GrpSts>"),
        "yet not every payment",
    ),
}


def message_id(sent: bytes) -> bytes:
    return read_pain001(sent).message_id.encode()


def cut_block(answer: bytes) -> bytes:
    before, tag, rest = answer.partition(b"<p:OrgnlPmtInfId>")
    return before + tag + b"0" * 32 + rest[32:]


@pytest.mark.parametrize("name", BROKEN)
def test_a_report_that_does_not_fit_changes_nothing(till: Till, name: str) -> None:
    sent = pay(till).content
    answer = says(hotel=Says("ACSC"), park=Says("ACSC"))(sent)
    change, problem = BROKEN[name]
    assert change(answer, sent) != answer
    with pytest.raises(ReturnError, match=problem):
        hear(till, change(answer, sent))
    assert (outcomes(till), imports(till)) == ([], 0)
    assert balances(till) == (-5_000, 0, 0)
    assert hear(till, answer).paid_count == 2


def test_a_report_for_another_file_than_was_said_is_refused(till: Till) -> None:
    answer = says(hotel=Says("ACSC"))(pay(till).content)
    with pytest.raises(ReturnError, match="answers payout file 1, not 2"):
        hear(till, answer, file_no=2)
    assert hear(till, answer, file_no=1).paid_count == 1


def test_an_ach_file_is_not_answered_by_a_report(till: Till) -> None:
    file = pay(till, format="ach_p01")
    report = f"""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.03"><CstmrPmtStsRpt><OrgnlGrpInfAndSts>
        <OrgnlMsgId>{file.file_id.hex}</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.03</OrgnlMsgNmId>
        </OrgnlGrpInfAndSts></CstmrPmtStsRpt></Document>"""
    with pytest.raises(ReturnError, match="none of our payout files"):
        hear(till, report.encode())


def test_entities_are_not_expanded(till: Till) -> None:
    answer = says(hotel=Says("ACSC"))(pay(till).content)
    hostile = answer.replace(b"?>\n", b'?><!DOCTYPE x [<!ENTITY s "ACSC">]>').replace(b">ACSC<", b">&s;<")
    with pytest.raises(Pain002Error, match="document type"):
        hear(till, hostile)
    assert outcomes(till) == []


@pytest.mark.parametrize("format", ["ach_p01", "pain_001"])
def test_every_file_is_kept_byte_for_byte(till: Till, format: PayoutFormat) -> None:
    store = SqlPayoutStore(till.engine)
    assert (newest_file_no(store), kept_payout_file(store, 1)) == (0, None)
    file = pay(till, format=format)
    kept = kept_payout_file(store, 1)
    assert kept is not None
    assert (kept.content, kept.line_count, kept.total_twd) == (file.content, 2, 5_000)
    assert (newest_file_no(store), kept_payout_file(store, 2)) == (1, None)
