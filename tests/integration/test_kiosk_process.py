"""The kiosk as it is shipped, from enrolment to SIGTERM: real process, real broker, real camera adapter and page."""

import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.domain.view import Screen, View
from tests.fakes.kiosk_cloud import FakeCloud
from tests.support.broker import Broker
from tests.support.kiosk_client import wait_until
from tests.support.kiosk_process import CLAIM_CODE, KioskProcess, issue, kiosk_world

VOUCHER = "700000000001"
DIGITS = "4827"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[KioskProcess, FakeCloud, Broker]]:
    with kiosk_world(tmp_path) as made:
        issue(made[1], VOUCHER, DIGITS)
        yield made


def redeem(kiosk: KioskProcess) -> View:
    """A whole visit, up to its outcome."""
    kiosk.wait_for(Screen.ATTRACT)
    kiosk.hold_up(VOUCHER)
    kiosk.wait_for(Screen.DIGITS)
    kiosk.put_away()
    kiosk.type(DIGITS)
    for screen in (Screen.BASKET, Screen.TOTAL):
        kiosk.press("ok")
        kiosk.wait_for(screen)
    kiosk.type("810")
    for screens in ((Screen.CONFIRM,), (Screen.DONE, Screen.REFUSED)):
        kiosk.press("ok")
        kiosk.wait_for(*screens)
    return kiosk.view()


def test_one_redemption_from_enrolment_to_an_orderly_end(world: tuple[KioskProcess, FakeCloud, Broker]) -> None:
    kiosk, cloud, _ = world
    kiosk.start()
    done = redeem(kiosk)
    assert (done.screen, done.redeemed_twd, done.topup_twd, done.repeated) == (Screen.DONE, 500, 310, False)
    assert cloud.redeemed_twd == 500
    kiosk.signal(signal.SIGTERM)
    assert kiosk.ended_with() == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", kiosk.port))
    text = kiosk.log.read_text()
    assert "Traceback" not in text
    assert VOUCHER not in text
    for path in (kiosk.folder / "state").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
        assert DIGITS.encode() not in path.read_bytes() or path.suffix in {".key", ".crt", ".json"}


def test_simulated_key_matrix_is_pressed_from_the_bench(world: tuple[KioskProcess, FakeCloud, Broker]) -> None:
    kiosk, _, _ = world
    matrix = '[keypad]\nkind = "matrix"\npins = "mock"\nrows = [5, 6, 13, 19]\ncolumns = [12, 16, 20]'
    kiosk.write_config(keypad=matrix)
    kiosk.start()
    for key in VOUCHER:
        kiosk.tap(key)
    wait_until(lambda: kiosk.view().entry == VOUCHER, what="the number to be typed")
    kiosk.tap("ok")
    kiosk.wait_for(Screen.DIGITS)
    for key in (*DIGITS, "ok"):
        kiosk.tap(key)
    kiosk.wait_for(Screen.BASKET)
    kiosk.signal(signal.SIGTERM)
    assert kiosk.ended_with() == 0


def test_ctrl_c_ends_it_too(world: tuple[KioskProcess, FakeCloud, Broker]) -> None:
    kiosk, _, _ = world
    kiosk.start()
    kiosk.signal(signal.SIGINT)
    assert kiosk.ended_with() == 0


def test_broker_that_dies_with_its_store_is_waited_for(world: tuple[KioskProcess, FakeCloud, Broker]) -> None:
    kiosk, cloud, broker = world
    kiosk.start()
    broker.kill()
    broker.delete_store()
    kiosk.wait_for(Screen.ATTRACT)
    broker.start()
    assert redeem(kiosk).screen is Screen.DONE
    assert cloud.redeemed_twd == 500


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"timing": "[timing]\nidle = 3"}, "unknown field `idle`"),
        ({"keypad": '[keypad]\nkind = "piano"'}, "piano"),
        ({"camera": ""}, "camera"),
        ({"camera": '[camera]\nkind = "picamera2"'}, "picamera2"),
        ({"state_dir": 'state_dir = "/nowhere/at/all"'}, "not enrolled"),
        ({"state_dir": "state_dir = "}, "not TOML"),
    ],
)
def test_what_a_person_must_mend_is_one_sentence(
    world: tuple[KioskProcess, FakeCloud, Broker], change: dict[str, str], sentence: str
) -> None:
    kiosk, _, _ = world
    kiosk.write_config(**change)
    ended = kiosk.command("run")
    assert ended.returncode == 2
    said = [line for line in ended.stderr.splitlines() if line.startswith("kiosk: ")]
    assert len(said) == 1
    assert sentence in said[0]
    assert "Traceback" not in ended.stderr


def test_port_in_use_and_wrong_crash_point_are_one_sentence(world: tuple[KioskProcess, FakeCloud, Broker]) -> None:
    kiosk, _, _ = world
    with socket.create_server(("127.0.0.1", kiosk.port)):
        ended = kiosk.command("run")
    assert ended.returncode == 2
    assert f"127.0.0.1:{kiosk.port}" in ended.stderr
    assert "Traceback" not in ended.stderr
    ended = kiosk.command("run", VK_CRASH_AT="nowhere")
    assert ended.returncode == 2
    assert "after_save" in ended.stderr


def test_enrolling_twice_is_refused_and_changes_nothing(world: tuple[KioskProcess, FakeCloud, Broker]) -> None:
    kiosk, _, _ = world
    before = {path.name: path.read_bytes() for path in (kiosk.folder / "state").iterdir()}
    ended = kiosk.command("enrol", VK_CLAIM_CODE=CLAIM_CODE)
    assert ended.returncode == 2
    assert "enrolled already" in ended.stderr
    assert {path.name: path.read_bytes() for path in (kiosk.folder / "state").iterdir()} == before


def test_wrong_claim_code_is_said_and_the_next_one_works(world: tuple[KioskProcess, FakeCloud, Broker], tmp_path: Path) -> None:
    kiosk, _, _ = world
    kiosk.write_config(state_dir=f'state_dir = "{tmp_path}/other"')
    wrong = kiosk.command("enrol", VK_CLAIM_CODE="WRONG-CODE")
    assert wrong.returncode == 2
    assert "The claim code cannot be used: ask for a new one" in wrong.stderr
    assert "WRONG" not in wrong.stderr
    key = (tmp_path / "other" / "device.key").read_bytes()
    right = kiosk.command("enrol", VK_CLAIM_CODE=CLAIM_CODE)
    assert right.returncode == 0
    assert (tmp_path / "other" / "device.key").read_bytes() == key, "the keys of the first try are used again"
