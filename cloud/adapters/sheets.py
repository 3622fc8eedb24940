"""Printed voucher sheets: A4, eight vouchers a page, as PDF to print and as PNG to look at.

The code on a voucher is the URL of :mod:`protocol.voucher`. A signed URL has some 140 characters: at error level M its modules
are half again as large as at H, which is what a camera out of focus needs; a short, unsigned one gets H against glare and
fingers. No CODE128 is printed beside it: two codes in one picture are two scans, and a bare number would pass by the signature.

Positions are in millimetres from the page's upper left corner. They are handed to the template (``sheets.typ``) and to whoever
must find a voucher on a page, so that both speak of the same place.

Data reaches the template as JSON and is never read as markup. The font must be installed (Debian: ``fonts-noto-cjk``);
without it every Chinese character would be an empty box, so rendering refuses.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

import segno
import typst
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.ports.issues import IssuedVoucher, IssueTerms
from protocol.errors import PortError
from protocol.voucher import encode_voucher

FONT = "Noto Sans CJK TC"
PAGE_WIDTH_MM, PAGE_HEIGHT_MM = 210.0, 297.0
VOUCHERS_PER_PAGE = 8
SHEET_VOUCHERS_MAX = 800
"""A hundred pages: 14 s and 250 MB on one core, most of it drawing codes. More vouchers are several files."""

_COLUMNS_MM = (20.0, 105.0)
_ROWS_MM = (20.5, 84.5, 148.5, 212.5)
_BOX_WIDTH_MM, _BOX_HEIGHT_MM = 85.0, 64.0
_CODE_X_MM, _CODE_Y_MM, _CODE_SIDE_MM = 5.0, 17.0, 34.0
"""Of the code's modules, inside a voucher's box. The quiet zone of four modules around it is kept free."""

_PIXELS_PER_MODULE = 4
"""The code is a picture of whole pixels that is enlarged without smoothing."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page, in millimetres from its upper left corner."""

    x_mm: float
    y_mm: float
    width_mm: float
    height_mm: float


@dataclass(frozen=True, slots=True)
class Sheets:
    """Everything that is printed."""

    terms: IssueTerms
    vouchers: Sequence[IssuedVoucher]
    codes: Sequence[str]
    """Content of each voucher's code."""
    pictures: Sequence[bytes]
    """Each code, drawn once for PDF and PNG: choosing its mask is most of the work."""
    batch: str
    """How people name the issue, for the page's foot."""
    help_line: str = "0800-211-734"
    help_hours: str = "每日 Daily 8:30–18:30"


def voucher_box(index: int) -> Box:
    """Where the voucher with this index (from 0) is on its page, ``index // VOUCHERS_PER_PAGE``."""
    slot = index % VOUCHERS_PER_PAGE
    return Box(_COLUMNS_MM[slot % len(_COLUMNS_MM)], _ROWS_MM[slot // len(_COLUMNS_MM)], _BOX_WIDTH_MM, _BOX_HEIGHT_MM)


def code_box(index: int) -> Box:
    """Where that voucher's code is on its page, without its quiet zone."""
    box = voucher_box(index)
    return Box(box.x_mm + _CODE_X_MM, box.y_mm + _CODE_Y_MM, _CODE_SIDE_MM, _CODE_SIDE_MM)


def make_sheets(
    terms: IssueTerms, vouchers: Sequence[IssuedVoucher], *, batch: str, host: str, key: Ed25519PrivateKey | None
) -> Sheets:
    """Put the codes to the vouchers.

    Args:
        host: where the staff scan page is reached, with a port if need be.
        key: the key of ``terms.signing_key_id``; None where the programme does not sign.

    Raises:
        ValueError: a programme that signs comes without key, or the other way round.
    """
    codes = [encode_voucher(one.voucher_no, host=host, key_id=terms.signing_key_id, key=key) for one in vouchers]
    return Sheets(terms, vouchers, codes, [encode_code(code) for code in codes], batch)


def render_sheets(sheets: Sheets) -> bytes:
    """Render the PDF.

    Raises:
        PortError: the font is not installed.
        ValueError: there are no vouchers, or more than :data:`SHEET_VOUCHERS_MAX`.
    """
    (pdf,) = _render(sheets, "pdf", None)
    return pdf


def render_pngs(sheets: Sheets, *, ppi: float = 300.0) -> list[bytes]:
    """Render one PNG per page.

    Raises:
        PortError: the font is not installed.
        ValueError: there are no vouchers, or more than :data:`SHEET_VOUCHERS_MAX`.
    """
    return _render(sheets, "png", ppi)


def encode_code(content: str) -> bytes:
    """Draw a code as PNG, without quiet zone.

    Never Micro QR: some readers take a torn QR code for one.
    """
    error = "m" if "?" in content else "h"
    picture = io.BytesIO()
    segno.make_qr(content, error=error).save(picture, kind="png", scale=_PIXELS_PER_MODULE, border=0)
    return picture.getvalue()


def _render(sheets: Sheets, format: Literal["pdf", "png"], ppi: float | None) -> list[bytes]:
    if not 0 < len(sheets.vouchers) <= SHEET_VOUCHERS_MAX:
        raise ValueError(f"sheets have 1 to {SHEET_VOUCHERS_MAX} vouchers")
    fonts = typst.Fonts(include_system_fonts=True, include_embedded_fonts=False)
    if FONT not in fonts.families():
        raise PortError(f"The font {FONT} is not installed (Debian: fonts-noto-cjk).", retry=False)
    template = resources.files("cloud.adapters").joinpath("sheets.typ").read_bytes()
    compiler = typst.Compiler(template, font_paths=fonts, sys_inputs={"sheets": json.dumps(_content(sheets))})
    rendered = compiler.compile(format=format, ppi=ppi)
    # One page of PNG, and any PDF, comes as bytes; several pages of PNG come as a list.
    return list(rendered) if isinstance(rendered, list) else [rendered or b""]


def _content(sheets: Sheets) -> dict[str, Any]:
    terms = sheets.terms
    vouchers = [_voucher(one, picture) for one, picture in zip(sheets.vouchers, sheets.pictures, strict=True)]
    pages = [vouchers[start : start + VOUCHERS_PER_PAGE] for start in range(0, len(vouchers), VOUCHERS_PER_PAGE)]
    return {
        "font": FONT,
        "layout": _layout(),
        "terms": {
            "name_zh": terms.name_zh,
            "name_en": terms.name_en,
            "face_value": f"{terms.face_value_twd:,}",
            "starts_on": f"{terms.starts_on:%Y.%m.%d}",
            "ends_on": f"{terms.ends_on:%Y.%m.%d}",
            "batch": sheets.batch,
            "help_line": sheets.help_line,
            "help_hours": sheets.help_hours,
        },
        "pages": [{"vouchers": page, "sum": f"{terms.face_value_twd * len(page):,}"} for page in pages],
    }


def _voucher(one: IssuedVoucher, picture: bytes) -> dict[str, Any]:
    groups = [one.voucher_no[start : start + 4] for start in range(0, len(one.voucher_no), 4)]
    return {"number": groups, "holder": one.holder_name_masked, "code": list(picture)}


def _layout() -> dict[str, Any]:
    return {
        "page": {"width": PAGE_WIDTH_MM, "height": PAGE_HEIGHT_MM},
        "columns": _COLUMNS_MM,
        "rows": _ROWS_MM,
        "box": {"width": _BOX_WIDTH_MM, "height": _BOX_HEIGHT_MM},
        "code": {"x": _CODE_X_MM, "y": _CODE_Y_MM, "side": _CODE_SIDE_MM},
    }
