"""The cloud as a kiosk sees it: checks, redeems, releases; the same answer for the same request for ever.

Small and strict: digits must open and be right, a voucher is redeemed once, the hash chain must hold.
"""

from dataclasses import dataclass, field

from protocol.chain import FIRST_SEQUENCE, GENESIS, link_of
from protocol.envelope import CLOUD_SOURCE, Event, answer_type, device_source, make_event
from protocol.ids import reference
from protocol.keys import DeviceKeys
from protocol.messages import (
    Answer,
    Check,
    CheckAccepted,
    Redeem,
    RedeemAccepted,
    Refusal,
    Refused,
    Release,
    Released,
    decode_request,
    encode_body,
)
from protocol.reasons import Reason
from protocol.seal import open_digits
from protocol.topics import RequestKind
from tests.support.kiosk import DEVICE_ID, KEYS

TIME = "2026-10-05T04:00:01Z"


@dataclass
class FakeVoucher:
    digits: str
    face_value_twd: int = 500
    programme_id: str = "programme-1"
    redeemed_by: str | None = None
    tries_left: int = 5


@dataclass
class FakeCloud:
    """Judges one device's requests."""

    vouchers: dict[str, FakeVoucher] = field(default_factory=dict)
    answers: dict[str, Event] = field(default_factory=dict)
    holds: set[str] = field(default_factory=set)
    bodies: list[bytes] = field(default_factory=list)
    """Redeem requests in order of sequence."""
    busy: int = 0
    """So many redeem requests are put off."""
    keys: DeviceKeys = KEYS
    device_id: str = DEVICE_ID

    def judge(self, kind: RequestKind, event: Event) -> Event:
        """Return the answer, byte-identical for a repeated request."""
        assert event.is_from(self.keys.request)
        assert event.source == device_source(self.device_id)
        if str(event.id) not in self.answers:
            if kind is RequestKind.REDEEM and self.busy > 0:
                self.busy -= 1
                return self._wrap(kind, Refused(request_id=event.id, reason=Reason.BUSY))
            self.answers[str(event.id)] = self._wrap(kind, self._decide(kind, event))
        return self.answers[str(event.id)]

    @property
    def redeemed_twd(self) -> int:
        return sum(voucher.face_value_twd for voucher in self.vouchers.values() if voucher.redeemed_by is not None)

    def _decide(self, kind: RequestKind, event: Event) -> Answer:
        request = decode_request(kind, event.body)
        if isinstance(request, Release):
            self.holds -= set(request.vouchers)
            return Released(request_id=event.id)
        if isinstance(request, Redeem):
            self._chain(request, event.body)
        refusals = self._refusals(event, request)
        if refusals:
            return Refused(request_id=event.id, reason=refusals[0].reason, refusals=refusals)
        if isinstance(request, Check):
            self.holds.add(request.voucher_no)
            voucher = self.vouchers[request.voucher_no]
            return CheckAccepted(
                request_id=event.id,
                voucher_no=request.voucher_no,
                face_value_twd=voucher.face_value_twd,
                hold_until=TIME,
                programme_id=voucher.programme_id,
            )
        return self._redeem(event, request)

    def _redeem(self, event: Event, request: Redeem) -> RedeemAccepted:
        for number in request.vouchers:
            self.vouchers[number].redeemed_by = str(event.id)
        self.holds -= set(request.vouchers)
        worth = sum(self.vouchers[number].face_value_twd for number in request.vouchers)
        return RedeemAccepted(
            request_id=event.id,
            reference=reference(event.id),
            redeemed_at=TIME,
            voucher_count=len(request.vouchers),
            redeemed_twd=worth,
            order_total_twd=request.order_total_twd,
            topup_twd=max(0, request.order_total_twd - worth),
        )

    def _chain(self, request: Redeem, body: bytes) -> None:
        assert request.sequence == FIRST_SEQUENCE + len(self.bodies), "the sequence has a gap"
        assert request.previous == (link_of(self.bodies[-1]) if self.bodies else GENESIS), "the chain is broken"
        self.bodies.append(body)

    def _refusals(self, event: Event, request: Check | Redeem) -> list[Refusal]:
        numbers = request.voucher_nos
        digits = open_digits(self.keys.seal, request.sealed, device_id=self.device_id, request_id=event.id, voucher_nos=numbers)
        found = [self._refusal(number, four) for number, four in zip(numbers, digits, strict=True)]
        return [refusal for refusal in found if refusal is not None]

    def _refusal(self, number: str, four: str) -> Refusal | None:
        voucher = self.vouchers.get(number)
        if voucher is None:
            return Refusal(voucher_no=number, reason=Reason.NO_MATCH, tries_left=4)
        if voucher.tries_left == 0:
            return Refusal(voucher_no=number, reason=Reason.TRIES_EXHAUSTED)
        if four != voucher.digits:
            voucher.tries_left -= 1
            return Refusal(voucher_no=number, reason=Reason.NO_MATCH, tries_left=voucher.tries_left)
        if voucher.redeemed_by is not None:
            return Refusal(voucher_no=number, reason=Reason.ALREADY_REDEEMED, at=TIME, site="Test Station")
        return None

    def _wrap(self, kind: RequestKind, answer: Answer) -> Event:
        body = encode_body(answer)
        return make_event(
            self.keys.answer, id=answer.request_id, source=CLOUD_SOURCE, type=answer_type(kind), time=TIME, body=body
        )
