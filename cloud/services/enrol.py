"""Enrolling a kiosk, and taking its rights away.

A claim code is 80 random bits, good once, for one site, for a short time. The code itself is shown once and kept nowhere; the
database holds its SHA-256 (a code of 80 bits needs no slow hash). That it works once is judged by the database in
:meth:`cloud.ports.fleet.Fleet.enrol`: what this module reads before is advice.

Every enrolment mints a new device id. A board that is enrolled again is a new device with new keys and a fresh hash chain;
its old identity is to be revoked. So the public key of a device id never changes, and the edge may remember it for ever.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final

from cloud.ports.fleet import CertificateAuthority, ClaimCode, DuplicateDeviceError, Fleet, NewDevice
from protocol.enrolment import CLAIM_CODE_BYTES, Enrolment, EnrolmentRequest, TrustedKey
from protocol.errors import PortError, ProtocolError
from protocol.keys import PUBLIC_KEY_BYTES, agree

CLAIM_CODE_VALID: Final = timedelta(hours=1)
"""An installer types the code while standing at the kiosk."""

DEVICE_ID_TRIES_MAX: Final = 4
"""A device id has 30 random bits; four collisions in a row do not happen to an honest source of randomness."""

_CODE_LENGTH: Final = CLAIM_CODE_BYTES * 8 // 5
_MISREAD: Final = str.maketrans({"0": "O", "1": "I", "8": "B", "-": None, " ": None})
"""Base32 has none of 0, 1 and 8: whoever types one means the letter that looks like it."""

Randomness = Callable[[int], bytes]
"""Gives that many random bytes."""


@unique
class EnrolmentRefusal(StrEnum):
    """Why a kiosk was not enrolled. What exactly is wrong with a code is not told: a guesser would learn from it."""

    BAD_REQUEST = "bad_request"
    """The certificate request or the public key cannot be used."""
    BAD_CODE = "bad_code"
    """No such code, or it is used or too old."""


@dataclass(frozen=True, slots=True)
class CloudTerms:
    """What the cloud tells every kiosk about itself."""

    seal_public: bytes
    broker_host: str
    broker_port: int
    voucher_keys: Sequence[TrustedKey]


def make_claim_code(fleet: Fleet, site_id: str, *, made_by: str, now: datetime, randomness: Randomness) -> str | None:
    """Make a code with which one kiosk may enrol at a site.

    Args:
        made_by: the member of staff, or ``cli``.

    Returns:
        The code in groups of four, e.g. ``ABCD-EFGH-IJKL-MNOP``, to be shown once; None where there is no such site.
    """
    if not fleet.has_site(site_id):
        return None
    text = base64.b32encode(randomness(CLAIM_CODE_BYTES)).decode("ascii")
    fleet.add_claim_code(ClaimCode(_hash(text), site_id, now, made_by, now + CLAIM_CODE_VALID))
    return "-".join(text[start : start + 4] for start in range(0, _CODE_LENGTH, 4))


def enrol(
    fleet: Fleet,
    authority: CertificateAuthority,
    terms: CloudTerms,
    request: EnrolmentRequest,
    *,
    now: datetime,
    randomness: Randomness,
) -> Enrolment | EnrolmentRefusal:
    """Turn a blank kiosk into a trusted one.

    Raises:
        PortError: the database cannot be reached; the code is unused and may be sent again.
    """
    code_hash = _hash(normal_code(request.claim_code))
    site = fleet.find_claimed_site(code_hash, now=now)
    if site is None:
        return EnrolmentRefusal.BAD_CODE
    for _ in range(DEVICE_ID_TRIES_MAX):
        device_id = mint_device_id(randomness)
        try:
            device = _new_device(authority, request, device_id, now)
            taken = fleet.enrol(code_hash, device)
        except ProtocolError:
            return EnrolmentRefusal.BAD_REQUEST
        except DuplicateDeviceError:
            continue
        if not taken:
            return EnrolmentRefusal.BAD_CODE
        return Enrolment(
            device_id=device_id,
            site_id=site.site_id,
            site_name=site.site_name,
            certificate_pem=device.certificate_pem,
            ca_pem=authority.certificate_pem,
            seal_public=_encode(terms.seal_public),
            broker_host=terms.broker_host,
            broker_port=terms.broker_port,
            voucher_keys=list(terms.voucher_keys),
            item_categories=list(site.item_categories),
        )
    raise PortError("the source of randomness repeats itself", retry=False)


def suspend_device(fleet: Fleet, device_id: str, *, reason: str, now: datetime, by: str = "cli") -> bool:
    """Stop a kiosk until it is resumed; False where there is no such device or it is revoked."""
    return fleet.set_state(device_id, "suspended", by=by, reason=reason, now=now)


def resume_device(fleet: Fleet, device_id: str, *, reason: str, now: datetime, by: str = "cli") -> bool:
    """Let a suspended kiosk work again; False where there is no such device or it is revoked."""
    return fleet.set_state(device_id, "active", by=by, reason=reason, now=now)


def revoke_device(fleet: Fleet, device_id: str, *, reason: str, now: datetime, by: str = "cli") -> bool:
    """Stop a kiosk for ever; False where there is no such device or it is revoked already.

    Effective at once: the next batch of the ingest worker reads the state inside its transaction. That the broker refuses
    the certificate follows with the next revocation list.
    """
    return fleet.set_state(device_id, "revoked", by=by, reason=reason, now=now)


def normal_code(typed: str) -> str:
    """Return a typed code without groups, in capitals, with misread characters put right."""
    return typed.strip().upper().translate(_MISREAD)


def mint_device_id(randomness: Randomness) -> str:
    """Make a device id: ``kiosk-`` and six characters of ``a-z2-7``."""
    return "kiosk-" + base64.b32encode(randomness(5)).decode("ascii")[:6].lower()


def _new_device(authority: CertificateAuthority, request: EnrolmentRequest, device_id: str, now: datetime) -> NewDevice:
    seal_public = _decode_public(request.seal_public, device_id)
    certificate = authority.device_certificate(request.csr_pem, device_id)
    # For people to read; a NUL would be refused by PostgreSQL, a line break would break a list.
    serial = "".join(filter(str.isprintable, request.serial))
    return NewDevice(device_id, serial, seal_public, certificate.serial, certificate.pem, now)


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "replace")).digest()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _decode_public(text: str, device_id: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if len(raw) != PUBLIC_KEY_BYTES:
            raise ProtocolError(f"an X25519 public key is {PUBLIC_KEY_BYTES} bytes")
        # A low-order point would give everybody the same keys; agreeing with any private half finds it.
        agree(_ANY_PRIVATE, raw, device_id=device_id)
    except (binascii.Error, ValueError) as problem:
        raise ProtocolError("not an X25519 public key") from problem
    return raw


_ANY_PRIVATE: Final = hashlib.sha256(b"vk1 probe for low-order points").digest()
