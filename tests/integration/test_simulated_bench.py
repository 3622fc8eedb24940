"""The bench: what is shown and tapped there reaches the kiosk's own camera and keypad."""

from pathlib import Path

import pytest
from PIL import Image

from kiosk.adapters.bench import PICTURE_BYTES_MAX, SHOWN_NAME, SimulatedBench
from kiosk.adapters.camera_folder import GREY_LUMA, FolderCamera
from kiosk.domain.keys import Key
from tests.support.cameras import save_picture
from tests.support.codes import png
from tests.support.keypads import MatrixRig


def test_pictures_come_and_go_before_the_camera(tmp_path: Path) -> None:
    bench = SimulatedBench(tmp_path, MatrixRig().matrix)
    frames = FolderCamera(tmp_path, frames_per_s=500).frames()
    for shade in (10, 20, 20, 30):
        bench.show_picture(png(Image.new("L", (32, 32), shade)))
        assert next(frames).max() == shade
    bench.take_away()
    bench.take_away()
    assert next(frames).max() == GREY_LUMA


def test_other_pictures_are_left_alone(tmp_path: Path) -> None:
    save_picture(tmp_path / "mine.png", 1)
    bench = SimulatedBench(tmp_path, MatrixRig().matrix)
    bench.show_picture(png(Image.new("L", (32, 32), 200)))
    bench.take_away()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.png"]


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"<svg/>", b"x" * (PICTURE_BYTES_MAX + 1)])
def test_what_is_no_picture_is_refused_and_nothing_is_left(tmp_path: Path, content: bytes) -> None:
    bench = SimulatedBench(tmp_path, MatrixRig().matrix)
    with pytest.raises(ValueError, match="picture"):
        bench.show_picture(content)
    assert list(tmp_path.iterdir()) == []
    assert not (tmp_path / SHOWN_NAME).exists()


def test_taps_reach_the_keypad(tmp_path: Path) -> None:
    rig = MatrixRig()
    bench = SimulatedBench(tmp_path, rig.matrix)
    for key in (Key.DIGIT_4, Key.DIGIT_4, Key.OK):
        bench.tap(key)
    rig.scan_taps()
    assert rig.keys == [Key.DIGIT_4, Key.DIGIT_4, Key.OK]
    with pytest.raises(ValueError, match="no key"):
        bench.tap(Key.CLEAR)
