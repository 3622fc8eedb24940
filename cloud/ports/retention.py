"""Where holders are forgotten. Every method is one transaction, small enough for the kiosks' orders to pass in between."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from cloud.domain.retention import KnownDraft, KnownIssue
from cloud.ports.drafts import DraftStore


@dataclass(frozen=True, slots=True)
class Stretch:
    """How far one step came, and what it deleted."""

    after: int
    """Place of the last voucher of the step in its issue: the next step begins after it."""
    voucher_count: int
    """Holders that were known."""
    try_count: int


class RetentionStore(Protocol):
    """Deletes what is known of holders.

    Every method raises PortError where the database fails; doing all of it again is safe.
    """

    @property
    def drafts(self) -> DraftStore:
        """Where drafts are discarded."""

    def known_drafts(self) -> Sequence[KnownDraft]:
        """Drafts that are neither issued nor discarded, oldest first."""

    def known_issues(self) -> Sequence[KnownIssue]:
        """Issues whose holders are not forgotten, oldest first."""

    def forget_holders(self, issue_id: UUID, *, after: int, limit: int) -> Stretch | None:
        """Forget the holders of the issue's next vouchers, in the order of their places, with their tries and holds,
        and with it which are one person's and who has won in a draw.

        Args:
            after: place of the last voucher that is done with; -1 at the beginning.
            limit: how many vouchers at most.

        Returns:
            None where no voucher is left.
        """

    def forget_strangers(self, *, before: datetime, after: str, limit: int) -> tuple[str, int] | None:
        """Delete tries from before that instant at numbers without a known holder, in the order of the numbers.

        Args:
            after: the last number that is done with; empty at the beginning.
            limit: how many tries to look at.

        Returns:
            The last number that was looked at and how many tries were deleted; None where no number is left.
        """

    def finish(self, issue_ids: Sequence[UUID], *, now: datetime) -> None:
        """Write down that these issues' holders are forgotten, and since when."""
