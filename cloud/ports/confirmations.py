"""Where the merchants' confirmations are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from cloud.ports.reports import TransactionFilter


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What one confirmation added; zero where everything was confirmed before."""

    redemption_count: int
    voucher_count: int
    amount_twd: int


@dataclass(frozen=True, slots=True)
class Undo:
    """Which confirmations are taken back, by whom."""

    merchant_id: str
    confirmed_at: datetime
    """One click confirms at one instant; that names it."""
    undone_by: str
    undone_at: datetime


class ConfirmationStore(Protocol):
    """Appends confirmations, and takes back what no settlement has seen."""

    def confirm(
        self,
        redemption_ids: Sequence[UUID] | None,
        *,
        merchant_id: str,
        staff_id: str,
        confirmed_at: datetime,
        among: TransactionFilter | None = None,
    ) -> Confirmed:
        """Confirm those of the merchant's redemptions that are not confirmed yet and not disputed, in one transaction.

        Args:
            redemption_ids: which; None for all. Ids of another merchant, or of none, are not found.
            among: only what this filter matches; its state and claim do not count.

        Raises:
            PortError: the database failed.
        """

    def undo(self, undo: Undo) -> Confirmed:
        """Take back what one click confirmed, but for what a settlement has seen; a row keeps each. Return what was taken back.

        Raises:
            PortError: the database failed.
        """
