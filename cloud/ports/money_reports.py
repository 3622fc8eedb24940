"""What the pages about money read: claims whole, pay runs, what can be paid, what came back. Queries only.

Every method that takes a ``merchant_id`` returns that merchant's rows and nobody else's; None there is the programme office.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, Protocol
from uuid import UUID

from cloud.ports.reports import ClaimRow, PayoutStep

PayState = Literal["claimed", "sent", "paid", "returned"]


@dataclass(frozen=True, slots=True)
class Undoable:
    """What one click confirmed, and no settlement has seen."""

    confirmed_at: datetime
    by: str
    redemption_count: int
    voucher_count: int
    amount_twd: int


@dataclass(frozen=True, slots=True)
class Taker:
    """Somebody, or a kiosk, that takes vouchers for a merchant."""

    taker_id: str
    name: str


@dataclass(frozen=True, slots=True)
class ClaimDetail:
    """One claim with everything that its statement says."""

    claim_id: UUID
    merchant_id: str
    merchant_name: str
    ubn: str
    programme_name_zh: str
    programme_name_en: str
    period_starts_on: date
    closed_at: datetime
    redemption_count: int
    voucher_count: int
    amount_twd: int
    state: PayState
    return_code: str | None
    bank_code: str | None
    """Of the newest payout; of the merchant while there is none."""
    account_no: str | None
    payouts: Sequence[PayoutStep]
    """Oldest attempt first."""
    set_off_twd: int = 0
    """Of the amount, not paid because of corrections."""

    @property
    def payable_twd(self) -> int:
        """What is paid of it."""
        return self.amount_twd - self.set_off_twd


@dataclass(frozen=True, slots=True)
class WeekClaim:
    """One claim in the list of a week, over all merchants."""

    claim: ClaimRow
    merchant_id: str
    merchant_name: str


@dataclass(frozen=True, slots=True)
class WeekClaims:
    """Some claims of a week, with the sums of all that match."""

    rows: Sequence[WeekClaim]
    claim_count: int
    voucher_count: int
    amount_twd: int
    set_off_twd: int


@dataclass(frozen=True, slots=True)
class ToPay:
    """What the next pay run would hold, and what keeps the rest out of it."""

    ready_count: int
    ready_twd: int
    unmended_count: int
    """Came back for a fault of the account, which is still the same."""
    unmended_twd: int
    no_account_count: int
    """The merchant has no whole account."""
    no_account_twd: int


@dataclass(frozen=True, slots=True)
class PayRunRow:
    """One pay run."""

    run_id: UUID
    run_no: int
    format: str
    prepared_by: str
    """Name."""
    prepared_by_id: str
    prepared_at: datetime
    line_count: int
    total_twd: int
    outcome: Literal["released", "withdrawn"] | None
    """None while it waits."""
    ended_by: str | None
    ended_at: datetime | None
    reason: str | None
    file_no: int | None


@dataclass(frozen=True, slots=True)
class PayRunLine:
    """One line of a run, as it was prepared."""

    line_no: int
    claim_id: UUID
    merchant_name: str
    period_starts_on: date
    attempt: int
    amount_twd: int
    bank_code: str
    account_no: str


@dataclass(frozen=True, slots=True)
class PaidTo:
    """Where one payout went."""

    claim_id: UUID
    merchant_name: str
    period_starts_on: date


class MoneyReports(Protocol):
    """Read side."""

    def undoable(self, merchant_id: str, *, since: datetime) -> Sequence[Undoable]:
        """What was confirmed since then and can still be taken back, newest first."""

    def takers(self, merchant_id: str) -> Sequence[Taker]:
        """Staff by name, then kiosks."""

    def find_claim(self, claim_id: UUID, *, merchant_id: str | None) -> ClaimDetail | None: ...

    def merchant_of(self, redemption_id: UUID) -> str | None:
        """Whose a redemption is; for the programme office."""

    def week_claims(self, period_starts_on: date, *, state: PayState | None, after: UUID | None, limit: int) -> WeekClaims:
        """Claims of a week in the order of their ids, behind the one named ``after``."""

    def to_pay(self) -> ToPay: ...

    def pay_runs(self, *, limit: int) -> Sequence[PayRunRow]:
        """Newest first."""

    def find_pay_run(self, run_id: UUID) -> PayRunRow | None: ...

    def pay_run_lines(self, run_id: UUID, *, after: int, limit: int) -> Sequence[PayRunLine]: ...

    def paid_to(self, payout_ids: Collection[UUID]) -> Mapping[UUID, PaidTo]: ...
