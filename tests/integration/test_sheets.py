"""Printed sheets: every code on the page is where it is said to be, and reads back as its voucher."""

import io
from dataclasses import replace
from datetime import date

import pytest
import zxingcpp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

from cloud.adapters import sheets as adapter
from cloud.adapters.sheets import (
    PAGE_HEIGHT_MM,
    PAGE_WIDTH_MM,
    SHEET_VOUCHERS_MAX,
    VOUCHERS_PER_PAGE,
    Box,
    Sheets,
    code_box,
    encode_code,
    make_sheets,
    render_pngs,
    render_sheets,
    voucher_box,
)
from cloud.ports.issues import IssuedVoucher, IssueTerms
from protocol.errors import PortError
from protocol.voucher import VoucherCode, decode_voucher

PPI = 200.0
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TRUSTED = {"travel-2026": KEY.public_key()}
HOST = "127.0.0.1:8080"


def sheets(count: int, *, signed: bool = True) -> Sheets:
    key_id = "travel-2026" if signed else None
    dates = (date(2026, 10, 1), date(2027, 4, 30))
    terms = IssueTerms("travel-2026", "國旅券", "Domestic Travel Voucher", 1_000, *dates, key_id)
    vouchers = [IssuedVoucher(f"{number * 7_919:012d}", number, "王●●") for number in range(1, count + 1)]
    return make_sheets(terms, vouchers, batch="K7M-2QX", host=HOST, key=KEY if signed else None)


def cut(page: Image.Image, box: Box) -> Image.Image:
    per_mm = page.width / PAGE_WIDTH_MM
    left, top = box.x_mm * per_mm, box.y_mm * per_mm
    return page.crop((round(left), round(top), round(left + box.width_mm * per_mm), round(top + box.height_mm * per_mm)))


def pages_of(wanted: Sheets, ppi: float = PPI) -> list[Image.Image]:
    return [Image.open(io.BytesIO(page)) for page in render_pngs(wanted, ppi=ppi)]


@pytest.mark.parametrize("signed", [True, False])
def test_every_voucher_is_cut_out_with_its_own_code(signed: bool) -> None:
    wanted = sheets(VOUCHERS_PER_PAGE + 3, signed=signed)
    pages = pages_of(wanted)
    assert len(pages) == 2
    for index, (voucher, code) in enumerate(zip(wanted.vouchers, wanted.codes, strict=True)):
        picture = cut(pages[index // VOUCHERS_PER_PAGE], voucher_box(index))
        (found,) = zxingcpp.read_barcodes(picture)
        assert found.text == code
        expected = VoucherCode(voucher.voucher_no, "travel-2026" if signed else None)
        assert decode_voucher(found.bytes, TRUSTED) == expected


def test_the_code_fills_exactly_its_box_and_has_its_quiet_zone() -> None:
    wanted = sheets(1)
    (page,) = pages_of(wanted, ppi=400.0)
    modules = Image.open(io.BytesIO(encode_code(wanted.codes[0]))).width // 4
    side_mm = code_box(0).width_mm
    quiet_mm = 4 * side_mm / modules
    box = code_box(0)
    inside = cut(page, box).convert("L")
    corner = inside.getpixel((3, 3))
    assert isinstance(corner, int)
    assert corner < 40
    around = Box(box.x_mm - quiet_mm, box.y_mm - quiet_mm, side_mm + 2 * quiet_mm, side_mm + 2 * quiet_mm)
    zone = cut(page, around).convert("L")
    margin = int(quiet_mm * zone.width / around.width_mm) - 2
    frame = [
        zone.crop((0, 0, zone.width, margin)),
        zone.crop((0, zone.height - margin, zone.width, zone.height)),
        zone.crop((0, 0, margin, zone.height)),
        zone.crop((zone.width - margin, 0, zone.width, zone.height)),
    ]
    assert all(part.getextrema() == (255, 255) for part in frame)


def test_boxes_tile_the_page_within_its_margins() -> None:
    boxes = [voucher_box(index) for index in range(VOUCHERS_PER_PAGE)]
    assert len({(box.x_mm, box.y_mm) for box in boxes}) == VOUCHERS_PER_PAGE
    assert min(box.x_mm for box in boxes) == 20.0
    assert max(box.x_mm + box.width_mm for box in boxes) == PAGE_WIDTH_MM - 20.0
    assert max(box.y_mm + box.height_mm for box in boxes) <= PAGE_HEIGHT_MM - 20.0
    assert voucher_box(VOUCHERS_PER_PAGE) == boxes[0]


def test_the_pdf_embeds_its_font() -> None:
    pdf = render_sheets(sheets(9))
    assert pdf.startswith(b"%PDF-")
    assert b"NotoSansCJK" in pdf
    assert b"/Count 2" in pdf


def test_data_is_never_markup() -> None:
    wanted = sheets(1)
    tricky = IssueTerms("travel-2026", "#pagebreak() *券* $x$", "@name <a>", 1_000, date(2026, 10, 1), date(2027, 4, 30), None)
    assert len(pages_of(replace(wanted, terms=tricky, batch="#panic()"), ppi=40.0)) == 1


@pytest.mark.parametrize("count", [0, SHEET_VOUCHERS_MAX + 1])
def test_none_or_too_many_are_refused(count: int) -> None:
    wanted = sheets(1)
    with pytest.raises(ValueError, match="1 to 800 vouchers"):
        render_sheets(replace(wanted, vouchers=list(wanted.vouchers) * count))


def test_a_missing_font_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "FONT", "Noto Sans Nowhere")
    with pytest.raises(PortError, match="fonts-noto-cjk"):
        render_sheets(sheets(1))


def test_a_programme_that_signs_needs_its_key() -> None:
    wanted = sheets(1)
    with pytest.raises(ValueError, match="needs a key"):
        make_sheets(wanted.terms, wanted.vouchers, batch="K7M-2QX", host=HOST, key=None)


def test_long_codes_get_larger_modules_and_short_ones_more_redundancy() -> None:
    signed, bare = sheets(1).codes[0], sheets(1, signed=False).codes[0]
    widths = [Image.open(io.BytesIO(encode_code(code))).width // 4 for code in (signed, bare)]
    assert widths == [49, 37]
