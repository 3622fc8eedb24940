"""The exceptions queue: what the programme office has to look at, who does, and what was said about it.

A case is not a row of its own: it follows from facts that are there (a payout that came back, a dispute, a kiosk that holds
orders back, a message that nobody understands) and goes when they do. What people add to it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

CaseKind = Literal["disputed", "returned", "pending", "parked"]
"""A merchant disputes; the bank returned; a kiosk holds orders that have no answer yet; a message could not be understood."""

CaseVerb = Literal["take", "leave", "note", "resolve"]


@dataclass(frozen=True, slots=True)
class Case:
    """One exception."""

    kind: CaseKind
    case_id: str
    since: datetime
    subject: str
    """Whose it is: the merchant's name, the kiosk's id, the topic."""
    about: str
    """The reason, the return code, what was wrong with the message."""
    count: int
    """Orders that wait; 1 elsewhere."""
    amount_twd: int | None
    owner_id: str | None
    owner: str | None
    link_id: str
    """What a link to its rows needs: the claim's id, the redemption's, the kiosk's; empty where there is none."""


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """What somebody did about a case."""

    kind: CaseKind
    case_id: str
    verb: CaseVerb
    by: str
    at: datetime
    detail: str = ""


class CaseStore(Protocol):
    """The queue, and what is added to it."""

    def open_cases(self, kind: CaseKind | None = None, *, limit: int) -> Sequence[Case]:
        """Oldest first; of one kind where it is named."""

    def find_case(self, kind: CaseKind, case_id: str) -> Case | None:
        """A case that is open."""

    def trail(self, kind: CaseKind, case_id: str) -> Sequence[CaseEvent]:
        """What was done about it, oldest first; ``by`` is a name."""

    def add(self, event: CaseEvent) -> bool:
        """Append. False: it was resolved before.

        Raises:
            PortError: the database failed.
        """
