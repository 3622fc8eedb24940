"""Where payout files and the bank's answers are kept."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from cloud.domain.payouts import KeptFile, Payable, PayoutFile
from cloud.domain.records import Journal
from cloud.domain.returns import Outcome, SentFile


class PayoutTransaction(Protocol):
    """One open transaction. No other payment or return is worked on while it is open."""

    def payables(self, limit: int) -> Sequence[Payable]:
        """Oldest claims that no payout pays or has paid, and whose merchant has a whole account."""

    def last_file_no(self) -> int:
        """Number of the newest payout file; 0 if there is none."""

    def last_line_no(self, day: date) -> int:
        """Highest line number of the files made on that Taipei day; 0 if there is none."""

    def save_file(self, file: PayoutFile, journals: Sequence[Journal]) -> None:
        """Write the file with its payouts and their journals."""

    def kept_file(self, file_no: int) -> KeptFile | None:
        """The payout file of that number, with its bytes; None if there is none."""

    def is_imported(self, sha256: bytes) -> bool:
        """Whether a return file with this hash was imported."""

    def sent_files(self, *, day: date | None, file_no: int | None) -> Sequence[SentFile]:
        """ACH files of that Taipei day, or of that number, with every payout and its outcome."""

    def sent_message(self, file_id: UUID) -> SentFile | None:
        """The pain.001 file with that id, with every payout and its outcome; None if there is none."""

    def save_return(
        self, content: bytes, file: SentFile, outcomes: Sequence[Outcome], journals: Sequence[Journal], *, known_at: datetime
    ) -> None:
        """Write the return file, the outcomes and their journals."""


class PayoutStore(Protocol):
    """Opens transactions for paying."""

    def begin(self) -> AbstractContextManager[PayoutTransaction]:
        """Open a transaction; waits for another payment. Leaving it normally commits, an exception rolls back.

        Raises:
            PortError: the database failed; running again is safe.
        """
