"""Sees every message and every screen, remembers what was said, and notes at once what must never be.

It believes nobody: what was asked it takes from the wire, what was answered from the worker's lips, what was shown from the
view. The database is compared with it at the end, by :mod:`tests.simulation.checkers`.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cloud.domain.records import Ask, StoredAnswer
from protocol.envelope import Event
from protocol.limits import DIGIT_TRIES_MAX
from protocol.messages import RedeemAccepted, Refused, decode_answer, decode_request
from protocol.reasons import Reason
from protocol.topics import RequestKind

LEGEND: Final = "αβγδεζηθικ"
"""What the digit keys stand for in an ID: symbols that occur nowhere else, so that finding one is finding a leak."""

NOT_FINAL: Final = frozenset({Reason.BUSY})
NOT_STORED: Final = frozenset({Reason.BUSY, Reason.REQUEST_CONFLICT, Reason.MALFORMED})


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it first went out."""

    device_id: str
    kind: RequestKind
    event: Event
    voucher_nos: tuple[str, ...]


class Witness:
    """Memory of one seed."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self.violations: list[str] = []
        self.asked: dict[UUID, Asked] = {}
        self.saved: dict[UUID, str] = {}
        """Device by redeem request: on its disk before anything else happens to it."""
        self.stored: dict[UUID, Event] = {}
        """Answers that a kiosk has on its disk."""
        self.emitted: dict[tuple[UUID, str], tuple[bytes, str, str]] = {}
        """Final answers as first sent (body, time, proof), by request and type: a hostile broker may put a redeem request on
        another topic, where it is malformed, and a kiosk believes an answer only on its own."""
        self.redeemed_by: dict[str, set[UUID]] = defaultdict(set)
        """Accepted requests by voucher, as said to kiosks and staff."""
        self.wrong: dict[str, set[UUID]] = defaultdict(set)
        """Requests that were told that a guess was wrong, by voucher."""
        self.done: dict[UUID, str] = {}
        """Device by request that was shown as done."""
        self.refused: Counter[str] = Counter()

    def complain(self, rule: str, text: str) -> None:
        """Note a broken rule."""
        self._note(f"VIOLATION {rule}: {text}")
        self.violations.append(f"{rule}: {text}")

    # Kiosks ------------------------------------------------------------------------------------------------------------

    def saved_request(self, device_id: str, event: Event) -> None:
        """A kiosk has a request on its disk."""
        self.saved[event.id] = device_id

    def stored_answer(self, answer: Event) -> None:
        """A kiosk has an answer on its disk."""
        before = self.stored.setdefault(answer.id, answer)
        if before.body != answer.body:
            self.complain("one answer", f"the kiosk stored two answers to {answer.id}")

    def published(self, device_id: str, kind: RequestKind, event: Event) -> None:
        """A kiosk sends."""
        self._note(f"publish {device_id} {kind} {event.id}")
        self.look_for_digits("a message", event.body)
        numbers = tuple(decode_request(kind, event.body).voucher_nos)
        before = self.asked.setdefault(event.id, Asked(device_id, kind, event, numbers))
        if before.event != event:
            self.complain("minted once", f"request {event.id} went out in two shapes")
        if kind is RequestKind.REDEEM and event.id not in self.saved:
            self.complain("saved first", f"request {event.id} went out before it was on the disk")

    def showed_done(self, device_id: str, request_id: UUID | None, *, is_authentic: bool) -> None:
        """A kiosk says that it succeeded."""
        if request_id is None or not is_authentic:
            self.complain("true success", f"{device_id} shows success without an authentic answer on its disk")
        else:
            self.done[request_id] = device_id

    # Cloud -------------------------------------------------------------------------------------------------------------

    def answered(self, topic: str, event: Event) -> None:
        """A worker sends an answer, wherever it ends up."""
        answer = decode_answer(event.body)
        self._note(f"answer {topic} {event.id} {type(answer).__name__} {getattr(answer, 'reason', '')}")
        self.look_for_digits("an answer", event.body)
        if isinstance(answer, Refused) and answer.reason in NOT_FINAL:
            return
        said = (event.body, event.time, event.auth)
        if self.emitted.setdefault((event.id, event.type), said) != said:
            self.complain("one answer", f"request {event.id} was answered twice, differently")
        asked = self.asked.get(event.id)
        self._learn(event.id, answer, () if asked is None else asked.voucher_nos)

    def answered_staff(self, ask: Ask, stored: StoredAnswer) -> None:
        """A member of staff gets an answer."""
        answer = decode_answer(stored.answer)
        self._note(f"answer {ask.sender_id} {ask.request_id} {type(answer).__name__} {getattr(answer, 'reason', '')}")
        if not (isinstance(answer, Refused) and answer.reason in NOT_FINAL):
            said = (stored.answer, "", "")
            if self.emitted.setdefault((ask.request_id, "staff"), said) != said:
                self.complain("one answer", f"request {ask.request_id} of staff was answered twice, differently")
            self._learn(ask.request_id, answer, ask.request.voucher_nos)

    def _learn(self, request_id: UUID, answer: object, voucher_nos: Iterable[str]) -> None:
        if isinstance(answer, RedeemAccepted):
            for number in voucher_nos:
                self.redeemed_by[number].add(request_id)
                if len(self.redeemed_by[number]) > 1:
                    self.complain("once only", f"voucher {number} was accepted in {len(self.redeemed_by[number])} orders")
        elif isinstance(answer, Refused):
            self.refused[answer.reason] += 1
            for refusal in answer.refusals:
                if refusal.reason is Reason.NO_MATCH:
                    self.wrong[refusal.voucher_no].add(request_id)
                    if len(self.wrong[refusal.voucher_no]) > DIGIT_TRIES_MAX:
                        self.complain("five tries", f"voucher {refusal.voucher_no} took more than {DIGIT_TRIES_MAX} guesses")

    # Everybody ---------------------------------------------------------------------------------------------------------

    def look_for_digits(self, where: str, content: bytes) -> None:
        """Complain if a digit of an ID stands in clear where it must not."""
        text = content.decode("utf-8", "replace")
        if any(symbol in text for symbol in LEGEND):
            self.complain("no digits", f"{where} shows digits of an ID")


def is_acceptance(answer: Event) -> bool:
    """Tell whether an answer to a redeem request accepts it."""
    return isinstance(decode_answer(answer.body), RedeemAccepted)


class ListeningHandler(logging.Handler):
    """Reads every log line for digits; prints nothing."""

    def __init__(self, witness: Witness) -> None:
        super().__init__()
        self._witness = witness

    def emit(self, record: logging.LogRecord) -> None:
        self._witness.look_for_digits("a log line", record.getMessage().encode())
