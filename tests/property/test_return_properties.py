"""Matching a bank's answer: what fails is returned, everything else of that file is paid, and of no other file."""

from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.domain.ach import AchReturn, AchReturnFile
from cloud.domain.returns import ReturnError, SentFile, SentPayout, answered_day, choose_file, decide

DAY = date(2026, 11, 11)
AMOUNTS = st.lists(st.integers(1, 90_000), min_size=1, max_size=12)


def sent(amounts: list[int], *, file_no: int = 1, first_line_no: int = 1) -> SentFile:
    payouts = (
        SentPayout(UUID(int=file_no << 64 | line_no), line_no, amount, "boan-hotel", "travel-2026")
        for line_no, amount in enumerate(amounts, start=first_line_no)
    )
    return SentFile(UUID(int=file_no), file_no, DAY, tuple(payouts))


def answer(payouts: list[SentPayout], *, note: bool = True) -> AchReturnFile:
    items = (AchReturn(DAY, one.line_no, one.amount_twd, "05", one.payout_id.hex if note else "") for one in payouts)
    return AchReturnFile(DAY, DAY, tuple(items))


@given(AMOUNTS, st.data(), st.booleans())
def test_unlisted_is_paid_and_listed_is_returned(amounts: list[int], data: st.DataObject, note: bool) -> None:
    file = sent(amounts)
    failing = data.draw(st.lists(st.sampled_from(file.payouts), unique=True))
    returned = answer(failing, note=note)
    assert choose_file(returned, [file], None) is file
    outcomes = decide(returned, file)
    assert {one.payout for one in outcomes} == set(file.payouts)
    assert {one.payout for one in outcomes if one.state == "returned"} == set(failing)
    assert all((one.return_code == "05") == (one.state == "returned") for one in outcomes)


@given(AMOUNTS, AMOUNTS, st.data())
def test_a_return_finds_its_file_among_those_of_the_day(first: list[int], second: list[int], data: st.DataObject) -> None:
    files = [sent(first), sent(second, file_no=2, first_line_no=len(first) + 1)]
    file = data.draw(st.sampled_from(files))
    failing = data.draw(st.lists(st.sampled_from(file.payouts), unique=True, min_size=1))
    returned = answer(failing)
    assert answered_day(returned) == DAY
    assert choose_file(returned, files, None) is file
    assert choose_file(returned, files, file.file_no) is file
    with pytest.raises(ReturnError):
        choose_file(returned, files, 3 - file.file_no)


@given(AMOUNTS, AMOUNTS)
def test_a_return_of_two_files_is_nobodys(first: list[int], second: list[int]) -> None:
    files = [sent(first), sent(second, file_no=2, first_line_no=len(first) + 1)]
    with pytest.raises(ReturnError, match="fits payout files 1, 2"):
        choose_file(answer([files[0].payouts[0], files[1].payouts[0]]), files, None)


@given(AMOUNTS, st.data())
def test_a_wrong_amount_or_a_double_is_refused(amounts: list[int], data: st.DataObject) -> None:
    file = sent(amounts)
    failing = data.draw(st.sampled_from(file.payouts))
    (item,) = answer([failing]).returns
    with pytest.raises(ReturnError, match="returned twice"):
        decide(AchReturnFile(DAY, DAY, (item, item)), file)
    wrong = AchReturn(DAY, item.seq, item.amount_twd + 1, "05", item.note)
    with pytest.raises(ReturnError, match="were sent"):
        decide(AchReturnFile(DAY, DAY, (wrong,)), file)


def test_records_of_two_days_are_two_files() -> None:
    items = (AchReturn(DAY, 1, 1, "05", ""), AchReturn(date(2026, 11, 12), 1, 1, "05", ""))
    with pytest.raises(ReturnError, match="payments of 2 days"):
        answered_day(AchReturnFile(DAY, None, items))
