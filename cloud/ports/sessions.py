"""Sessions: what several ingest workers share out among themselves.

A *session* is one persistent subscription on a region's broker, to a fixed part of the lanes (:mod:`protocol.topics`). The
broker keeps what arrives for it while nobody is connected, so a session may move from worker to worker and nothing is lost.
Who holds one is decided by locks that an existing engine keeps; a worker that dies loses its locks with its connection.
"""

from collections.abc import Callable, Collection
from typing import Final, Protocol

from cloud.domain.shares import Standing
from protocol.topics import LANES

SESSIONS_MAX: Final = len(LANES)


class SessionLocks(Protocol):
    """One worker's locks. Used by one thread, but for :meth:`wake`.

    Every method but ``wake`` and ``close`` may raise ``PortError``: the locks are lost then, all of them.
    """

    def open(self) -> None:
        """Join the workers of the region, holding nothing."""

    def standing(self) -> Standing:
        """See who holds what."""

    def take(self, session: int) -> bool:
        """Take a session's lock if it is free; it must not be held already."""

    def give_back(self, session: int) -> None:
        """Let go of a session's lock."""

    def wait(self, wait_s: float) -> None:
        """Wait so long, or until the locks are lost or somebody wakes."""

    def wake(self) -> None:
        """End a wait, from another thread; the next one, if the locks are open and nobody waits."""

    def close(self) -> None:
        """Let go of everything."""


class SessionLine(Protocol):
    """The line to the broker, as who holds the locks sees it."""

    def hold(self, session: int) -> None:
        """Connect a session; it must not be held already."""

    def leave(self, sessions: Collection[int], *, wait_s: float) -> None:
        """Disconnect sessions between two rounds, so that the round at hand is answered; wait for that at most so long."""

    def drop_all(self) -> None:
        """Disconnect every session at once, whatever is at hand."""

    def confirm(self, at_s: float) -> None:
        """The locks were held at that second of the clock that never runs backwards.

        A connection that broke is made anew only if this was after it broke, and not long ago: it may be another's session now.
        """

    def when_lost(self, tell: Callable[[], None]) -> None:
        """Tell, from whatever thread, when a connection has broken: the next :meth:`confirm` is waited for."""

    def fail(self, problem: Exception) -> None:
        """Nothing will be taken any more: tell whoever takes next."""
