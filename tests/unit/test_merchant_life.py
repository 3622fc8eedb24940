"""States of applications and merchants, working days, what a business types, what a paper is, which accounts can be."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.adapters.taiwan_banks import BranchesFileError, read_banks
from cloud.adapters.taiwan_calendar import CalendarFileError, read_working_days
from cloud.domain.attachments import file_kind, missing_papers
from cloud.domain.banks import BankList
from cloud.domain.business import Business, Contact, contact_slips, is_phone, mask_owner_id, slips, tidy, unfit
from cloud.domain.merchants import (
    ApplicationAction,
    ApplicationState,
    MerchantAction,
    MerchantState,
    application_after,
    merchant_actions,
    merchant_after,
    standing,
)
from cloud.domain.working_days import WorkingDays
from tests.support.applying import JPEG, PDF, PNG

DAYS = read_working_days()
DOORS = ("lodging", "amusement")
CONTACT = Contact("Inn", "南投縣仁愛鄉信義路 8 號", "鄭宇恩", "049-2801-234", "stay@inn.example.tw")
BUSINESS = Business("lodging", "10458575", "山嵐民宿", licence_no="1234", contact=CONTACT)


# ------------------------------------------------------------------------------------------------------------ working days


@pytest.mark.parametrize(
    ("notice", "last"),
    [
        (date(2020, 9, 25), date(2020, 10, 7)),  # Saturday the 26th is a working day and the first of the seven
        (date(2020, 9, 30), date(2020, 10, 14)),
        (date(2020, 11, 30), date(2020, 12, 9)),
        (date(2021, 2, 8), date(2021, 2, 23)),  # across the New Year, with a Saturday that makes up for it
        (date(2021, 9, 10), date(2021, 9, 22)),
        (date(2026, 11, 20), date(2026, 12, 1)),
        (date(2026, 12, 23), date(2027, 1, 5)),  # Constitution Day, and the first day of the next year
    ],
)
def test_seven_working_days(notice: date, last: date) -> None:
    assert DAYS.after(notice, 7) == last


@given(st.dates(date(2020, 1, 1), date(2029, 12, 31)), st.integers(1, 30))
def test_a_deadline_is_a_working_day_and_exactly_so_many_lie_before_it(notice: date, count: int) -> None:
    last = DAYS.after(notice, count)
    days = [notice + timedelta(days=step) for step in range(1, (last - notice).days + 1)]
    assert DAYS.has(last)
    assert sum(map(DAYS.has, days)) == count


def test_no_working_day_is_no_deadline() -> None:
    with pytest.raises(ValueError, match="at least one"):
        DAYS.after(date(2026, 1, 1), 0)


def test_year_that_nobody_has_announced_has_weekends_only() -> None:
    assert DAYS.after(date(2032, 1, 2), 1) == date(2032, 1, 5)


@pytest.mark.parametrize("text", ['[2026]\nfree = ["13-01"]', '[x]\nfree = ["01-01"]', "2026 = 1", "[2026", "[2026]\nfree = 3"])
def test_list_of_holidays_that_is_none_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "holidays.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(CalendarFileError, match="The list of holidays"):
        read_working_days(path)


def test_another_list_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    path = tmp_path / "holidays.toml"
    path.write_text('[2032]\nfree = ["01-05"]\nmade_up = ["01-03"]', "utf-8")
    assert read_working_days(path) == WorkingDays(frozenset({date(2032, 1, 5)}), frozenset({date(2032, 1, 3)}))


# ------------------------------------------------------------------------------------------------------------------- states


def test_every_way_through_an_application() -> None:
    ways = {
        (state, action): application_after(state, action)
        for state in get_args(ApplicationState)
        for action in get_args(ApplicationAction)
    }
    assert {way: to for way, to in ways.items() if to is not None} == {
        ("draft", "submit"): "submitted",
        ("returned", "submit"): "submitted",
        ("submitted", "return"): "returned",
        ("submitted", "approve"): "approved",
        ("submitted", "reject"): "rejected",
        ("lapsed", "start_again"): "draft",
        ("rejected", "start_again"): "draft",
    }


def test_every_way_through_a_merchant() -> None:
    ways = {
        (state, action): merchant_after(state, action)
        for state in get_args(MerchantState)
        for action in get_args(MerchantAction)
    }
    assert {way: to for way, to in ways.items() if to is not None} == {
        ("approved", "suspend"): "suspended",
        ("suspended", "resume"): "approved",
        ("approved", "terminate"): "terminated",
        ("suspended", "terminate"): "terminated",
    }
    assert merchant_actions("terminated") == ()


def test_a_returned_application_lapses_after_its_last_day() -> None:
    last = date(2026, 12, 1)
    assert standing("returned", last, last) == "returned"
    assert standing("returned", last, last + timedelta(days=1)) == "lapsed"
    assert standing("submitted", None, last) == "submitted"


# ------------------------------------------------------------------------------------------------------- what a business types


def test_whole_business_has_no_slip() -> None:
    assert slips(BUSINESS, categories=DOORS) == []
    assert slips(replace(BUSINESS, sole_owner=True, owner_id="FA12345689"), categories=DOORS) == []


@pytest.mark.parametrize(
    ("change", "field", "why"),
    [
        ({"merchant_category": "casino"}, "merchant_category", "choose"),
        ({"ubn": ""}, "ubn", "missing"),
        ({"ubn": "13572468"}, "ubn", "number"),
        ({"name_zh": ""}, "name_zh", "missing"),
        ({"licence_no": ""}, "licence_no", "missing"),
        ({"sole_owner": True}, "owner_id", "missing"),
        ({"sole_owner": True, "owner_id": "A123456788"}, "owner_id", "number"),
        ({"contact": replace(CONTACT, phone="123")}, "phone", "form"),
        ({"contact": replace(CONTACT, email="stay@inn")}, "email", "form"),
        ({"contact": replace(CONTACT, address="")}, "address", "missing"),
    ],
)
def test_slip_is_named_with_its_reason(change: dict[str, object], field: str, why: str) -> None:
    found = slips(replace(BUSINESS, **change), categories=DOORS)  # type: ignore[arg-type]
    assert [(one.field, one.why) for one in found] == [(field, why)]


def test_full_width_typing_is_understood() -> None:
    typed = replace(
        BUSINESS,
        ubn=" １０４５８５７５ ",
        sole_owner=True,
        owner_id="ａ１２３４５６７８９",
        contact=replace(CONTACT, phone="０４９－２８０１－２３４", email="stay＠inn.example.tw"),
    )
    assert slips(tidy(typed), categories=DOORS) == []
    assert tidy(typed).owner_id == "A123456789"
    assert tidy(typed).name_zh == "山嵐民宿", "a name stays as it is written"


def test_a_company_keeps_no_owner() -> None:
    assert tidy(replace(BUSINESS, owner_id="A123456789")).owner_id == ""


def test_what_does_not_fit_is_refused_even_in_a_draft() -> None:
    long = replace(BUSINESS, name_zh="山" * 61, contact=replace(CONTACT, address="a\x00b"))
    assert {(one.field, one.why) for one in unfit(long)} == {("name_zh", "length"), ("address", "length")}
    assert list(unfit(Business("", "", ""))) == [], "nothing typed yet fits"
    assert contact_slips(replace(CONTACT, name_en="")) == []


@pytest.mark.parametrize("text", ["02-2345-6789#12", "0912345678", "+886 2 2345 6789", "(02)23456789"])
def test_telephone_numbers(text: str) -> None:
    assert is_phone(text)


def test_owner_is_shown_by_first_letter_and_last_four() -> None:
    assert mask_owner_id("A123456789") == "A●●●●●6789"


# ------------------------------------------------------------------------------------------------------------------- papers


@pytest.mark.parametrize(("content", "kind"), [(PDF, "pdf"), (JPEG, "jpg"), (PNG, "png")])
def test_paper_is_known_by_its_content(content: bytes, kind: str) -> None:
    assert file_kind(content) == kind
    assert file_kind(content[: len(content) // 2]) is None, "half a file"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html><script>alert(1)</script>%PDF-%%EOF",
        b"GIF89a%%EOF",
        b"MZ\x90\x00",
        b"PK\x03\x04",
        b"\x89PNG",
        b" %PDF-1.7 %%EOF",
    ],
)
def test_anything_else_is_no_paper(content: bytes) -> None:
    assert file_kind(content) is None


def test_two_papers_are_needed() -> None:
    assert missing_papers(set()) == ["registration", "licence"]
    assert missing_papers({"registration", "licence"}) == []


# --------------------------------------------------------------------------------------------------------------------- banks


def test_accounts_that_are_possible() -> None:
    banks = read_banks()
    assert banks.problem_of("812", "0012", "20881001234567") is None
    assert banks.problem_of("700", "0021", "00012345678901") is None
    assert banks.bank_of("8120012") == "台新國際商業銀行"
    assert banks.branch_of("8120012") == ""


@pytest.mark.parametrize(
    ("bank", "branch", "account_no", "slip"),
    [
        ("", "0012", "123456", ("bank", "choose")),
        ("999", "0012", "123456", ("bank", "choose")),
        ("812", "12", "123456", ("branch", "four")),
        ("812", "001２", "123456", ("branch", "four")),
        ("812", "0012", "12345", ("account_no", "digits")),
        ("812", "0012", "12345678901234567", ("account_no", "digits")),
        ("812", "0012", "0000000", ("account_no", "digits")),
        ("812", "0012", "12-3456", ("account_no", "digits")),
        ("700", "0021", "1234567", ("account_no", "post_office")),
    ],
)
def test_accounts_that_are_not(bank: str, branch: str, account_no: str, slip: tuple[str, str]) -> None:
    assert read_banks().problem_of(bank, branch, account_no) == slip


PUBLISHED = (
    '="總機構代號"\t="分支機構代號"\t="機構名稱"\t="地址"\n本國銀行\n="812"\t=""\t="台新國際商業銀行股份有限公司"\t="x"\n'
    '="812"\t="8120012"\t="台新國際商業銀行營業部"\t="y"\n="951"\t=""\t="北農中心"\t="z"\n'
)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
@pytest.mark.parametrize("comma", [False, True])
def test_published_list_of_branches_is_read(tmp_path: Path, encoding: str, comma: bool) -> None:
    path = tmp_path / "branches.csv"
    path.write_bytes((PUBLISHED.replace("\t", ",") if comma else PUBLISHED).encode(encoding))
    banks = read_banks(path)
    assert banks.branch_of("8120012") == "台新國際商業銀行營業部"
    assert banks.bank_of("812") == "台新國際商業銀行", "the short name that is shipped"
    assert banks.bank_of("951") == "北農中心", "an institution that only the published list knows"
    assert banks.problem_of("812", "0013", "123456") == ("branch", "unknown")
    assert banks.problem_of("812", "0012", "123456") is None


def test_list_of_branches_that_is_none_is_said(tmp_path: Path) -> None:
    path = tmp_path / "branches.csv"
    with pytest.raises(BranchesFileError, match="cannot be read"):
        read_banks(path)
    path.write_text("a,b\n1,2\n", "utf-8")
    with pytest.raises(BranchesFileError, match="no columns"):
        read_banks(path)


def test_bank_that_is_not_listed_has_no_name() -> None:
    assert BankList({}).bank_of("8120012") == ""
