"""What a business tells of itself when it applies, and how that is checked.

Two strengths. What does not fit into the form at all (too long, control characters) is refused at once; what is missing or
cannot be right yet is listed, so that a draft can be put down half done and gone on with tomorrow.

Who types with a Chinese keyboard types full-width digits without knowing: numbers, telephone and e-mail are brought to plain
characters before they are looked at.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Final

from cloud.domain.identity import is_national_id, is_resident_certificate, is_ubn

LENGTHS_MAX: Final = {
    "ubn": 8,
    "owner_id": 10,
    "licence_no": 40,
    "name_zh": 60,
    "name_en": 100,
    "address": 120,
    "contact_name": 60,
    "phone": 30,
    "email": 120,
}
_PLAIN: Final = frozenset({"ubn", "owner_id", "licence_no", "phone", "email"})
_PHONE = re.compile(r"[+(]?[0-9][0-9 ()#*-]{6,28}")
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_PHONE_DIGITS_MIN = 8


@dataclass(frozen=True, slots=True)
class Contact:
    """How a business is reached; its own to change at any time."""

    name_en: str = ""
    address: str = ""
    contact_name: str = ""
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Business:
    """What an application says."""

    merchant_category: str
    ubn: str
    name_zh: str
    sole_owner: bool = False
    """A business of one person (獨資): the owner's own ID stands beside the business number."""
    owner_id: str = ""
    licence_no: str = ""
    contact: Contact = field(default_factory=Contact)


@dataclass(frozen=True, slots=True)
class Slip:
    """One field that needs another value, and why: ``length``, ``missing``, ``number``, ``form`` or ``choose``."""

    field: str
    why: str


def tidy(business: Business) -> Business:
    """The same without what slips in while typing: blanks around, full-width digits and letters, a small letter in an ID."""
    texts = _tidied(business)
    return replace(
        business,
        ubn=texts["ubn"],
        name_zh=texts["name_zh"],
        owner_id=texts["owner_id"].upper() if business.sole_owner else "",
        licence_no=texts["licence_no"],
        contact=tidy_contact(business.contact),
    )


def tidy_contact(contact: Contact) -> Contact:
    """The same for what can be changed later."""
    return replace(contact, **_tidied(contact))


def unfit(business: Business) -> Iterator[Slip]:
    """What does not fit into the form at all."""
    yield from (Slip(name, "length") for name, text in _texts(business) if not _fits(name, text))
    yield from (Slip(name, "length") for name, text in _texts(business.contact) if not _fits(name, text))


def slips(business: Business, *, categories: tuple[str, ...]) -> list[Slip]:
    """Everything that must be put right before the application can be sent; in the order of the form."""
    return [*_first_slips(business, categories), *_owner_slips(business), *contact_slips(business.contact)]


def first_slips(business: Business, *, categories: tuple[str, ...]) -> list[Slip]:
    """The same for what is asked before there is an application: category, name and number."""
    return [*unfit(business), *_first_slips(business, categories)]


def contact_slips(contact: Contact) -> list[Slip]:
    """What must be put right in the contact; the English name alone may be left out."""
    found = [Slip(name, "length") for name, text in _texts(contact) if not _fits(name, text)]
    found += [Slip(name, "missing") for name in ("address", "contact_name", "phone", "email") if not getattr(contact, name)]
    if contact.phone and not is_phone(contact.phone):
        found.append(Slip("phone", "form"))
    if contact.email and _EMAIL.fullmatch(contact.email) is None:
        found.append(Slip("email", "form"))
    return found


def is_phone(text: str) -> bool:
    """Tell whether somebody can be called at it: eight digits or more, an extension after ``#``."""
    return _PHONE.fullmatch(text) is not None and sum(map(str.isdigit, text)) >= _PHONE_DIGITS_MIN


def mask_owner_id(owner_id: str) -> str:
    """First letter, five dots, the last four (DOMAIN 9.3): enough for a reviewer to compare with the paper beside it."""
    return f"{owner_id[0]}●●●●●{owner_id[-4:]}" if len(owner_id) == LENGTHS_MAX["owner_id"] else owner_id


def _first_slips(business: Business, categories: tuple[str, ...]) -> Iterator[Slip]:
    if business.merchant_category not in categories:
        yield Slip("merchant_category", "choose")
    if not business.name_zh:
        yield Slip("name_zh", "missing")
    if not is_ubn(business.ubn):
        yield Slip("ubn", "number" if business.ubn else "missing")


def _owner_slips(business: Business) -> Iterator[Slip]:
    if business.sole_owner and not (is_national_id(business.owner_id) or is_resident_certificate(business.owner_id)):
        yield Slip("owner_id", "number" if business.owner_id else "missing")
    if not business.licence_no:
        yield Slip("licence_no", "missing")


def _texts(record: Business | Contact) -> Iterator[tuple[str, str]]:
    for one in fields(record):
        if one.name in LENGTHS_MAX:
            yield one.name, getattr(record, one.name)


def _tidied(record: Business | Contact) -> dict[str, str]:
    return {name: (unicodedata.normalize("NFKC", text) if name in _PLAIN else text).strip() for name, text in _texts(record)}


def _fits(name: str, text: str) -> bool:
    return len(text) <= LENGTHS_MAX[name] and text.isprintable()
