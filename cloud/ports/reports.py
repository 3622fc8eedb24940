"""What the web pages read. Queries only; money is summed by the database, never by a page.

Every method that takes a ``merchant_id`` returns that merchant's rows and nobody else's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, Protocol
from uuid import UUID

ClaimState = Literal["unconfirmed", "confirmed", "claimed", "sent", "paid", "returned"]
"""請款進度 of one transaction: 未確認, 已確認, 已請款, 已送銀行, 已撥款, 退匯."""


@dataclass(frozen=True, slots=True)
class TransactionRow:
    """One row of 交易紀錄 (V-S9)."""

    redemption_id: UUID
    voucher_nos: tuple[str, ...]
    voucher_count: int
    redeemed_at: datetime
    order_total_twd: int
    redeemed_twd: int
    topup_twd: int
    item_name_zh: str
    item_name_en: str
    by: str
    """Name of the member of staff, or the kiosk's id (掃票同仁)."""
    site_name: str
    state: ClaimState
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class TransactionPage:
    """One page of transactions, newest first, with the sums of *all* rows that the filter matches."""

    rows: Sequence[TransactionRow]
    row_count: int
    voucher_count: int
    redeemed_twd: int


@dataclass(frozen=True, slots=True)
class TransactionFilter:
    """What to list. Dates are Asia/Taipei days, both inclusive."""

    merchant_id: str
    state: ClaimState | None = None
    first_day: date | None = None
    last_day: date | None = None
    claim_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """One claim of one settlement (請款批次) and how far its payout is."""

    claim_id: UUID
    period_starts_on: date
    programme_name_zh: str
    programme_name_en: str
    redemption_count: int
    voucher_count: int
    amount_twd: int
    state: Literal["claimed", "sent", "paid", "returned"]
    return_code: str | None
    file_no: int | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The four numbers on top of a merchant's first page."""

    today_count: int
    today_twd: int
    unconfirmed_count: int
    unconfirmed_twd: int
    next_claim_twd: int
    """Confirmed and not yet claimed: what the next settlement will claim."""
    devices_not_online: int


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One kiosk in the fleet list."""

    device_id: str
    site_name: str
    merchant_name: str
    state: Literal["active", "suspended", "revoked"]
    presence: Literal["online", "offline", "lost", "never"]
    seen_at: datetime | None
    pending: int
    enrolled_at: datetime


@dataclass(frozen=True, slots=True)
class IssueRow:
    """One issue batch and what became of its vouchers."""

    issue_id: UUID
    programme_id: str
    programme_name_zh: str
    programme_name_en: str
    issued_at: datetime
    voucher_count: int
    redeemed_count: int


@dataclass(frozen=True, slots=True)
class SettlementRow:
    """One closed week, over all merchants."""

    period_starts_on: date
    closed_at: datetime
    claim_count: int
    voucher_count: int
    claimed_twd: int
    sent_twd: int
    paid_twd: int
    returned_twd: int


@dataclass(frozen=True, slots=True)
class Totals:
    """The programme's money at one moment; the demo's last line and ``cloud reconcile`` print it.

    ``redeemed_twd = claimed_twd + unclaimed_twd``; ``claimed_twd = paid_twd + returned_twd + open_twd``.
    """

    issued: int
    redemptions: int
    vouchers_redeemed: int
    redeemed_twd: int
    topup_twd: int
    confirmed: int
    claims: int
    claimed_twd: int
    unclaimed_twd: int
    paid_twd: int
    returned_twd: int
    open_twd: int
    """Claimed, with no bank outcome yet."""
    double_redeemed: int
    """Voucher numbers that stand in more than one redemption: zero, or the constraint is gone."""
    ledger_sum_twd: int
    unbalanced_journals: int


class Reports(Protocol):
    """Read side."""

    def find_transactions(self, wanted: TransactionFilter, *, page: int, page_size: int) -> TransactionPage:
        """List transactions; ``page`` counts from 1."""

    def find_transaction(self, redemption_id: UUID, *, merchant_id: str) -> TransactionRow | None: ...

    def claims(self, *, merchant_id: str, period_starts_on: date | None = None) -> Sequence[ClaimRow]:
        """Claims of one merchant, newest period first; of one period where given."""

    def overview(self, *, merchant_id: str, now: datetime) -> Overview: ...

    def devices(self, *, merchant_id: str | None = None) -> Sequence[DeviceRow]:
        """The fleet; of one merchant where given."""

    def issues(self) -> Sequence[IssueRow]: ...

    def settlements(self) -> Sequence[SettlementRow]: ...

    def totals(self) -> Totals: ...
