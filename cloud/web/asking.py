"""Requests of the staff scan page: the same messages that a kiosk sends, asked of the same judge.

What differs: the digits are typed here, so their tags are computed at once and nothing is sealed for a wire; and a phone keeps
no chain of requests, so ``sequence`` and ``previous`` say nothing. That a repeated form is the same request is told by the hash
over everything that was asked, the sender and the tags included.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from cloud.ports.clock import Clock
from cloud.services.ask import Counter, ask_judge
from cloud.web.order import Order
from cloud.web.parts import ScanParts
from protocol.chain import FIRST_SEQUENCE, GENESIS
from protocol.messages import Answer, Check, Redeem, Release, Request, decode_answer
from protocol.topics import RequestKind


@dataclass(frozen=True, slots=True)
class Purchase:
    """What the customer buys."""

    item_category: str
    order_total_twd: int


class Asking:
    """Asks the judge on behalf of one member of staff. Every method raises PortError where the outcome is not known."""

    def __init__(self, scan: ScanParts, clock: Clock, staff_id: str) -> None:
        self._scan = scan
        self._clock = clock
        self._staff_id = staff_id

    def check(self, order: Order, voucher_no: str, digits: str) -> Answer:
        """Verify one voucher and hold it for this visit."""
        body = Check(visit_id=order.visit_id, voucher_no=voucher_no, sealed="")
        return self._ask(RequestKind.CHECK, order.request_id, body, [digits])

    def redeem(self, order: Order, purchase: Purchase) -> Answer:
        """Redeem the order, for good."""
        body = Redeem(
            visit_id=order.visit_id,
            vouchers=order.voucher_nos,
            sealed="",
            item_category=purchase.item_category,
            order_total_twd=purchase.order_total_twd,
            sequence=FIRST_SEQUENCE,
            previous=GENESIS,
        )
        return self._ask(RequestKind.REDEEM, order.request_id, body, order.digits)

    def release(self, order: Order, voucher_nos: Sequence[str]) -> Answer:
        """Let go of some vouchers of this visit."""
        body = Release(visit_id=order.visit_id, vouchers=list(voucher_nos))
        return self._ask(RequestKind.RELEASE, order.request_id, body, ())

    def _ask(self, kind: RequestKind, request_id: UUID, body: Request, digits: Sequence[str]) -> Answer:
        counter = Counter(self._scan.store, self._scan.digit_tag, self._staff_id)
        return decode_answer(ask_judge(counter, kind, request_id, body, digits, now=self._clock.now()).answer)
