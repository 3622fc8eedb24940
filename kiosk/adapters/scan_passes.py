"""Ways to look at a picture: each makes another picture of it and lets zxing-cpp read that one.

Each pass reads codes that the others miss (measured on photos: a plain zxing-cpp pass read 71 of 100 hard ones, all passes
together 83). Only Pillow and NumPy are used: OpenCV would cost a kiosk 150 MB of disk for two more in a hundred.

Formats are a list of QR Code model 2 and CODE128. ``QRCode`` would also read Micro QR, and an occluded voucher then comes out
as "506". Not done here: choosing which pass to run when; that is :mod:`kiosk.adapters.scanner`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import zxingcpp
from PIL import Image, ImageFilter

from kiosk.adapters.found import Found
from kiosk.ports import Frame

_QR = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCodeModel2])
_CODE128 = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.Code128])
_BOTH = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCodeModel2, zxingcpp.BarcodeFormat.Code128])

_Binarizer = zxingcpp.Binarizer


class Pass(NamedTuple):
    """One more look."""

    name: str
    read: Callable[[Frame], list[Found]]


class FirstLook(NamedTuple):
    """What the first pass saw."""

    codes: list[Found]
    troubled: bool
    """A code is there but could not be read: harder passes are worth their time. True for 3 of 4 such pictures, and for
    1 in 486 pictures without any code."""


def first_look(luma: Frame) -> FirstLook:
    """Read QR and CODE128, upright or inverted, in any of four directions."""
    found = zxingcpp.read_barcodes(luma, formats=_BOTH, return_errors=True)
    return FirstLook(_found([code for code in found if code.valid]), any(not code.valid for code in found))


BARCODE_BYTES_MIN = 4
"""A shorter CODE128 is glare: zbar reads single letters out of the rest of a barcode."""


def without_misreadings(luma: Frame, found: Sequence[Found]) -> list[Found]:
    """Leave out barcodes that a second look contradicts.

    The second look averages along the bars, which takes most noise and glare away. Where it reads barcodes but not this
    one, this one was misread; where it reads none, it proves nothing.
    """
    suspects = [code for code in found if code.is_barcode]
    if not suspects:
        return list(found)
    picture = Image.fromarray(luma)
    second: set[Found] = set()
    for factor in ((1, 4), (4, 1)):
        second.update(_read(np.asarray(picture.reduce(factor)), _CODE128))
    kept = {code for code in suspects if len(code.content) >= BARCODE_BYTES_MIN and (not second or code in second)}
    return [code for code in found if not code.is_barcode or code in kept]


def half(luma: Frame) -> Frame:
    """Return the picture at half its size, each pixel the mean of four."""
    return np.asarray(Image.fromarray(luma).reduce(2))


def quick_passes(zbar: Callable[[Frame], list[Found]]) -> tuple[Pass, ...]:
    """Return the harder passes that are worth their time on any picture, the most fruitful for its cost first.

    Args:
        zbar: reads a contiguous picture with libzbar.
    """
    return (
        Pass("half size, one threshold", lambda luma: _read(half(luma), _BOTH, _Binarizer.GlobalHistogram)),
        Pass("zbar, half size", lambda luma: zbar(np.ascontiguousarray(half(luma)))),
        Pass("half height", lambda luma: _read(np.asarray(Image.fromarray(luma).reduce((1, 2))), _QR)),
        Pass("sharpened", lambda luma: _read(_sharpened(luma), _QR)),
        Pass("adaptive threshold 21", lambda luma: _read_bits(_adaptive(luma, radius=10, offset=4))),
        Pass("one threshold", lambda luma: _read(luma, _QR, _Binarizer.GlobalHistogram)),
        Pass("fixed threshold 170", lambda luma: _read_bits(_bits(luma > 170))),
        Pass("gamma 4", lambda luma: _read(_GAMMA_4[luma], _QR)),
    )


def slow_passes() -> tuple[Pass, ...]:
    """Return passes for a picture in which a QR code is known to be: they cost most and add least."""
    return (
        Pass("adaptive threshold 11", lambda luma: _read_bits(_adaptive(luma, radius=5, offset=0))),
        Pass("local contrast", lambda luma: _read(_stretched(luma), _QR)),
        Pass("adaptive threshold 101", lambda luma: _read_bits(_adaptive(luma, radius=50, offset=0))),
    )


def tilted_passes() -> tuple[Pass, ...]:
    """Return passes for a CODE128 that lies askew: bars are only read along rows and columns."""
    return tuple(_tilted(degrees) for degrees in (18, 36, 54, 72))


def _tilted(degrees: int) -> Pass:
    def read(luma: Frame) -> list[Found]:
        turned = Image.fromarray(luma).rotate(degrees, expand=True, fillcolor=255)
        found = zxingcpp.read_barcodes(turned, formats=_CODE128, try_invert=False, try_downscale=False)
        return _found(found)

    return Pass(f"turned by {degrees} degrees", read)


def _read(
    luma: Frame, formats: zxingcpp.BarcodeFormats, binarizer: zxingcpp.Binarizer = _Binarizer.LocalAverage
) -> list[Found]:
    return _found(zxingcpp.read_barcodes(luma, formats=formats, binarizer=binarizer))


def _found(codes: Sequence[zxingcpp.Barcode]) -> list[Found]:
    return [Found(bytes(code.bytes), code.format == zxingcpp.BarcodeFormat.Code128) for code in codes]


def _read_bits(bits: Frame) -> list[Found]:
    return _read(bits, _QR, _Binarizer.FixedThreshold)


def _bits(light: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> Frame:
    # True is the byte 1; times 255 makes it white without a second temporary.
    return light.view(np.uint8) * np.uint8(255)


def _adaptive(luma: Frame, *, radius: int, offset: int) -> Frame:
    """White where a pixel is lighter than the mean around it, less ``offset``."""
    mean = _filtered(luma, ImageFilter.BoxBlur(radius))
    if offset:
        mean = np.maximum(mean, offset) - np.uint8(offset)
    return _bits(luma > mean)


def _filtered(luma: Frame, kernel: "ImageFilter.Filter") -> Frame:
    return np.asarray(Image.fromarray(luma).filter(kernel))


_BLOCK = 8


def _stretched(luma: Frame) -> Frame:
    """Spread the contrast of each neighbourhood over the whole range: shadows and glare go, edges stay.

    Darkest and lightest are found per block, because filters over every pixel cost ten times as much.
    """
    height, width = (side // _BLOCK * _BLOCK for side in luma.shape)
    if not height or not width:
        return luma
    bands = luma[:height, :width].reshape(height // _BLOCK, _BLOCK, width)
    # Bands first: that way NumPy walks along rows and is ten times as fast.
    low = _filtered(bands.min(axis=1).reshape(-1, width // _BLOCK, _BLOCK).min(axis=2), ImageFilter.MinFilter(3))
    high = _filtered(bands.max(axis=1).reshape(-1, width // _BLOCK, _BLOCK).max(axis=2), ImageFilter.MaxFilter(3))
    # Sixteenths in a byte: 170 at most, because a span counts as 24 at least; so the product below fits 16 bits.
    sixteenths = (np.uint16(16 * 255) // np.maximum(high - low, _SPAN_MIN)).astype(np.uint8)
    floor = _spread(low, (width, height))
    above = np.maximum(luma[:height, :width], floor) - floor
    product = np.multiply(above, _spread(sixteenths, (width, height)), dtype=np.uint16)
    spread: Frame = np.minimum(product >> 4, 255).astype(np.uint8)
    return spread


_SPAN_MIN = np.uint8(24)
"""Grey levels. Below this a neighbourhood is flat and would be stretched into noise."""


def _spread(blocks: Frame, size: tuple[int, int]) -> Frame:
    soft = Image.fromarray(blocks).filter(ImageFilter.BoxBlur(1))
    return np.asarray(soft.resize(size, Image.Resampling.BILINEAR))


def _sharpened(luma: Frame) -> Frame:
    picture = Image.fromarray(luma)
    # Blending beyond the original: three times the picture less twice its blur.
    return np.asarray(Image.blend(picture.filter(ImageFilter.BoxBlur(2)), picture, 3.0))


_GAMMA_4 = (255 * (np.arange(256) / 255) ** 4).astype(np.uint8)
"""Lightens nothing and darkens the mid-tones: brings back codes that glare has washed out."""
