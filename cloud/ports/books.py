"""The books: everything about money, looked at in one moment, and the rules that it must keep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cloud.ports.reports import Totals


@dataclass(frozen=True, slots=True)
class Breach:
    """The first row that breaks a rule."""

    rule: str
    """Id of the invariant: I1, I4, I5, I6, I7 or I13."""
    sentence: str
    """What is wrong."""
    row: Mapping[str, object]
    """The columns that show it. Ids, numbers and amounts only."""

    def __str__(self) -> str:
        columns = ", ".join(f"{name}={value}" for name, value in self.row.items())
        return f"{self.rule}: {self.sentence} ({columns})"


@dataclass(frozen=True, slots=True)
class ProgrammeCount:
    """Where the vouchers of a programme are: ``issued = unused + held + redeemed + expired + void``."""

    programme_id: str
    issued: int
    unused: int
    held: int
    """By a visit that has not run out."""
    redeemed: int
    expired: int
    """Not redeemed when the programme ended."""
    void: int
    """Closed by too many wrong tries."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What the books say at one moment."""

    totals: Totals
    programmes: Sequence[ProgrammeCount]
    """In order of their ids; those that have vouchers."""
    breach: Breach | None
    """The first row that breaks a rule."""


class Books(Protocol):
    """Reads the books."""

    def audit(self, now: datetime) -> Audit:
        """Add everything up and look for the first breach, all of the same moment.

        Args:
            now: when a hold has run out and a programme has ended.

        Raises:
            PortError: the database failed.
        """
