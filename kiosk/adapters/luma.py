"""Picture files as luma frames, and the even pace at which file cameras show them.

Shared by the cameras that show files. What a file may do wrong ends here: it is either a whole picture or none.
"""

import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

from kiosk.ports import Frame

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".webp"})
"""Files with other names are not pictures: notes, and files that are being written under a temporary name."""

FRAME_WIDTH_MAX = 1280
FRAME_HEIGHT_MAX = 720
"""Pixels. A larger picture is shown smaller, as a camera of this resolution would see it."""

PICTURE_PIXELS_MAX = 50_000_000
"""More than any camera has: such a file is broken or hostile, and is not decoded."""

FRAMES_PER_S_MAX = 1000.0
FRAME_WAIT_S_MAX = 1.0
"""The longest time between two frames (see :class:`kiosk.ports.Camera`)."""


class PictureBrokenError(ValueError):
    """The file holds no whole picture, at this moment."""


def load_luma(path: Path) -> Frame:
    """Read a picture file as luma, (h, w) uint8, C order, within 1280×720.

    Transparent parts count as white paper.

    Raises:
        PictureBrokenError: gone, unreadable, half written, too large, or no picture.
    """
    try:
        with Image.open(path) as picture:
            grey = _grey(picture)
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError, Image.DecompressionBombWarning) as broken:
        # What Pillow raises for damaged files; SyntaxError is its word for a broken PNG.
        raise PictureBrokenError(f"{path.name} is no whole picture") from broken
    grey.thumbnail((FRAME_WIDTH_MAX, FRAME_HEIGHT_MAX), reducing_gap=2.0)
    return np.array(grey, dtype=np.uint8)


def _grey(picture: Image.Image) -> Image.Image:
    if picture.width * picture.height > PICTURE_PIXELS_MAX:
        raise PictureBrokenError(f"{picture.width}×{picture.height} pixels")
    picture.draft("L", (FRAME_WIDTH_MAX, FRAME_HEIGHT_MAX))  # lets a JPEG decode at a fraction of its size
    if picture.has_transparency_data:
        paper = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(paper, picture.convert("RGBA")).convert("L")
    return picture.convert("L")


def picture_files(folder: Path) -> list[Path]:
    """Return the folder's picture files, by name.

    Raises:
        OSError: the folder cannot be read.
    """
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)


class Pace:
    """An even beat that another thread can stop."""

    def __init__(self, frames_per_s: float) -> None:
        """Set the beat.

        Raises:
            ValueError: slower than one frame a second, or faster than :data:`FRAMES_PER_S_MAX`.
        """
        if not 1 / FRAME_WAIT_S_MAX <= frames_per_s <= FRAMES_PER_S_MAX:
            raise ValueError(f"frames_per_s is 1 to {FRAMES_PER_S_MAX:.0f}, not {frames_per_s}")
        self._period_s = 1 / frames_per_s
        self._next = time.monotonic()
        self._stopped = threading.Event()

    def wait(self) -> bool:
        """Wait for the next beat; False once stopped. A late caller is not made to catch up."""
        now = time.monotonic()
        self._next = max(self._next, now)
        stopped = self._stopped.wait(self._next - now)
        self._next += self._period_s
        return not stopped

    def stop(self) -> None:
        """End the waiting, now and for good."""
        self._stopped.set()
