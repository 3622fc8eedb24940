"""The one file that is read: TOML, checked whole before anything starts. An unknown key is an error, as a missing one is.

Example::

    state_dir = "/var/lib/voucher-kiosk"
    enrol_url = "https://pay.example.tw"
    language  = "zh-Hant-TW"

    [camera]
    kind = "picamera2"

    [keypad]
    kind    = "matrix"
    pins    = "gpio"
    rows    = [5, 6, 13, 19]
    columns = [12, 16, 20]

Secrets are not here: keys are made on the device and lie in ``state_dir``.
"""

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from kiosk.domain.matrix import DOUBLE_STRIKE_S
from kiosk.domain.site import LANGUAGES, Timing

Port = Annotated[int, Meta(ge=0, le=65_535)]
FramesPerSecond = Annotated[float, Meta(ge=1, le=1_000)]
_TIMING_NAMES: Final = tuple(field.name for field in fields(Timing))


class ConfigError(ValueError):
    """The file cannot be used; the message is one sentence for a person."""


class FolderCameraConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="folder"):
    """The newest picture of a folder."""

    path: str
    frames_per_s: FramesPerSecond = 15


class VideoCameraConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="video"):
    """A recording: a ``.y4m`` file or a folder of pictures."""

    path: str
    frames_per_s: FramesPerSecond = 15
    repeat: bool = True


class Picamera2Config(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="picamera2"):
    """The Raspberry Pi camera."""

    width: Annotated[int, Meta(ge=64, le=4_096, multiple_of=2)] = 1_280
    height: Annotated[int, Meta(ge=64, le=4_096, multiple_of=2)] = 720
    frames_per_s: FramesPerSecond = 15


class MatrixKeypadConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="matrix"):
    """Twelve keys on GPIO pins."""

    pins: Literal["gpio", "mock"] = "gpio"
    """``mock``: simulated pins, pressed from the page ``/bench``."""
    rows: Annotated[list[int], Meta(min_length=4, max_length=4)]
    """BCM numbers, top row first."""
    columns: Annotated[list[int], Meta(min_length=3, max_length=3)]
    """BCM numbers, left column first."""
    double_strike_s: Annotated[float, Meta(ge=0, le=0.5)] = DOUBLE_STRIKE_S
    """The same key again within this time is a slip of the hand."""
    legend: Annotated[str, Meta(min_length=10, max_length=10)] = "0123456789"
    """What the keys 0 to 9 stand for in an ID."""


class ScreenKeypadConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="screen"):
    """Keys on the page, or a computer's keyboard."""

    legend: Annotated[str, Meta(min_length=10, max_length=10)] = "0123456789"


class ScreenConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the page is served."""

    host: str = "127.0.0.1"
    port: Port = 8_081
    touch: bool = True
    """Digit keys on the page."""
    gallery: str = ""
    """Folder of voucher pictures that the bench offers."""


class LinkConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The connection to the broker. Where it is, the enrolment says."""

    keepalive_s: Annotated[int, Meta(ge=5, le=120)] = 20


CameraConfig = FolderCameraConfig | VideoCameraConfig | Picamera2Config
KeypadConfig = MatrixKeypadConfig | ScreenKeypadConfig


class KioskConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file."""

    state_dir: Annotated[str, Meta(min_length=1)]
    """Keys, certificate, enrolment, outbox."""
    enrol_url: str = ""
    """Where the cloud's web side is; needed to enrol."""
    language: str = LANGUAGES[0]
    camera: CameraConfig
    keypad: KeypadConfig
    screen: ScreenConfig = ScreenConfig()
    link: LinkConfig = LinkConfig()
    timing: dict[str, Annotated[float, Meta(ge=0, le=3_600)]] = {}
    """Fields of :class:`kiosk.domain.site.Timing`, in seconds."""

    @property
    def visit_timing(self) -> Timing:
        """The waits of a visit."""
        return Timing(**self.timing)


def load_config(path: Path) -> KioskConfig:
    """Read and check the file.

    Raises:
        ConfigError: there is none, it is no TOML, or a value is not as it must be.
    """
    try:
        config = msgspec.convert(tomllib.loads(path.read_text("utf-8")), KioskConfig)
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read: {problem.strerror}") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path} is not TOML: {problem}") from problem
    except msgspec.ValidationError as problem:
        raise ConfigError(f"{path}: {problem}") from problem
    if config.language not in LANGUAGES:
        raise ConfigError(f"{path}: the screen speaks {', '.join(LANGUAGES)}, not {config.language!r} - at `$.language`")
    for name in config.timing:
        if name not in _TIMING_NAMES:
            raise ConfigError(f"{path}: Object contains unknown field `{name}` - at `$.timing`")
    if len(set(config.keypad.legend)) != len(config.keypad.legend):
        raise ConfigError(f"{path}: the ten characters of a legend are all different - at `$.keypad.legend`")
    return config
