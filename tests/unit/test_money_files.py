"""Capital numerals, CSV that no spreadsheet runs, XLSX that stays text, and a statement that has to add up."""

import io
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from pypdf import PdfReader

from cloud.adapters.spreadsheets import write_xlsx
from cloud.adapters.statements import render_statement
from cloud.domain.capital_numerals import capital_numerals
from cloud.domain.csv_lines import encode_csv, guard
from cloud.ports.documents import DaySum, SheetColumn, Statement
from cloud.ports.money_reports import ClaimDetail
from cloud.ports.reports import PayoutStep

NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
CLAIM = ClaimDetail(
    UUID(int=1), "m", "旅館", "00683704", "國旅券", "Voucher", date(2026, 11, 4), NOW, 2, 3, 3_000, "paid", None, None, None, ()
)


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (0, "零元整"),
        (9, "玖元整"),
        (10, "壹拾元整"),
        (1_050, "壹仟零伍拾元整"),
        (10_050, "壹萬零伍拾元整"),
        (10_500, "壹萬零伍佰元整"),
        (30_000, "參萬元整"),
        (100_000, "壹拾萬元整"),
        (29_235_000, "貳仟玖佰貳拾參萬伍仟元整"),
        (10_010_000, "壹仟零壹萬元整"),
        (100_000_001, "壹億零壹元整"),
        (10**15, "壹仟兆元整"),
    ],
)
def test_capital_numerals(amount: int, written: str) -> None:
    assert capital_numerals(amount) == written


@pytest.mark.parametrize("amount", [-1, 10**16])
def test_no_capital_numerals_for_what_has_no_name(amount: int) -> None:
    with pytest.raises(ValueError, match="capital"):
        capital_numerals(amount)


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"])
def test_no_cell_of_a_csv_is_a_formula(begins: str) -> None:
    assert guard(f"{begins}1+1") == f"'{begins}1+1"
    assert guard(-5) == -5


def test_csv_comes_in_pieces_with_one_mark() -> None:
    pieces = list(encode_csv([(number, "甲,乙") for number in range(1_201)]))
    assert [piece.count(b"\r\n") for piece in pieces] == [500, 500, 201]
    assert b"".join(pieces).count(b"\xef\xbb\xbf") == 1
    assert pieces[0].startswith('\ufeff0,"甲,乙"\r\n'.encode())


def test_xlsx_keeps_texts_texts_and_goes_on_in_another_sheet() -> None:
    book = io.BytesIO()
    rows = [("=1+1", 5), ("012345678901", 6), ("https://x", 7)]
    write_xlsx(book, [SheetColumn("甲", 10), SheetColumn("乙", 10, "money")], rows, title="交易/紀錄", rows_per_sheet=2)
    with zipfile.ZipFile(book) as opened:
        names = [name for name in opened.namelist() if name.startswith("xl/worksheets/sheet")]
        text = "".join(opened.read(name).decode() for name in names)
    assert len(names) == 2
    assert "<f>" not in text
    assert "=1+1" in text
    assert "012345678901" in text
    assert "hyperlink" not in text


@pytest.mark.parametrize(("set_off_twd", "first"), [(0, 28), (1_000, 24)])
def test_every_page_has_room_for_its_lines(set_off_twd: int, first: int) -> None:
    days = tuple(DaySum(f"2026/11/{day:02}", 1, 1, 1_000) for day in range(1, first + 41))
    step = PayoutStep(1, NOW, NOW.date(), "returned", NOW, "02")
    sums = {"redemption_count": len(days), "voucher_count": len(days), "amount_twd": 1_000 * len(days)}
    claim = replace(CLAIM, **sums, set_off_twd=set_off_twd, payouts=[step] * 4, state="returned")
    document = render_statement(Statement(claim, (), days, "帳號錯誤", NOW))
    assert len(PdfReader(io.BytesIO(document)).pages) == 2


def test_a_statement_that_does_not_add_up_is_not_printed() -> None:
    days = (DaySum("2026/11/05", 2, 3, 3_000),)
    assert render_statement(Statement(CLAIM, (), days, "", NOW)).startswith(b"%PDF-")
    for change in ({"amount_twd": 3_001}, {"voucher_count": 2}, {"redemption_count": 3}):
        with pytest.raises(ValueError, match="sum to"):
            render_statement(Statement(replace(CLAIM, **change), (), days, "", NOW))
    for set_off_twd in (-1, 3_001):
        with pytest.raises(ValueError, match="is set off by"):
            render_statement(Statement(replace(CLAIM, set_off_twd=set_off_twd), (), days, "", NOW))
