"""Statements that never change, many at a time: prepared once per connection, sent in one piece, answered in one round trip.

The driver's own pipeline goes to the socket for every statement, and wakes the server each time; for a small batch that costs
both sides more than the statements do (measured, one order: 0.50 ms of the worker's processor and 0.53 of the server's;
here 0.25 and 0.35). So the calls are handed to libpq itself, by way of the driver's public bindings; rows and errors are made
by the driver.

While the server is at work the caller may do something else (``meanwhile``): a little at a time, so that nobody waits for it.
"""

import select
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NoReturn

import psycopg
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGresult

from cloud.adapters.limited_wait import LimitedConnection

Row = tuple[Any, ...]
Call = tuple[str, Sequence[str | bytes]]
"""A prepared statement and its parameters: text, or bytes in the type's binary format."""

_NAME_LENGTH: Final = 30
LOOK_MS: Final = 100
"""How often it is seen whether the server has been silent for too long."""

IDLE_MS: Final = 1
"""How long the server is waited for before the caller is asked again whether there is something to do."""


class PipelinedConnection(LimitedConnection):
    """A connection for prepared statements. Outside of :meth:`run` it is the driver's, as any other."""

    _names: dict[str, bytes]

    def prepare(self, statements: Sequence[str]) -> None:
        """Prepare all that will ever be run.

        Raises:
            psycopg.Error: the server refused one, or went away.
        """
        # Numbers are enough for the server; the beginning is for whoever looks at its list of them, or at the wire.
        self._names = {one: f"{number} {one.strip()[:_NAME_LENGTH]}".encode() for number, one in enumerate(statements)}
        for statement, name in self._names.items():
            result = self.pgconn.prepare(name, statement.encode())
            if result.status != ExecStatus.COMMAND_OK:
                raise error_from_result(result)

    def run(self, calls: Sequence[Call], meanwhile: Callable[[], bool] | None = None) -> list[list[Row]]:
        """Run prepared statements in their order, in one round trip; the rows of each.

        Args:
            meanwhile: called again and again while the server is at work; False: nothing to do at this moment.

        Raises:
            psycopg.Error: of the first one that failed; those behind it were not run. Or the server went away, or was silent
                for too long; then the connection is closed.
        """
        link = self.pgconn
        link.enter_pipeline_mode()
        for statement, parameters in calls:
            values = [value.encode() if isinstance(value, str) else value for value in parameters]
            formats = [Format.TEXT if isinstance(value, str) else Format.BINARY for value in parameters]
            link.send_query_prepared(self._names[statement], values, formats, Format.BINARY)
        link.pipeline_sync()
        try:
            results = list(self._results(meanwhile))
        except BaseException:
            # Answers may still be under way, and nobody is there to take them.
            self.close()
            raise
        link.exit_pipeline_mode()
        for result in results:
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result)
        rows = Transformer(self)
        found: list[list[Row]] = []
        for result in results:
            rows.set_pgresult(result)
            found.append(rows.load_rows(0, result.ntuples, tuple))
        return found

    def _results(self, meanwhile: Callable[[], bool] | None) -> Iterator[PGresult]:
        """Send what is to be sent; yield one result per statement as they come."""
        link = self.pgconn
        is_unsent = link.flush()
        while True:
            while not link.is_busy():
                result = link.get_result()
                if result is None:  # the end of one statement
                    continue
                if result.status == ExecStatus.PIPELINE_SYNC:
                    return
                yield result
            ready = self._wait_for(select.POLLIN | (select.POLLOUT if is_unsent else 0), meanwhile)
            if ready & ~select.POLLOUT:
                link.consume_input()
            if is_unsent:
                is_unsent = link.flush()

    def _wait_for(self, events: int, meanwhile: Callable[[], bool] | None) -> int:
        poll = select.poll()
        poll.register(self.pgconn.socket, events)
        since_s = time.monotonic()
        wait_ms = LOOK_MS if meanwhile is None else 0
        while not (ready := poll.poll(wait_ms)):
            if meanwhile is not None:
                wait_ms = 0 if meanwhile() else IDLE_MS
            if self.answer_wait_s is not None and time.monotonic() - since_s > self.answer_wait_s:
                self._give_up(self.answer_wait_s)
        return ready[0][1]

    def _give_up(self, waited_s: float) -> NoReturn:
        self.close()
        raise psycopg.OperationalError(f"the server said nothing for {waited_s:g} s")
