"""A camera that plays a recording: a YUV4MPEG2 file (``.y4m``), or a folder of pictures in order of their names.

Of a y4m file only the luma plane is read, so any 8-bit subsampling will do; no video library is needed. Most tools write
it, for instance ``ffmpeg -i in.mp4 -pix_fmt gray out.y4m``.

A recording starts again when it ends, or, where ``repeat`` is off, the frames end.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from kiosk.adapters.luma import Pace, PictureBrokenError, load_luma, picture_files
from kiosk.ports import Frame
from protocol.errors import PortError

HEADER_BYTES_MAX = 1024
SIDE_MAX = 8192
"""Pixels. A header that claims more is broken."""

# By how much each of the two chroma planes is smaller than the luma plane, across and down; None: there are none.
_CHROMA = {
    "mono": None,
    "420": (2, 2),
    "420jpeg": (2, 2),
    "420mpeg2": (2, 2),
    "420paldv": (2, 2),
    "422": (2, 1),
    "444": (1, 1),
}


class VideoCamera:
    """Implements :class:`kiosk.ports.Camera`."""

    def __init__(self, recording: Path, *, frames_per_s: float = 15.0, repeat: bool = True) -> None:
        """Take a recording as the scene; it is opened with the first frame.

        Args:
            recording: a ``.y4m`` file or a folder of pictures.
            frames_per_s: 1 to 1000, whatever the recording says.
            repeat: start again at the end.

        Raises:
            ValueError: ``frames_per_s`` is out of range.
        """
        self._recording = recording
        self._pace = Pace(frames_per_s)
        self._repeat = repeat

    def frames(self) -> Iterator[Frame]:
        """Yield the recording's frames at an even pace, until :meth:`close`.

        Raises:
            PortError: the recording cannot be read or holds no frame.
        """
        shown = 0
        while shown == 0 or self._repeat:
            before = shown
            for frame in self._play():
                if not self._pace.wait():
                    return
                shown += 1
                yield frame
            if shown == before:
                raise PortError(f"{self._recording} holds no whole picture", retry=False)

    def close(self) -> None:
        """End :meth:`frames`."""
        self._pace.stop()

    def _play(self) -> Iterator[Frame]:
        try:
            if self._recording.is_dir():
                yield from _play_pictures(self._recording)
            else:
                with self._recording.open("rb") as stream:
                    yield from read_y4m(stream)
        except OSError as gone:
            raise PortError(f"the recording {self._recording} cannot be read: {gone.strerror}", retry=False) from gone
        except ValueError as broken:
            raise PortError(f"{self._recording} is no recording: {broken}", retry=False) from broken


def _play_pictures(folder: Path) -> Iterator[Frame]:
    for path in picture_files(folder):
        try:
            frame = load_luma(path)
        except PictureBrokenError:
            continue  # as a camera drops a frame; a folder with none at all is an error above
        yield frame


def read_y4m(stream: BinaryIO) -> Iterator[Frame]:
    """Yield the luma planes of a YUV4MPEG2 stream, (h, w) uint8. A last frame that is cut off is left out.

    Raises:
        ValueError: not YUV4MPEG2, or not 8 bits deep.
    """
    width, height, chroma = _read_header(stream)
    # Odd sides round up: -(-a // b).
    skipped = 2 * -(-width // chroma[0]) * -(-height // chroma[1]) if chroma else 0
    while (line := stream.readline(HEADER_BYTES_MAX)).startswith(b"FRAME"):
        if not line.endswith(b"\n"):
            return
        luma = stream.read(width * height)
        if len(luma) < width * height or len(stream.read(skipped)) < skipped:
            return
        yield np.frombuffer(luma, dtype=np.uint8).reshape(height, width)


def _read_header(stream: BinaryIO) -> tuple[int, int, tuple[int, int] | None]:
    words = stream.readline(HEADER_BYTES_MAX).split()
    if not words or words[0] != b"YUV4MPEG2":
        raise ValueError("it does not begin with YUV4MPEG2")
    fields = {word[:1]: word[1:].decode("ascii", "replace") for word in words[1:]}
    try:
        width, height = int(fields[b"W"]), int(fields[b"H"])
    except (KeyError, ValueError):
        raise ValueError("its header names no width and height") from None
    if not (0 < width <= SIDE_MAX and 0 < height <= SIDE_MAX):
        raise ValueError(f"its header names {width}×{height} pixels")
    colour = fields.get(b"C", "420")
    if colour not in _CHROMA:
        raise ValueError(f"colour space {colour} is not one of {', '.join(_CHROMA)}")
    return width, height, _CHROMA[colour]
