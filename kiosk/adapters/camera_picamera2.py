"""The Raspberry Pi camera, through Picamera2.

The main stream is YUV420, whose buffer begins with the luma plane: the first ``height`` rows, each ``stride`` bytes long.
That is what the scanner wants, so nothing is converted; the frame is a view into the buffer that Picamera2 hands out, and
stays valid after the next one. Colour never leaves this module.

The package is imported when a camera is opened, because only a Pi has it (``apt install python3-picamera2`` and a virtual
environment with ``--system-site-packages``).
"""

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

import numpy as np

from kiosk.ports import Frame
from protocol.errors import PortError

FRAME_WAIT_S = 1.0
"""After so long without a frame, look whether the camera was closed meanwhile."""

SILENT_WAITS_MAX = 5
"""So many waits without a frame mean that the camera hangs or its cable is loose."""

_FOCUS_CONTINUOUS = 2
"""libcamera's AfModeContinuous. A voucher comes as near as ten centimetres."""

_BUFFERS = 4
"""Enough that the sensor never waits for the scanner."""


class Picamera2Camera:
    """Implements :class:`kiosk.ports.Camera`."""

    def __init__(self, *, width: int = 1280, height: int = 720, frames_per_s: float = 15.0) -> None:
        """Open the first camera and start it.

        Args:
            width, height: pixels, even numbers.
            frames_per_s: what the sensor is asked for.

        Raises:
            PortError: no Picamera2 here (``retry`` is False), or no camera that can be opened (True).
        """
        try:
            from picamera2 import Picamera2
        except ImportError as missing:
            raise PortError(
                "the camera kind is picamera2, but that package is not installed: apt install python3-picamera2, "
                "and make the virtual environment with --system-site-packages",
                retry=False,
            ) from missing
        self._width = width
        self._height = height
        self._closed = threading.Event()
        try:
            # An IndexError is Picamera2's word for "no camera found".
            self._camera: Any = Picamera2()
        except (RuntimeError, IndexError) as absent:
            raise PortError(f"no camera can be opened: {absent}", retry=True) from absent
        try:
            self._stride = self._start(frames_per_s)
        except (RuntimeError, PortError) as broken:
            self._camera.close()
            raise PortError(f"the camera cannot be started: {broken}", retry=True) from broken

    def frames(self) -> Iterator[Frame]:
        """Yield luma frames, (height, width), as the sensor delivers them, until :meth:`close`.

        Where the stride is longer than a row, the frame is a view whose rows are not contiguous.

        Raises:
            PortError: the camera fell silent or broke; opening it again may help.
        """
        while not self._closed.is_set():
            buffer = self._next_buffer()
            if buffer is not None:
                yield buffer[: self._height * self._stride].reshape(self._height, self._stride)[:, : self._width]

    def close(self) -> None:
        """Stop the camera and give it back."""
        if not self._closed.is_set():
            self._closed.set()
            self._camera.stop()
            self._camera.close()

    def _start(self, frames_per_s: float) -> int:
        config = self._camera.create_video_configuration(
            main={"size": (self._width, self._height), "format": "YUV420"},
            controls={"FrameRate": frames_per_s},
            buffer_count=_BUFFERS,
        )
        self._camera.configure(config)
        main = self._camera.camera_configuration()["main"]
        if tuple(main["size"]) != (self._width, self._height):
            # Picamera2 rounds sizes to what the hardware can do; the luma rows would then be misread.
            raise PortError(f"it offers {main['size']} instead of {self._width}×{self._height}", retry=False)
        if "AfMode" in self._camera.camera_controls:  # fixed-focus sensors do not know it and would refuse
            self._camera.set_controls({"AfMode": _FOCUS_CONTINUOUS})
        self._camera.start()
        return int(main["stride"])

    def _next_buffer(self) -> "np.ndarray[tuple[int], np.dtype[np.uint8]] | None":
        """Wait for a frame, a second at a time; None once closed."""
        job = self._camera.capture_buffer("main", wait=False)
        for _ in range(SILENT_WAITS_MAX):
            try:
                buffer: np.ndarray[tuple[int], np.dtype[np.uint8]] = job.get_result(timeout=FRAME_WAIT_S)
            except TimeoutError:
                if self._closed.is_set():
                    return None
                continue
            except (RuntimeError, CancelledError) as broken:
                if self._closed.is_set():
                    return None  # closed by another thread while waiting
                raise PortError(f"the camera broke: {broken}", retry=True) from broken
            return buffer
        raise PortError(f"no frame for {SILENT_WAITS_MAX * FRAME_WAIT_S:.0f} s", retry=True)
