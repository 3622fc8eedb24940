"""Webhooks as Standard Webhooks 1.0.0 say: what is told, how it is signed, and when it is told again. Pure.

A message has an id, for ever the same however often it is sent, so that its receiver can tell a repeat. The signature is over
id, time of this attempt and body; while a secret is being changed there are two, one per secret.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal, get_args
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from msgspec import Struct

EventName = Literal["redemption.accepted", "confirmation.made", "claim.settled", "payout.paid", "payout.returned"]
EVENTS: Final[tuple[EventName, ...]] = get_args(EventName)

SECRET_BYTES: Final = 32
_MARK: Final = "whsec_"
OVERLAP: Final = timedelta(hours=24)
"""How long the old secret signs too after a new one was made."""

URL_LENGTH_MAX: Final = 500
RETRIES: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Pauses after each attempt that failed, more than three days in all; then the message is given up and the webhook disabled."""

GONE: Final = 410
"""Its server wants no more messages: the webhook is disabled at once."""

_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]+")


class RedemptionAcceptedData(Struct, frozen=True, kw_only=True):
    """An order that was redeemed."""

    redemption_id: UUID
    reference: str
    redeemed_at: datetime
    programme_id: str
    site_id: str
    item_category: str
    voucher_count: int
    redeemed_twd: int
    order_total_twd: int
    topup_twd: int


class ConfirmationMadeData(Struct, frozen=True, kw_only=True):
    """One act of confirming, of one redemption or of thousands."""

    confirmed_at: datetime
    staff_id: str
    redemption_count: int
    voucher_count: int
    amount_twd: int
    first_confirmation_no: int
    last_confirmation_no: int


class ClaimSettledData(Struct, frozen=True, kw_only=True):
    """A claim that the weekly settlement made."""

    claim_id: UUID
    period_starts_on: date
    programme_id: str
    redemption_count: int
    voucher_count: int
    amount_twd: int


class PayoutData(Struct, frozen=True, kw_only=True):
    """A payout of which the bank has said what became of it."""

    payout_id: UUID
    claim_id: UUID
    attempt: int
    amount_twd: int
    known_at: datetime
    return_code: str | None


EventData = RedemptionAcceptedData | ConfirmationMadeData | ClaimSettledData | PayoutData


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened, as it is told."""

    event: EventName
    subject: UUID
    happened_at: datetime
    data: EventData

    def body(self) -> bytes:
        """The message, the same bytes at every attempt."""
        return msgspec.json.encode({"type": self.event, "timestamp": self.happened_at, "data": self.data})


def message_id(webhook_id: str, event: str, subject: UUID) -> UUID:
    """The id of the message that tells a webhook of a fact: one for ever (UUIDv8, RFC 9562 §5.8)."""
    named = "\0".join(("vk1 webhook", webhook_id, event, subject.hex))
    number = int.from_bytes(hashlib.sha256(named.encode()).digest()[:16], "big")
    return UUID(int=number & ~(0xF << 76) & ~(0b11 << 62) | 0x8 << 76 | 0b10 << 62)


def write_secret(key: bytes) -> str:
    """A secret as its owner sees it: ``whsec_`` and base64."""
    return _MARK + base64.b64encode(key).decode("ascii")


def read_secret(secret: str) -> bytes:
    """The key in a secret.

    Raises:
        ValueError: it is none.
    """
    if not secret.startswith(_MARK):
        raise ValueError("not a webhook secret")
    try:
        return base64.b64decode(secret.removeprefix(_MARK), validate=True)
    except binascii.Error as problem:
        raise ValueError("not a webhook secret") from problem


def headers_of(message: UUID, body: bytes, secrets: Sequence[str], *, at: datetime) -> dict[str, str]:
    """The headers of one attempt, with one signature per secret."""
    name, seconds = f"msg_{message.hex}", str(int(at.timestamp()))
    signed = b".".join((name.encode(), seconds.encode(), body))
    signatures = [
        "v1," + base64.b64encode(hmac.new(read_secret(secret), signed, hashlib.sha256).digest()).decode("ascii")
        for secret in secrets
    ]
    return {"webhook-id": name, "webhook-timestamp": seconds, "webhook-signature": " ".join(signatures)}


def pause_after(attempts: int) -> timedelta | None:
    """How long to wait after so many attempts that failed; None where it was the last."""
    return RETRIES[attempts - 1] if attempts <= len(RETRIES) else None


def is_usable_url(url: str, *, plain_http: bool) -> bool:
    """Tell whether a webhook may have this address, as far as can be told without looking its host up.

    Args:
        plain_http: whether ``http`` will do, for demonstrations.
    """
    if len(url) > URL_LENGTH_MAX or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    schemes = ("https", "http") if plain_http else ("https",)
    if parts.scheme not in schemes or "@" in parts.netloc or parts.fragment or port == 0:
        return False
    return parts.hostname is not None and _HOST.fullmatch(parts.hostname) is not None
