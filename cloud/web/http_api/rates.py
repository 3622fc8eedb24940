"""How many requests a key may send: a window of a minute that begins with its first request.

In memory of the one web process, like the other throttles: a request must not cost a write, and a restart that forgets is
harmless. At :data:`KEYS_MAX` the key that asked longest ago is forgotten.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

REQUESTS_MAX: Final = 600
WINDOW: Final = timedelta(minutes=1)
KEYS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a key's window."""

    admitted: bool
    left: int
    resets_s: int

    @property
    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers spells it."""
        policy = f'"key";q={REQUESTS_MAX};w={int(WINDOW.total_seconds())}'
        return {"RateLimit-Policy": policy, "RateLimit": f'"key";r={self.left};t={self.resets_s}'}


class RateMeter:
    """Counts per key; safe to call from any thread."""

    def __init__(self, *, requests_max: int = REQUESTS_MAX) -> None:
        self._requests_max = requests_max
        self._windows: OrderedDict[str, tuple[datetime, int]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key_id: str, *, now: datetime) -> Allowance:
        """Count one request."""
        with self._lock:
            began, count = self._windows.pop(key_id, (now, 0))
            if now >= began + WINDOW or now < began:
                began, count = now, 0
            admitted = count < self._requests_max
            count += admitted
            self._windows[key_id] = (began, count)
            while len(self._windows) > KEYS_MAX:
                self._windows.popitem(last=False)
        # Rounded up: told to come back in 0 seconds, a program would try at once.
        return Allowance(admitted, self._requests_max - count, int((began + WINDOW - now).total_seconds()) + 1)
