"""Where messages go that could not be understood or proved: counted, kept as a fingerprint, never answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ParkedMessage:
    """One such message. Not its payload: that may hold anything, an ID's digits among it."""

    parked_at: datetime
    topic: str
    problem: str
    payload_sha256: bytes


class Parking(Protocol):
    """Keeps them for a person to look at."""

    def park(self, messages: Sequence[ParkedMessage]) -> None:
        """Write them in one transaction.

        Raises:
            PortError: the database cannot be reached.
        """

    def count(self) -> int:
        """Tell how many there are."""
