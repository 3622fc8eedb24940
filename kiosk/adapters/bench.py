"""A kiosk without hardware, from the customer's side: hold something before the camera, press keys.

For demos and for trying things by hand, where the camera is a folder and the keypad is simulated. The camera and the
keypad do not know that this exists: they see a picture file and closing contacts.
"""

import io
import os
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from kiosk.adapters.keypad_simulated import SimulatedMatrix
from kiosk.domain.keys import Key

PICTURE_BYTES_MAX = 8_000_000
"""A good phone photo. More is refused before it is looked at."""

SHOWN_NAME = "bench-shown.png"
"""The one file that the bench writes and removes; other pictures in the folder are left alone."""


class SimulatedBench:
    """Camera folder and simulated keys in one hand."""

    def __init__(self, camera_folder: Path, matrix: SimulatedMatrix) -> None:
        """Take hold of them.

        Args:
            camera_folder: the folder of the kiosk's :class:`kiosk.adapters.camera_folder.FolderCamera`; it must exist.
            matrix: whose pins the kiosk's keypad scans.
        """
        self._folder = camera_folder
        self._matrix = matrix

    def show_picture(self, picture: bytes) -> None:
        """Hold a picture before the camera; it replaces the one shown before, and is seen whole or not at all.

        Args:
            picture: a PNG or JPEG file's content.

        Raises:
            ValueError: too large, or no such picture.
            OSError: the folder cannot be written.
        """
        if len(picture) > PICTURE_BYTES_MAX:
            raise ValueError(f"a picture has at most {PICTURE_BYTES_MAX} bytes")
        try:
            with Image.open(io.BytesIO(picture), formats=("PNG", "JPEG")) as opened:
                opened.verify()
        except (UnidentifiedImageError, SyntaxError, OSError, ValueError, Image.DecompressionBombError) as broken:
            raise ValueError("neither a PNG nor a JPEG picture") from broken
        # Its suffix keeps the camera from looking at it before it is whole.
        unfinished = self._folder / f"{SHOWN_NAME}.part"
        unfinished.write_bytes(picture)
        # A picture shown again is a new one, even within one tick of the file system's clock.
        os.utime(unfinished)
        unfinished.replace(self._folder / SHOWN_NAME)

    def take_away(self) -> None:
        """Take the picture away; harmless when none is shown."""
        (self._folder / SHOWN_NAME).unlink(missing_ok=True)

    def tap(self, key: Key) -> None:
        """Press and release a key; returns at once, taps are made one after the other.

        Raises:
            ValueError: this board has no such key.
            OverflowError: far too many taps are waiting.
        """
        self._matrix.tap(key)
