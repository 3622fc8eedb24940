"""A proxy between a program and PostgreSQL that cuts the connection exactly at a COMMIT.

It knows of the protocol only what it needs: the word as the client sends it and as the server confirms it.
"""

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, unique
from pathlib import Path

from tests.support.postgres import Cluster

WAIT_S = 20.0
"""For the server's word."""

_WORD = b"COMMIT\0"
_SERVER_PORT = 5432


@unique
class Cut(Enum):
    """Where the next COMMIT is cut."""

    BEFORE = "the server never hears of it"
    AFTER = "it is done, and the client never hears of that"
    SILENT = "it is done, and the client hears nothing at all: the line stays open"


class WireProxy:
    """Listens on loopback; every connection has one of its own to the server."""

    def __init__(self, server: Path) -> None:
        """``server``: the folder of its Unix socket."""
        self._server = str(server / f".s.PGSQL.{_SERVER_PORT}")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._cut: Cut | None = None
        self.cuts = 0
        self.connections = 0
        self.at_silence: Callable[[], None] = lambda: None
        """Called when a line has gone silent."""
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def url(self, database: str) -> str:
        """SQLAlchemy URL of a database behind it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def cut_next_commit(self, cut: Cut) -> None:
        """Cut the connection that sends the next COMMIT."""
        with self._lock:
            self._cut = cut

    def close(self) -> None:
        """End everything."""
        for one in [self._listener, *self._open]:
            _end(one)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with socket.socket(socket.AF_UNIX) as server, client, contextlib.suppress(OSError):
            server.settimeout(WAIT_S)
            server.connect(self._server)
            self._open += [client, server]
            tail = b""
            while True:
                ready, _, _ = select.select([client, server], [], [])
                if server in ready:
                    client.sendall(_some(server))
                if client in ready:
                    asked = _some(client)
                    cut = self._take_cut() if _WORD in tail + asked else None
                    tail = (tail + asked)[1 - len(_WORD) :]
                    if cut is Cut.BEFORE:
                        return
                    server.sendall(asked)
                    if cut is not None:
                        _wait_for_word(server)
                    if cut is Cut.SILENT:
                        self.at_silence()
                        _wait_for_end(client)
                    if cut is not None:
                        return

    def _take_cut(self) -> Cut | None:
        with self._lock:
            cut, self._cut = self._cut, None
            self.cuts += cut is not None
            return cut


def _some(one: socket.socket) -> bytes:
    found = one.recv(65_536)
    if not found:
        raise ConnectionError
    return found


def _wait_for_word(server: socket.socket) -> None:
    heard = b""
    while _WORD not in heard:
        heard += _some(server)


def _wait_for_end(client: socket.socket) -> None:
    while client.recv(65_536):
        pass


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextmanager
def wire_proxy(cluster: Cluster) -> Iterator[WireProxy]:
    """Put a proxy in front of a server; closed on leaving."""
    proxy = WireProxy(cluster.folder)
    try:
        yield proxy
    finally:
        proxy.close()
