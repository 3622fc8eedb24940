"""What a programme office writes into one TOML file to open a programme: rules, item categories, merchants, sites, people.

The file is checked as a whole before anything is stored, and each complaint is one sentence for the person who wrote it.

Ids are slugs: lower-case letters, digits and hyphens. A site's id is a level of an MQTT topic, so the same rule holds for all.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from cloud.domain.counties import COUNTIES
from cloud.domain.identity import is_payee_id, is_ubn
from cloud.domain.retention import DISPUTE_DAYS, DISPUTE_DAYS_MAX
from protocol.limits import ITEM_CATEGORY_LENGTH_MAX, VOUCHERS_PER_ORDER_MAX

Slug = Annotated[str, Meta(pattern="^[a-z0-9-]{3,32}\\Z", description="3 to 32 lower-case letters, digits and hyphens")]
Category = Annotated[str, Meta(pattern="^[a-z0-9_]{3,32}\\Z", description="3 to 32 lower-case letters, digits and underscores")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Login = Annotated[str, Meta(min_length=1, max_length=64)]
KeyId = Annotated[str, Meta(pattern="^[a-z0-9-]{1,16}\\Z")]

BUDGET_MAX_TWD = 10**12
VOUCHERS_PER_HOLDER_MAX = 100
OFFLINE_MAX_TWD = 1_000_000
OFFLINE_AGE_MAX_H = 72

PASSWORD_LENGTH_MIN = 8
Password = Annotated[str, Meta(min_length=PASSWORD_LENGTH_MIN, max_length=256)]

OfficeRole = Literal["programme_admin", "reviewer", "finance", "technician", "auditor"]
"""The same as in :mod:`cloud.ports.people`, which this module may not know; a test holds them equal."""

SCAN_DOOR = "scan"
OFFICE_DOOR = "office"


class SetupError(ValueError):
    """The file cannot be used; the message is one sentence that says where and why."""


class ProgrammeSetup(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rules and dates of one scheme."""

    programme_id: Slug
    name_zh: Name
    name_en: Name
    face_value_twd: Annotated[int, Meta(ge=1, le=1_000_000)]
    starts_on: date
    ends_on: date
    """Last day, inclusive."""
    merchant_categories: Annotated[list[Category], Meta(min_length=1)]
    vouchers_per_order_max: Annotated[int, Meta(ge=1, le=VOUCHERS_PER_ORDER_MAX)] = VOUCHERS_PER_ORDER_MAX
    signing_key_id: KeyId | None = None
    """Key in the vault that signs the printed codes; none: codes hold the bare number."""
    dispute_days: Annotated[int, Meta(ge=0, le=DISPUTE_DAYS_MAX)] = DISPUTE_DAYS
    """Days after the last one in which an order may be disputed; then the holders are forgotten."""
    budget_twd: Annotated[int, Meta(ge=1, le=BUDGET_MAX_TWD)] | None = None
    """Face value that may be issued at most; none: no limit."""
    vouchers_per_holder_max: Annotated[int, Meta(ge=1, le=VOUCHERS_PER_HOLDER_MAX)] | None = None
    """How many vouchers one person (one whole ID) may get; none: no limit."""
    offline_order_max_twd: Annotated[int, Meta(ge=0, le=OFFLINE_MAX_TWD)] = 0
    """Floor limit: largest order that a kiosk may take while it is offline; 0: none (ADR 0010)."""
    offline_kiosk_max_twd: Annotated[int, Meta(ge=0, le=OFFLINE_MAX_TWD)] = 0
    """All orders that one kiosk may hold unanswered."""
    offline_age_max_h: Annotated[int, Meta(ge=0, le=OFFLINE_AGE_MAX_H)] = 0
    """How long it may have been offline."""


