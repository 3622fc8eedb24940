"""Where settlements are kept."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from cloud.domain.calendar import Period
from cloud.domain.records import Journal
from cloud.domain.settlement import Claim, NewClaim, Settlement


class SettlementTransaction(Protocol):
    """One open transaction. No other settlement runs while it is open."""

    def find_open_period(self) -> Period | None:
        """The oldest week that is not closed; see :func:`cloud.domain.settlement.first_open_period`."""

    def claimable(self, before: datetime) -> Sequence[tuple[str, str]]:
        """Merchant and programme of everything confirmed, redeemed before that instant and in no claim."""

    def add_lines(self, claims: Sequence[NewClaim], before: datetime) -> Sequence[Claim]:
        """Put everything claimable of these pairs into its claim, and return the claims with the sums of what they now hold.

        Summing what was written, not what was read before, is what makes a confirmation that arrives in between harmless.
        """

    def save(self, settlement: Settlement, journals: Sequence[Journal]) -> None:
        """Write the settlement, its claims and their journals."""


class SettlementStore(Protocol):
    """Opens transactions for closing a week."""

    def find_open_period(self) -> Period | None:
        """The same as in a transaction, but waits for nobody: it may be outdated when it returns.

        Raises:
            PortError: the database failed.
        """

    def begin(self) -> AbstractContextManager[SettlementTransaction]:
        """Open a transaction; waits for another settlement. Leaving it normally commits, an exception rolls back.

        Raises:
            PortError: the database failed; running again is safe.
        """
