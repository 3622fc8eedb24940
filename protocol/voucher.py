"""What a printed or shown voucher may hold.

Two forms are vouchers, everything else is refused with a reason:

* a URL that any phone camera opens on the staff scan page (V-E4)::

      https://<host>/v/<12 digits>                          programme without signatures
      https://<host>/v/<12 digits>?k=<key id>&s=<signature> programme with signatures

* the bare twelve digits, as CODE128, as a QR code, or typed.

The signature is Ed25519 over ``"vk-voucher-v1" 0x00 <key id> 0x00 <12 digits>``, base64url without padding. Any host is
taken, because the signature and the cloud decide, not the address. A signed code that does not verify is ``FORGED``; it is
never downgraded to its bare number.

Not done here: whether such a voucher exists, is in date, or is used. Only the cloud knows.
"""

import base64
import binascii
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocol.limits import SCANNED_BYTES_MAX, VOUCHER_NO_LENGTH
from protocol.reasons import Reason

_BARE = re.compile(rb"[0-9]{12}")
_URL = re.compile(
    rb"https?://[A-Za-z0-9.:\[\]-]{1,253}/v/(?P<no>[0-9]{12})(?:\?k=(?P<key>[a-z0-9-]{1,16})&s=(?P<sig>[A-Za-z0-9_-]{86}))?",
    re.IGNORECASE,
)
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,253}")
_KEY_ID = re.compile(r"[a-z0-9-]{1,16}")


@dataclass(frozen=True, slots=True)
class VoucherCode:
    """A code that is a voucher by its form and, where ``key_id`` is given, by its signature."""

    voucher_no: str
    key_id: str | None = None


_LENGTHS: Final = {VOUCHER_NO_LENGTH}

KeyRing = Mapping[str, Ed25519PublicKey]
"""Public keys that are trusted at this moment, by key id."""


def is_voucher_no(text: str) -> bool:
    """Tell whether the text is twelve ASCII digits."""
    # Half the time of a pattern. Among ASCII, digits are 0 to 9.
    return len(text) == VOUCHER_NO_LENGTH and text.isascii() and text.isdigit()


def are_voucher_nos(texts: Collection[str]) -> bool:
    """Tell whether there are some, and each is twelve ASCII digits; asked of every request, so all of them at once."""
    joined = "".join(texts)
    return joined.isascii() and joined.isdigit() and set(map(len, texts)) == _LENGTHS


def decode_voucher(scanned: bytes, trusted: KeyRing) -> VoucherCode | Reason:
    """Read the content of a scanned code.

    Args:
        scanned: the raw bytes, as the decoder gave them.
        trusted: keys whose signatures count.

    Returns:
        The code, or ``NOT_A_VOUCHER`` or ``FORGED``.
    """
    if len(scanned) > SCANNED_BYTES_MAX:
        return Reason.NOT_A_VOUCHER
    content = scanned.strip(b" \t\r\n")
    if _BARE.fullmatch(content):
        return VoucherCode(content.decode("ascii"))
    match = _URL.fullmatch(content)
    if match is None:
        return Reason.NOT_A_VOUCHER
    voucher_no = match["no"].decode("ascii")
    if match["key"] is None:
        return VoucherCode(voucher_no)
    key_id = match["key"].decode("ascii").lower()
    return _verified(voucher_no, key_id, match["sig"], trusted)


def _verified(voucher_no: str, key_id: str, signature: bytes, trusted: KeyRing) -> VoucherCode | Reason:
    key = trusted.get(key_id)
    if key is None:
        return Reason.FORGED
    try:
        raw = base64.urlsafe_b64decode(signature + b"==")
        if base64.urlsafe_b64encode(raw).rstrip(b"=") != signature:
            # 86 characters carry four bits more than 64 bytes: take one spelling only, so that a code has one form.
            return Reason.FORGED
        key.verify(raw, _signed_part(voucher_no, key_id))
    except (InvalidSignature, binascii.Error):
        return Reason.FORGED
    return VoucherCode(voucher_no, key_id)


def encode_voucher(voucher_no: str, *, host: str, key_id: str | None = None, key: Ed25519PrivateKey | None = None) -> str:
    """Build the URL that is printed on a voucher; the inverse of :func:`decode_voucher`.

    Args:
        voucher_no: twelve digits.
        host: where the staff scan page lives, with a port if need be, e.g. ``pay.example.tw``.
        key_id, key: the programme's signing key; both or neither.

    Raises:
        ValueError: the number, the host or the key id is malformed, or only one of ``key_id`` and ``key`` is given.
    """
    if not is_voucher_no(voucher_no):
        raise ValueError("a voucher number is twelve digits")
    if not _HOST.fullmatch(host):
        raise ValueError(f"not a host: {host!r}")
    if (key_id is None) != (key is None):
        raise ValueError("a signed voucher needs a key and its id")
    url = f"https://{host}/v/{voucher_no}"
    if key is None or key_id is None:
        return url
    if not _KEY_ID.fullmatch(key_id):
        raise ValueError(f"not a key id: {key_id!r}")
    signature = base64.urlsafe_b64encode(key.sign(_signed_part(voucher_no, key_id))).rstrip(b"=")
    return f"{url}?k={key_id}&s={signature.decode('ascii')}"


def _signed_part(voucher_no: str, key_id: str) -> bytes:
    return b"\0".join((b"vk-voucher-v1", key_id.encode("ascii"), voucher_no.encode("ascii")))
