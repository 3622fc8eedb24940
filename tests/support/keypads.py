"""Keypads under test, with time that only moves when told."""

from collections.abc import Callable
from dataclasses import dataclass, field

from kiosk.adapters.keypad_matrix import SCAN_S, MatrixKeypad
from kiosk.adapters.keypad_screen import ScreenKeypad
from kiosk.adapters.keypad_simulated import BOUNCE_S, SimulatedMatrix
from kiosk.domain.keys import Key
from kiosk.domain.matrix import DEFAULT_RULES, MatrixRules


@dataclass
class Watch:
    """A monotonic clock that is set by hand."""

    seconds: float = 100.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class MatrixRig:
    """The real matrix keypad on simulated pins; the test scans instead of the thread."""

    bounce_s: float = BOUNCE_S
    rules: MatrixRules = DEFAULT_RULES
    watch: Watch = field(default_factory=Watch)
    keys: list[Key] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.matrix = SimulatedMatrix(rules=self.rules, bounce_s=self.bounce_s, monotonic=self.watch)
        self.keypad = MatrixKeypad(self.matrix.pins, rules=self.rules, monotonic=self.watch)

    def scan(self, times: int = 1, *, every_s: float = SCAN_S) -> None:
        """Scan again and again, letting time pass before each."""
        for _ in range(times):
            self.watch.seconds += every_s
            self.keys += self.keypad.scan()

    def scan_taps(self, *, scans_max: int = 20_000) -> None:
        """Scan until no finger is on its way."""
        for _ in range(scans_max):
            if not self.matrix.taps_waiting:
                return
            self.scan()
        raise AssertionError("the taps never ended")

    def hold(self, key: Key, seconds: float) -> None:
        """Press a key, hold it for a while, release it and wait until it is still."""
        self.matrix.press(key)
        self.scan(max(1, round(seconds / SCAN_S)))
        self.matrix.release(key)
        self.scan(8)


@dataclass
class ScreenRig:
    """The page's keypad."""

    watch: Watch = field(default_factory=Watch)
    keys: list[Key] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keypad = ScreenKeypad(double_strike_s=DEFAULT_RULES.double_strike_s, monotonic=self.watch)
        self.keypad.start(self.keys.append)

    def hold(self, key: Key, seconds: float) -> None:
        """Press a button; the page sends one press however long it is held."""
        self.keypad.feed(key)
        self.watch.seconds += seconds


Rig = MatrixRig | ScreenRig
MakeRig = Callable[[], Rig]
