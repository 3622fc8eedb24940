"""The camera's thread: each code once per appearance, and a camera that fails."""

import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from kiosk.app import watch
from kiosk.app.watch import REMEMBERED_MAX, Sight, Watch
from kiosk.ports import Frame
from protocol.errors import PortError
from tests.support.kiosk_app import HandClock
from tests.support.kiosk_client import wait_until


def test_code_is_told_once_while_it_lies_there() -> None:
    sight = Sight(0.6)
    told = [sight.appeared(b"a", now / 10) for now in range(50)]
    assert told == [True] + [False] * 49


def test_short_gap_is_blur_and_a_long_one_is_away() -> None:
    sight = Sight(0.6)
    assert sight.appeared(b"a", 0)
    assert not sight.appeared(b"a", 0.5)
    assert sight.appeared(b"a", 1.2)


def test_two_codes_are_kept_apart_and_a_wall_of_codes_is_bounded() -> None:
    sight = Sight(0.6)
    assert sight.appeared(b"a", 0)
    assert sight.appeared(b"b", 0.1)
    told = [sight.appeared(str(number).encode(), 0.2) for number in range(1000)]
    assert sum(told) == REMEMBERED_MAX - 2
    assert sight.appeared(b"later", 5)


class ScriptedCamera:
    """Yields blank frames and fails where the script says so; then waits to be closed."""

    def __init__(self, frames: int, failure: PortError | None = None) -> None:
        self._frames = frames
        self._failure = failure
        self.closed = threading.Event()

    def frames(self) -> Iterator[Frame]:
        for _ in range(self._frames):
            yield np.zeros((4, 4), np.uint8)
        if self._failure is not None:
            raise self._failure
        self.closed.wait(20)

    def close(self) -> None:
        self.closed.set()


class OneCodeScanner:
    def scan(self, frame: Frame) -> Sequence[bytes]:
        return [b"000000000001"] if frame.size else []


def opener(*cameras: ScriptedCamera | PortError) -> Callable[[], ScriptedCamera]:
    left = list(cameras)

    def open_camera() -> ScriptedCamera:
        camera = left.pop(0)
        if isinstance(camera, PortError):
            raise camera
        return camera

    return open_camera


@pytest.fixture
def codes() -> list[bytes]:
    return []


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "REOPEN_S", 0.01)


def test_codes_are_told_and_close_ends_the_thread(codes: list[bytes]) -> None:
    camera = ScriptedCamera(3)
    looking = Watch(opener(camera), OneCodeScanner(), clock=HandClock(), on_code=codes.append)
    looking.start()
    wait_until(lambda: codes == [b"000000000001"], what="a code")
    looking.close()
    looking.close()
    assert camera.closed.is_set()
    assert not looking._thread.is_alive()


def test_camera_that_fails_is_opened_again(codes: list[bytes]) -> None:
    away = PortError("away", retry=True)
    last = ScriptedCamera(1)
    first = ScriptedCamera(0, away)
    looking = Watch(opener(first, away, last), OneCodeScanner(), clock=HandClock(), on_code=codes.append)
    looking.start()
    wait_until(lambda: bool(codes), what="a code from the second camera")
    assert first.closed.is_set()
    looking.close()


@pytest.mark.parametrize("cameras", [(), (PortError("gone", retry=False),)])
def test_camera_beyond_hope_ends_the_watch_quietly(codes: list[bytes], cameras: tuple[PortError, ...]) -> None:
    failure = PortError("broken", retry=bool(cameras))
    looking = Watch(opener(ScriptedCamera(0, failure), *cameras), OneCodeScanner(), clock=HandClock(), on_code=codes.append)
    looking.start()
    wait_until(lambda: not looking._thread.is_alive(), what="the end of the watch")
    assert codes == []
    looking.close()


def test_camera_that_cannot_be_opened_at_the_start_is_said() -> None:
    looking = Watch(opener(PortError("none", retry=True)), OneCodeScanner(), clock=HandClock(), on_code=print)
    with pytest.raises(PortError, match="none"):
        looking.start()
    looking.close()
