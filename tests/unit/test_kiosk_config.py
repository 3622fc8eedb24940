"""kiosk.toml: what it may say, and the sentence for what it may not."""

from pathlib import Path

import pytest

from kiosk.config import ConfigError, FolderCameraConfig, KioskConfig, MatrixKeypadConfig, load_config
from kiosk.domain.site import Timing

WHOLE = """
state_dir = "/abs/kiosk"
enrol_url = "http://127.0.0.1:8080"
language  = "en"
[camera]
kind = "folder"
path = "/abs/camera"
frames_per_s = 20
[keypad]
kind = "matrix"
pins = "mock"
rows = [5, 6, 13, 19]
columns = [12, 16, 20]
legend = "αβγδεζηθικ"
[screen]
host = "127.0.0.1"
port = 8081
[link]
keepalive_s = 20
[timing]
idle_s = 3
done_s = 0.5
"""


def load(folder: Path, text: str) -> KioskConfig:
    path = folder / "kiosk.toml"
    path.write_text(text, "utf-8")
    return load_config(path)


def test_whole_file_is_read(tmp_path: Path) -> None:
    config = load(tmp_path, WHOLE)
    assert isinstance(config.camera, FolderCameraConfig)
    assert isinstance(config.keypad, MatrixKeypadConfig)
    assert config.keypad.legend == "αβγδεζηθικ"
    assert config.visit_timing == Timing(idle_s=3, done_s=0.5)


def test_short_file_has_defaults(tmp_path: Path) -> None:
    text = 'state_dir = "/abs"\n[camera]\nkind = "picamera2"\n[keypad]\nkind = "screen"'
    config = load(tmp_path, text)
    assert (config.language, config.screen.port, config.link.keepalive_s) == ("zh-Hant-TW", 8081, 20)
    assert config.visit_timing == Timing()


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("enrol_url", "enroll_url", "`enroll_url`"),
        ("frames_per_s = 20", "fps = 20", "`fps` - at `$.camera`"),
        ("frames_per_s = 20", "frames_per_s = 0", "`$.camera.frames_per_s`"),
        ('kind = "folder"', 'kind = "webcam"', "webcam"),
        ('path = "/abs/camera"', "", "`path`"),
        ("rows = [5, 6, 13, 19]", "rows = [5, 6]", "`$.keypad.rows`"),
        ('pins = "mock"', 'pins = "real"', "real"),
        ("αβγδεζηθικ", "αα23456789", "all different"),
        ("αβγδεζηθικ", "012345678", "`$.keypad.legend`"),
        ("port = 8081", 'port = "8081"', "`$.screen.port`"),
        ("port = 8081", "port = 99999", "`$.screen.port`"),
        ("keepalive_s = 20", "keepalive_s = 1", "`$.link.keepalive_s`"),
        ("idle_s = 3", "idle = 3", "`idle` - at `$.timing`"),
        ("idle_s = 3", "idle_s = -1", "`$.timing[...]`"),
        ('language  = "en"', 'language = "tlh"', "tlh"),
        ("[camera]", "[camera", "not TOML"),
        ('state_dir = "/abs/kiosk"', "", "`state_dir`"),
    ],
)
def test_broken_file_is_one_sentence_that_names_the_place(tmp_path: Path, old: str, new: str, part: str) -> None:
    assert old in WHOLE
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, WHOLE.replace(old, new))
    said = str(raised.value)
    assert part in said
    assert "kiosk.toml" in said
    assert "\n" not in said


def test_missing_and_undecodable_files_are_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "kiosk.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not TOML"):
        load_config(tmp_path / "kiosk.toml")
