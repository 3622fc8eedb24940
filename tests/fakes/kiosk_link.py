"""A link with physics: it loses, doubles and reorders as its seed says, and works only while it is connected.

Nothing happens by itself: the test connects it, takes what was sent, and answers. So the same seed gives the same run.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from protocol.envelope import Event
from protocol.limits import BODY_BYTES_MAX
from protocol.topics import RequestKind

IN_FLIGHT_MAX = 64


@dataclass(frozen=True)
class Weather:
    """Chances, 0 to 1, for each message in each direction."""

    loss: float = 0
    doubling: float = 0
    reordering: float = 0


class FakeLink:
    """See :class:`kiosk.ports.Link`."""

    def __init__(self, weather: Weather | None = None, *, seed: int = 0) -> None:
        self.weather = weather or Weather()
        self._rng = random.Random(seed)
        self._connected = False
        self._sent: list[tuple[RequestKind, Event]] = []
        self._on_answer: Callable[[RequestKind, Event], None] = lambda _kind, _event: None
        self._on_connection: Callable[[bool], None] = lambda _connected: None
        self._state: bytes | None = None
        self.retained: bytes | None = None
        """What the broker keeps as this kiosk's presence."""
        self.expiries: list[int | None] = []

    def start(self, on_answer: Callable[[RequestKind, Event], None], on_connection: Callable[[bool], None]) -> None:
        self._on_answer, self._on_connection = on_answer, on_connection

    def publish(self, kind: RequestKind, event: Event, *, expiry_s: int | None = None) -> bool:
        if len(event.body) > BODY_BYTES_MAX:
            raise ValueError("above the limit")
        if not self._connected or len(self._sent) >= IN_FLIGHT_MAX:
            return False
        self.expiries.append(expiry_s)
        self._sent += [(kind, event)] * self._copies()
        return True

    def report(self, state: bytes) -> None:
        self._state = state
        if self._connected:
            self.retained = state

    def close(self) -> None:
        self._connected = False

    # The world's side --------------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """The broker is there."""
        if not self._connected:
            self._connected = True
            self.retained = self._state
            self._on_connection(True)

    def disconnect(self) -> None:
        """The line is cut; what was on it is lost."""
        if self._connected:
            self._connected = False
            self._sent.clear()
            self._on_connection(False)

    def take_sent(self) -> list[tuple[RequestKind, Event]]:
        """What arrives at the cloud now."""
        sent, self._sent = self._sent, []
        if self._rng.random() < self.weather.reordering:
            self._rng.shuffle(sent)
        return sent

    def answer(self, kind: RequestKind, event: Event) -> None:
        """The cloud publishes an answer."""
        if self._connected:
            for _ in range(self._copies()):
                self._on_answer(kind, event)

    def _copies(self) -> int:
        if self._rng.random() < self.weather.loss:
            return 0
        return 2 if self._rng.random() < self.weather.doubling else 1
