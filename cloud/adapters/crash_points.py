"""Named places at which a test may kill this very process, to prove that nothing is lost there.

``VK_CRASH_AT=<point>[:n]`` kills with SIGKILL at the n-th passing (first by default): no clean-up, no flush, as a power cut
would. Without the variable every point costs one comparison. A wrong name stops the start, so that no test passes because
of a spelling mistake.
"""

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from cloud.domain.records import Ask, Decisions, Knowledge
from cloud.ports.ingest import IngestStore, IngestTransaction, Meanwhile

VARIABLE: Final = "VK_CRASH_AT"


class CrashPoints:
    """Counts passings and kills at the chosen one."""

    def __init__(self, point: str | None = None, passing: int = 1) -> None:
        self._point = point
        self._left = passing

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, known: Sequence[str]) -> "CrashPoints":
        """Read the variable.

        Args:
            environment: usually ``os.environ``.
            known: every point of this program.

        Raises:
            ValueError: the point is unknown or the count is not a positive number.
        """
        wanted = environment.get(VARIABLE)
        if not wanted:
            return cls()
        point, _, count = wanted.partition(":")
        if point not in known:
            raise ValueError(f"{VARIABLE}: there is no point {point!r}; there are {', '.join(known)}")
        if count and (not count.isdecimal() or int(count) < 1):
            raise ValueError(f"{VARIABLE}: {count!r} is not a number of passings")
        return cls(point, int(count or "1"))

    def reach(self, point: str) -> None:
        """Pass a point; the process may end here."""
        if point != self._point:
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class CrashingStore:
    """An ingest store with a crash point before its reads and one before its writes."""

    def __init__(self, store: IngestStore, points: CrashPoints) -> None:
        self._store = store
        self._points = points

    def begin(self, meanwhile: Meanwhile | None = None) -> AbstractContextManager[IngestTransaction]:
        """Open a transaction of the store beneath."""
        return self._begin(meanwhile)

    @contextmanager
    def _begin(self, meanwhile: Meanwhile | None) -> Iterator[IngestTransaction]:
        with self._store.begin(meanwhile) as transaction:
            yield _CrashingTransaction(transaction, self._points)


class _CrashingTransaction:
    def __init__(self, transaction: IngestTransaction, points: CrashPoints) -> None:
        self._transaction = transaction
        self._points = points

    def load(self, asks: Sequence[Ask]) -> Knowledge:
        self._points.reach("before_load")
        return self._transaction.load(asks)

    def save(self, decisions: Decisions) -> None:
        self._points.reach("before_save")
        self._transaction.save(decisions)
