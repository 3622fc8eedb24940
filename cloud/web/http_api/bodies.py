"""Everything that is sent and received, as msgspec structs. Fields are append-only; answers may gain some.

Requests reject what they do not know (a request half understood would be half done). Money is whole TWD; times are RFC 3339 in
UTC; days are Asia/Taipei. Answers about vouchers are the protocol's own (:mod:`protocol.messages`), byte for byte.
"""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from cloud.ports.reports import ClaimState
from protocol.limits import ID_DIGITS_LENGTH, ITEM_CATEGORY_LENGTH_MAX, VOUCHER_NO_LENGTH, VOUCHERS_PER_ORDER_MAX
from protocol.messages import Refusal

PAGE_ROWS = 50
PAGE_ROWS_MAX = 200
CONFIRM_IDS_MAX = 1_000
CURSOR_LENGTH_MAX = 200

_INTEGER_MAX = 2**53 - 1

VoucherNo = Annotated[
    str,
    Meta(
        pattern=f"^[0-9]{{{VOUCHER_NO_LENGTH}}}$",
        description="Twelve digits, as text: it may begin with zeros. Behind `/v/` in the address of a printed code.",
        examples=["566780776770"],
    ),
]
LastFour = Annotated[
    str,
    Meta(
        pattern=f"^[!-~]{{{ID_DIGITS_LENGTH}}}$",
        description="The last four characters of the holder's ID. Never kept, logged or sent back.",
        examples=["4321"],
    ),
]
ItemCategory = Annotated[
    str,
    Meta(
        pattern=f"^[!-~]{{1,{ITEM_CATEGORY_LENGTH_MAX}}}$",
        description="Code of what is bought: one of `GET /item-categories`.",
        examples=["room"],
    ),
]
Amount = Annotated[int, Meta(ge=-_INTEGER_MAX, le=_INTEGER_MAX, description="Whole TWD.", examples=[5050])]
VisitId = Annotated[
    UUID,
    Meta(description="One customer at the counter, an id of yours; without it every request is a visit of its own."),
]
Limit = Annotated[int, Meta(ge=1, le=PAGE_ROWS_MAX, description="Rows of a page at most.")]
Cursor = Annotated[
    str, Meta(max_length=CURSOR_LENGTH_MAX, description="`next` of the page before, for the same query. It has no inside.")
]


class CheckRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Verify one voucher and hold it for five minutes."""

    voucher_no: VoucherNo
    last_four: LastFour
    visit_id: VisitId | None = None

    def __repr__(self) -> str:
        return "CheckRequest(…)"  # the digits belong into no log


class VoucherProof(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A voucher and what its holder says to prove it."""

    voucher_no: VoucherNo
    last_four: LastFour

    def __repr__(self) -> str:
        return "VoucherProof(…)"  # the digits belong into no log


class OrderRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Redeem an order: all its vouchers or none, for good."""

    vouchers: Annotated[list[VoucherProof], Meta(min_length=1, max_length=VOUCHERS_PER_ORDER_MAX, description="All different.")]
    item_category: ItemCategory
    order_total_twd: Amount
    visit_id: VisitId | None = None


class ReleaseRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Let go of vouchers that a check of the same visit holds: the customer has changed their mind."""

    vouchers: Annotated[list[VoucherNo], Meta(min_length=1, max_length=VOUCHERS_PER_ORDER_MAX, description="All different.")]
    visit_id: Annotated[
        UUID, Meta(description="The visit of the check, or the `request_id` of its answer where it named none.")
    ]


class ConfirmationRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Confirm some redemptions or, with `all`, everything that waits. One of the two."""

    redemption_ids: Annotated[list[UUID], Meta(min_length=1, max_length=CONFIRM_IDS_MAX)] | None = None
    all: Literal[True] | None = None


class Confirmed(Struct, frozen=True, kw_only=True):
    """What was added; what was confirmed before, or is not the merchant's, counts nothing."""

    redemption_count: int
    voucher_count: int
    amount_twd: int
    confirmed_at: datetime


class Key(Struct, frozen=True, kw_only=True):
    """The key that asks."""

    key_id: str
    name: str
    merchant_id: str
    merchant_category: str
    site_id: str
    site_name: str
    scopes: list[Literal["redeem", "read", "confirm"]]
    expires_at: datetime | None


class Transaction(Struct, frozen=True, kw_only=True):
    """One redeemed order and how far it is."""

    redemption_id: UUID
    reference: Annotated[str, Meta(description="Six characters that a person can read to the help line.")]
    redeemed_at: datetime
    programme_id: str
    site_id: str
    device_id: Annotated[str | None, Meta(description="The kiosk that took it.")]
    staff_id: Annotated[str | None, Meta(description="The member of staff, or the key, that took it.")]
    item_category: str
    voucher_nos: list[str]
    voucher_count: int
    redeemed_twd: Annotated[int, Meta(description="Sum of the face values: what the merchant is paid.")]
    order_total_twd: int
    topup_twd: Annotated[int, Meta(description="What the customer paid beside the vouchers. There is no change.")]
    state: ClaimState
    confirmed_at: datetime | None
    claim_id: UUID | None


