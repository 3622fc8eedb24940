"""The last four characters of a holder's ID, as the database knows them: a tag that says nothing without the pepper.

Four digits are ten thousand guesses, so a plain hash would hide nothing. The pepper, 32 random bytes kept outside the
database, is the protection (ADR 0006); the voucher number in the tag keeps equal digits from having equal tags.
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import Final

TAG_BYTES: Final = 32
PEPPER_BYTES: Final = 32
_NOBODYS_TAG: Final = bytes(TAG_BYTES)
_INNER_PAD: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD: Final = bytes(byte ^ 0x5C for byte in range(256))


def digit_tag(pepper: bytes, voucher_no: str, digits: str) -> bytes:
    """Compute HMAC-SHA256(pepper, voucher number ‖ 0x00 ‖ digits in UTF-8): 32 bytes.

    Args:
        pepper: 32 random bytes.
        voucher_no: twelve ASCII digits.
        digits: four characters as they stand on the keys; sites may legend them as they like.

    Raises:
        ValueError: the pepper is not 32 bytes.
    """
    return digit_tagger(pepper)(voucher_no, digits)


def digit_tagger(pepper: bytes) -> Callable[[str, str], bytes]:
    """Return :func:`digit_tag` for one pepper, whose half of the work is done once: for whoever computes many.

    Raises:
        ValueError: the pepper is not 32 bytes.
    """
    if len(pepper) != PEPPER_BYTES:
        raise ValueError(f"the pepper is {PEPPER_BYTES} bytes")
    # HMAC by its definition, H(K ^ opad, H(K ^ ipad, text)) of RFC 2104 §2, with both keyed halves prepared: the library's own
    # object takes twice as long to copy.
    block = pepper.ljust(hashlib.sha256().block_size, b"\0")
    inner_keyed = hashlib.sha256(block.translate(_INNER_PAD))
    outer_keyed = hashlib.sha256(block.translate(_OUTER_PAD))

    def tag(voucher_no: str, digits: str) -> bytes:
        inner = inner_keyed.copy()
        inner.update(f"{voucher_no}\0{digits}".encode())
        outer = outer_keyed.copy()
        outer.update(inner.digest())
        return outer.digest()

    return tag


def holder_tagger(pepper: bytes, programme_id: str) -> Callable[[str], bytes]:
    """Return what computes HMAC-SHA256(pepper, "holder" ‖ 0x00 ‖ programme ‖ 0x00 ‖ whole ID): 32 bytes.

    It tells that two vouchers of one programme are the same person's, for caps, draws and signals of abuse; of two programmes
    it tells nothing. No voucher number begins with a letter, so no digits have a tag of this kind.

    Raises:
        ValueError: the pepper is not 32 bytes.
    """
    tag = digit_tagger(pepper)

    def of(national_id: str) -> bytes:
        return tag(f"holder\0{programme_id}", national_id)

    return of


def matches(stored: bytes | None, given: bytes) -> bool:
    """Compare two tags in constant time.

    Args:
        stored: the voucher's tag, or None where no voucher has the number or its holder is forgotten: compared all the same,
            so that all take as long.
    """
    same = hmac.compare_digest(_NOBODYS_TAG if stored is None else stored, given)
    return same and stored is not None
