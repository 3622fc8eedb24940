"""What every camera does, whatever it is made of."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kiosk.adapters.camera_folder import FolderCamera
from kiosk.adapters.camera_picamera2 import Picamera2Camera
from kiosk.adapters.camera_video import VideoCamera
from kiosk.ports import Camera
from tests.support.cameras import install_picamera2, save_picture, take, write_y4m

Make = Callable[[], Camera]


def _folder(folder: Path, _: pytest.MonkeyPatch) -> Make:
    save_picture(folder / "a.png", 40)
    return lambda: FolderCamera(folder, frames_per_s=500)


def _empty_folder(folder: Path, _: pytest.MonkeyPatch) -> Make:
    return lambda: FolderCamera(folder, frames_per_s=500)


def _video(folder: Path, _: pytest.MonkeyPatch) -> Make:
    write_y4m(folder / "v.y4m", [np.full((48, 64), shade, dtype=np.uint8) for shade in (10, 20)])
    return lambda: VideoCamera(folder / "v.y4m", frames_per_s=500)


def _pictures(folder: Path, _: pytest.MonkeyPatch) -> Make:
    for number in range(3):
        save_picture(folder / f"{number}.png", 10 * number)
    return lambda: VideoCamera(folder, frames_per_s=500)


def _picamera2(_: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    install_picamera2(monkeypatch, stride_padding=32)
    return lambda: Picamera2Camera(width=64, height=48)


@pytest.fixture(params=[_folder, _empty_folder, _video, _pictures, _picamera2], ids=lambda kind: kind.__name__)
def make(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    made: Make = request.param(tmp_path, monkeypatch)
    return made


def test_frames_are_luma(make: Make) -> None:
    camera = make()
    for frame in take(camera.frames(), 5):
        assert frame.ndim == 2
        assert frame.dtype == np.uint8
        assert min(frame.shape) > 0
        assert frame.strides[1] == 1, "rows are runs of bytes"
    camera.close()


def test_a_frame_stays_as_it_was_when_the_next_one_comes(make: Make) -> None:
    camera = make()
    frames = camera.frames()
    first = next(frames)
    seen = first.copy()
    take(frames, 5)
    assert np.array_equal(first, seen)
    camera.close()


def test_close_ends_the_frames_and_may_be_called_twice(make: Make) -> None:
    camera = make()
    frames = camera.frames()
    next(frames)
    camera.close()
    camera.close()
    assert list(frames) == []


def test_close_from_another_thread_ends_the_frames(make: Make) -> None:
    camera = make()
    seen = threading.Semaphore(0)

    def watch() -> None:
        for _ in camera.frames():
            seen.release()

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert seen.acquire(timeout=10)
    camera.close()
    watcher.join(timeout=10)
    assert not watcher.is_alive()


def test_can_be_closed_unused(make: Make) -> None:
    make().close()
