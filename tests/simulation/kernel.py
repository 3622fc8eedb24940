"""Virtual time: a heap of things to do, one random generator, and a trace that is the same whenever the seed is.

Nothing in a simulation may ask another clock, another generator, or depend on the order of a set. Everything of importance is
noted; two runs of one seed must have the same hash over their notes.
"""

import hashlib
import heapq
import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from tests.simulation.weather import LIKELY, Weather

EVENTS_MAX: Final = 2_000_000
"""A seed that needs more than this turns in circles."""


class PowerCut(BaseException):
    """The machine dies at this very place. No ``except Exception`` of the code under test may survive it."""


class Kernel:
    """Time, chance and the trace of one seed."""

    def __init__(self, seed: int, *, weather: Weather, begins_at: datetime, tell: Callable[[str], None] | None = None) -> None:
        """Start at zero.

        Args:
            tell: gets every note as a line, for looking at one seed.
        """
        self.rng = random.Random(seed)
        self.weather = weather
        self.now_s = 0.0
        self.struck: Counter[str] = Counter()
        """How often each kind of fault happened."""
        self.deaths: Counter[str] = Counter()
        """How often a machine died, by place."""
        self.events = 0
        self._begins_at = begins_at
        self._tell = tell
        self._digest = hashlib.blake2b(digest_size=16)
        self._heap: list[tuple[float, float, int, Callable[[], None]]] = []
        self._pushed = 0

    def now(self) -> datetime:
        """The true time, UTC: what the cloud's clock says."""
        return self._begins_at + timedelta(seconds=self.now_s)

    def after(self, delay_s: float, act: Callable[[], None]) -> None:
        """Do something later. What falls on the same moment happens in random order."""
        self._pushed += 1
        heapq.heappush(self._heap, (self.now_s + delay_s, self.rng.random(), self._pushed, act))

    def run_for(self, seconds: float, *, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass; stop early, and say so, as soon as ``until`` holds after an event."""
        end_s = self.now_s + seconds
        while self._heap and self._heap[0][0] <= end_s:
            self.now_s, _, _, act = heapq.heappop(self._heap)
            self.events += 1
            if self.events > EVENTS_MAX:
                raise AssertionError(f"more than {EVENTS_MAX} events: the simulation turns in circles")
            act()
            if until():
                return True
        self.now_s = end_s
        return False

    def strikes(self, chance: float, fault: str) -> bool:
        """Decide whether a fault happens now, and count it."""
        struck = chance > 0 and self.rng.random() < chance
        if struck:
            self.struck[fault] += 1
        return struck

    def kiosk_may_die(self, place: str) -> None:
        """Pass a boundary of an effect.

        Raises:
            PowerCut: the kiosk dies here.
        """
        weather = self.weather
        self._may_die("kiosk power cut", place, weather.kiosk_power_cut, likely=place == weather.kiosk_place)

    def worker_may_die(self, place: str) -> None:
        """Pass a point of a round.

        Raises:
            PowerCut: the worker dies here.
        """
        weather = self.weather
        self._may_die("worker crash", place, weather.worker_crash, likely=place == weather.worker_place)

    def _may_die(self, fault: str, place: str, chance: float, *, likely: bool) -> None:
        if self.strikes(LIKELY if likely else chance, fault):
            self.deaths[place] += 1
            raise PowerCut(place)

    def delay_s(self, mean_s: float) -> float:
        """A waiting time: mostly shorter than the mean, sometimes much longer."""
        return self.rng.expovariate(1 / mean_s)

    def note(self, text: str) -> None:
        """Write into the trace."""
        line = f"{self.now_s:.6f} {text}"
        self._digest.update(line.encode())
        if self._tell is not None:
            self._tell(line)

    @property
    def trace_hash(self) -> str:
        """Hash over all notes so far."""
        return self._digest.hexdigest()
