"""What every keypad does: one key per press, no repeats, no double strikes, silence after the end."""

import threading
from collections.abc import Callable, Iterator

import pytest

from kiosk.adapters.keypad_matrix import MatrixKeypad
from kiosk.adapters.keypad_screen import ScreenKeypad
from kiosk.adapters.keypad_simulated import SimulatedMatrix
from kiosk.domain.keys import Key
from kiosk.domain.matrix import TELEPHONE_LAYOUT, MatrixRules
from kiosk.ports import Keypad
from tests.support.keypads import MakeRig, MatrixRig, Rig, ScreenRig

TWELVE = [key for row in TELEPHONE_LAYOUT for key in row]


@pytest.fixture(params=[MatrixRig, ScreenRig], ids=["matrix", "screen"])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    make: MakeRig = request.param
    made = make()
    yield made
    made.keypad.close()


def test_every_key_arrives_once_and_in_order(rig: Rig) -> None:
    for key in TWELVE:
        rig.hold(key, 0.08)
    assert rig.keys == TWELVE


def test_holding_does_not_repeat(rig: Rig) -> None:
    rig.hold(Key.DIGIT_5, 4.0)
    assert rig.keys == [Key.DIGIT_5]


def test_a_double_strike_counts_once_and_another_key_counts(rig: Rig) -> None:
    rig.hold(Key.DIGIT_5, 0.05)
    rig.hold(Key.DIGIT_5, 0.05)
    rig.hold(Key.DIGIT_6, 0.05)
    rig.hold(Key.DIGIT_5, 0.05)
    assert rig.keys == [Key.DIGIT_5, Key.DIGIT_6, Key.DIGIT_5]


def test_the_same_key_counts_again_after_half_a_second(rig: Rig) -> None:
    rig.hold(Key.DIGIT_5, 0.05)
    rig.watch.seconds += 0.5
    rig.hold(Key.DIGIT_5, 0.05)
    assert rig.keys == [Key.DIGIT_5, Key.DIGIT_5]


Live = tuple[Keypad, Callable[[Key], object]]


def _live_matrix() -> Live:
    rules = MatrixRules(double_strike_s=0)
    matrix = SimulatedMatrix(rules=rules)
    return MatrixKeypad(matrix.pins, rules=rules), matrix.tap


def _live_screen() -> Live:
    keypad = ScreenKeypad(double_strike_s=0)
    return keypad, keypad.feed


@pytest.fixture(params=[_live_matrix, _live_screen], ids=["matrix", "screen"])
def live(request: pytest.FixtureRequest) -> Iterator[Live]:
    """A keypad with its own threads and the real clock, and a finger."""
    made: Live = request.param()
    yield made
    made[0].close()


def test_keys_come_by_callback(live: Live) -> None:
    keypad, strike = live
    keys: list[Key] = []
    enough = threading.Event()

    def take(key: Key) -> None:
        keys.append(key)
        if len(keys) == 4:
            enough.set()

    keypad.start(take)
    for key in (Key.DIGIT_1, Key.DIGIT_1, Key.CANCEL, Key.OK):
        strike(key)
    assert enough.wait(30)
    assert keys == [Key.DIGIT_1, Key.DIGIT_1, Key.CANCEL, Key.OK]


def test_nothing_comes_after_close_and_close_may_be_called_twice(live: Live) -> None:
    keypad, strike = live
    keys: list[Key] = []
    keypad.start(keys.append)
    keypad.close()
    keypad.close()
    strike(Key.DIGIT_1)
    assert keys == []


def test_close_may_be_called_from_the_callback(live: Live) -> None:
    keypad, strike = live
    closed = threading.Event()

    def end(_: Key) -> None:
        keypad.close()
        closed.set()

    keypad.start(end)
    strike(Key.OK)
    assert closed.wait(30)


def test_is_started_once(live: Live) -> None:
    keypad, _ = live
    keypad.start(lambda _: None)
    with pytest.raises(RuntimeError):
        keypad.start(lambda _: None)
    keypad.close()
    with pytest.raises(RuntimeError):
        keypad.start(lambda _: None)


def test_can_be_closed_unstarted(live: Live) -> None:
    live[0].close()
