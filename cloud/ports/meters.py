"""What the long-running programs count for whoever watches over them.

Everything said here is a number about the program: how much, how long, how often. Nothing names a person, a voucher or a
device, and every distinction made is one of a fixed set, so that what is kept cannot grow with the traffic.

Telling a meter never fails and never waits: an order must not hang on its being counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from protocol.reasons import Reason
from protocol.topics import RequestKind

Outcome = tuple[RequestKind, Reason | None]
"""What was asked, and why it was refused; None where it was accepted."""


@dataclass(frozen=True, slots=True)
class SessionState:
    """How one of the region's sessions is at this worker, at this moment."""

    connected: bool
    """This worker holds it, and is connected."""
    waiting: int = 0
    """Messages that arrived and were not taken yet."""
    oldest_at_s: float | None = None
    """When the oldest of them arrived."""


@dataclass(frozen=True, slots=True)
class LineState:
    """How the line to the broker is at this moment."""

    sessions: Sequence[SessionState]
    """By number; of the whole region, whoever holds them."""
    reconnects: int
    """Connections lost since the start."""


class IngestMeters(Protocol):
    """Of the ingest worker, in the order of a round."""

    def took(self, count: int, *, oldest_at_s: float) -> None:
        """A round began with so many messages; the oldest arrived at that second of the clock that never runs backwards."""

    def committed(self, duration_s: float) -> None:
        """One transaction was judged and committed."""

    def retried(self) -> None:
        """The database failed, and what was at hand is tried again."""

    def answered(self, outcomes: Mapping[Outcome, int]) -> None:
        """So many answers of each outcome went out. One that is repeated counts again."""

    def parked(self, *, kept: int, dropped: int) -> None:
        """So many messages could not be proved or judged: written down, or only counted because they were too many."""

    def finished(self) -> None:
        """The round is acknowledged."""


class ScheduleMeters(Protocol):
    """Of the scheduler."""

    def settled(self, at: datetime) -> None:
        """A week was closed at that instant."""

    def due(self, at: datetime) -> None:
        """The next week is to be closed at that instant."""


class WebMeters(Protocol):
    """Of the pages; called from several threads."""

    def requested(self, route: str | None, status: int) -> None:
        """A request was answered.

        Args:
            route: the template of the address, with names in place of what was asked for; None if there is no such address.
        """

    def sign_in_refused(self, *, throttled: bool) -> None:
        """Somebody was not let in: after too many tries, or because login and password do not match."""


class Unmetered:
    """Counts nothing: for programs that nobody watches."""

    def took(self, count: int, *, oldest_at_s: float) -> None: ...
    def committed(self, duration_s: float) -> None: ...
    def retried(self) -> None: ...
    def answered(self, outcomes: Mapping[Outcome, int]) -> None: ...
    def parked(self, *, kept: int, dropped: int) -> None: ...
    def finished(self) -> None: ...
    def settled(self, at: datetime) -> None: ...
    def due(self, at: datetime) -> None: ...
    def requested(self, route: str | None, status: int) -> None: ...
    def sign_in_refused(self, *, throttled: bool) -> None: ...
