"""Checks that wait for an answer.

A check is a courtesy and lives in memory only. While its customer still waits it is sent again and again, always as the same
message, so the cloud counts wrong digits once. Its answer is believed once; what comes later finds nothing.
"""

from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from kiosk.domain.effects import SendCheck
from kiosk.domain.events import Checked
from kiosk.ports import Link
from protocol.envelope import Event
from protocol.messages import Answer, CheckAccepted, Refused
from protocol.topics import RequestKind

OPEN_MAX: Final = 32
"""Older ones are forgotten: their customers left long ago, and their holds end by themselves."""

EXPIRY_MARGIN_S: Final = 2

RESEND_S: Final = 2.5
"""A check that reached nobody (the worker was just starting) is asked once more well before the customer gives up."""


@dataclass(frozen=True, slots=True)
class _Open:
    question: SendCheck
    event: Event
    useful_until: float
    due_at: float


class Checks:
    """The open checks of this kiosk."""

    def __init__(self, link: Link, *, wait_s: float) -> None:
        self._link = link
        self._wait_s = wait_s
        self._open: dict[UUID, _Open] = {}

    def ask(self, question: SendCheck, event: Event, now: float) -> None:
        """Send a check; where the link is down, as soon as it is up, if that is soon enough."""
        while len(self._open) >= OPEN_MAX:
            del self._open[next(iter(self._open))]
        self._open[event.id] = _Open(question, event, now + self._wait_s, now)
        self.send_due(now)

    def reconnected(self, now: float) -> None:
        """A new connection knows nothing of the old one's messages: send again what somebody still waits for."""
        self._open = {request_id: replace(check, due_at=now) for request_id, check in self._open.items()}
        self.send_due(now)

    def send_due(self, now: float) -> None:
        """Send what somebody still waits for; at once again where the network did not take it, else after a pause."""
        for request_id, check in tuple(self._open.items()):
            left_s = check.useful_until - now
            if left_s > 0 and now >= check.due_at:
                is_sent = self._link.publish(RequestKind.CHECK, check.event, expiry_s=int(left_s) + EXPIRY_MARGIN_S)
                self._open[request_id] = replace(check, due_at=now + RESEND_S if is_sent else now)

    def take(self, answer: Answer) -> Checked | None:
        """Take an authentic answer; None if it answers no open check."""
        check = self._open.get(answer.request_id)
        if check is None or not isinstance(answer, CheckAccepted | Refused):
            return None
        if isinstance(answer, CheckAccepted) and answer.voucher_no != check.question.voucher_no:
            return None
        del self._open[answer.request_id]
        return Checked(check.question.visit, check.question.ask, check.question.voucher_no, answer)
