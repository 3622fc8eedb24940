"""Where the merchants' confirmations are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What one confirmation added; zero where everything was confirmed before."""

    redemption_count: int
    voucher_count: int
    amount_twd: int


class ConfirmationStore(Protocol):
    """Appends confirmations."""

    def confirm(
        self, redemption_ids: Sequence[UUID] | None, *, merchant_id: str, staff_id: str, confirmed_at: datetime
    ) -> Confirmed:
        """Confirm those of the merchant's redemptions that are not confirmed yet, in one transaction.

        Args:
            redemption_ids: which; None for all. Ids of another merchant, or of none, are not found.

        Raises:
            PortError: the database failed.
        """
