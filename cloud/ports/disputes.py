"""Redemptions that their own merchant finds wrong."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

DisputeOutcome = Literal["stands", "set_aside", "withdrawn"]
"""It stands and may be confirmed; it is set aside and never claimed; the merchant took the dispute back."""

NotDisputed = Literal["unknown", "confirmed", "disputed_before"]
"""Why a redemption cannot be disputed: it is not this merchant's, is confirmed already, or had its dispute."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """What a merchant finds wrong."""

    redemption_id: UUID
    merchant_id: str
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class DisputeEnd:
    """What became of it."""

    redemption_id: UUID
    outcome: DisputeOutcome
    reason: str
    by: str
    at: datetime


class DisputeStore(Protocol):
    """Appends disputes and their ends. A redemption is disputed once, and confirmed or disputed, never both."""

    def open(self, wanted: Dispute) -> NotDisputed | None:
        """Dispute a redemption that is not confirmed; return why not, where it cannot be.

        Raises:
            PortError: the database failed.
        """

    def end(self, wanted: DisputeEnd, *, merchant_id: str | None = None) -> bool:
        """End an open dispute, of this merchant where it is named. False: there is none.

        Raises:
            PortError: the database failed.
        """