class ItemCategorySetup(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One thing that is sold (消費品項), in four languages."""

    merchant_category: Category
    item_category: Annotated[str, Meta(pattern="^[a-z0-9_]+\\Z", min_length=1, max_length=ITEM_CATEGORY_LENGTH_MAX)]
    name_zh: Name
    name_en: Name
    name_ja: Name
    name_ko: Name


class AccountSetup(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a merchant is paid."""

    bank_code: Annotated[str, Meta(pattern="^[0-9]{7}\\Z", description="bank and branch")]
    account_no: Annotated[str, Meta(pattern="^[0-9]{1,16}\\Z")]
    account_name: Name
    payee_id: str
    """Business number or ID of the account's holder, which the bank compares (return code 05)."""


class SiteSetup(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a kiosk may stand."""

    site_id: Slug
    name: Annotated[str, Meta(min_length=1, max_length=60)]
    county: str | None = None
    """Code of :mod:`cloud.domain.counties`."""
    address: Annotated[str, Meta(max_length=200)] = ""
    """As it is written in Taiwan, county first: the public search reads county and district from it."""
    phone: Annotated[str, Meta(max_length=32)] = ""


class StaffSetup(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One person who signs in."""

    staff_id: Slug
    login: Login
    name: Name
    password: Password
    """The first password. It is hashed when the account is made, and never looked at again."""
    role: Literal["merchant_admin", "scan_staff"] = "scan_staff"
    site_id: Slug | None = None

    def __repr__(self) -> str:
        return f"StaffSetup({self.staff_id!r})"


class OfficerSetup(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One person of the programme office."""

    staff_id: Slug
    login: Login
    name: Name
    password: Password
    role: OfficeRole = "programme_admin"

    def __repr__(self) -> str:
        return f"OfficerSetup({self.staff_id!r})"


class MerchantSetup(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One approved business with its sites and people."""

    merchant_id: Slug
    name: Name
    ubn: str
    merchant_category: Category
    sites: Annotated[list[SiteSetup], Meta(min_length=1)]
    staff: list[StaffSetup] = []
    account: AccountSetup | None = None
    """None until the merchant names one (V-R19); then it is claimed but not paid."""


class DoorSetup(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a door of the public home opens (V-E2). A door that the file does not name is open."""

    door: Literal["merchants", "winners", "shops"]
    opens_on: date | None = None
    closes_on: date | None = None
    """Last day, inclusive."""


class Setup(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file."""

    programmes: list[ProgrammeSetup] = []
    item_categories: list[ItemCategorySetup] = []
    merchants: list[MerchantSetup] = []
    office: list[OfficerSetup] = []
    doors: list[DoorSetup] = []


def decode_setup(content: bytes) -> Setup:
    """Read and check the file.

    Raises:
        SetupError: it is not TOML, a key is unknown or missing, or :func:`check_setup` refuses it.
    """
    try:
        setup = msgspec.toml.decode(content, type=Setup)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise SetupError(f"The setup file cannot be used: {problem}.") from problem
    check_setup(setup)
    return setup


def check_setup(setup: Setup) -> None:
    """Check what the types alone cannot say.

    Raises:
        SetupError: the first thing that is wrong.
    """
    for problem in _problems(setup):
        raise SetupError(problem)


def door_of(merchant: MerchantSetup, staff: StaffSetup) -> str:
    """Through which sign-in somebody enters: admins by their merchant's category, scan staff by a door of their own (V-E3)."""
    return merchant.merchant_category if staff.role == "merchant_admin" else SCAN_DOOR


def _problems(setup: Setup) -> Iterator[str]:
    yield from _doubles(setup)
    sold = {item.merchant_category for item in setup.item_categories}
    for programme in setup.programmes:
        if programme.ends_on < programme.starts_on:
            yield f"Programme {programme.programme_id} ends before it starts."
        for category in programme.merchant_categories:
            if category not in sold:
                yield f"Programme {programme.programme_id} is for {category}, which has no item category."
    for merchant in setup.merchants:
        yield from _merchant_problems(merchant, sold)
    for door in setup.doors:
        if door.opens_on is not None and door.closes_on is not None and door.closes_on < door.opens_on:
            yield f"The door {door.door} closes before it opens."


def _merchant_problems(merchant: MerchantSetup, sold: set[str]) -> Iterator[str]:
    name = f"Merchant {merchant.merchant_id}"
    if not is_ubn(merchant.ubn):
        yield f"{name}: {merchant.ubn!r} is not a business number."
    if merchant.merchant_category not in sold:
        yield f"{name} is of {merchant.merchant_category}, which has no item category."
    if merchant.account is not None and not is_payee_id(merchant.account.payee_id):
        yield f"{name}: the payee's ID of its account is neither a business number nor an ID."
    for site in merchant.sites:
        if site.county is not None and site.county not in COUNTIES:
            yield f"{name}: {site.county!r} of {site.site_id} is not the code of a county."
    own_sites = {site.site_id for site in merchant.sites}
    for person in merchant.staff:
        if person.site_id is not None and person.site_id not in own_sites:
            yield f"{name}: {person.staff_id} stands at {person.site_id}, which is not its site."
        if person.role == "scan_staff" and person.site_id is None:
            yield f"{name}: {person.staff_id} scans, but at no site."


def _doubles(setup: Setup) -> Iterator[str]:
    people = [(door_of(merchant, person), person.login) for merchant in setup.merchants for person in merchant.staff]
    people += [(OFFICE_DOOR, officer.login) for officer in setup.office]
    staff_ids = [person.staff_id for merchant in setup.merchants for person in merchant.staff]
    lists: dict[str, Iterable[object]] = {
        "programme_id": (programme.programme_id for programme in setup.programmes),
        "item_category": ((item.merchant_category, item.item_category) for item in setup.item_categories),
        "merchant_id": (merchant.merchant_id for merchant in setup.merchants),
        "ubn": (merchant.ubn for merchant in setup.merchants),
        "site_id": (site.site_id for merchant in setup.merchants for site in merchant.sites),
        "staff_id": [*staff_ids, *(officer.staff_id for officer in setup.office)],
        "login": people,
        "door": (door.door for door in setup.doors),
    }
    for what, values in lists.items():
        for value, times in Counter(values).items():
            if times > 1:
                yield f"The {what} {' '.join(value) if isinstance(value, tuple) else value} comes {times} times."
