"""A 4×3 key matrix on GPIO pins: rows are driven low one at a time, columns are read.

A row that is not being read floats (open drain): were it driven high, two held keys of one column would short it to the
row that is driven low. Columns rest on the Pi's pull-ups, so a closed contact reads low. Nothing but wires is needed.

The thread only scans; :mod:`kiosk.domain.matrix` decides what is a press. A pin that breaks ends the thread with an error,
which is meant to end the kiosk (systemd starts it again).
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from gpiozero import GPIODevice, InputDevice

from kiosk.domain.keys import Key
from kiosk.domain.matrix import DEFAULT_RULES, TELEPHONE_LAYOUT, Contact, KeyMatrix, MatrixRules
from protocol.errors import PortError

ROW_PINS = (5, 6, 13, 19)
"""BCM numbers, top row first; as wired in hardware/pins.toml."""

COLUMN_PINS = (12, 16, 20)
"""BCM numbers, left column first; as wired in hardware/pins.toml."""

SCAN_S = 0.005
"""Seconds between scans: four equal ones, 20 ms, make a press, well below the 100 ms that feel immediate."""

CLOSE_WAIT_S = 2.0


def gpio_pins() -> Any:
    """Return gpiozero's factory for the real pins of this board.

    Raises:
        PortError: not a Raspberry Pi, or lgpio is not installed.
    """
    try:
        from gpiozero.pins.lgpio import LGPIOFactory

        return LGPIOFactory()
    except ImportError as missing:
        raise PortError(
            "the keypad is on GPIO pins, but lgpio is not installed: apt install python3-lgpio, "
            "and make the virtual environment with --system-site-packages",
            retry=False,
        ) from missing
    except Exception as broken:
        # lgpio.error derives from Exception itself, and cannot be named where it is not installed.
        raise PortError(f"the GPIO pins cannot be opened: {broken}", retry=False) from broken


class MatrixKeypad:
    """Implements :class:`kiosk.ports.Keypad`."""

    def __init__(
        self,
        pin_factory: Any,
        *,
        rows: Sequence[int] = ROW_PINS,
        columns: Sequence[int] = COLUMN_PINS,
        layout: Sequence[Sequence[Key]] = TELEPHONE_LAYOUT,
        rules: MatrixRules = DEFAULT_RULES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the pins; scanning begins with :meth:`start`.

        Args:
            pin_factory: a gpiozero factory: :func:`gpio_pins`, or simulated pins. gpiozero's global one is not used.
            rows, columns: BCM pin numbers, in the order of the layout.
            monotonic: seconds.

        Raises:
            ValueError: pins do not fit the layout, or a pin is named twice.
            gpiozero.GPIOZeroError: a pin is in use or does not exist; then all others are given back.
        """
        if len(layout) != len(rows) or any(len(row) != len(columns) for row in layout):
            raise ValueError(f"the layout does not have {len(rows)} rows of {len(columns)} keys")
        if len({*rows, *columns}) < len(rows) + len(columns):
            raise ValueError("a pin is named twice")
        self._matrix = KeyMatrix(layout, rules)
        self._monotonic = monotonic
        self._on_key: Callable[[Key], None] | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._rows: list[Any] = []
        self._columns: list[Any] = []
        try:
            for pin in columns:
                self._columns.append(InputDevice(pin, pull_up=True, pin_factory=pin_factory))
            for pin in rows:
                row = GPIODevice(pin, pin_factory=pin_factory)
                self._rows.append(row)
                row.pin.input_with_pull("up")
        except Exception:
            self._release_pins()
            raise

    def start(self, on_key: Callable[[Key], None]) -> None:
        """Scan in a thread of its own.

        Args:
            on_key: called from that thread; neither blocks nor raises.

        Raises:
            RuntimeError: started before, or closed.
        """
        if self._on_key is not None or self._stop.is_set():
            raise RuntimeError("a keypad is started once")
        self._on_key = on_key
        self._thread = threading.Thread(target=self._run, name="keypad", daemon=True)
        self._thread.start()

    def scan(self) -> list[Key]:
        """Scan the matrix once and return the keys that this scan completes. For the thread, and for tests instead of it."""
        closed = set[Contact]()
        for row_no, row in enumerate(self._rows):
            row.pin.output_with_state(0)
            closed.update((row_no, column_no) for column_no, column in enumerate(self._columns) if column.value)
            row.pin.input_with_pull("up")
        return self._matrix.feed(frozenset(closed), self._monotonic())

    def close(self) -> None:
        """End the thread and give the pins back."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(CLOSE_WAIT_S)
        self._release_pins()

    def _run(self) -> None:
        assert self._on_key is not None
        while not self._stop.wait(SCAN_S):
            for key in self.scan():
                if not self._stop.is_set():  # the callback may have closed us
                    self._on_key(key)

    def _release_pins(self) -> None:
        for device in (*self._rows, *self._columns):
            device.close()
        self._rows, self._columns = [], []
