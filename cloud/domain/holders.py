"""A person who gets a voucher, as far as the programme may know: masked name, masked ID, and what is tagged in a moment.

Digits and whole ID live in this object's memory only. They are in no repr, no comparison and no exception; what is stored is
their tags under the pepper (:mod:`cloud.domain.digits`).
"""

from dataclasses import dataclass, field

from cloud.domain.identity import is_national_id, is_resident_certificate
from cloud.domain.masking import mask_name, mask_national_id
from protocol.limits import ID_DIGITS_LENGTH


@dataclass(frozen=True, slots=True)
class Holder:
    """One holder. Made by :func:`holder_with_id` or :func:`holder_with_digits`."""

    name_masked: str
    id_masked: str
    digits: str = field(repr=False, compare=False)
    """The last four characters of the ID."""
    national_id: str | None = field(default=None, repr=False, compare=False)
    """The whole ID, where it is known."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A holder and the line of the list that names them."""

    line_no: int
    holder: Holder


def holder_with_id(name: str, national_id: str) -> Holder:
    """Take a holder with a full ID, of which masks and tags are kept and nothing else.

    Raises:
        ValueError: no name, or the ID is none. The text never quotes either.
    """
    wanted = national_id.strip().upper()
    if not (is_national_id(wanted) or is_resident_certificate(wanted)):
        raise ValueError("the ID is neither a national ID nor a resident certificate number")
    return Holder(mask_name(name), mask_national_id(wanted[0]), wanted[-ID_DIGITS_LENGTH:], wanted)


def holder_with_digits(name: str, last_four: str) -> Holder:
    """Take a holder of whom only the last four characters are known. Any four characters are allowed.

    Raises:
        ValueError: no name, or not four characters.
    """
    digits = last_four.strip()
    if len(digits) != ID_DIGITS_LENGTH:
        raise ValueError(f"the last four of an ID are {ID_DIGITS_LENGTH} characters")
    return Holder(mask_name(name), mask_national_id(None), digits)
