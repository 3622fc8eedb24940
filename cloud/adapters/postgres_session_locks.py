"""``SessionLocks`` as PostgreSQL's advisory locks, on one connection of its own.

The locks belong to the connection: whoever dies, hangs up or is cut off loses them, and the server is the one judge of that.
Both ends look for a dead peer after a few seconds, this one first, so that it has let go before anybody else can take.

Everything of a region shares one lock class, the number of which is a digest of the region's name. Two regions on one database
therefore share nothing out between them. Needs a connection to the server itself: a pooler that changes the server connection
between transactions would lose the locks.
"""

import select
import socket
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Any, Final

import psycopg

from cloud.adapters.driver_failures import translated
from cloud.adapters.limited_wait import LimitedConnection
from cloud.adapters.sql.engine import POSTGRES_OPTIONS
from cloud.domain.shares import Standing
from protocol.errors import PortError

_WORKER: Final = 1_000_000
"""Number of the lock that all workers share; sessions have the numbers from 0."""

_STATEMENT_MS: Final = 4_000
_ANSWER_WAIT_S: Final = 6.0
"""For a server that hangs, its own limit with it."""

_CLIENT: Final[Mapping[str, object]] = {
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5_000,
}
_SERVER: Final[Mapping[str, object]] = {
    "statement_timeout": _STATEMENT_MS,
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 12_000,
}
_STANDING: Final = """
    SELECT objid::bigint, pid = pg_backend_pid(), pg_is_in_recovery() FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid::bigint = %s
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def lock_class(region: str) -> int:
    """Return the class of a region's locks: a signed number of 32 bits."""
    return int.from_bytes(sha256(b"voucher-kiosk sessions " + region.encode()).digest()[:4], "big", signed=True)


class PostgresSessionLocks:
    """See :class:`cloud.ports.sessions.SessionLocks`."""

    def __init__(self, parameters: Mapping[str, Any], *, region: str) -> None:
        """Nothing is connected yet.

        Args:
            parameters: those of ``psycopg.connect``.
        """
        self._parameters = dict(parameters)
        self._class = lock_class(region)
        self._connection: psycopg.Connection[Any] | None = None
        self._pair: tuple[socket.socket, socket.socket] | None = None

    def open(self) -> None:
        options = " ".join(f"-c {name}={value}" for name, value in {**POSTGRES_OPTIONS, **_SERVER}.items())
        parameters = {**self._parameters, **_CLIENT, "options": options}
        woken, waker = self._pair = socket.socketpair()
        woken.setblocking(False)
        waker.setblocking(False)
        with translated():
            connection = self._connection = LimitedConnection.connect(**parameters, autocommit=True, prepare_threshold=None)
        connection.answer_wait_s = _ANSWER_WAIT_S
        self._ask("SELECT pg_advisory_lock_shared(%s, %s)", [self._class, _WORKER])

    def standing(self) -> Standing:
        rows = self._ask(_STANDING, [self._class & 0xFFFFFFFF])
        if not any(number == _WORKER and is_mine for number, is_mine, _ in rows) or any(recovers for *_, recovers in rows):
            # Of a primary that became a standby; whoever asks the new one holds other locks.
            raise PortError("the database forgot the worker's locks", retry=True)
        return Standing(
            workers=sum(number == _WORKER for number, *_ in rows),
            mine=frozenset(number for number, is_mine, _ in rows if is_mine and number != _WORKER),
            others=frozenset(number for number, is_mine, _ in rows if not is_mine and number != _WORKER),
        )

    def take(self, session: int) -> bool:
        ((taken,),) = self._ask("SELECT pg_try_advisory_lock(%s, %s)", [self._class, session])
        return bool(taken)

    def give_back(self, session: int) -> None:
        self._ask("SELECT pg_advisory_unlock(%s, %s)", [self._class, session])

    def wait(self, wait_s: float) -> None:
        # The server has nothing to say but that this is over: what it is, the next question tells.
        connection, pair = self._open_connection, self._pair
        assert pair is not None
        select.select([connection.fileno(), pair[0].fileno()], [], [], wait_s)
        with suppress(BlockingIOError):
            pair[0].recv(4096)

    def wake(self) -> None:
        pair = self._pair
        # Full: it will be woken. Closed: nobody waits.
        with suppress(OSError):
            if pair is not None:
                pair[1].send(b"\0")

    def close(self) -> None:
        pair, self._pair = self._pair, None
        for end in pair or ():
            end.close()
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()

    @property
    def _open_connection(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            raise PortError("the worker has no locks", retry=True)
        return self._connection

    def _ask(self, query: str, values: list[int]) -> list[tuple[Any, ...]]:
        with translated():
            return self._open_connection.execute(query, values).fetchall()
