"""The audit log: appended to inside the transaction of what is done, read and verified on its own.

For a room that does something worth an entry: give the port of your transaction a property ``audit: AuditLog`` (the adapter
returns ``SqlAuditLog(connection)``) and call :func:`cloud.services.audit.record` **as the last thing** before the transaction
ends. Writers of the log wait for each other from there to the commit, so nothing slow may follow, and no other lock may be
taken. Nothing on the way of a redemption may write to it.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from cloud.domain.audit import AuditEntry, AuditFact, Head


class AuditLog(Protocol):
    """The log, in an open transaction."""

    def append(self, fact: AuditFact) -> Head:
        """Add an entry behind the newest; returns it as the new head.

        From here to the end of the transaction nobody else appends.
        """


@dataclass(frozen=True, slots=True)
class AuditSearch:
    """Which entries are wanted; what is None does not matter."""

    actor: str | None = None
    action: str | None = None
    object_kind: str | None = None
    object_id: str | None = None
    first_day: date | None = None
    last_day: date | None = None
    """Inclusive, Asia/Taipei."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One entry for the page, with the name of who did it as it is now."""

    entry: AuditEntry
    actor_name: str
    """Empty where it was a program, or somebody who is unknown."""


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some entries, newest first."""

    rows: Sequence[AuditRow]
    row_count: int
    """All that match."""


@dataclass(frozen=True, slots=True)
class AuditNames:
    """What a search may be for: the values that there are."""

    actors: Sequence[tuple[str, str]]
    """Id and name."""
    actions: Sequence[str]


class AuditTrail(Protocol):
    """The log, to read. Every method raises PortError where the database fails."""

    def walk(self) -> AbstractContextManager[tuple[Head, Iterator[AuditEntry]]]:
        """The head that the database keeps, and all entries in order, of one moment; read piece by piece."""

    def search(self, wanted: AuditSearch, *, page_size: int, below_no: int | None = None) -> AuditPage:
        """Newest first, from the newest one below that number."""

    def names(self) -> AuditNames: ...
