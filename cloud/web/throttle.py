"""A bounded counter of tries, in memory.

Kept in memory on purpose: a try must not cost a database write, and a restart that forgets the counts gives a guesser at most
one more round. It counts for this process; the web runs as one process. At :data:`KEYS_MAX` keys the one tried longest ago
is forgotten, so that nobody can fill the memory with invented logins.
"""

import threading
from collections import OrderedDict, deque
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=15)
KEYS_MAX = 10_000


class MemoryThrottle:
    """``Throttle`` of one process; safe to call from any of the web server's threads."""

    def __init__(self, *, window: timedelta = WINDOW, keys_max: int = KEYS_MAX) -> None:
        self._window = window
        self._keys_max = keys_max
        self._tries: OrderedDict[str, deque[datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, key: str, *, tries_max: int, now: datetime) -> int:
        with self._lock:
            tries = self._tries.setdefault(key, deque())
            self._tries.move_to_end(key)
            while tries and tries[0] <= now - self._window:
                tries.popleft()
            if len(tries) >= tries_max:
                # Rounded up: told to wait 0 seconds, a page would say "go on".
                return int((tries[0] + self._window - now).total_seconds()) + 1
            tries.append(now)
            while len(self._tries) > self._keys_max:
                self._tries.popitem(last=False)
            return 0

    def forget(self, key: str) -> None:
        with self._lock:
            self._tries.pop(key, None)
