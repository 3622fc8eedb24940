"""Cameras that show files: what is shown when, and what broken files do."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from kiosk.adapters.camera_folder import GREY_LUMA, FolderCamera
from kiosk.adapters.camera_video import VideoCamera, read_y4m
from kiosk.adapters.luma import FRAME_HEIGHT_MAX, FRAME_WIDTH_MAX, FRAMES_PER_S_MAX, Pace, PictureBrokenError, load_luma
from protocol.errors import PortError
from tests.support.cameras import save_picture, take, write_y4m


def _shade(frame: "np.ndarray[tuple[int, int], np.dtype[np.uint8]]") -> int:
    assert frame.min() == frame.max()
    return int(frame[0, 0])


def test_a_folder_shows_its_newest_picture_with_the_next_frame(tmp_path: Path) -> None:
    frames = FolderCamera(tmp_path, frames_per_s=500).frames()
    empty = next(frames)
    assert (_shade(empty), empty.shape) == (GREY_LUMA, (FRAME_HEIGHT_MAX, FRAME_WIDTH_MAX))
    save_picture(tmp_path / "b.png", 10)
    assert _shade(next(frames)) == 10
    save_picture(tmp_path / "a.jpg", 20)
    os.utime(tmp_path / "b.png", (1, 1))
    assert _shade(next(frames)) == 20
    (tmp_path / "a.jpg").unlink()
    assert _shade(next(frames)) == 10
    (tmp_path / "b.png").unlink()
    assert _shade(next(frames)) == GREY_LUMA


def test_a_replaced_picture_is_seen_even_within_one_tick_of_the_clock(tmp_path: Path) -> None:
    frames = FolderCamera(tmp_path, frames_per_s=500).frames()
    for shade in (10, 20, 30):
        save_picture(tmp_path / "new.part.png", shade)
        os.utime(tmp_path / "new.part.png", (1000, 1000))
        (tmp_path / "new.part.png").rename(tmp_path / "shown.png")
        assert _shade(next(frames)) == shade


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_picture_being_written_is_not_shown_until_it_is_whole(tmp_path: Path, suffix: str) -> None:
    save_picture(tmp_path / "old.png", 10)
    os.utime(tmp_path / "old.png", (1, 1))
    whole = io.BytesIO()
    Image.effect_noise((200, 100), 50).save(whole, {"png": "PNG", "jpg": "JPEG"}[suffix])
    content = whole.getvalue()
    frames = FolderCamera(tmp_path, frames_per_s=FRAMES_PER_S_MAX).frames()
    with (tmp_path / f"new.{suffix}").open("wb") as out:
        for start in range(0, len(content) - 100, len(content) // 7):
            assert _shade(next(frames)) == 10
            out.write(content[start : start + len(content) // 7])
            out.flush()
    (tmp_path / f"new.{suffix}").write_bytes(content)
    assert next(frames).shape == (100, 200)


def test_broken_and_foreign_files_are_passed_over(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", 10)
    os.utime(tmp_path / "a.png", (1, 1))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nonsense")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere")
    assert [_shade(frame) for frame in take(FolderCamera(tmp_path, frames_per_s=500).frames(), 3)] == [10, 10, 10]


def test_a_folder_that_is_gone_may_come_back(tmp_path: Path) -> None:
    camera = FolderCamera(tmp_path / "later", frames_per_s=500)
    with pytest.raises(PortError) as gone:
        next(camera.frames())
    assert gone.value.retry
    (tmp_path / "later").mkdir()
    assert _shade(next(camera.frames())) == GREY_LUMA


def test_large_pictures_are_shown_at_the_size_of_a_camera(tmp_path: Path) -> None:
    for name, size in {"tall.png": (900, 3000), "wide.jpg": (4000, 900)}.items():
        Image.new("RGB", size, "grey").save(tmp_path / name)
        frame = load_luma(tmp_path / name)
        assert frame.shape[0] <= FRAME_HEIGHT_MAX
        assert frame.shape[1] <= FRAME_WIDTH_MAX
        assert frame.shape[0] == FRAME_HEIGHT_MAX or frame.shape[1] == FRAME_WIDTH_MAX


def test_a_picture_with_absurdly_many_pixels_is_not_decoded(tmp_path: Path) -> None:
    Image.new("1", (8000, 7000)).save(tmp_path / "bomb.png")
    with pytest.raises(PictureBrokenError):
        load_luma(tmp_path / "bomb.png")


def test_transparency_is_white_paper(tmp_path: Path) -> None:
    Image.new("RGBA", (30, 30), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert _shade(load_luma(tmp_path / "clear.png")) == 255


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 400), change=st.binary(min_size=1, max_size=12), cut=st.integers(0, 500), jpeg=st.booleans())
def test_a_damaged_file_is_a_picture_or_none(tmp_path: Path, at: int, change: bytes, cut: int, jpeg: bool) -> None:
    whole = io.BytesIO()
    Image.linear_gradient("L").resize((40, 30)).save(whole, "JPEG" if jpeg else "PNG")
    content = bytearray(whole.getvalue())
    content[at : at + len(change)] = change
    (tmp_path / "x.png").write_bytes(content[: len(content) - cut] if cut < len(content) else b"")
    try:
        frame = load_luma(tmp_path / "x.png")
    except PictureBrokenError:
        return
    assert frame.ndim == 2
    assert frame.dtype == np.uint8


# Colour space and chroma bytes of a 5×3 picture: odd sides round up.
@pytest.mark.parametrize(("colour", "chroma"), [("mono", 0), ("420jpeg", 12), ("420", 12), ("422", 18), ("444", 30)])
def test_y4m_luma_planes(tmp_path: Path, colour: str, chroma: int) -> None:
    wanted = [np.arange(15, dtype=np.uint8).reshape(3, 5) + shade for shade in (0, 100)]
    write_y4m(tmp_path / "v.y4m", wanted, colour=colour, chroma_bytes=chroma)
    with (tmp_path / "v.y4m").open("rb") as stream:
        assert np.array_equal(list(read_y4m(stream)), wanted)


def test_a_recording_ends_or_starts_again(tmp_path: Path) -> None:
    write_y4m(tmp_path / "v.y4m", [np.full((2, 2), shade, dtype=np.uint8) for shade in (1, 2)])
    once = VideoCamera(tmp_path / "v.y4m", frames_per_s=500, repeat=False)
    assert [_shade(frame) for frame in once.frames()] == [1, 2]
    again = VideoCamera(tmp_path / "v.y4m", frames_per_s=500).frames()
    assert [_shade(frame) for frame in take(again, 5)] == [1, 2, 1, 2, 1]


def test_a_folder_is_played_in_order_of_names_without_broken_pictures(tmp_path: Path) -> None:
    for name, shade in (("002.png", 2), ("001.png", 1), ("003.png", 3)):
        save_picture(tmp_path / name, shade)
    (tmp_path / "0015.png").write_bytes(b"nonsense")
    camera = VideoCamera(tmp_path, frames_per_s=500, repeat=False)
    assert [_shade(frame) for frame in camera.frames()] == [1, 2, 3]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF....",
        b"YUV4MPEG2 W4\nFRAME\n",
        b"YUV4MPEG2 W4 Hx\nFRAME\n",
        b"YUV4MPEG2 W0 H4\nFRAME\n",
        b"YUV4MPEG2 W99999 H4\nFRAME\n",
        b"YUV4MPEG2 W4 H4 C420p10\nFRAME\n",
        b"YUV4MPEG2 W4 H4 Cmono\n",
        b"YUV4MPEG2 W4 H4 Cmono\nFRAME\ncut",
        b"YUV4MPEG2 W4 H4 Cmono\nFRAME" + b"x" * 2000,
    ],
)
def test_what_is_no_recording_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "v.y4m").write_bytes(content)
    with pytest.raises(PortError) as broken:
        next(VideoCamera(tmp_path / "v.y4m", frames_per_s=500).frames())
    assert not broken.value.retry
    with pytest.raises(PortError):
        next(VideoCamera(tmp_path / "missing.y4m", frames_per_s=500).frames())


def test_the_last_frame_that_is_cut_off_is_left_out(tmp_path: Path) -> None:
    write_y4m(tmp_path / "v.y4m", [np.full((4, 4), shade, dtype=np.uint8) for shade in (1, 2)])
    content = (tmp_path / "v.y4m").read_bytes()
    (tmp_path / "v.y4m").write_bytes(content[:-3])
    assert len(list(VideoCamera(tmp_path / "v.y4m", frames_per_s=500, repeat=False).frames())) == 1


@pytest.mark.parametrize("rate", [0, -1, 0.5, FRAMES_PER_S_MAX + 1])
def test_pace_has_limits(rate: float) -> None:
    with pytest.raises(ValueError, match="frames_per_s"):
        Pace(rate)
