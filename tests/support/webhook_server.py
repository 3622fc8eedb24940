"""A merchant's server in the tests: takes webhooks, remembers them, and fails when it is told to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Listener:
    """What came in."""

    address: str = ""
    status: int = 204
    location: str = ""
    slow_s: float = 0.0
    """Pause between two bytes of the answer's head."""
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def ids(self) -> list[str]:
        """Ids of the messages, in order of arrival."""
        return [headers["webhook-id"] for headers, _ in self.received]


@contextmanager
def listening() -> Iterator[Listener]:
    """Listen on a free port of this machine."""
    listener = Listener()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _receiver(listener))
    server.daemon_threads = True
    listener.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield listener
    finally:
        listener.stop.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _receiver(listener: Listener) -> type[BaseHTTPRequestHandler]:
    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            listener.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            if listener.slow_s:
                for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 10_000:
                    if listener.stop.wait(listener.slow_s):
                        return
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
            self.send_response(listener.status)
            if listener.location:
                self.send_header("Location", listener.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing."""

    return Receiver
