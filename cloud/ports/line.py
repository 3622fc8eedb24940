"""The line to the kiosks, as the ingest loop sees it: take what queued, answer, acknowledge.

The line proves nothing. A message may come twice, late or from somebody else; an acknowledgement only spares the broker
from sending it again.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from protocol.envelope import Event


class Delivery(msgspec.Struct, frozen=True):
    """One message as it arrived. A struct, because there are tens of thousands of them in a second."""

    topic: str
    payload: bytes
    properties: tuple[tuple[str, str], ...]
    """MQTT user properties."""
    retained: bool
    """The broker kept it from an earlier time."""
    connection: int
    """Which connection brought it. Acknowledging it on another one could hit another message."""
    packet_id: int
    arrived_at_s: float
    """When, on the worker's clock that never runs backwards."""


class Line(Protocol):
    """An open line."""

    def take(self, count_max: int, *, wait_s: float) -> Sequence[Delivery]:
        """Return everything that queued, at most ``count_max``; wait up to ``wait_s`` for the first one.

        Raises:
            PortError: the line is dead and will not recover by itself (``retry`` is False).
        """

    def take_more(self, count_max: int) -> Sequence[Delivery]:
        """Return what has queued by now, at most ``count_max``. For the middle of a round: nobody leaves before its end."""

    def publish(self, topic: str, event: Event) -> None:
        """Send at least once, or not at all if the line breaks: the kiosk asks again. Leaves with the next :meth:`flush`."""

    def acknowledge(self, delivery: Delivery) -> None:
        """Tell the broker that the message needs no further delivery. Leaves with the next :meth:`flush`.

        Does nothing where its connection is gone, or goes before that.
        """

    def flush(self) -> None:
        """Let out what was published and acknowledged, all at once and in that order. :meth:`take` does so too."""
