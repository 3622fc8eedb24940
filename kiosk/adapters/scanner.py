"""Finds codes in camera frames: zxing-cpp first, then harder looks, one per frame, so that no frame takes long.

For a camera (:meth:`CodeScanner.scan`) every frame gets the first look, and at most one harder pass, the next in rotation:
while a code seems to be there that could not be read (*troubled*), on every frame; otherwise on every
:data:`CALM_STRIDE`-th, because the trigger misses one unreadable code in four. A voucher held still is therefore seen by
every pass within one to three seconds. For one photo (:meth:`CodeScanner.scan_still`) passes run until one reads.

Rules it keeps: no picture makes it raise; zbar runs in a process of its own, after zxing-cpp; only QR Code model 2 and
CODE128 are read; a barcode that a second look contradicts is not read; contents are bytes, as printed. What it does not do:
judge contents (:mod:`protocol.voucher`).

One thread at a time.
"""

from collections.abc import Sequence

import numpy as np

from kiosk.adapters.found import Found
from kiosk.adapters.scan_passes import first_look, quick_passes, slow_passes, tilted_passes, without_misreadings
from kiosk.adapters.zbar_reader import ZbarReader
from kiosk.ports import Frame

CALM_STRIDE = 3
"""Frames per harder pass while nothing hints at a code: keeps a bench of empty frames below an eighth of naive pyzbar."""

TROUBLED_FRAMES = 15
"""How long a hint lasts, in frames: one second, because blur makes the hint come and go."""

SIDE_MIN = 21
"""Pixels. The smallest QR code has 21 modules a side."""

SIDE_MAX = 4096
"""Pixels. A larger picture is read at a whole fraction of its size."""


class CodeScanner:
    """Implements :class:`kiosk.ports.Scanner`."""

    def __init__(self, *, zbar: ZbarReader | None = None) -> None:
        """Set up the passes; libzbar's process starts with the first picture that needs it.

        Args:
            zbar: closed together with the scanner; None makes one.
        """
        self._zbar = zbar or ZbarReader()
        self._quick = quick_passes(self._zbar.read)
        self._slow = slow_passes()
        self._rotation = (*self._quick, *self._slow, *tilted_passes())
        self._next = 0
        self._calm_frames = 0
        self._troubled_left = 0

    def scan(self, frame: Frame) -> Sequence[bytes]:
        """Return the contents of the codes in one frame of a video, each once.

        Args:
            frame: luma, (h, w), uint8, of any size and stride. Anything else holds no codes.
        """
        luma = _readable(frame)
        if luma is None:
            return ()
        look = first_look(luma)
        if look.troubled:
            self._troubled_left = TROUBLED_FRAMES
        return _contents(luma, look.codes) or (self._harder_look(luma) if self._harder_is_due() else ())

    def scan_still(self, frame: Frame) -> Sequence[bytes]:
        """Return the contents of the codes in a single picture, taking as many passes as it needs.

        The slow passes run only where the first look saw a code that it could not read.
        """
        luma = _readable(frame)
        if luma is None:
            return ()
        look = first_look(luma)
        contents = _contents(luma, look.codes)
        for harder in (*self._quick, *self._slow) if look.troubled else self._quick:
            if contents:
                break
            contents = _contents(luma, harder.read(luma))
        return contents

    def close(self) -> None:
        """End libzbar's process."""
        self._zbar.close()

    def _harder_is_due(self) -> bool:
        if self._troubled_left:
            self._troubled_left -= 1
            return True
        self._calm_frames = (self._calm_frames + 1) % CALM_STRIDE
        return self._calm_frames == 0

    def _harder_look(self, luma: Frame) -> Sequence[bytes]:
        contents = _contents(luma, self._rotation[self._next].read(luma))
        if not contents:
            # What read this frame reads the next one too, most likely, so only a pass that read nothing is left.
            self._next = (self._next + 1) % len(self._rotation)
        return contents


def _readable(frame: Frame) -> Frame | None:
    """Return the frame contiguous and of a size worth reading, or None."""
    if frame.ndim != 2 or frame.dtype != np.uint8 or min(frame.shape) < SIDE_MIN:
        return None
    step = -(-max(frame.shape) // SIDE_MAX)
    if min(frame.shape) // step < SIDE_MIN:
        return None
    return np.ascontiguousarray(frame[::step, ::step])


def _contents(luma: Frame, found: Sequence[Found]) -> Sequence[bytes]:
    """Return what was found for certain, each content once."""
    return tuple(dict.fromkeys(code.content for code in without_misreadings(luma, found)))
