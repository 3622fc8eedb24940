"""Bodies of all messages, as msgspec structs; JSON on the wire.

Rules of growth: fields are only ever appended, with a default; none is renamed, removed or given another meaning. Requests
reject unknown fields (a request half understood would be half judged); answers and states ignore them (an old kiosk must
survive a newer cloud).

The id of a request is the CloudEvents id of its message, not a field of the body. An answer names it again in
``request_id``, inside what is authenticated, so that no answer can be taken for another's.
"""

from typing import Annotated, Literal, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from protocol.errors import ProtocolError
from protocol.limits import (
    ITEM_CATEGORY_LENGTH_MAX,
    SEQUENCE_MAX,
    SITE_NAME_BYTES_MAX,
    VOUCHER_NO_LENGTH,
    VOUCHERS_PER_ORDER_MAX,
)
from protocol.reasons import Reason
from protocol.topics import RequestKind
from protocol.voucher import are_voucher_nos

VoucherNo = Annotated[str, Meta(min_length=VOUCHER_NO_LENGTH, max_length=VOUCHER_NO_LENGTH, description="twelve digits")]
VoucherNos = Annotated[list[VoucherNo], Meta(min_length=1, max_length=VOUCHERS_PER_ORDER_MAX)]
Sealed = Annotated[str, Meta(max_length=1024, description="base64url box of protocol.seal: four characters per voucher")]
Link = Annotated[
    str, Meta(min_length=64, max_length=64, pattern="^[0-9a-f]{64}$", description="SHA-256 of the request before, hex")
]


