"""What staff type or a hand scanner types for them, brought into one form before it is judged.

Full-width digits, spaces between groups of four and thousands separators are how people write; none of that is a fault.
"""

import re
import unicodedata

from protocol.limits import ID_DIGITS_LENGTH, SCANNED_BYTES_MAX
from protocol.reasons import Reason
from protocol.voucher import KeyRing, VoucherCode, decode_voucher

_NUMBER_WITH_GAPS = re.compile(r"[0-9\s-]+")
_FULL_WIDTH = {ord("０") + digit: str(digit) for digit in range(10)}
_TOTAL = re.compile(r"[0-9]{1,9}")


def read_code(typed: str, trusted: KeyRing) -> VoucherCode | Reason:
    """Read a voucher number as typed, or the whole address as a hand scanner sends it; its signature is checked."""
    text = typed.strip().translate(_FULL_WIDTH)
    if _NUMBER_WITH_GAPS.fullmatch(text):
        text = re.sub(r"[\s-]", "", text)
    return decode_voucher(text.encode()[: SCANNED_BYTES_MAX + 1], trusted)


def read_landing(voucher_no: str, key_id: str | None, signature: str | None, trusted: KeyRing) -> VoucherCode | Reason:
    """Read the address that a phone camera opened. A signature that is only half there is not a voucher's."""
    query = "" if key_id is None and signature is None else f"?k={key_id or ''}&s={signature or ''}"
    # Which host it was opened on says nothing; any will do to bring the parts into the printed form.
    return decode_voucher(f"https://voucher/v/{voucher_no}{query}".encode()[: SCANNED_BYTES_MAX + 1], trusted)


def read_digits(typed: str) -> str | None:
    """The last four characters of an ID; None where they are not four."""
    digits = typed.strip().translate(_FULL_WIDTH)
    return digits if len(digits) == ID_DIGITS_LENGTH and not any(map(_is_gap, digits)) else None


def read_total(typed: str) -> int | None:
    """An amount in whole TWD; None where it is no number. Whether it is allowed, the judge says."""
    text = re.sub(r"[\s,，]", "", typed.translate(_FULL_WIDTH))
    return int(text) if _TOTAL.fullmatch(text) else None


def _is_gap(character: str) -> bool:
    return unicodedata.category(character)[0] in "ZC"
