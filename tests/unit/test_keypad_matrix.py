"""The matrix keypad on honest simulated pins: bounce, ghosts, shorts, fingers, and pins taken and given back."""

import gpiozero
import pytest

from kiosk.adapters.keypad_matrix import COLUMN_PINS, ROW_PINS, SCAN_S, MatrixKeypad, gpio_pins
from kiosk.adapters.keypad_simulated import SCANS_EXTRA, TAPS_MAX, SimulatedMatrix
from kiosk.domain.keys import Key
from kiosk.domain.matrix import STABLE_SCANS, MatrixRules
from protocol.errors import PortError
from tests.support.keypads import MatrixRig


def test_a_press_is_known_after_four_scans() -> None:
    rig = MatrixRig(bounce_s=0)
    rig.matrix.press(Key.DIGIT_7)
    rig.scan(STABLE_SCANS - 1)
    assert rig.keys == []
    rig.scan()
    assert rig.keys == [Key.DIGIT_7]


@pytest.mark.parametrize("bounce_s", [0.001, 0.004, 0.01, 0.03])
@pytest.mark.parametrize("every_s", [0.0002, 0.0007, 0.002, SCAN_S])
def test_bounce_is_one_press(bounce_s: float, every_s: float) -> None:
    # Fewer than four scans fall within one chatter of the contact.
    rig = MatrixRig(bounce_s=bounce_s, rules=MatrixRules(double_strike_s=0))
    for _ in range(3):
        rig.matrix.press(Key.DIGIT_2)
        rig.scan(int(bounce_s / every_s) + 2 * STABLE_SCANS, every_s=every_s)
        rig.matrix.release(Key.DIGIT_2)
        rig.scan(int(bounce_s / every_s) + 2 * STABLE_SCANS, every_s=every_s)
    assert rig.keys == [Key.DIGIT_2] * 3


def test_a_touch_shorter_than_four_scans_is_none() -> None:
    rig = MatrixRig(bounce_s=0)
    for _ in range(20):
        rig.matrix.press(Key.OK)
        rig.scan(STABLE_SCANS - 1)
        rig.matrix.release(Key.OK)
        rig.scan(1)
    assert rig.keys == []


def test_two_keys_held_together_both_count() -> None:
    rig = MatrixRig()
    for one, other in ((Key.DIGIT_1, Key.DIGIT_2), (Key.DIGIT_1, Key.DIGIT_4), (Key.DIGIT_1, Key.DIGIT_9)):
        rig.keys.clear()
        rig.matrix.press(one)
        rig.scan(10)
        rig.matrix.press(other)
        rig.scan(10)
        rig.matrix.release(one)
        rig.matrix.release(other)
        rig.scan(100)
        assert rig.keys == [one, other]


def test_three_keys_of_a_rectangle_make_no_ghost() -> None:
    rig = MatrixRig()
    rig.matrix.press(Key.DIGIT_1)
    rig.matrix.press(Key.DIGIT_3)
    rig.scan(10)
    rig.keys.clear()
    rig.matrix.press(Key.DIGIT_7)
    # Electrically the ninth contact is closed now; nobody pressed it.
    rig.scan(20)
    assert rig.keys == []
    rig.matrix.release(Key.DIGIT_1)
    rig.scan(20)
    assert rig.keys == [], "not even 7, until all are let go"
    rig.matrix.release(Key.DIGIT_3)
    rig.matrix.release(Key.DIGIT_7)
    rig.scan(20)
    rig.hold(Key.DIGIT_8, 0.05)
    assert rig.keys == [Key.DIGIT_8]


def test_the_simulated_wires_do_make_ghosts_and_the_keypad_never_shorts_them() -> None:
    rig = MatrixRig(bounce_s=0)
    for key in (Key.DIGIT_1, Key.DIGIT_3, Key.DIGIT_7):
        rig.matrix.press(key)
    rig.scan(10)
    assert rig.keypad._matrix.down == {(0, 0), (0, 2), (2, 0), (2, 2)}
    for key in Key:
        if key is not Key.CLEAR:
            rig.matrix.press(key)
    rig.scan(10)
    assert rig.matrix.shorts == 0


def test_rows_driven_against_each_other_are_seen_as_a_short() -> None:
    matrix = SimulatedMatrix(bounce_s=0)
    upper, lower = (
        gpiozero.OutputDevice(pin, initial_value=level, pin_factory=matrix.pins) for pin, level in ((5, True), (6, False))
    )
    column = gpiozero.InputDevice(12, pull_up=True, pin_factory=matrix.pins)
    matrix.press(Key.DIGIT_1)
    matrix.press(Key.DIGIT_4)
    assert column.value == 1
    assert matrix.shorts == 1
    for device in (upper, lower, column):
        device.close()


def test_taps_type_a_number_with_repeated_digits() -> None:
    rig = MatrixRig()
    number = [Key(digit) for digit in "112233330000"]
    for key in number:
        rig.matrix.tap(key)
    rig.scan_taps()
    assert rig.keys == number
    assert rig.matrix.taps_waiting == 0


@pytest.mark.parametrize("every_s", [0.0005, 0.05, 1.0])
def test_taps_wait_for_a_slow_or_fast_scanner(every_s: float) -> None:
    rig = MatrixRig(rules=MatrixRules(double_strike_s=0))
    for key in (Key.DIGIT_1, Key.DIGIT_1, Key.OK):
        rig.matrix.tap(key)
    rig.scan(3 * (2 * (STABLE_SCANS + SCANS_EXTRA) + 20), every_s=every_s)
    assert rig.keys == [Key.DIGIT_1, Key.DIGIT_1, Key.OK]


def test_taps_have_a_limit_and_unknown_keys_are_refused() -> None:
    matrix = SimulatedMatrix()
    for _ in range(TAPS_MAX):
        matrix.tap(Key.OK)
    with pytest.raises(OverflowError):
        matrix.tap(Key.OK)
    for act in (matrix.tap, matrix.press, matrix.release):
        with pytest.raises(ValueError, match="no key clear"):
            act(Key.CLEAR)


def test_two_boards_do_not_meet_and_the_global_factory_stays_alone() -> None:
    before = gpiozero.Device.pin_factory
    one, other = MatrixRig(), MatrixRig()
    one.hold(Key.DIGIT_1, 0.05)
    assert (one.keys, other.keys) == ([Key.DIGIT_1], [])
    assert gpiozero.Device.pin_factory is before


def test_pins_are_given_back() -> None:
    matrix = SimulatedMatrix()
    for _ in range(2):
        MatrixKeypad(matrix.pins).close()
    taken = gpiozero.InputDevice(ROW_PINS[-1], pin_factory=matrix.pins)
    with pytest.raises(gpiozero.GPIOPinInUse):
        MatrixKeypad(matrix.pins)
    taken.close()
    MatrixKeypad(matrix.pins).close()


@pytest.mark.parametrize(
    ("rows", "columns"),
    [((5, 6, 13), COLUMN_PINS), (ROW_PINS, (12, 16)), (ROW_PINS, (12, 16, 5)), ((5, 5, 13, 19), COLUMN_PINS)],
)
def test_wrong_wiring_is_refused(rows: tuple[int, ...], columns: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"layout|twice"):
        MatrixKeypad(SimulatedMatrix().pins, rows=rows, columns=columns)


def test_real_pins_need_lgpio_and_say_so() -> None:
    with pytest.raises(PortError) as missing:
        gpio_pins()
    assert not missing.value.retry
    assert "GPIO pins" in str(missing.value)