class Check(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Verify one voucher and hold it for this visit. A courtesy: ``Redeem`` does not depend on it."""

    visit_id: UUID
    """One customer at one kiosk; minted when the first voucher is scanned."""
    voucher_no: VoucherNo
    sealed: Sealed
    """The digits, readable only by the cloud."""

    @property
    def voucher_nos(self) -> list[str]:
        return [self.voucher_no]


class Redeem(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Redeem an order: everything the judge needs, so that it is judged alone."""

    visit_id: UUID
    """The visit that may hold the vouchers; a hold of another kiosk or phone refuses the order."""
    vouchers: VoucherNos
    """All different; the order in which the digits are sealed."""
    sealed: Sealed
    """The digits of all vouchers in one box, readable only by the cloud."""
    item_category: Annotated[str, Meta(min_length=1, max_length=ITEM_CATEGORY_LENGTH_MAX)]
    """Code of what is bought: one of those that came with the enrolment."""
    order_total_twd: int
    """What the whole order costs, in TWD; any integer, because one out of range is refused by the judge, with a reason."""
    sequence: Annotated[int, Meta(ge=1, le=SEQUENCE_MAX)]
    """One more than this kiosk's last redeem request; gap-free."""
    previous: Link
    """:func:`protocol.chain.link_of` of that last request."""

    @property
    def voucher_nos(self) -> list[str]:
        return self.vouchers


class Release(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Let go of what this visit holds: the customer cancelled."""

    visit_id: UUID
    """Only holds of this visit are dropped."""
    vouchers: VoucherNos
    """What to let go of, all different."""

    @property
    def voucher_nos(self) -> list[str]:
        return self.vouchers


Request = Check | Redeem | Release


class CheckAccepted(Struct, frozen=True, kw_only=True, tag_field="outcome", tag="checked"):
    """The voucher may be used; it is held for the visit until ``hold_until``."""

    request_id: UUID
    """The request that this answers."""
    voucher_no: str
    """The voucher that was checked."""
    face_value_twd: int
    """What it is worth, in TWD."""
    hold_until: str
    """RFC 3339, UTC."""
    programme_id: str
    """The programme that issued it; an order holds vouchers of one programme."""


class RedeemAccepted(Struct, frozen=True, kw_only=True, tag_field="outcome", tag="redeemed"):
    """The order is redeemed, for good."""

    request_id: UUID
    """The request that this answers."""
    reference: str
    """:func:`protocol.ids.reference` of the request id."""
    redeemed_at: str
    """RFC 3339, UTC, the cloud's clock."""
    voucher_count: int
    """How many vouchers were redeemed: all that the request named."""
    redeemed_twd: int
    """Sum of their face values, in TWD: what the merchant is paid."""
    order_total_twd: int
    """As asked, in TWD."""
    topup_twd: int
    """What the customer still pays, in TWD: never negative; there is no change (V-R10)."""


class Released(Struct, frozen=True, kw_only=True, tag_field="outcome", tag="released"):
    """The visit holds nothing of what it named."""

    request_id: UUID
    """The request that this answers."""


class Refusal(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is wrong with one voucher of a refused request."""

    voucher_no: str
    """One of the request's vouchers."""
    reason: Reason
    """Why this one, by precedence."""
    at: str | None = None
    """For ``already_redeemed``: when, RFC 3339, UTC. For ``held_elsewhere``: until when."""
    site: str | None = None
    """For ``already_redeemed``: the site's name, through :func:`fit_site_name`."""
    tries_left: int | None = None
    """For ``no_match``: how many wrong tries remain. Counted for numbers that do not exist too, so that it tells nothing."""


class Refused(Struct, frozen=True, kw_only=True, tag_field="outcome", tag="refused", omit_defaults=True):
    """Nothing happened to any voucher; why not."""

    request_id: UUID
    """The request that this answers."""
    reason: Reason
    """The reason that takes precedence over all others found."""
    refusals: list[Refusal] = []
    """The vouchers at fault, if any; others of the order are not named."""


Answer = CheckAccepted | RedeemAccepted | Released | Refused


class _ReasonOnly(Struct, frozen=True):
    """Any answer, looked at for nothing but its reason."""

    reason: Reason | None = None


class DeviceState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Retained presence of a kiosk. The broker publishes ``lost`` as the will."""

    state: Literal["online", "offline", "lost"]
    """``offline`` was said by the kiosk on its way out, ``lost`` by the broker."""
    boot_id: Annotated[str, Meta(max_length=64)] = ""
    """Another one after every start."""
    version: Annotated[str, Meta(max_length=32)] = ""
    """Of the kiosk's software."""
    pending: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    """Redeem requests in the outbox that have no final answer yet."""


REQUEST_TYPES: dict[RequestKind, type[Check] | type[Redeem] | type[Release]] = {
    RequestKind.CHECK: Check,
    RequestKind.REDEEM: Redeem,
    RequestKind.RELEASE: Release,
}

Body = TypeVar("Body", bound=Struct)
_encoder = msgspec.json.Encoder()
_request_decoders = {kind: msgspec.json.Decoder(struct) for kind, struct in REQUEST_TYPES.items()}
_answer_decoder: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)
_reason_decoder = msgspec.json.Decoder(_ReasonOnly)
_state_decoder = msgspec.json.Decoder(DeviceState)
_NOT_OURS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises on hostile bytes; deep nesting inside an ignored field is the RecursionError."""


def encode_body(message: Struct) -> bytes:
    """Encode any message body. Field order is the order of declaration, so equal messages give equal bytes."""
    return _encoder.encode(message)


def fit_site_name(name: str) -> str:
    """Shorten a name to :data:`protocol.limits.SITE_NAME_BYTES_MAX`, so that every refusal of the largest order fits a body."""
    if _json_length(name) <= SITE_NAME_BYTES_MAX:
        return name
    while name and _json_length(name + "…") > SITE_NAME_BYTES_MAX:
        name = name[:-1]
    return name + "…"


def _json_length(text: str) -> int:
    return len(_encoder.encode(text)) - 2


def decode_request(kind: RequestKind, body: bytes) -> Request:
    """Decode a request body.

    Raises:
        ProtocolError: it is not such a request, a voucher number is not twelve ASCII digits, or one comes twice.
    """
    try:
        request: Request = _request_decoders[kind].decode(body)
    except _NOT_OURS as problem:
        raise ProtocolError(f"not a {kind} request: {problem}") from problem
    numbers = request.voucher_nos
    if not are_voucher_nos(numbers) or len(set(numbers)) != len(numbers):
        raise ProtocolError("voucher numbers must be twelve digits each and all different")
    return request


def decode_answer(body: bytes) -> Answer:
    """Decode an answer body.

    Raises:
        ProtocolError: it is not an answer.
    """
    try:
        return _answer_decoder.decode(body)
    except _NOT_OURS as problem:
        raise ProtocolError(f"not an answer: {problem}") from problem


def decode_reason(body: bytes) -> Reason | None:
    """Decode why an answer refuses, None if it does not; a fraction of the work of :func:`decode_answer`.

    Raises:
        ProtocolError: it is not an answer.
    """
    try:
        return _reason_decoder.decode(body).reason
    except _NOT_OURS as problem:
        raise ProtocolError(f"not an answer: {problem}") from problem


def decode_state(body: bytes) -> DeviceState:
    """Decode a device state body.

    Raises:
        ProtocolError: it is not one.
    """
    try:
        return _state_decoder.decode(body)
    except _NOT_OURS as problem:
        raise ProtocolError(f"not a device state: {problem}") from problem
