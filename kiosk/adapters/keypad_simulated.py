"""A key matrix that is not there: gpiozero mock pins, wired together as the real board is, with fingers to press the keys.

The electrical part is honest, so that the real keypad code meets what a real board does:

* A closed contact joins its row's wire to its column's. Wires that are joined have one level: low where an output drives
  them low, else high from an output or a pull-up. Three keys on a rectangle thereby close its fourth corner: a ghost.
* A contact bounces for :data:`BOUNCE_S` after each change.
* Two outputs that drive joined wires against each other are a short circuit, and are counted (:attr:`SimulatedMatrix.shorts`).

A tap is a finger that holds a key until the scanner has had time to see it, and then waits as long with no key down. Taps
queue up and need no thread: they go on as the pins are read. Only the keypad's own pins are mock pins; gpiozero's global
pin factory is neither used nor changed.
"""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gpiozero.pins.mock import MockFactory, MockPin

from kiosk.adapters.keypad_matrix import COLUMN_PINS, ROW_PINS
from kiosk.domain.keys import Key
from kiosk.domain.matrix import DEFAULT_RULES, TELEPHONE_LAYOUT, Contact, MatrixRules

BOUNCE_S = 0.004
"""How long a contact chatters; a worn key."""

CHATTER_S = 0.0003
"""How long one chatter of it lasts."""

SCANS_EXTRA = 1
"""A finger stays, and then stays away, for so many scans more than the keypad needs."""

TAPS_MAX = 256
"""Taps waiting; more than the longest visit needs."""

_BOARD_REVISION = "c03114"
"""A Raspberry Pi 4 B, whatever the environment says."""


@dataclass(slots=True)
class _Contact:
    """One key's two blades."""

    down: bool = False
    changed_at: float = float("-inf")

    def is_closed(self, now: float, bounce_s: float) -> bool:
        since = now - self.changed_at
        if since < bounce_s:
            return int(since / CHATTER_S) % 2 == 0
        return self.down


@dataclass(slots=True)
class _Tap:
    """A finger on its way: first it holds the key, then it rests."""

    contact: Contact
    held_for: int = 0
    rested_for: int = 0


class _WiredPin(MockPin):  # type: ignore[misc]
    """A mock pin whose level comes from the wires."""

    def _get_state(self) -> bool:
        return bool(self.factory.matrix.level(int(self.info.name.removeprefix("GPIO"))))


class _WiredFactory(MockFactory):  # type: ignore[misc]
    """Makes the pins of one simulated matrix."""

    def __init__(self, matrix: "SimulatedMatrix") -> None:
        super().__init__(revision=_BOARD_REVISION, pin_class=_WiredPin)
        self.matrix = matrix

    def drives(self, number: int) -> bool | None:
        """Return the level that an output pin drives, or None for an input and for a pin not in use."""
        for info, pin in self.pins.items():
            if info.name == f"GPIO{number}":
                return bool(pin._state) if pin.function == "output" else None  # noqa: SLF001 - our own pin class
        return None


