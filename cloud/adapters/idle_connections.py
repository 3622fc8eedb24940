"""Connections that are kept open between transactions: one per thread that works at the same moment, no more."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar


class _Closable(Protocol):
    def close(self) -> None: ...


_C = TypeVar("_C", bound=_Closable)


class IdleConnections(Generic[_C]):
    """A stack of open connections: the one used last is used next."""

    def __init__(self, connect: Callable[[], _C], *, is_fit: Callable[[_C], bool]) -> None:
        """``is_fit`` tells whether a connection that nobody uses can be used; it must not wait for anything."""
        self._connect = connect
        self._is_fit = is_fit
        # list.pop and list.append are single steps to other threads.
        self._idle: list[_C] = []

    @contextmanager
    def borrow(self) -> Iterator[_C]:
        """Lend a connection. One that comes back unfit is closed."""
        connection = self._take()
        try:
            yield connection
        finally:
            if self._is_fit(connection):
                self._idle.append(connection)
            else:
                connection.close()

    def close(self) -> None:
        """Close those that nobody uses. The next ``borrow`` opens a new one."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> _C:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._connect()
            if self._is_fit(connection):
                return connection
            connection.close()
