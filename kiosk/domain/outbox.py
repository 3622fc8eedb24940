"""One row of the outbox: when to publish it, and when to stop. And the chain over all rows.

A request is published at once, then again with growing pauses until its authentic final answer is on the disk, and anew as
soon as the link comes back. Publishing is free of danger (the cloud gives the same answer to the same request), so the only
question is how often. Nothing that the broker says ends it: an acknowledged publish proves nothing (ADR 0001).

A final row stays final whatever comes: no event leads from :class:`Final` back to :class:`Pending`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final as Const
from typing import TypeAlias

from protocol.chain import FIRST_SEQUENCE, GENESIS, link_of
from protocol.errors import ProtocolError
from protocol.messages import Redeem, decode_request
from protocol.topics import RequestKind

PENDING_MAX: Const = 1_000
"""More requests without an answer than this are not taken: the cloud has not answered for days, and staff must see that."""

IN_FLIGHT_MAX: Const = 20
"""How many are published in one go."""


@dataclass(frozen=True, slots=True)
class BackOff:
    """Pauses between two publishes of one request, in seconds."""

    first_s: float = 2
    factor: float = 2
    longest_s: float = 20
    """Well below the 60 seconds within which everything is final once the world is whole again."""

    def pause_s(self, attempts: int) -> float:
        """Return the pause after this many publishes, at least one."""
        # The exponent is bounded so that a request that waits for weeks does not overflow a float.
        return min(self.longest_s, self.first_s * self.factor ** min(attempts - 1, 32))


@dataclass(frozen=True, slots=True)
class Pending:
    """No final answer yet."""

    due_at: float
    """Monotonic seconds."""
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Final:
    """The final answer is on the disk."""


Delivery: TypeAlias = Pending | Final


def is_due(delivery: Delivery, now: float) -> bool:
    """Tell whether to publish now."""
    return isinstance(delivery, Pending) and now >= delivery.due_at


def published(delivery: Delivery, now: float, back_off: BackOff) -> Delivery:
    """The request was handed to the network, or the network did not take it: try again after a pause."""
    if isinstance(delivery, Final):
        return delivery
    attempts = delivery.attempts + 1
    return Pending(now + back_off.pause_s(attempts), attempts)


def reconnected(delivery: Delivery, now: float) -> Delivery:
    """The link is back: publish at once, with short pauses again."""
    return delivery if isinstance(delivery, Final) else Pending(now)


def answered(_delivery: Delivery) -> Delivery:
    """The authentic final answer is on the disk."""
    return Final()


def find_break(rows: Iterable[tuple[int, bytes]]) -> str | None:
    """Check the chain over all rows in order: (sequence, request body).

    Returns:
        What is wrong with the first row that does not fit, or None.
    """
    sequence, previous = FIRST_SEQUENCE, GENESIS
    for found, body in rows:
        if found != sequence:
            return f"request {sequence} is missing"
        try:
            request = decode_request(RequestKind.REDEEM, body)
        except ProtocolError:
            return f"request {sequence} cannot be read"
        assert isinstance(request, Redeem)
        if request.sequence != sequence or request.previous != previous:
            return f"request {sequence} does not follow from the one before it"
        sequence, previous = sequence + 1, link_of(body)
    return None
