"""From closed contacts of a key matrix to key presses: debounce, ghosts, double strikes. Pure.

Rules:

* A contact has changed once :data:`STABLE_SCANS` scans in a row say so. Scans are counted, not seconds, so a late scan
  makes a key slower, never wrong.
* One press gives one key. Holding gives no repeats.
* In a matrix without diodes three held keys on two rows and two columns close the fourth corner as well: a ghost. Four
  contacts that form a rectangle are therefore no presses, and nothing counts until all keys are let go.
* The same key again within :data:`DOUBLE_STRIKE_S` of its press is a slip of the hand, unless another key came between
  (EN 301 549 5.8).

The keypad board runs the same rules (``hardware/firmware/matrix.py``); one test feeds both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from kiosk.domain.keys import Key

Contact: TypeAlias = tuple[int, int]
"""Row and column, from zero."""

STABLE_SCANS: Final = 4
"""At five milliseconds a scan: 20 ms, twice as long as the contacts of a good key bounce."""

DOUBLE_STRIKE_S: Final = 0.15
"""Shorter than the quickest deliberate repeat (five a second), or the digits of an amount would be lost. EN 301 549 5.8 wants
up to half a second for hands that tremble: the kiosk's configuration takes ``double_strike_s``."""

TELEPHONE_LAYOUT: Final[tuple[tuple[Key, ...], ...]] = (
    (Key.DIGIT_1, Key.DIGIT_2, Key.DIGIT_3),
    (Key.DIGIT_4, Key.DIGIT_5, Key.DIGIT_6),
    (Key.DIGIT_7, Key.DIGIT_8, Key.DIGIT_9),
    (Key.CANCEL, Key.DIGIT_0, Key.OK),
)
"""EN 301 549 8.4.1: twelve keys in telephone order, here with cancel lower left and OK lower right."""


class DoubleStrike:
    """Tells a second strike of the same key from a second press."""

    def __init__(self, within_s: float = DOUBLE_STRIKE_S) -> None:
        self._within_s = within_s
        self._last: tuple[Key, float] | None = None

    def is_one(self, key: Key, now: float) -> bool:
        """Tell whether this press is a slip; if not, it becomes the last press.

        Args:
            now: seconds, monotonic.
        """
        if self._last is not None and self._last[0] == key and now - self._last[1] < self._within_s:
            return True
        self._last = (key, now)
        return False


@dataclass(frozen=True, slots=True)
class MatrixRules:
    """The named limits above, where a board needs others."""

    stable_scans: int = STABLE_SCANS
    double_strike_s: float = DOUBLE_STRIKE_S

    def __post_init__(self) -> None:
        if self.stable_scans < 1 or self.double_strike_s < 0:
            raise ValueError("stable_scans is at least 1 and double_strike_s not negative")


DEFAULT_RULES: Final = MatrixRules()


class KeyMatrix:
    """Decodes scans of one matrix. Whoever scans calls :meth:`feed` with what is closed."""

    def __init__(self, layout: Sequence[Sequence[Key]] = TELEPHONE_LAYOUT, rules: MatrixRules = DEFAULT_RULES) -> None:
        """Start with every key up.

        Args:
            layout: the key at each row and column.
        """
        self._layout = tuple(tuple(row) for row in layout)
        self._rules = rules
        self._double_strike = DoubleStrike(rules.double_strike_s)
        self._down: set[Contact] = set()
        self._differs: dict[Contact, int] = {}
        self._locked = False

    @property
    def down(self) -> frozenset[Contact]:
        """The contacts that are closed for certain, ghosts included."""
        return frozenset(self._down)

    @property
    def locked(self) -> bool:
        """True from a ghost until every key is let go."""
        return self._locked

    def feed(self, closed: frozenset[Contact], now: float) -> list[Key]:
        """Take one scan.

        Args:
            closed: contacts found closed; each lies within the layout.
            now: seconds, monotonic.

        Returns:
            The keys pressed by this scan, usually none.
        """
        if has_ghost(closed):
            self._locked = True
        pressed = self._settle(closed)
        if self._locked:
            self._locked = bool(closed or self._down)
            return []
        keys = (self._layout[row][column] for row, column in pressed)
        return [key for key in keys if not self._double_strike.is_one(key, now)]

    def _settle(self, closed: frozenset[Contact]) -> list[Contact]:
        """Count the scans that differ from what is held certain; return the contacts that have just closed."""
        self._differs = {contact: self._differs.get(contact, 0) + 1 for contact in sorted(closed ^ self._down)}
        changed = [contact for contact, scans in self._differs.items() if scans >= self._rules.stable_scans]
        for contact in changed:
            del self._differs[contact]
        pressed = [contact for contact in changed if contact not in self._down]
        self._down ^= set(changed)
        return pressed


def has_ghost(closed: frozenset[Contact]) -> bool:
    """Tell whether two rows share two closed columns: then one corner of the rectangle may be a ghost."""
    columns_of: dict[int, set[int]] = {}
    for row, column in closed:
        columns_of.setdefault(row, set()).add(column)
    rows = list(columns_of.values())
    return any(len(one & other) >= 2 for place, one in enumerate(rows) for other in rows[:place])
