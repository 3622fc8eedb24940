"""The last four characters of IDs, sealed from the keypad to the judge.

One AES-256-GCM box per request holds the digits of all its vouchers in order. The device, the request id and the voucher
numbers are bound in as associated data: a box moved to another request, device or voucher does not open. Digits exist in
clear only in the RAM of the kiosk's visit and of the cloud's judge.

The text of one ID's digits is four *characters*, not necessarily ASCII: a site may legend its keys as it likes, and the tests
use symbols rare enough that a byte search for them finds no innocent match.
"""

import base64
import binascii
from collections.abc import Sequence
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from protocol.errors import ProtocolError
from protocol.limits import ID_DIGITS_LENGTH

NONCE_BYTES = 12
_FROM_URL = bytes.maketrans(b"-_", b"+/")


def seal_digits(
    key: bytes, digits: Sequence[str], *, nonce: bytes, device_id: str, request_id: UUID, voucher_nos: Sequence[str]
) -> str:
    """Seal the digits of a request's vouchers.

    Args:
        key: the device's ``seal`` key, 32 bytes.
        digits: four characters per voucher, in the order of ``voucher_nos``.
        nonce: twelve random bytes, never used twice with this key.

    Returns:
        base64url text of nonce, ciphertext and tag.

    Raises:
        ValueError: a wrong length anywhere.
    """
    if len(digits) != len(voucher_nos) or any(len(four) != ID_DIGITS_LENGTH for four in digits):
        raise ValueError("four characters per voucher")
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce is {NONCE_BYTES} bytes")
    box = AESGCM(key).encrypt(nonce, "".join(digits).encode("utf-8"), _context(device_id, request_id, voucher_nos))
    return base64.urlsafe_b64encode(nonce + box).rstrip(b"=").decode("ascii")


def make_box(key: bytes) -> AESGCM:
    """Prepare a device's ``seal`` key, for whoever opens many of its boxes: it costs as much as opening one."""
    return AESGCM(key)


def open_digits(key: bytes | AESGCM, sealed: str, *, device_id: str, request_id: UUID, voucher_nos: Sequence[str]) -> list[str]:
    """Open what :func:`seal_digits` sealed; four characters per voucher.

    Args:
        key: the device's ``seal`` key, or :func:`make_box` of it.

    Raises:
        ProtocolError: the box was made for something else, changed, or holds another number of digits.
    """
    try:
        raw = binascii.a2b_base64((sealed + "=" * (-len(sealed) % 4)).encode("ascii").translate(_FROM_URL))
        text = (
            (AESGCM(key) if isinstance(key, bytes) else key)
            .decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _context(device_id, request_id, voucher_nos))
            .decode("utf-8")
        )
    except (InvalidTag, binascii.Error, ValueError) as problem:
        raise ProtocolError("the sealed digits do not open") from problem
    if len(text) != ID_DIGITS_LENGTH * len(voucher_nos):
        raise ProtocolError("the sealed digits are not four per voucher")
    return [text[start : start + ID_DIGITS_LENGTH] for start in range(0, len(text), ID_DIGITS_LENGTH)]


def _context(device_id: str, request_id: UUID, voucher_nos: Sequence[str]) -> bytes:
    return b"\0".join((b"vk1.seal", device_id.encode("utf-8"), request_id.bytes, ",".join(voucher_nos).encode("ascii")))
