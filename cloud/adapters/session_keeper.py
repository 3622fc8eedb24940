"""Keeps a worker's fair share of the region's sessions: takes what is free, gives back what is too much, once a second.

A thread of its own, because losing the locks must be noticed while a round waits for the database. Then every session is
dropped at once: another worker holds it already, or soon, and two that want the same session would throw each other off the
broker again and again. Nothing depends on it but peace: what both have judged has one answer.
"""

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final

from cloud.domain.shares import Standing, to_give_back, to_take
from cloud.ports.sessions import SessionLine, SessionLocks
from protocol.errors import PortError

LOOK_EVERY_S: Final = 1.0
RETRY_S: Final = 1.0
ROUND_WAIT_S: Final = 5.0
"""Longest wait for the round at hand before a session is given back."""

_log = logging.getLogger(__name__)


class SessionKeeper:
    """Context manager: keeps sessions inside, holds none outside."""

    def __init__(self, locks: SessionLocks, line: SessionLine, *, sessions: int, elapsed_s: Callable[[], float]) -> None:
        """Nothing is held yet.

        Args:
            sessions: of the region, all workers together.
            elapsed_s: seconds on a clock that never runs backwards.
        """
        self._locks = locks
        self._line = line
        self._sessions = sessions
        self._elapsed_s = elapsed_s
        # Who has lost a connection waits for the next look.
        line.when_lost(locks.wake)
        self._stop = threading.Event()
        self._told: Standing | None = None
        self._thread = threading.Thread(target=self._run, name="sessions", daemon=True)

    def __enter__(self) -> "SessionKeeper":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._locks.wake()
        self._thread.join()

    def look(self) -> None:
        """Give back and take, as the share rule says.

        Raises:
            PortError: the locks are lost.
        """
        began_s = self._elapsed_s()
        standing = self._locks.standing()
        self._line.confirm(began_s)
        surplus = to_give_back(standing, self._sessions)
        if surplus:
            self._line.leave(surplus, wait_s=ROUND_WAIT_S)
            for session in surplus:
                self._locks.give_back(session)
        taken = set()
        for session in to_take(standing, self._sessions):
            began_s = self._elapsed_s()
            if self._locks.take(session):
                self._line.confirm(began_s)
                self._line.hold(session)
                taken.add(session)
        self._tell(Standing(standing.workers, (standing.mine - set(surplus)) | taken))

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._keep()
        except Exception as problem:  # noqa: BLE001 - whoever takes from the line must hear of it, whatever it is
            self._line.fail(problem)

    def _keep(self) -> None:
        try:
            self._locks.open()
            while not self._stop.is_set():
                self.look()
                self._locks.wait(LOOK_EVERY_S)
        except PortError as problem:
            if not problem.retry:
                raise
            _log.warning("%s; the sessions are let go until their locks are held again", problem)
        finally:
            self._line.drop_all()
            self._locks.close()
            self._told = None
        self._stop.wait(RETRY_S)

    def _tell(self, standing: Standing) -> None:
        if standing != self._told:
            self._told = standing
            held = ", ".join(map(str, sorted(standing.mine))) or "none"
            _log.info("holding sessions: %s; of %d, workers: %d", held, self._sessions, standing.workers)
