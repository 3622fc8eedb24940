"""Keys that come from the kiosk's page: touch buttons, or a computer's keyboard.

The page must drop a keyboard's auto-repeats (``event.repeat``); this class drops the same key within
:data:`DOUBLE_STRIKE_S`, a finger that trembles on the glass.
"""

import threading
import time
from collections.abc import Callable

from kiosk.domain.keys import Key
from kiosk.domain.matrix import DoubleStrike

DOUBLE_STRIKE_S = 0.1
"""Shorter than on the metal keys: people type on glass and keyboards faster, and see each digit appear."""


class ScreenKeypad:
    """Implements :class:`kiosk.ports.Keypad`; the web server feeds it from its threads."""

    def __init__(self, *, double_strike_s: float = DOUBLE_STRIKE_S, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Wait for :meth:`start`.

        Args:
            double_strike_s: 0 takes every press.
            monotonic: seconds.
        """
        self._double_strike = DoubleStrike(double_strike_s)
        self._monotonic = monotonic
        # Re-entrant: the callback may close the keypad.
        self._lock = threading.RLock()
        self._on_key: Callable[[Key], None] | None = None
        self._closed = False

    def start(self, on_key: Callable[[Key], None]) -> None:
        """Pass on what is fed from now on.

        Args:
            on_key: called from the feeding thread; neither blocks nor raises.

        Raises:
            RuntimeError: started before, or closed.
        """
        with self._lock:
            if self._on_key is not None or self._closed:
                raise RuntimeError("a keypad is started once")
            self._on_key = on_key

    def feed(self, key: Key) -> bool:
        """Take a press from the page.

        Returns:
            Whether it was passed on: not before the start, not after the end, not a double strike.
        """
        with self._lock:
            if self._on_key is None or self._closed or self._double_strike.is_one(key, self._monotonic()):
                return False
            # Inside the lock, so that two fast presses arrive in the order in which they were fed.
            self._on_key(key)
            return True

    def close(self) -> None:
        """Take no more keys."""
        with self._lock:
            self._closed = True
