"""A camera that shows the newest picture of a folder: for demos, for a bench without a sensor, and for tests.

Rules it keeps:

* Every frame is the newest whole picture at that moment; a new one is seen with the next frame.
* A picture that is being written or is broken is not shown and harms nothing: the newest whole one is shown instead.
* An empty folder is an empty counter: even grey.

Whoever fills the folder does best to write under a name without a picture's suffix and rename.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kiosk.adapters.luma import FRAME_HEIGHT_MAX, FRAME_WIDTH_MAX, Pace, PictureBrokenError, load_luma, picture_files
from kiosk.ports import Frame
from protocol.errors import PortError

GREY_LUMA = 96
"""What an empty counter looks like."""


class _Version(NamedTuple):
    """Tells one content of a file from the next; sorts by age."""

    changed_ns: int
    name: str
    length: int
    inode: int


class FolderCamera:
    """Implements :class:`kiosk.ports.Camera`."""

    def __init__(self, folder: Path, *, frames_per_s: float = 15.0) -> None:
        """Take a folder as the scene.

        Args:
            folder: may be empty, must exist once frames are asked for.
            frames_per_s: 1 to 1000.

        Raises:
            ValueError: ``frames_per_s`` is out of range.
        """
        self._folder = folder
        self._pace = Pace(frames_per_s)
        self._empty = np.full((FRAME_HEIGHT_MAX, FRAME_WIDTH_MAX), GREY_LUMA, dtype=np.uint8)
        self._empty.setflags(write=False)
        self._shown: tuple[_Version, Frame] | None = None
        self._broken: set[_Version] = set()

    def frames(self) -> Iterator[Frame]:
        """Yield the newest picture at an even pace, until :meth:`close`.

        Raises:
            PortError: the folder is gone; it may come back.
        """
        while self._pace.wait():
            yield self._look()

    def close(self) -> None:
        """End :meth:`frames`."""
        self._pace.stop()

    def _look(self) -> Frame:
        newest_first = sorted(self._versions(), reverse=True)
        self._broken &= set(newest_first)
        for version in newest_first:
            if self._shown is not None and self._shown[0] == version:
                return self._shown[1]
            if version in self._broken:
                continue
            try:
                frame = load_luma(self._folder / version.name)
            except PictureBrokenError:
                # Not looked at again until the file changes; a file still being written does.
                self._broken.add(version)
                continue
            frame.setflags(write=False)
            self._shown = (version, frame)
            return frame
        self._shown = None
        return self._empty

    def _versions(self) -> Iterator[_Version]:
        try:
            for path in picture_files(self._folder):
                try:
                    status = path.stat()
                except FileNotFoundError:
                    continue  # taken away since the folder was listed
                yield _Version(status.st_mtime_ns, path.name, status.st_size, status.st_ino)
        except OSError as gone:
            raise PortError(f"the camera folder {self._folder} cannot be read: {gone.strerror}", retry=True) from gone
