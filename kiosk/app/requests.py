"""What the kiosk asks, ready for the wire: ids minted once, digits sealed, every message with its proof.

The keys of the keypad are digits; what they stand for in an ID is the site's ``legend``, applied here and nowhere else, just
before sealing. Clear digits leave this module only inside a box that the cloud alone can open.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from kiosk.domain.scenes import Held, IdDigits, Order
from kiosk.ports import Clock
from protocol.envelope import Event, device_source, make_event, request_type
from protocol.ids import uuid7
from protocol.keys import DeviceKeys
from protocol.messages import Check, Redeem, Release, Request, encode_body
from protocol.seal import NONCE_BYTES, seal_digits
from protocol.topics import DeviceAddress, RequestKind

PLAIN_LEGEND: Final = "0123456789"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ID_NOISE_BYTES: Final = 10


@dataclass(frozen=True, slots=True)
class Device:
    """Who this kiosk is.

    Raises:
        ValueError: the legend is not ten characters, all different.
    """

    address: DeviceAddress
    keys: DeviceKeys
    legend: str = PLAIN_LEGEND
    """Ten characters: what the digit keys 0 to 9 stand for in an ID."""

    def __post_init__(self) -> None:
        if len(self.legend) != len(PLAIN_LEGEND) or len(set(self.legend)) != len(PLAIN_LEGEND):
            raise ValueError("a legend is ten characters, all different, for the keys 0 to 9")


class RequestMaker:
    """Builds requests. The only user of randomness in the kiosk, apart from the link's jitter."""

    def __init__(self, device: Device, clock: Clock, random_bytes: Callable[[int], bytes]) -> None:
        self._device = device
        self._clock = clock
        self._random_bytes = random_bytes

    def new_id(self) -> UUID:
        """Mint an id. A clock before 1970 gives the smallest time; the noise alone keeps ids apart."""
        unix_ms = max(0, int((self._clock.now() - _EPOCH).total_seconds() * 1000))
        return uuid7(unix_ms, self._random_bytes(_ID_NOISE_BYTES))

    def check(self, visit_id: UUID, voucher_no: str, digits: IdDigits) -> Event:
        """Ask to verify and hold one voucher."""
        request_id = self.new_id()
        sealed = self._seal(request_id, [voucher_no], [digits])
        return self._wrap(RequestKind.CHECK, request_id, Check(visit_id=visit_id, voucher_no=voucher_no, sealed=sealed))

    def redeem(self, visit_id: UUID, held: Sequence[Held], order: Order) -> Callable[[int, str], Event]:
        """Ask to redeem an order; the outbox adds sequence and link."""
        request_id = self.new_id()
        voucher_nos = [voucher.voucher_no for voucher in held]
        sealed = self._seal(request_id, voucher_nos, [voucher.digits for voucher in held])

        def make(sequence: int, previous: str) -> Event:
            body = Redeem(
                visit_id=visit_id,
                vouchers=voucher_nos,
                sealed=sealed,
                item_category=order.item_code,
                order_total_twd=order.total_twd,
                sequence=sequence,
                previous=previous,
            )
            return self._wrap(RequestKind.REDEEM, request_id, body)

        return make

    def release(self, visit_id: UUID, voucher_nos: Sequence[str]) -> Event:
        """Let go of vouchers."""
        return self._wrap(RequestKind.RELEASE, self.new_id(), Release(visit_id=visit_id, vouchers=list(voucher_nos)))

    def _seal(self, request_id: UUID, voucher_nos: Sequence[str], digits: Sequence[IdDigits]) -> str:
        legend = self._device.legend
        return seal_digits(
            self._device.keys.seal,
            ["".join(legend[int(key)] for key in four.typed) for four in digits],
            nonce=self._random_bytes(NONCE_BYTES),
            device_id=self._device.address.device_id,
            request_id=request_id,
            voucher_nos=voucher_nos,
        )

    def _wrap(self, kind: RequestKind, request_id: UUID, body: Request) -> Event:
        return make_event(
            self._device.keys.request,
            id=request_id,
            source=device_source(self._device.address.device_id),
            type=request_type(kind),
            time=self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            body=encode_body(body),
        )
