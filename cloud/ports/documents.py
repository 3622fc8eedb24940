"""Files that people take away: the statement of a claim, and tables for spreadsheets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Final, Protocol

from cloud.ports.money_reports import ClaimDetail
from cloud.ports.reports import TransactionRow

STATEMENT_LINES_MAX: Final = 5_000
"""Some hundred and fifty pages. A claim with more is stated day by day; its lines are in the CSV and the XLSX."""


@dataclass(frozen=True, slots=True)
class DaySum:
    """One day of a claim that has too many lines to print."""

    day: str
    redemption_count: int
    voucher_count: int
    amount_twd: int


@dataclass(frozen=True, slots=True)
class Statement:
    """Everything that the statement of one claim says."""

    claim: ClaimDetail
    lines: Sequence[TransactionRow]
    """Oldest first; empty where ``days`` are stated instead."""
    days: Sequence[DaySum]
    reason: str
    """Why the bank returned it, in plain words; empty where it did not."""
    made_at: datetime


class StatementMaker(Protocol):
    """Makes the PDF."""

    def __call__(self, statement: Statement) -> bytes:
        """Render.

        Raises:
            PortError: a font is missing.
            ValueError: the lines do not sum to the claim: such a statement is never made.
        """


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """One column of a spreadsheet."""

    title: str
    width: int
    """In characters."""
    kind: str = "text"
    """``text``, ``number`` or ``money``."""


class SheetWriter(Protocol):
    """Writes an XLSX file; any number of rows in flat memory."""

    def __call__(
        self, target: IO[bytes], columns: Sequence[SheetColumn], rows: Iterable[Sequence[str | int]], *, title: str
    ) -> None: ...
