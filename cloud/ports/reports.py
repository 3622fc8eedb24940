"""What the web pages read. Queries only; money is summed by the database, never by a page.

Every method that takes a ``merchant_id`` returns that merchant's rows and nobody else's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal, Protocol
from uuid import UUID

ClaimState = Literal["unconfirmed", "disputed", "set_aside", "confirmed", "claimed", "sent", "paid", "returned"]
"""請款進度 of one transaction: 未確認, 爭議中, 不請款, 已確認, 已請款, 已送銀行, 已撥款, 退匯."""

SortColumn = Literal["redeemed_at", "order_total", "voucher_count"]


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
    item_name_ja: str
    item_name_ko: str
    by: str
    """Name of the member of staff, or the kiosk's id (掃票同仁)."""
    site_name: str
    state: ClaimState
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class TransactionPage:
    """One page of transactions in the order that was asked for, with the sums of *all* rows that the filter matches."""

    rows: Sequence[TransactionRow]
    row_count: int
    voucher_count: int
    redeemed_twd: int


@dataclass(frozen=True, slots=True)
class Order:
    """How transactions are sorted; the id decides between equals, so that every row has one place."""

    column: SortColumn = "redeemed_at"
    descending: bool = True


NEWEST_FIRST: Final = Order()


@dataclass(frozen=True, slots=True)
class Mark:
    """A row that a page starts behind, or ends in front of. Paging by it costs the same on every page of any list."""

    value: datetime | int
    """What the sorted column holds there."""
    redemption_id: UUID
    before: bool = False
    """Whether the page wanted is the one in front of the row."""


@dataclass(frozen=True, slots=True)
class PayoutStep:
    """One attempt to pay a claim, and what the bank said."""

    file_no: int
    sent_at: datetime
    value_date: date
    state: Literal["sent", "paid", "returned"]
    known_at: datetime | None
    """When the bank's answer was read."""
    return_code: str | None


@dataclass(frozen=True, slots=True)
class UndoneStep:
    """A confirmation that was taken back."""

    confirmed_by: str
    confirmed_at: datetime
    undone_by: str
    undone_at: datetime


@dataclass(frozen=True, slots=True)
class DisputeStep:
    """What the merchant found wrong with a transaction of its own, and what became of that."""

    reason: str
    opened_by: str
    opened_at: datetime
    outcome: Literal["stands", "set_aside", "withdrawn"] | None
    """None while it is open."""
    ended_by: str | None
    ended_at: datetime | None
    end_reason: str | None


@dataclass(frozen=True, slots=True)
class TransactionTrail:
    """What happened to one transaction after it was taken: confirmed by whom, claimed in which week, paid with which file."""

    confirmed_by: str | None
    claim_id: UUID | None
    period_starts_on: date | None
    claimed_at: datetime | None
    payouts: Sequence[PayoutStep]
    """Oldest attempt first."""
    corrected_twd: int | None = None
    """What was taken back of it, if it was corrected."""
    corrected_at: datetime | None = None
    correction_reason: str | None = None
    undone: Sequence[UndoneStep] = ()
    """Confirmations that were taken back, oldest first."""
    dispute: DisputeStep | None = None


@dataclass(frozen=True, slots=True)
class TransactionFilter:
    """What to list. Dates are Asia/Taipei days, both inclusive."""

    merchant_id: str
    state: ClaimState | None = None
    first_day: date | None = None
    last_day: date | None = None
    claim_id: UUID | None = None
    taken_by: str | None = None
    """Member of staff or kiosk (掃票同仁)."""
    site_id: str | None = None
    voucher_no: str | None = None
    """Twelve digits; anything else matches nothing."""
    redeemed_through: datetime | None = None
    """Up to this instant and no later: so that what was looked at is what is confirmed."""


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
    set_off_twd: int = 0
    """Of the amount, not paid because of corrections."""

    @property
    def payable_twd(self) -> int:
        """What is paid of it."""
        return self.amount_twd - self.set_off_twd


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
class DayAmount:
    """What one merchant redeemed on one Asia/Taipei day."""

    day: date
    redemption_count: int
    redeemed_twd: int


@dataclass(frozen=True, slots=True)
class ProgrammeUse:
    """How far one programme's vouchers are, in vouchers and in money."""

    programme_id: str
    name_zh: str
    name_en: str
    starts_on: date
    ends_on: date
    issued_count: int
    issued_twd: int
    redeemed_count: int
    redeemed_twd: int
    claimed_twd: int
    paid_twd: int


@dataclass(frozen=True, slots=True)
class OfficeOverview:
    """The numbers on the programme office's first page, over all merchants."""

    today_count: int
    today_twd: int
    next_claim_twd: int
    """Confirmed and not yet claimed: what the next settlement will claim."""
    unconfirmed_count: int
    unconfirmed_twd: int
    overdue_count: int
    """Of these, redeemed in a week that is over: they missed a settlement."""
    overdue_twd: int
    returned_count: int
    """Claims whose newest payout came back from the bank."""
    returned_twd: int
    locked_count: int
    """Vouchers, or numbers typed for vouchers, that take no more tries of the last four."""
    parked_count: int
    """Messages that could not be understood or proved."""
    online: int
    """Kiosks in use, by what they last said."""
    offline: int
    lost: int
    never: int
    pending: int
    """Orders that kiosks in use still have to send."""


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
    site_id: str


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

    ``redeemed_twd = claimed_twd + unclaimed_twd``; ``claimed_twd = paid_twd + returned_twd + open_twd + set_off_twd``.
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
    corrected_twd: int = 0
    """Taken back from merchants by corrections, whether it is set off yet or not."""
    set_off_twd: int = 0
    """Of claims, not paid because of corrections."""


class Reports(Protocol):
    """Read side."""

    def find_transactions(
        self, wanted: TransactionFilter, *, page_size: int, order: Order = NEWEST_FIRST, mark: Mark | None = None
    ) -> TransactionPage:
        """List transactions: the first page, or the one that ``mark`` points to."""

    def walk_transactions(self, wanted: TransactionFilter) -> Iterator[TransactionRow]:
        """Every transaction that the filter matches, oldest first, read a page at a time: any number in the memory of one page.

        Each page is a moment of its own; what was in the list at the beginning is in it once.
        """

    def find_transaction(self, redemption_id: UUID, *, merchant_id: str) -> TransactionRow | None: ...

    def find_trail(self, redemption_id: UUID, *, merchant_id: str) -> TransactionTrail | None: ...

    def claims(self, *, merchant_id: str, period_starts_on: date | None = None) -> Sequence[ClaimRow]:
        """Claims of one merchant, newest period first; of one period where given."""

    def overview(self, *, merchant_id: str, now: datetime) -> Overview: ...

    def days(self, *, merchant_id: str, first_day: date, last_day: date) -> Sequence[DayAmount]:
        """One row per day, both ends included, days without a transaction too."""

    def office_overview(self, *, now: datetime) -> OfficeOverview: ...

    def programme_uses(self) -> Sequence[ProgrammeUse]:
        """Every programme, newest first."""

    def devices(self, *, merchant_id: str | None = None) -> Sequence[DeviceRow]:
        """The fleet; of one merchant where given."""

    def issues(self) -> Sequence[IssueRow]: ...

    def settlements(self) -> Sequence[SettlementRow]: ...

    def totals(self) -> Totals: ...
