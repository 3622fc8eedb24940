"""What a till does: check, redeem, let go. The same judge, the same tries, holds and throttles as at a kiosk or on a phone.

One truth: an ``Idempotency-Key`` becomes the id of the request, so what the judge keeps for it is what is answered, for ever
and byte for byte; there is no second record of it. The same key with another body is the judge's conflict.
"""

import hashlib
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flask import Response

from cloud.services.ask import Counter, ask_judge
from cloud.web.http_api.bodies import CheckRequest, OrderRequest, ReleaseRequest
from cloud.web.http_api.operations import API_PATH, Answer, Call
from cloud.web.http_api.parts import ApiParts
from cloud.web.http_api.problems import ApiError, invalid, refused_response
from cloud.web.staff import CHECKS_MAX
from protocol.chain import FIRST_SEQUENCE, GENESIS
from protocol.messages import Check, Redeem, Refused, Release, Request, decode_answer
from protocol.reasons import Reason
from protocol.topics import RequestKind

_CONTEXT: Final = b"vk1 api request\0"


class Till:
    """Answers the operations that ask the judge."""

    def __init__(self, parts: ApiParts) -> None:
        self._parts = parts

    def check(self, call: Call) -> Answer | Response:
        """Verify one voucher and hold it."""
        asked: CheckRequest = call.body
        request_id = request_id_of(call, RequestKind.CHECK)
        self._throttle(call, 1)
        body = Check(visit_id=asked.visit_id or request_id, voucher_no=asked.voucher_no, sealed="")
        return self._ask(call, RequestKind.CHECK, request_id, body, [asked.last_four])

    def redeem(self, call: Call) -> Answer | Response:
        """Redeem an order."""
        asked: OrderRequest = call.body
        numbers = [one.voucher_no for one in asked.vouchers]
        _check_all_different(numbers)
        request_id = request_id_of(call, RequestKind.REDEEM)
        # Every voucher of an order is a try of its digits, whether they were checked before or not.
        self._throttle(call, len(numbers))
        body = Redeem(
            visit_id=asked.visit_id or request_id,
            vouchers=numbers,
            sealed="",
            item_category=asked.item_category,
            order_total_twd=asked.order_total_twd,
            sequence=FIRST_SEQUENCE,
            previous=GENESIS,
        )
        location = f"{API_PATH}/orders/{request_id}"
        return self._ask(call, RequestKind.REDEEM, request_id, body, [one.last_four for one in asked.vouchers], location)

    def release(self, call: Call) -> Answer | Response:
        """Let go of what a visit holds."""
        asked: ReleaseRequest = call.body
        _check_all_different(asked.vouchers)
        body = Release(visit_id=asked.visit_id, vouchers=asked.vouchers)
        return self._ask(call, RequestKind.RELEASE, request_id_of(call, RequestKind.RELEASE), body, ())

    def _throttle(self, call: Call, tries: int) -> None:
        now = self._parts.wall_clock.now()
        for _ in range(tries):
            wait_s = self._parts.throttle.admit(f"check {call.key.key_id}", tries_max=CHECKS_MAX, now=now)
            if wait_s:
                raise ApiError("too_many_requests", headers={"Retry-After": str(wait_s)})

    def _ask(
        self,
        call: Call,
        kind: RequestKind,
        request_id: UUID,
        body: Request,
        digits: Sequence[str],
        location: str | None = None,
    ) -> Answer | Response:
        counter = Counter(self._parts.scan.store, self._parts.scan.digit_tag, call.key.key_id)
        stored = ask_judge(counter, kind, request_id, body, digits, now=self._parts.clock.now())
        answer = decode_answer(stored.answer)
        if not isinstance(answer, Refused):
            return Answer(stored.answer, location)
        if answer.reason is Reason.REQUEST_CONFLICT:
            raise ApiError("idempotency_key_reused")
        return refused_response(answer)


def request_id_of(call: Call, kind: RequestKind) -> UUID:
    """The id of the request that a key names: always the same one, and nobody else's (UUIDv8, RFC 9562 §5.8)."""
    named = "\0".join((call.key.key_id, kind, call.idempotency_key))
    number = int.from_bytes(hashlib.sha256(_CONTEXT + named.encode()).digest()[:16], "big")
    number = number & ~(0xF << 76) & ~(0b11 << 62) | 0x8 << 76 | 0b10 << 62
    return UUID(int=number)


def _check_all_different(numbers: Sequence[str]) -> None:
    if len(set(numbers)) != len(numbers):
        raise invalid("/vouchers", "a voucher stands there more than once")