class TransactionPage(Struct, frozen=True, kw_only=True):
    rows: list[Transaction]
    next: Annotated[str | None, Meta(description="Cursor of the page behind this one; null where there is none.")]


class TransactionQuery(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    state: ClaimState | None = None
    first_day: Annotated[date, Meta(description="Asia/Taipei, inclusive.")] | None = None
    last_day: Annotated[date, Meta(description="Asia/Taipei, inclusive.")] | None = None
    claim_id: UUID | None = None
    sort: Annotated[Literal["-redeemed_at", "redeemed_at"], Meta(description="`-`: newest first.")] = "-redeemed_at"
    limit: Limit = PAGE_ROWS
    cursor: Cursor | None = None


class PageQuery(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    limit: Limit = PAGE_ROWS
    cursor: Cursor | None = None


class PayoutQuery(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    claim_id: UUID | None = None
    limit: Limit = PAGE_ROWS
    cursor: Cursor | None = None


class Confirmation(Struct, frozen=True, kw_only=True):
    """A redemption that was confirmed, and therefore is or will be claimed."""

    confirmation_no: Annotated[int, Meta(description="Grows; numbers may be missing and may appear a little late.")]
    redemption_id: UUID
    confirmed_at: datetime
    staff_id: str
    programme_id: str
    voucher_count: int
    amount_twd: int


class ConfirmationPage(Struct, frozen=True, kw_only=True):
    rows: list[Confirmation]
    next: Annotated[str | None, Meta(description="Cursor of the page behind this one; null where there is none.")]


class Claim(Struct, frozen=True, kw_only=True):
    """What one weekly settlement claims for the merchant from one programme."""

    claim_id: UUID
    period_starts_on: Annotated[date, Meta(description="A Wednesday; the week ends before the next one, Asia/Taipei.")]
    closed_at: datetime
    programme_id: str
    redemption_count: int
    voucher_count: int
    amount_twd: int
    set_off_twd: Annotated[int, Meta(description="Deducted for redemptions that were corrected.")]
    payable_twd: Annotated[int, Meta(description="What is paid: amount_twd less set_off_twd.")]
    state: Literal["claimed", "sent", "paid", "returned"]
    return_code: Annotated[str | None, Meta(description="Why the bank sent the payout back.")]


class ClaimPage(Struct, frozen=True, kw_only=True):
    rows: list[Claim]
    next: Annotated[str | None, Meta(description="Cursor of the page behind this one; null where there is none.")]


class Payout(Struct, frozen=True, kw_only=True):
    """One attempt to pay a claim."""

    payout_id: UUID
    claim_id: UUID
    attempt: int
    amount_twd: int
    sent_at: datetime
    value_date: date
    state: Literal["sent", "paid", "returned"]
    known_at: Annotated[datetime | None, Meta(description="When the bank's answer was read.")]
    return_code: str | None


class PayoutPage(Struct, frozen=True, kw_only=True):
    rows: list[Payout]
    next: Annotated[str | None, Meta(description="Cursor of the page behind this one; null where there is none.")]


class Programme(Struct, frozen=True, kw_only=True):
    """A programme whose vouchers the merchant may take."""

    programme_id: str
    name_zh: str
    name_en: str
    face_value_twd: int
    starts_on: date
    ends_on: Annotated[date, Meta(description="Inclusive.")]
    vouchers_per_order_max: int


class Programmes(Struct, frozen=True, kw_only=True):
    rows: list[Programme]


class Item(Struct, frozen=True, kw_only=True):
    """One item category of the merchant."""

    item_category: str
    names: Annotated[dict[str, str], Meta(description="By language: zh-Hant-TW, en, ja, ko.")]


class Items(Struct, frozen=True, kw_only=True):
    rows: list[Item]


class FieldProblem(Struct, frozen=True, kw_only=True):
    """What is wrong with one part of the request."""

    pointer: Annotated[str, Meta(description="JSON Pointer into the body, or the name of a parameter.")]
    detail: str


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457. `type` and `code` are stable; `title` and `detail` are for people."""

    type: Annotated[str, Meta(description="`urn:voucher-kiosk:problem:CODE`, or `…:reason:CODE` where the judge refused.")]
    title: str
    status: int
    detail: str
    code: str
    reference: Annotated[str, Meta(description="Six characters to read to the help line.")] | None = None
    request_id: UUID | None = None
    refusals: list[Refusal] = []
    errors: list[FieldProblem] = []
