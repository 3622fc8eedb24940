"""Status reports, whatever a bank says and in whatever order: named is decided, once; all else stays open."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.domain.pain001 import Agreement, CreditTransfer, encode_pain001
from cloud.domain.pain002 import Pain002Error, decode_pain002
from cloud.domain.returns import Outcome, ReturnError, SentFile, SentPayout, decide_report
from tests.support.bank import Ordered, Says, report_pain001

FINAL = {"ACSC": "paid", "ACCC": "paid", "RJCT": "returned"}
STATUSES = st.sampled_from(["ACSC", "ACCC", "RJCT", "ACSP", "ACCP", "PDNG", "RCVD", None])
AMOUNTS = st.lists(st.integers(1, 90_000), min_size=1, max_size=8)
FILE_ID = UUID(int=77)


def sent(amounts: list[int]) -> SentFile:
    payouts = (
        SentPayout(UUID(int=1 << 64 | no), no, amount, "boan-hotel", "travel-2026") for no, amount in enumerate(amounts, 1)
    )
    return SentFile(FILE_ID, 1, date(2026, 11, 11), tuple(payouts))


def message(file: SentFile) -> bytes:
    transfers = [
        CreditTransfer(one.payout_id.hex, one.amount_twd, "8120012", str(one.line_no), "泊岸 & 旅館", "00683704")
        for one in file.payouts
    ]
    debtor = Agreement("PROGRAMME", "04595257", "0040037", "1234567890")
    made_at = datetime(2026, 11, 11, 9, tzinfo=UTC)
    return encode_pain001(debtor, transfers, message_id=FILE_ID.hex, made_at=made_at, value_date=date(2026, 11, 12))


def hear(file: SentFile, statuses: dict[UUID, str | None]) -> list[Outcome]:
    def says(item: Ordered) -> Says | None:
        status = statuses.get(UUID(item.end_to_end_id))
        return None if status is None else Says(status, "AC04" if status == "RJCT" else None)

    return decide_report(decode_pain002(report_pain001(message(file), says)), file, None)


def after(file: SentFile, outcomes: list[Outcome]) -> SentFile:
    known = {one.payout.payout_id: one for one in outcomes}
    payouts = (
        SentPayout(one.payout_id, one.line_no, one.amount_twd, one.merchant_id, one.programme_id, known[one.payout_id].state)
        if one.payout_id in known
        else one
        for one in file.payouts
    )
    return SentFile(file.file_id, file.file_no, file.sent_on, tuple(payouts))


@given(AMOUNTS, st.data())
def test_what_is_named_is_decided_and_nothing_else(amounts: list[int], data: st.DataObject) -> None:
    file = sent(amounts)
    statuses = {one.payout_id: data.draw(STATUSES) for one in file.payouts}
    outcomes = hear(file, statuses)
    assert {one.payout.payout_id: one.state for one in outcomes} == {
        payout_id: FINAL[status] for payout_id, status in statuses.items() if status in FINAL
    }
    assert all((one.return_code == "AC04") == (one.state == "returned") for one in outcomes)
    assert hear(after(file, outcomes), statuses) == []


@given(AMOUNTS, st.data())
def test_reports_in_any_order_end_the_same(amounts: list[int], data: st.DataObject) -> None:
    """Each payment has one end; each report tells it, something on the way to it, or nothing."""
    file = sent(amounts)
    end = {one.payout_id: data.draw(st.sampled_from(sorted(FINAL))) for one in file.payouts}
    reports = [
        {payout_id: data.draw(st.sampled_from([status, "ACSP", None])) for payout_id, status in end.items()} for _ in range(3)
    ]
    finals = []
    for order in (reports, reports[::-1], data.draw(st.permutations(reports))):
        heard = file
        for statuses in order:
            heard = after(heard, hear(heard, statuses))
        finals.append(heard)
    assert finals[0] == finals[1] == finals[2]
    told = {payout_id for statuses in reports for payout_id, status in statuses.items() if status in FINAL}
    assert {one.payout_id for one in finals[0].payouts if one.state is not None} == told


@given(AMOUNTS, st.data(), st.booleans())
def test_the_opposite_of_what_was_said_is_refused(amounts: list[int], data: st.DataObject, paid_first: bool) -> None:
    file = sent(amounts)
    one = data.draw(st.sampled_from(file.payouts)).payout_id
    first, second = ("ACSC", "RJCT") if paid_first else ("RJCT", "ACCC")
    heard = after(file, hear(file, {one: first}))
    with pytest.raises(ReturnError, match="before: a person must ask"):
        hear(heard, {payout.payout_id: second for payout in file.payouts})


@given(st.binary(max_size=200), st.integers(0, 2_000), st.integers(0, 40))
def test_a_damaged_report_decides_nothing_wrong(noise: bytes, at: int, cut: int) -> None:
    """It is refused, or still says of each payment what the bank said."""
    file = sent([1_000, 2_000])
    first, _ = file.payouts
    sound = report_pain001(message(file), lambda item: Says("ACSC") if item.amount_twd == 1_000 else Says("PDNG"))
    damaged = sound[:at] + noise + sound[at + cut :]
    try:
        outcomes = decide_report(decode_pain002(damaged), file, None)
    except (Pain002Error, ReturnError):
        return
    assert outcomes in ([], [Outcome(first, "paid", None)])
