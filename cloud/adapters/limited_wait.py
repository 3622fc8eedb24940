"""A PostgreSQL connection that does not wait for ever.

A server whose disk hangs keeps its connections open: the kernel answers for it, so neither keepalives nor time-outs of TCP
notice anything, and the server's own time limits hang with it. Only the one who waits can end that.

What was asked may still happen: whoever waited in vain takes it for a connection that was lost.
"""

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.rows import TupleRow
from psycopg.waiting import Ready

_T = TypeVar("_T")


class _SilentError(Exception):
    """Nothing came."""


class LimitedConnection(psycopg.Connection[TupleRow]):
    """A connection that is closed when its server is silent for too long."""

    answer_wait_s: float | None = None
    """How long the server may be silent while one statement (or one pipeline of them) is waited for; None: for ever."""

    def wait(self, gen: PQGen[_T], *args: Any, **kwargs: Any) -> _T:
        """Wait for the server.

        Raises:
            OperationalError: it was silent for too long; the connection is closed.
        """
        if self.answer_wait_s is None:
            return super().wait(gen, *args, **kwargs)
        try:
            return super().wait(self._limited(gen), *args, **kwargs)
        except _SilentError:
            self.close()
            raise psycopg.OperationalError(f"the server said nothing for {self.answer_wait_s:g} s") from None

    def _limited(self, gen: PQGen[_T]) -> Generator[Any, Any, _T]:
        try:
            wanted = next(gen)
            since = time.monotonic()
            while True:
                # The driver looks up several times a second, ready or not.
                ready = yield wanted
                if ready != Ready.NONE:
                    since = time.monotonic()
                elif self.answer_wait_s is not None and time.monotonic() - since > self.answer_wait_s:
                    raise _SilentError
                wanted = gen.send(ready)
        except StopIteration as ended:
            result: _T = ended.value
            return result
