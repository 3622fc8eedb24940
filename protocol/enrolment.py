"""How a blank kiosk becomes a trusted one: one HTTPS exchange, carrying a one-time claim code.

``POST /api/v1/enrolments`` with :class:`EnrolmentRequest`; 201 with :class:`Enrolment`, or a problem document (RFC 9457).
Private keys are made on the device and stay there; the code is good once, for one site, for a short time.
"""

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from protocol.errors import ProtocolError

ENROLMENT_PATH = "/api/v1/enrolments"
S = TypeVar("S", bound=Struct)

CLAIM_CODE_BYTES = 10
"""80 random bits, shown as 16 base32 characters in groups of four."""


class EnrolmentRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the device sends."""

    claim_code: Annotated[str, Meta(max_length=64)]
    csr_pem: Annotated[str, Meta(max_length=8192)]
    """PKCS #10 for the device's TLS key. Its subject is ignored: the cloud decides the name."""
    seal_public: Annotated[str, Meta(max_length=64)]
    """X25519 public key, base64url without padding."""
    serial: Annotated[str, Meta(max_length=64)] = ""
    """Serial number of the board, for the fleet list."""


class TrustedKey(Struct, frozen=True, kw_only=True):
    """One Ed25519 key that signs vouchers."""

    key_id: str
    public: str
    """base64url without padding, 32 bytes."""


class ItemCategory(Struct, frozen=True, kw_only=True):
    """One choice on the kiosk's item screen."""

    code: str
    names: dict[str, str]
    """By language tag."""


class Enrolment(Struct, frozen=True, kw_only=True):
    """What the device gets."""

    device_id: str
    site_id: str
    site_name: str
    certificate_pem: str
    ca_pem: str
    seal_public: str
    """The cloud's X25519 public key, base64url."""
    broker_host: str
    broker_port: int
    voucher_keys: list[TrustedKey]
    item_categories: list[ItemCategory]


def decode_enrolment_request(body: bytes) -> EnrolmentRequest:
    """Decode.

    Raises:
        ProtocolError: it is not such a request.
    """
    return _decode(EnrolmentRequest, body)


def decode_enrolment(body: bytes) -> Enrolment:
    """Decode.

    Raises:
        ProtocolError: it is not such an answer.
    """
    return _decode(Enrolment, body)


def _decode(struct: type[S], body: bytes) -> S:
    try:
        return msgspec.json.decode(body, type=struct)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise ProtocolError(str(problem)) from problem