class SimulatedMatrix:
    """The board: pins for a :class:`kiosk.adapters.keypad_matrix.MatrixKeypad`, and keys to press."""

    def __init__(
        self,
        *,
        rows: Sequence[int] = ROW_PINS,
        columns: Sequence[int] = COLUMN_PINS,
        layout: Sequence[Sequence[Key]] = TELEPHONE_LAYOUT,
        rules: MatrixRules = DEFAULT_RULES,
        bounce_s: float = BOUNCE_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Wire it up, all keys up.

        Args:
            rows, columns, layout, rules: as the keypad has them; taps keep to the rules' times.
            bounce_s: 0 gives perfect contacts.
            monotonic: seconds; bounce and the pause between two taps of one key follow it.
        """
        self._rows = tuple(rows)
        self._columns = tuple(columns)
        self._where = {key: (row, column) for row, keys in enumerate(layout) for column, key in enumerate(keys)}
        self._contacts = {contact: _Contact() for contact in self._where.values()}
        self._rules = rules
        self._bounce_s = bounce_s
        self._monotonic = monotonic
        # Re-entrant: reading one pin asks for the level of all.
        self._lock = threading.RLock()
        self._taps: deque[_Tap] = deque()
        self._struck: tuple[Contact | None, float] = (None, 0.0)
        self._shorts = 0
        self.pins: Any = _WiredFactory(self)

    @property
    def shorts(self) -> int:
        """How often a pin was read while two outputs worked against each other. Zero, if the keypad is any good."""
        return self._shorts

    @property
    def taps_waiting(self) -> int:
        """Taps that are not over yet."""
        with self._lock:
            return len(self._taps)

    def press(self, key: Key) -> None:
        """Push a key down and leave the finger there.

        Raises:
            ValueError: there is no such key on this board.
        """
        self._move(self._contact_of(key), down=True)

    def release(self, key: Key) -> None:
        """Take the finger off; harmless on a key that is up.

        Raises:
            ValueError: there is no such key on this board.
        """
        self._move(self._contact_of(key), down=False)

    def tap(self, key: Key) -> None:
        """Press and release a key as a person does, after the taps before it. Returns at once.

        The same key twice is struck slowly enough to count twice. A tap goes on only while the pins are scanned.

        Raises:
            ValueError: there is no such key on this board.
            OverflowError: :data:`TAPS_MAX` taps are waiting.
        """
        contact = self._contact_of(key)
        with self._lock:
            if len(self._taps) >= TAPS_MAX:
                raise OverflowError(f"{TAPS_MAX} taps are waiting; is the keypad scanned at all?")
            self._taps.append(_Tap(contact))

    def level(self, number: int) -> bool:
        """Return the level on a pin's wire: what a meter would show.

        Args:
            number: BCM number.
        """
        with self._lock:
            self._on_strobe(number)
            wires = self._joined(number)
            driven = {level for wire in wires if (level := self.pins.drives(wire)) is not None}
            if driven == {True, False}:
                self._shorts += 1
            # Undriven wires rest high: every input of this board has its pull-up on.
            return False not in driven

    def _contact_of(self, key: Key) -> Contact:
        if key not in self._where:
            raise ValueError(f"this board has no key {key.value}")
        return self._where[key]

    def _move(self, place: Contact, *, down: bool) -> None:
        with self._lock:
            contact = self._contacts[place]
            if contact.down != down:
                contact.down = down
                contact.changed_at = self._monotonic()

    def _joined(self, number: int) -> set[int]:
        """Return all wires that closed contacts join to this one, itself included."""
        now = self._monotonic()
        closed = [
            (self._rows[row], self._columns[column])
            for (row, column), contact in self._contacts.items()
            if contact.is_closed(now, self._bounce_s)
        ]
        wires = {number}
        for _ in closed:
            wires.update(itertools.chain.from_iterable(pair for pair in closed if not wires.isdisjoint(pair)))
        return wires

    def _on_strobe(self, number: int) -> None:
        """Let the first waiting finger move on when its key is scanned: its column read while its row is driven low."""
        if not self._taps:
            return
        tap = self._taps[0]
        row, column = tap.contact
        if number != self._columns[column] or self.pins.drives(self._rows[row]) is not False:
            return
        scans = self._rules.stable_scans + SCANS_EXTRA
        if tap.held_for < scans:
            self._hold(tap)
        elif tap.rested_for < scans:
            self._rest(tap)
        else:
            self._taps.popleft()

    def _hold(self, tap: _Tap) -> None:
        now = self._monotonic()
        contact = self._contacts[tap.contact]
        if not contact.down:
            struck, when = self._struck
            if struck == tap.contact and now - when < self._rules.double_strike_s:
                return
            self._move(tap.contact, down=True)
        tap.held_for += now - contact.changed_at >= self._bounce_s
        # The end of the press counts, because the keypad has certainly seen it by then.
        self._struck = (tap.contact, now)

    def _rest(self, tap: _Tap) -> None:
        self._move(tap.contact, down=False)
        tap.rested_for += self._monotonic() - self._contacts[tap.contact].changed_at >= self._bounce_s
