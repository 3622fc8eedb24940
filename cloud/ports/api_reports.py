"""What a merchant's programs read: lists that are walked through from place to place, never counted.

Every method takes the merchant and returns that merchant's rows and nobody else's. Lists take the place behind which to go on
(None: from the start) and return at most ``limit`` rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, Protocol
from uuid import UUID

from cloud.ports.reports import ClaimState

Place = tuple[datetime | date | int, UUID]
"""What a row is sorted by, and its id, which decides between equals."""

PayoutState = Literal["sent", "paid", "returned"]


@dataclass(frozen=True, slots=True)
class ApiTransaction:
    """One redemption and how far it is."""

    redemption_id: UUID
    redeemed_at: datetime
    programme_id: str
    site_id: str
    device_id: str | None
    staff_id: str | None
    item_category: str
    voucher_nos: tuple[str, ...]
    voucher_count: int
    redeemed_twd: int
    order_total_twd: int
    topup_twd: int
    state: ClaimState
    confirmed_at: datetime | None
    claim_id: UUID | None


@dataclass(frozen=True, slots=True)
class TransactionsWanted:
    """Which transactions; days are Asia/Taipei, both inclusive."""

    merchant_id: str
    state: ClaimState | None = None
    first_day: date | None = None
    last_day: date | None = None
    claim_id: UUID | None = None
    oldest_first: bool = False


@dataclass(frozen=True, slots=True)
class ApiConfirmation:
    """One redemption that was confirmed."""

    confirmation_no: int
    redemption_id: UUID
    confirmed_at: datetime
    staff_id: str
    programme_id: str
    voucher_count: int
    amount_twd: int


@dataclass(frozen=True, slots=True)
class ApiClaim:
    """What one settlement claims for the merchant from one programme."""

    claim_id: UUID
    period_starts_on: date
    closed_at: datetime
    programme_id: str
    redemption_count: int
    voucher_count: int
    amount_twd: int
    set_off_twd: int
    payable_twd: int
    state: Literal["claimed", "sent", "paid", "returned"]
    return_code: str | None


@dataclass(frozen=True, slots=True)
class ApiPayout:
    """One attempt to pay a claim."""

    payout_id: UUID
    claim_id: UUID
    attempt: int
    amount_twd: int
    sent_at: datetime
    value_date: date
    state: PayoutState
    known_at: datetime | None
    return_code: str | None


@dataclass(frozen=True, slots=True)
class ApiProgramme:
    """The rules of a programme that takes the merchant's category."""

    programme_id: str
    name_zh: str
    name_en: str
    face_value_twd: int
    starts_on: date
    ends_on: date
    vouchers_per_order_max: int


class ApiReports(Protocol):
    """Read side of the HTTP interface. Every method raises PortError where the database cannot be reached."""

    def transactions(self, wanted: TransactionsWanted, *, limit: int, after: Place | None) -> Sequence[ApiTransaction]:
        """By the time of redemption, newest first unless asked otherwise."""

    def find_transaction(self, redemption_id: UUID, *, merchant_id: str) -> ApiTransaction | None: ...

    def confirmations(self, merchant_id: str, *, limit: int, after: Place | None) -> Sequence[ApiConfirmation]:
        """In the order of their numbers, oldest first."""

    def claims(self, merchant_id: str, *, limit: int, after: Place | None) -> Sequence[ApiClaim]:
        """Newest period first."""

    def find_claim(self, claim_id: UUID, *, merchant_id: str) -> ApiClaim | None: ...

    def payouts(self, merchant_id: str, *, claim_id: UUID | None, limit: int, after: Place | None) -> Sequence[ApiPayout]:
        """Newest first; of one claim where it is given."""

    def programmes(self, merchant_category: str) -> Sequence[ApiProgramme]:
        """Those that take this category of merchants, in the order of their ids."""
