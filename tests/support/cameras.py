"""Cameras over prepared scenes, and a stand-in for the vendor's camera package."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kiosk.ports import Frame


def write_y4m(path: Path, frames: list[Frame], *, colour: str = "mono", chroma_bytes: int = 0) -> None:
    """Write frames as a YUV4MPEG2 file; chroma is mid-grey."""
    height, width = frames[0].shape
    with path.open("wb") as out:
        out.write(f"YUV4MPEG2 W{width} H{height} F15:1 Ip A1:1 C{colour}\n".encode())
        for frame in frames:
            out.write(b"FRAME\n" + frame.tobytes() + b"\x80" * chroma_bytes)


def save_picture(path: Path, luma: int, *, size: tuple[int, int] = (64, 48)) -> None:
    """Write a picture of one shade."""
    Image.new("L", size, luma).save(path)


class FakePicamera2:
    """What Picamera2 does as far as our adapter can see: a sensor that makes frames of rising brightness in padded rows."""

    stride_padding = 0
    absent = False
    mute = False
    breaks = False
    autofocus = True
    opened: list["FakePicamera2"]

    def __init__(self) -> None:
        if self.absent:
            raise IndexError("list index out of range")
        self.opened.append(self)
        self.camera_controls = {"FrameRate": (1, 60, 30)} | ({"AfMode": (0, 2, 0)} if self.autofocus else {})
        self.controls: dict[str, object] = {}
        self.calls: list[str] = []
        self._main: dict[str, Any] = {}
        self._count = 0
        self._lock = threading.Lock()

    def create_video_configuration(
        self, *, main: dict[str, Any], controls: dict[str, object], buffer_count: int
    ) -> dict[str, Any]:
        return {"main": main, "controls": controls, "buffer_count": buffer_count}

    def configure(self, config: dict[str, Any]) -> None:
        width, height = config["main"]["size"]
        self._main = {"size": (width & ~1, height & ~1), "format": "YUV420", "stride": (width & ~1) + self.stride_padding}

    def camera_configuration(self) -> dict[str, Any]:
        return {"main": self._main}

    def set_controls(self, controls: dict[str, object]) -> None:
        self.controls |= controls

    def start(self) -> None:
        self.calls.append("start")

    def capture_buffer(self, name: str, wait: bool) -> "_Job":
        assert name == "main"
        assert wait is False
        future: Future[np.ndarray[Any, np.dtype[np.uint8]]] = Future()
        if self.breaks:
            future.set_exception(RuntimeError("Failed to queue request"))
        elif not self.mute:
            future.set_result(self._buffer())
        return _Job(future)

    def _buffer(self) -> "np.ndarray[Any, np.dtype[np.uint8]]":
        width, height = self._main["size"]
        stride = self._main["stride"]
        with self._lock:
            self._count += 1
        luma = np.full((height, stride), 255, dtype=np.uint8)  # padding is bright, so that a wrong stride shows
        luma[:, :width] = self._count % 256
        return np.concatenate([luma.ravel(), np.full(stride * height // 2, 128, dtype=np.uint8)])

    def stop(self) -> None:
        self.calls.append("stop")

    def close(self) -> None:
        self.calls.append("close")


class _Job:
    def __init__(self, future: "Future[np.ndarray[Any, np.dtype[np.uint8]]]") -> None:
        self._future = future

    def get_result(self, timeout: float) -> "np.ndarray[Any, np.dtype[np.uint8]]":
        return self._future.result(timeout=timeout)


def install_picamera2(monkeypatch: pytest.MonkeyPatch, **behaviour: object) -> type[FakePicamera2]:
    """Make ``import picamera2`` find the stand-in; returns its class, whose ``opened`` lists the cameras made."""
    made = type("Picamera2", (FakePicamera2,), {"opened": [], **behaviour})
    module = ModuleType("picamera2")
    module.Picamera2 = made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", module)
    return made


def take(frames: Iterator[Frame], count: int) -> list[Frame]:
    """Return the next frames."""
    return [next(frames) for _ in range(count)]
