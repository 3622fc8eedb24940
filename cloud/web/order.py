"""One customer's order on the staff scan page, carried from step to step inside the page itself.

Nothing of an open order is kept on the server or in a cookie: a hidden field holds it, signed under the web secret for one
member of staff, so that face values cannot be edited and one person's page is nothing to another. The holders' digits stand in
it only as a box of :mod:`protocol.seal`, bound to the same person, visit and vouchers.

The order also carries the id of the next request. It is minted when a page is rendered, never when a form arrives: clicking
twice, reloading, going back, or asking again after a time-out repeats the same request, and the judge answers it the same way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from itsdangerous import BadSignature, URLSafeSerializer

from cloud.ports.clock import Clock
from protocol.errors import ProtocolError
from protocol.ids import uuid7
from protocol.seal import NONCE_BYTES, open_digits, seal_digits


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One checked and held voucher."""

    voucher_no: str
    face_value_twd: int


@dataclass(frozen=True, slots=True)
class Order:
    """What was gathered so far."""

    visit_id: UUID
    request_id: UUID
    """Id of the request that the next form sends."""
    lines: tuple[OrderLine, ...] = ()
    digits: tuple[str, ...] = field(default=(), repr=False)
    """Four characters per line, in its order."""

    @property
    def voucher_nos(self) -> list[str]:
        return [line.voucher_no for line in self.lines]

    @property
    def sum_twd(self) -> int:
        """What the vouchers are worth together."""
        return sum(line.face_value_twd for line in self.lines)

    def topup_twd(self, total_twd: int) -> int:
        """What the customer will still pay of that total (V-R9); nothing is given back (V-R10). The judge has the last word."""
        return max(0, total_twd - self.sum_twd)

    def with_voucher(self, line: OrderLine, digits: str) -> "Order":
        return replace(self, lines=(*self.lines, line), digits=(*self.digits, digits))

    def without(self, voucher_nos: Sequence[str]) -> "Order":
        kept = [pair for pair in zip(self.lines, self.digits, strict=True) if pair[0].voucher_no not in voucher_nos]
        return replace(self, lines=tuple(line for line, _ in kept), digits=tuple(digits for _, digits in kept))


class OrderBox:
    """Writes orders into a page and reads them back."""

    def __init__(self, *, web_secret: bytes, seal_key: bytes, clock: Clock, randomness: Callable[[int], bytes]) -> None:
        self._web_secret = web_secret
        self._seal_key = seal_key
        self._clock = clock
        self._randomness = randomness

    def mint(self) -> UUID:
        """Make a fresh id."""
        return uuid7(int(self._clock.now().timestamp() * 1000), self._randomness(10))

    def start(self) -> Order:
        """An empty order of a new visit."""
        return Order(self.mint(), self.mint())

    def write(self, order: Order, staff_id: str) -> str:
        """Pack the order for a hidden field."""
        sealed = seal_digits(
            self._seal_key,
            order.digits,
            nonce=self._randomness(NONCE_BYTES),
            device_id=staff_id,
            request_id=order.visit_id,
            voucher_nos=order.voucher_nos,
        )
        lines = [[line.voucher_no, line.face_value_twd] for line in order.lines]
        return str(self._signer(staff_id).dumps([order.visit_id.hex, order.request_id.hex, lines, sealed]))

    def read(self, text: str, staff_id: str) -> Order:
        """Unpack what :meth:`write` packed for the same person.

        Raises:
            ProtocolError: it is something else.
        """
        try:
            content: Any = self._signer(staff_id).loads(text)
        except BadSignature as problem:
            raise ProtocolError("not an order of this person") from problem
        visit, request, lines, sealed = content
        order = Order(UUID(visit), UUID(request), tuple(OrderLine(*line) for line in lines))
        digits = open_digits(
            self._seal_key, sealed, device_id=staff_id, request_id=order.visit_id, voucher_nos=order.voucher_nos
        )
        return replace(order, digits=tuple(digits))

    def _signer(self, staff_id: str) -> URLSafeSerializer:
        return URLSafeSerializer(self._web_secret, salt=f"vk1 order {staff_id}")
