"""Where settlements are kept."""

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from cloud.domain.calendar import Period
from cloud.domain.settlement import Settlement


class SettlementTransaction(Protocol):
    """One open transaction. No other settlement runs while it is open."""

    def find_open_period(self) -> Period | None:
        """The oldest week that is not closed; see :func:`cloud.domain.settlement.first_open_period`."""

    def close(self, period: Period, *, closed_at: datetime) -> Settlement:
        """Take everything confirmed until now, redeemed before the week's end and in no claim; write claims and journals.

        From here to the end of the transaction no confirmation is added: what comes later belongs to the next settlement. The
        store itself sees to that, so that no caller can forget it.

        Raises:
            RuntimeError: what was written does not sum to what was taken; nothing of it stays.
        """


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
