"""Puts one kiosk together and runs it. The only place that knows every part, the environment and the command line.

::

    python -m kiosk --config kiosk.toml enrol     claim code from VK_CLAIM_CODE or a prompt, never from the command line
    python -m kiosk --config kiosk.toml run       until SIGTERM or Ctrl-C

Exit codes: 0 done; 1 a part broke while running (systemd starts anew); 2 something a person must mend, said in one sentence.

A vendor's library is imported only where the configuration chooses its part: a bench needs no Picamera2, a Pi no mock pins.
"""

import argparse
import getpass
import logging
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from kiosk.adapters import enrolment
from kiosk.adapters.clock import SystemClock
from kiosk.adapters.crash_points import read_crash_point
from kiosk.adapters.identity import Identity, is_enrolled, load_identity, prepare_keys, save_enrolment
from kiosk.app import App, Device, Parts, Watch
from kiosk.app.parts import pass_by
from kiosk.config import (
    ConfigError,
    FolderCameraConfig,
    KioskConfig,
    MatrixKeypadConfig,
    Picamera2Config,
    ScreenKeypadConfig,
    VideoCameraConfig,
    load_config,
)
from kiosk.domain.keys import Key
from kiosk.domain.matrix import MatrixRules
from kiosk.domain.site import Site
from kiosk.domain.view import View
from kiosk.ports import Camera
from protocol.errors import PortError
from protocol.messages import DeviceState, encode_body

if TYPE_CHECKING:
    from kiosk.adapters.keypad_simulated import SimulatedMatrix
    from kiosk.adapters.link_mqtt import MqttLink
    from kiosk.adapters.screen import Bench, ScreenServer

OUTBOX_NAME = "outbox.sqlite3"
SERIAL_FILE = Path("/proc/device-tree/serial-number")
"""Where a Raspberry Pi says which board it is."""

