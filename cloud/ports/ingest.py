"""The hot path's port: the database, as the judge's service sees it.

One transaction per batch: ``load`` reads everything that the batch touches, the pure judge decides, ``save`` writes. A unique
violation means that somebody else decided in between: :class:`ConflictError`; the service then runs the batch again on fresh
knowledge.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from cloud.domain.records import Ask, Decisions, Knowledge

Meanwhile = Callable[[], bool]
"""Does a little other work, a fraction of a millisecond of it; False if at this moment there is none. Asks no database."""


class ConflictError(Exception):
    """A constraint refused the batch: another transaction came first. Nothing was written; run the batch again."""


class IngestTransaction(Protocol):
    """One open transaction."""

    def load(self, asks: Sequence[Ask]) -> Knowledge:
        """Read what the batch touches."""

    def save(self, decisions: Decisions) -> None:
        """Write all of it; on return it is committed and on disk, on a standby's too where there must be one.

        With nothing to write it makes sure of what ``load`` has read: on return that is as safe as what is written.

        Raises:
            ConflictError: a constraint refused it; everything is rolled back.
            PortError: the connection was lost, or no standby is known to have it: whether it is written is not known.
        """


class IngestStore(Protocol):
    """Opens transactions for batches."""

    def begin(self, meanwhile: Meanwhile | None = None) -> AbstractContextManager[IngestTransaction]:
        """Open a transaction; leaving it without ``save`` rolls back.

        Args:
            meanwhile: called again and again while a server is waited for. A database that works in this very thread never
                calls it.

        Raises:
            PortError: the database cannot be reached or is full; ``retry`` says whether the batch may be run again. A
                connection lost during the commit is ``retry=True``: the request ids make running again safe.
        """
