"""Parts that tests of the kiosk share: keys, requests and answers of one made-up device."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from kiosk.domain.site import Site, Timing
from protocol.enrolment import ItemCategory
from protocol.envelope import CLOUD_SOURCE, Event, answer_type, device_source, make_event, request_type
from protocol.ids import reference, uuid7
from protocol.keys import DeviceKeys
from protocol.messages import Answer, Redeem, RedeemAccepted, Refusal, Refused, encode_body
from protocol.reasons import Reason
from protocol.topics import DeviceAddress, RequestKind

DEVICE_ID = "kiosk-1"
ADDRESS = DeviceAddress("site-1", DEVICE_ID)
KEYS = DeviceKeys(seal=b"s" * 32, request=b"r" * 32, answer=b"a" * 32)
NOON = datetime(2026, 10, 5, 4, 0, tzinfo=UTC)


def make_site(*, items: int = 1, **timing: float) -> Site:
    """A site with this many item categories."""
    categories = tuple(ItemCategory(code=f"item-{number}", names={"en": f"Item {number}"}) for number in range(1, items + 1))
    return Site("Test Station", categories, timing=Timing(**timing))


def request_id(number: int) -> UUID:
    """The same id for the same number."""
    return uuid7(number, number.to_bytes(10, "big"))


def make_redeem(number: int, *, voucher_nos: tuple[str, ...] = ("000000000001",)) -> Callable[[int, str], Event]:
    """Build what the outbox asks for its next request."""

    def make(sequence: int, previous: str) -> Event:
        body = Redeem(
            visit_id=request_id(number + 1_000_000),
            vouchers=list(voucher_nos),
            sealed="x" * 40,
            item_category="item-1",
            order_total_twd=1_000,
            sequence=sequence,
            previous=previous,
        )
        return make_event(
            KEYS.request,
            id=request_id(number),
            source=device_source(DEVICE_ID),
            type=request_type(RequestKind.REDEEM),
            time="2026-10-05T04:00:00Z",
            body=encode_body(body),
        )

    return make


def accepted(id: UUID, *, vouchers: int = 1, total_twd: int = 1_000, face_value_twd: int = 500) -> RedeemAccepted:
    """What the cloud says to a redeem request that it accepts."""
    worth = vouchers * face_value_twd
    return RedeemAccepted(
        request_id=id,
        reference=reference(id),
        redeemed_at="2026-10-05T04:00:01Z",
        voucher_count=vouchers,
        redeemed_twd=worth,
        order_total_twd=total_twd,
        topup_twd=max(0, total_twd - worth),
    )


def refused(id: UUID, reason: Reason, *refusals: Refusal) -> Refused:
    """What the cloud says to a request that it refuses."""
    return Refused(request_id=id, reason=reason, refusals=list(refusals))


def answer_event(kind: RequestKind, answer: Answer, *, key: bytes = KEYS.answer) -> Event:
    """The answer as it travels."""
    return make_event(
        key,
        id=answer.request_id,
        source=CLOUD_SOURCE,
        type=answer_type(kind),
        time="2026-10-05T04:00:01Z",
        body=encode_body(answer),
    )
