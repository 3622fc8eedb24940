"""The Pi camera's adapter against a stand-in for the vendor's package (libcamera is not on this machine)."""

import sys

import pytest

from kiosk.adapters import camera_picamera2
from kiosk.adapters.camera_picamera2 import SILENT_WAITS_MAX, Picamera2Camera
from protocol.errors import PortError
from tests.support.cameras import install_picamera2, take


@pytest.mark.parametrize("padding", [0, 32])
def test_luma_rows_without_their_padding(monkeypatch: pytest.MonkeyPatch, padding: int) -> None:
    vendor = install_picamera2(monkeypatch, stride_padding=padding)
    camera = Picamera2Camera(width=64, height=48, frames_per_s=12)
    for shade, frame in enumerate(take(camera.frames(), 3), start=1):
        assert frame.shape == (48, 64)
        assert frame.min() == frame.max() == shade
        assert frame.base is not None, "a view, not a copy"
    camera.close()
    camera.close()
    assert vendor.opened[0].calls == ["start", "stop", "close"]


@pytest.mark.parametrize("autofocus", [True, False])
def test_focus_follows_where_the_sensor_can(monkeypatch: pytest.MonkeyPatch, autofocus: bool) -> None:
    vendor = install_picamera2(monkeypatch, autofocus=autofocus)
    Picamera2Camera().close()
    assert vendor.opened[0].controls == ({"AfMode": 2} if autofocus else {})


def test_a_missing_package_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(PortError, match="apt install python3-picamera2") as missing:
        Picamera2Camera()
    assert not missing.value.retry


def test_no_camera_may_be_plugged_in_later(monkeypatch: pytest.MonkeyPatch) -> None:
    install_picamera2(monkeypatch, absent=True)
    with pytest.raises(PortError, match="no camera") as absent:
        Picamera2Camera()
    assert absent.value.retry


def test_a_size_the_camera_rounds_is_refused_and_the_camera_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    vendor = install_picamera2(monkeypatch)
    with pytest.raises(PortError, match="instead of 63×48"):
        Picamera2Camera(width=63, height=48)
    assert vendor.opened[0].calls == ["close"]


def test_a_broken_camera_can_be_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    install_picamera2(monkeypatch, breaks=True)
    with pytest.raises(PortError, match="broke") as broken:
        next(Picamera2Camera().frames())
    assert broken.value.retry


def test_a_silent_camera_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_picamera2, "FRAME_WAIT_S", 0.01)
    install_picamera2(monkeypatch, mute=True)
    with pytest.raises(PortError, match="no frame") as silent:
        next(Picamera2Camera().frames())
    assert silent.value.retry
    assert SILENT_WAITS_MAX > 1
