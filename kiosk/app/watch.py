"""The camera's thread: looks at every frame and tells each code once when it comes into sight.

A voucher lies before the camera for many frames. It is told again only after it was out of sight for a moment, so that a
voucher that is left lying, or a hand that trembles, does not start a visit over and over.

A camera that fails is opened again with pauses as long as that can help; without it, numbers can still be typed.
"""

import logging
import threading
from collections.abc import Callable
from typing import Final

from kiosk.ports import Camera, Clock, Scanner
from protocol.errors import PortError

OUT_OF_SIGHT_S: Final = 0.6
"""A code not seen for this long has gone; shorter gaps are blur."""

REOPEN_S: Final = 2.0
REMEMBERED_MAX: Final = 64
CLOSE_WAIT_S: Final = 3.0

log = logging.getLogger(__name__)


class Sight:
    """What is before the camera at this moment."""

    def __init__(self, out_of_sight_s: float = OUT_OF_SIGHT_S) -> None:
        self._out_of_sight_s = out_of_sight_s
        self._seen_at: dict[bytes, float] = {}

    def appeared(self, code: bytes, now: float) -> bool:
        """Note that a code is seen; tell whether it was out of sight before."""
        self._seen_at = {other: at for other, at in self._seen_at.items() if now - at < self._out_of_sight_s}
        is_new = code not in self._seen_at
        if is_new and len(self._seen_at) >= REMEMBERED_MAX:
            return False
        self._seen_at[code] = now
        return is_new


class Watch:
    """Camera and scanner, in a thread of their own."""

    def __init__(
        self, open_camera: Callable[[], Camera], scanner: Scanner, *, clock: Clock, on_code: Callable[[bytes], None]
    ) -> None:
        """Prepare.

        Args:
            on_code: gets the content of a code; must neither block nor raise.
        """
        self._open_camera = open_camera
        self._scanner = scanner
        self._clock = clock
        self._on_code = on_code
        self._sight = Sight()
        self._closing = threading.Event()
        self._camera: Camera | None = None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Open the camera and start to look.

        Raises:
            PortError: the camera cannot be opened.
        """
        self._camera = self._open_camera()
        self._thread.start()

    def close(self) -> None:
        """Stop looking. May be called twice."""
        self._closing.set()
        if self._camera is not None:
            self._camera.close()
        if self._thread.is_alive():
            self._thread.join(CLOSE_WAIT_S)

    def _run(self) -> None:
        while self._camera is not None and self._look_until_failure(self._camera):
            self._camera = self._reopen()

    def _look_until_failure(self, camera: Camera) -> bool:
        """Look until the frames end; tell whether to open the camera again."""
        try:
            self._look(camera)
        except PortError as problem:
            log.warning("the camera failed: %s", problem)
            camera.close()
            return problem.retry and not self._closing.is_set()
        return False

    def _look(self, camera: Camera) -> None:
        for frame in camera.frames():
            if self._closing.is_set():
                return
            for code in self._scanner.scan(frame):
                if self._sight.appeared(code, self._clock.monotonic()):
                    self._on_code(code)

    def _reopen(self) -> Camera | None:
        while not self._closing.wait(REOPEN_S):
            try:
                return self._open_camera()
            except PortError as problem:
                log.warning("the camera cannot be opened: %s", problem)
                if not problem.retry:
                    return None
        return None