log = logging.getLogger("kiosk")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code."""
    parser = argparse.ArgumentParser(prog="kiosk", description="One voucher kiosk.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="kiosk.toml")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("enrol", help="make keys and exchange a claim code for an identity")
    commands.add_parser("run", help="serve customers")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        config = load_config(chosen.config)
        return _enrol(config) if chosen.command == "enrol" else _run(config)
    except ModuleNotFoundError as missing:
        print(f"kiosk: the package {missing.name} is not installed: pip install 'voucher-kiosk[kiosk]'", file=sys.stderr)
    except (ConfigError, PortError) as problem:
        print(f"kiosk: {problem}", file=sys.stderr)
    return 2


def _enrol(config: KioskConfig) -> int:
    folder = Path(config.state_dir)
    if not config.enrol_url:
        raise ConfigError("enrol_url is not set: where is the cloud?")
    if is_enrolled(folder):
        raise PortError(f"this kiosk is enrolled already: revoke it and remove {folder} to enrol it anew", retry=False)
    code = os.environ.get("VK_CLAIM_CODE") or getpass.getpass("Claim code: ")
    keys = prepare_keys(folder)
    answer = enrolment.enrol(config.enrol_url, code, keys, serial=_board_serial())
    _make_site(config, save_enrolment(folder, answer))
    print(f"This kiosk is {answer.device_id} at {answer.site_name}.")
    return 0


def _run(config: KioskConfig) -> int:
    folder = Path(config.state_dir)
    identity = load_identity(folder)
    failed = threading.Event()
    with ExitStack() as stack:
        app = _put_together(config, identity, stack)
        for which in (signal.SIGTERM, signal.SIGINT):
            signal.signal(which, lambda *_: app.stop())
        threading.excepthook = _end_on_failure(app, failed)
        app.run()
    return 1 if failed.is_set() else 0


def _put_together(config: KioskConfig, identity: Identity, stack: ExitStack) -> App:
    """Open every part and start it; the stack closes them in the opposite order."""
    from kiosk.adapters.keypad_screen import ScreenKeypad

    parts = _make_parts(config, identity, stack)
    touch = ScreenKeypad()
    stack.callback(touch.close)
    matrix = _make_simulated_matrix(config)

    def show(view: View) -> None:
        screen.show(view)

    app = App(parts, on_view=show)
    screen = _make_screen(config, touch.feed, app.take_language, matrix)
    screen.start()
    stack.callback(screen.close)
    touch.start(app.take_key)
    _start_keypad(config, app.take_key, matrix, stack)
    _start_watch(config, app.take_code, stack)
    app.start()
    log.info("%s at %s; the screen is at %s", identity.address.device_id, identity.enrolment.site_name, screen.url)
    return app


def _make_parts(config: KioskConfig, identity: Identity, stack: ExitStack) -> Parts:
    from kiosk.adapters.outbox_sqlite import SqliteOutbox
    from protocol.envelope import device_source

    try:
        passing = read_crash_point(os.environ)
    except ValueError as problem:
        raise ConfigError(str(problem)) from problem
    boot_id = os.urandom(8).hex()
    site = _make_site(config, identity)
    outbox = SqliteOutbox(Path(config.state_dir) / OUTBOX_NAME, source=device_source(identity.address.device_id))
    stack.callback(outbox.close)
    link = _make_link(config, identity, boot_id)
    stack.callback(link.close)
    return Parts(
        device=Device(identity.address, identity.keys, config.keypad.legend),
        site=site,
        trusted=identity.trusted,
        outbox=outbox,
        link=link,
        clock=SystemClock(),
        random_bytes=os.urandom,
        boot_id=boot_id,
        version=_version(),
        passing=passing or pass_by,
    )


def _make_site(config: KioskConfig, identity: Identity) -> Site:
    enrolled = identity.enrolment
    try:
        return Site(enrolled.site_name, tuple(enrolled.item_categories), config.language, config.visit_timing)
    except ValueError as problem:
        raise PortError(f"{enrolled.site_name} cannot be served: {problem}", retry=False) from problem


def _make_link(config: KioskConfig, identity: Identity, boot_id: str) -> "MqttLink":
    from kiosk.adapters.link_mqtt import LinkSettings, MqttLink, make_tls

    enrolled = identity.enrolment
    try:
        tls = make_tls(ca_pem=enrolled.ca_pem, certificate_file=str(identity.certificate_file), key_file=str(identity.key_file))
    except OSError as problem:
        raise PortError(f"the certificate cannot be used: {problem}", retry=False) from problem
    settings = LinkSettings(
        host=enrolled.broker_host,
        port=enrolled.broker_port,
        address=identity.address,
        will=encode_body(DeviceState(state="lost", boot_id=boot_id, version=_version())),
        farewell=encode_body(DeviceState(state="offline", boot_id=boot_id, version=_version())),
        keepalive_s=config.link.keepalive_s,
    )
    # Jitter needs no secrecy, only difference.
    return MqttLink(settings, tls, jitter=random.Random().random)  # noqa: S311


def _make_simulated_matrix(config: KioskConfig) -> "SimulatedMatrix | None":
    keypad = config.keypad
    if not isinstance(keypad, MatrixKeypadConfig) or keypad.pins != "mock":
        return None
    from kiosk.adapters.keypad_simulated import SimulatedMatrix

    return SimulatedMatrix(rows=keypad.rows, columns=keypad.columns, rules=_matrix_rules(keypad))


def _matrix_rules(keypad: MatrixKeypadConfig) -> MatrixRules:
    return MatrixRules(double_strike_s=keypad.double_strike_s)


def _make_screen(
    config: KioskConfig,
    on_key: Callable[[Key], bool],
    on_language: Callable[[str], None],
    matrix: "SimulatedMatrix | None",
) -> "ScreenServer":
    from kiosk.adapters.screen import ScreenServer

    def press(key: Key) -> None:
        on_key(key)

    return ScreenServer(
        host=config.screen.host,
        port=config.screen.port,
        on_key=press,
        on_language=on_language,
        touch_digits=config.screen.touch,
        bench=_make_bench(config, matrix),
        voucher_pictures=Path(config.screen.gallery) if config.screen.gallery else None,
    )


def _make_bench(config: KioskConfig, matrix: "SimulatedMatrix | None") -> "Bench | None":
    """A kiosk whose camera is a folder and whose keys are simulated can be played by hand."""
    if matrix is None or not isinstance(config.camera, FolderCameraConfig):
        return None
    from kiosk.adapters.bench import SimulatedBench

    return SimulatedBench(Path(config.camera.path), matrix)


def _start_keypad(
    config: KioskConfig, on_key: Callable[[Key], None], matrix: "SimulatedMatrix | None", stack: ExitStack
) -> None:
    if isinstance(config.keypad, ScreenKeypadConfig):
        return
    from gpiozero import GPIOZeroError

    from kiosk.adapters.keypad_matrix import MatrixKeypad, gpio_pins

    pins = gpio_pins() if matrix is None else matrix.pins
    try:
        keypad = MatrixKeypad(pins, rows=config.keypad.rows, columns=config.keypad.columns, rules=_matrix_rules(config.keypad))
    except (GPIOZeroError, ValueError) as problem:
        raise PortError(f"the keypad cannot be opened: {problem}", retry=False) from problem
    stack.callback(keypad.close)
    keypad.start(on_key)


def _start_watch(config: KioskConfig, on_code: Callable[[bytes], None], stack: ExitStack) -> None:
    from kiosk.adapters.scanner import CodeScanner

    scanner = CodeScanner()
    stack.callback(scanner.close)
    watch = Watch(_camera_opener(config), scanner, clock=SystemClock(), on_code=on_code)
    stack.callback(watch.close)
    watch.start()


def _camera_opener(config: KioskConfig) -> Callable[[], Camera]:
    match camera := config.camera:
        case FolderCameraConfig():
            from kiosk.adapters.camera_folder import FolderCamera

            return lambda: FolderCamera(Path(camera.path), frames_per_s=camera.frames_per_s)
        case VideoCameraConfig():
            from kiosk.adapters.camera_video import VideoCamera

            return lambda: VideoCamera(Path(camera.path), frames_per_s=camera.frames_per_s, repeat=camera.repeat)
        case Picamera2Config():
            from kiosk.adapters.camera_picamera2 import Picamera2Camera

            return lambda: Picamera2Camera(width=camera.width, height=camera.height, frames_per_s=camera.frames_per_s)
    assert_never(camera)


def _end_on_failure(app: App, failed: threading.Event) -> Callable[[Any], None]:
    """A thread of an adapter that ends with an error leaves a kiosk that looks alive and is deaf: end the whole program."""

    def end(thrown: Any) -> None:
        log.critical("the thread %s failed", thrown.thread and thrown.thread.name, exc_info=thrown.exc_value)
        failed.set()
        app.stop()

    return end


def _version() -> str:
    try:
        return version("voucher-kiosk")
    except PackageNotFoundError:
        return "checkout"


def _board_serial() -> str:
    try:
        return SERIAL_FILE.read_text("ascii").strip("\0\n ")[:64]
    except OSError:
        return ""


if __name__ == "__main__":
    sys.exit(main())
