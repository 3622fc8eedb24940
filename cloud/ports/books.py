"""The books: everything about money, looked at in one moment, and the rules that it must keep."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from cloud.ports.reports import Totals


@dataclass(frozen=True, slots=True)
class Breach:
    """The first row that breaks a rule."""

    rule: str
    """Id of the invariant: I1, I4, I5, I6 or I7."""
    sentence: str
    """What is wrong."""
    row: Mapping[str, object]
    """The columns that show it. Ids, numbers and amounts only."""

    def __str__(self) -> str:
        columns = ", ".join(f"{name}={value}" for name, value in self.row.items())
        return f"{self.rule}: {self.sentence} ({columns})"


class Books(Protocol):
    """Reads the books."""

    def audit(self) -> tuple[Totals, Breach | None]:
        """Return totals and the first breach, both of the same moment.

        Raises:
            PortError: the database failed.
        """
