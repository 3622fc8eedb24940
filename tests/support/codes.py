"""Clean pictures of codes, and camera frames made of them."""

import io

import numpy as np
import segno
import zxingcpp
from PIL import Image

from kiosk.ports import Frame

VOUCHER_NO = "004217708831"
VOUCHER_URL = f"https://pay.example.tw/v/{VOUCHER_NO}?k=p26-1&s={'A1b2-_' * 14}Zz"
"""As long as a signed voucher's URL."""


def qr_code(content: str, *, error: str = "m", scale: int = 8) -> Image.Image:
    """Return a QR code (never Micro QR) with its quiet zone."""
    return _segno_picture(segno.make_qr(content, error=error), scale)


def micro_qr_code(digits: str) -> Image.Image:
    """Return a Micro QR code, which is no voucher."""
    return _segno_picture(segno.make_micro(digits), 8)


def structured_append(content: str) -> Image.Image:
    """Return the first half of a message spread over two QR codes."""
    return _segno_picture(segno.make_sequence(content, symbol_count=2)[0], 8)


def code128(content: str, *, scale: int = 4) -> Image.Image:
    """Return a CODE128 barcode with quiet zones."""
    return _barcode(content, zxingcpp.BarcodeFormat.Code128, scale)


def ean13(content: str) -> Image.Image:
    """Return an EAN-13 barcode: a foreign symbology."""
    return _barcode(content, zxingcpp.BarcodeFormat.EAN13, 4)


def luma(picture: Image.Image) -> Frame:
    """Return the picture as a camera frame."""
    return np.array(picture.convert("L"), dtype=np.uint8)


def png(picture: Image.Image) -> bytes:
    """Return the picture as a PNG file."""
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _segno_picture(code: segno.QRCode, scale: int) -> Image.Image:
    out = io.BytesIO()
    code.save(out, kind="png", scale=scale, border=4)
    return Image.open(io.BytesIO(out.getvalue())).convert("L")


def _barcode(content: str, form: zxingcpp.BarcodeFormat, scale: int) -> Image.Image:
    bars = np.array(zxingcpp.create_barcode(content, form).to_image(scale=scale, add_quiet_zones=False))
    return Image.fromarray(np.pad(bars, 12 * scale, constant_values=255))
