"""Redeem requests between outbox and link: saved first, published until answered, the answer saved before anyone hears it.

The rules of when are pure and in :mod:`kiosk.domain.outbox`; this is their hands. Which requests are pending is read from the
disk at the start, so a kiosk that was killed goes on exactly where it stood.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from kiosk.app.answers import final_answer
from kiosk.domain.events import Answered
from kiosk.domain.outbox import (
    IN_FLIGHT_MAX,
    PENDING_MAX,
    BackOff,
    Delivery,
    Pending,
    is_due,
    published,
    reconnected,
)
from kiosk.ports import CrashPoint, Link, Outbox, OutboxRow, Passing
from protocol.envelope import Event
from protocol.errors import PortError
from protocol.messages import Answer
from protocol.topics import RequestKind

EXPIRY_S: Final = 60
"""How long the broker keeps a request that nobody fetches. It is published again anyway."""

log = logging.getLogger(__name__)


class Courier:
    """Sees every saved request through to its final answer."""

    def __init__(self, outbox: Outbox, link: Link, *, back_off: BackOff, passing: Passing) -> None:
        self._outbox = outbox
        self._link = link
        self._back_off = back_off
        self._passing = passing
        self._deliveries: dict[UUID, Delivery] = {}

    def load(self, now: float) -> None:
        """Take up what was pending when the program ended.

        Raises:
            PortError: the outbox cannot be read.
        """
        self._deliveries = {row.request.id: Pending(now) for row in self._outbox.pending(PENDING_MAX)}

    @property
    def pending_count(self) -> int:
        """Requests without a final answer."""
        return len(self._deliveries)

    def probe(self) -> None:
        """Raise what :meth:`save` would raise at this moment.

        Raises:
            PortError: no request can be saved now.
        """
        self._require_room()
        self._outbox.probe()

    def save(
        self, make: Callable[[int, str], Event], *, voucher_nos: Sequence[str], saved_at: datetime, now: float
    ) -> OutboxRow:
        """Save a request; it is due at once.

        Raises:
            PortError: it is not saved.
        """
        self._require_room()
        row = self._outbox.append(make, voucher_nos=voucher_nos, saved_at=saved_at)
        self._deliveries[row.request.id] = Pending(now)
        return row

    def _require_room(self) -> None:
        if len(self._deliveries) >= PENDING_MAX:
            raise PortError(f"{PENDING_MAX} requests wait for an answer; no more are taken", retry=True)

    def publish_due(self, now: float) -> None:
        """Publish what is due, the oldest first, a bounded number at a time.

        Raises:
            PortError: the outbox cannot be read.
        """
        due = [request_id for request_id, delivery in self._deliveries.items() if is_due(delivery, now)]
        for request_id in due[:IN_FLIGHT_MAX]:
            row = self._outbox.find(request_id)
            assert row is not None, "what is pending was saved"
            sent = self._link.publish(RequestKind.REDEEM, row.request, expiry_s=EXPIRY_S)
            self._deliveries[request_id] = published(self._deliveries[request_id], now, self._back_off)
            if sent:
                self._passing(CrashPoint.AFTER_PUBLISH)

    def reconnected(self, now: float) -> None:
        """The link is back."""
        self._deliveries = {request_id: reconnected(delivery, now) for request_id, delivery in self._deliveries.items()}

    def take(self, event: Event, answer: Answer) -> Answered | None:
        """Take an authentic answer and put it on the disk.

        Args:
            event: the answer as it came, which is what is kept.
            answer: its body, decoded.

        Returns:
            What the visit may hear, or None: not final, or to nothing that is pending. A repeated answer to a finished request
            is None too: it is on the disk already.

        Raises:
            PortError: it could not be saved. The request stays pending and will be answered again.
        """
        if event.id not in self._deliveries:
            return None
        row = self._outbox.find(event.id)
        assert row is not None, "what is pending was saved"
        final = final_answer(answer, row.request)
        if final is None:
            log.warning("request %s has no final answer yet: %s", event.id, type(answer).__name__)
            return None
        self._passing(CrashPoint.ANSWER_RECEIVED)
        self._outbox.store_answer(event.id, event)
        del self._deliveries[event.id]
        self._passing(CrashPoint.AFTER_ANSWER_STORED)
        return Answered(event.id, final)
