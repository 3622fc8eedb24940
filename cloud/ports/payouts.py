"""Where payout files and the bank's answers are kept."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from cloud.domain.pay_runs import PayRun, PayRunEnd
from cloud.domain.payouts import KeptFile, Payable, PayoutFile
from cloud.domain.records import Journal
from cloud.domain.returns import Outcome, SentFile
from cloud.ports.audit import AuditLog


@dataclass(frozen=True, slots=True)
class Heard:
    """A file of the bank, and who brought it."""

    content: bytes
    by: str
    at: datetime


class PayoutTransaction(Protocol):
    """One open transaction. No other payment or return is worked on while it is open."""

    @property
    def audit(self) -> AuditLog: ...

    def payables(self, limit: int) -> Sequence[Payable]:
        """Oldest claims that no payout pays or has paid, and whose merchant has a whole account."""

    def payables_of(self, run_id: UUID) -> Sequence[Payable]:
        """Those claims of a run that could be paid now, and as they would be."""

    def last_run_no(self) -> int:
        """Number of the newest pay run; 0 if there is none."""

    def find_run(self, run_id: UUID) -> tuple[PayRun, PayRunEnd | None] | None:
        """A run, and what became of it."""

    def has_open_run(self) -> bool:
        """Whether a run was neither released nor withdrawn."""

    def save_run(self, run: PayRun) -> None:
        """Write a run with its lines."""

    def end_run(self, run: PayRun, end: PayRunEnd) -> None:
        """Write what became of it. A release comes before its file: the database takes no file without one."""

    def last_file_no(self) -> int:
        """Number of the newest payout file; 0 if there is none."""

    def last_line_no(self, day: date) -> int:
        """Highest line number of the files made on that Taipei day; 0 if there is none."""

    def save_file(self, file: PayoutFile, journals: Sequence[Journal]) -> None:
        """Write the file with its payouts and their journals, after the release of the run that it is made of."""

    def kept_file(self, file_no: int) -> KeptFile | None:
        """The payout file of that number, with its bytes; None if there is none."""

    def is_imported(self, sha256: bytes) -> bool:
        """Whether a return file with this hash was imported."""

    def sent_files(self, *, day: date | None, file_no: int | None) -> Sequence[SentFile]:
        """ACH files of that Taipei day, or of that number, with every payout and its outcome."""

    def sent_message(self, file_id: UUID) -> SentFile | None:
        """The pain.001 file with that id, with every payout and its outcome; None if there is none."""

    def save_return(self, heard: Heard, file: SentFile, outcomes: Sequence[Outcome], journals: Sequence[Journal]) -> None:
        """Write the return file, the outcomes and their journals; a draft of it is gone then."""

    def save_draft(self, draft: Heard) -> None:
        """Keep a file of the bank to be looked at; the same one again changes nothing. Drafts older than a day are dropped."""

    def find_draft(self, sha256: bytes) -> bytes | None:
        """The bytes of a draft."""


class PayoutStore(Protocol):
    """Opens transactions for paying."""

    def begin(self) -> AbstractContextManager[PayoutTransaction]:
        """Open a transaction; waits for another payment. Leaving it normally commits, an exception rolls back.

        Raises:
            PortError: the database failed; running again is safe.
        """
