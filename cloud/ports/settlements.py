"""Where settlements are kept."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from cloud.domain.calendar import Period
from cloud.domain.records import Journal
from cloud.domain.settlement import Claimable, Settlement


class SettlementTransaction(Protocol):
    """One open transaction. No other settlement runs while it is open."""

    def find_open_period(self) -> Period | None:
        """The oldest week that is not closed; see :func:`cloud.domain.settlement.first_open_period`."""

    def claimable(self, period: Period) -> Sequence[Claimable]:
        """Take everything confirmed until now, redeemed before the week's end and in no claim, summed per claim.

        From here to the end of the transaction no confirmation is added: what comes later belongs to the next settlement.
        """

    def save(self, settlement: Settlement, journals: Sequence[Journal]) -> None:
        """Write the settlement, what it took, its claims and their journals; after :meth:`claimable` of the same week."""


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
