"""From closed contacts of the key matrix to key presses: debounce, ghosts, double strikes. Pure; MicroPython and CPython.

The same rules as the kiosk's own matrix (kiosk/domain/matrix.py), on bit sets: bit 3 * row + column is one key. A test
feeds both with the same scans and compares.

* A contact has changed once STABLE_SCANS scans in a row say so. One press gives one key, holding gives no repeats.
* Contacts that form a rectangle may be ghosts: nothing counts until all keys are let go.
* The same key again within DOUBLE_STRIKE_MS of its press does not count, unless another key came between.
"""

ROWS = 4
COLUMNS = 3
KEYS = ROWS * COLUMNS

STABLE_SCANS = 4
DOUBLE_STRIKE_MS = 150

TICKS_MASK = (1 << 30) - 1
"""MicroPython's millisecond ticks wrap here, after twelve days."""

_ROW_BITS = (1 << COLUMNS) - 1


class KeyMatrix:
    """Decodes scans of the matrix."""

    def __init__(self, stable_scans: int = STABLE_SCANS, double_strike_ms: int = DOUBLE_STRIKE_MS) -> None:
        """Start with every key up.

        Raises:
            ValueError: no scans, or a time longer than the ticks can tell.
        """
        if stable_scans < 1 or not 0 <= double_strike_ms < TICKS_MASK:
            raise ValueError("stable_scans or double_strike_ms out of range")
        self._stable_scans = stable_scans
        self._double_strike_ms = double_strike_ms
        self._differs = bytearray(KEYS)
        self._last_key = -1
        self._last_ms = 0
        self.down = 0
        """Contacts that are closed for certain, ghosts included."""
        self.locked = False
        """True from a ghost until every key is let go."""

    def feed(self, closed: int, now_ms: int) -> list[int]:
        """Take one scan.

        Args:
            closed: bit set of contacts found closed.
            now_ms: milliseconds since some moment; may wrap as MicroPython's ticks do.

        Returns:
            Numbers of the keys pressed by this scan, 0 to 11, usually none.
        """
        if has_ghost(closed):
            self.locked = True
        pressed = self._settle(closed)
        if self.locked:
            self.locked = bool(closed or self.down)
            return []
        return [key for key in pressed if not self._is_double_strike(key, now_ms)]

    def _settle(self, closed: int) -> list[int]:
        pressed: list[int] = []
        for key in range(KEYS):
            bit = 1 << key
            if not (closed ^ self.down) & bit:
                self._differs[key] = 0
                continue
            self._differs[key] += 1
            if self._differs[key] >= self._stable_scans:
                self._differs[key] = 0
                self.down ^= bit
                if self.down & bit:
                    pressed.append(key)
        return pressed

    def _is_double_strike(self, key: int, now_ms: int) -> bool:
        if key == self._last_key and (now_ms - self._last_ms) & TICKS_MASK < self._double_strike_ms:
            return True
        self._last_key = key
        self._last_ms = now_ms
        return False


def has_ghost(closed: int) -> bool:
    """Tell whether two rows share two closed columns."""
    rows = [(closed >> (COLUMNS * row)) & _ROW_BITS for row in range(ROWS)]
    for place in range(ROWS):
        for other in range(place):
            common = rows[place] & rows[other]
            if common & (common - 1):  # more than one bit
                return True
    return False
