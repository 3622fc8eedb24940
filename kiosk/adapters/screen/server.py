"""The kiosk's screen as a local web server: Flask under waitress, in threads of its own.

One browser in kiosk mode looks at it; a technician or the bench may look too. Views go out over server-sent events, keys come
back as plain POSTs. The server keeps no state but the current view: a page that reloads shows the same picture at once.

Waitress keeps one thread per open stream, so there are as many threads as places in the audience and four more for the rest.
"""

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import waitress.server

from kiosk.adapters.screen.audience import SPECTATORS_MAX, Audience
from kiosk.adapters.screen.bench_page import Bench, add_bench
from kiosk.adapters.screen.drawing import Artist
from kiosk.adapters.screen.guards import REQUEST_BYTES_MAX
from kiosk.adapters.screen.pages import Ears, make_app
from kiosk.domain.keys import Key
from kiosk.domain.view import Screen, View
from kiosk.words import LANGUAGES
from protocol.errors import PortError

OTHER_THREADS: Final = 4
"""For pages, keys and pictures, beside the streams."""

STOP_S: Final = 5.0
"""How long :meth:`ScreenServer.close` waits for the server's threads."""

_UNSENT_BYTES_MAX: Final = 65_536
"""What may wait for a page that does not read; then its own thread waits, and newer views replace older ones."""


class ScreenServer:
    """Shows views and hears keys."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        on_key: Callable[[Key], None],
        on_language: Callable[[str], None],
        touch_digits: bool = True,
        bench: Bench | None = None,
        voucher_pictures: Path | None = None,
    ) -> None:
        """Load words and templates; nothing listens yet.

        Args:
            host, port: where to listen; port 0 takes a free one.
            on_key, on_language: called from the server's threads; must neither block nor raise.
            touch_digits: show digit keys on the screen where something is typed. Off where a keypad stands below a screen
                without touch.
            bench: the simulated hardware; adds the page ``/bench``.
            voucher_pictures: folder of PNG and JPEG pictures that the bench can hold in front of the camera.
        """
        self._host, self._port = host, port
        self._audience = Audience(View(screen=Screen.OUT_OF_ORDER, language=LANGUAGES[0]))
        artist = Artist(touch_digits=touch_digits)
        ears = Ears(on_key, on_language)
        self._app = make_app(self._audience, artist, ears, host=self._host, framed=bench is not None)
        if bench is not None:
            add_bench(self._app, artist, bench, voucher_pictures)
        self._server: Any = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where the page is, once started."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def show(self, view: View) -> None:
        """Put a view on every page that looks. Never blocks on a page."""
        self._audience.show(view)

    @property
    def shown(self) -> int:
        """Number of the current view; a page that has drawn it carries it as ``data-picture`` on its root element."""
        return self._audience.number

    def start(self) -> None:
        """Listen and serve.

        Raises:
            PortError: the port is taken or may not be used; the message names it.
        """
        listener = self._listen()
        self._port = listener.getsockname()[1]
        self._server = waitress.server.create_server(
            self._app,
            sockets=[listener],
            threads=SPECTATORS_MAX + OTHER_THREADS,
            # Keeps reading while a stream runs, so that a closed page is noticed at once and its place is free again.
            channel_request_lookahead=1,
            outbuf_high_watermark=_UNSENT_BYTES_MAX,
            max_request_body_size=REQUEST_BYTES_MAX,
            connection_limit=64,
            ident=None,
            clear_untrusted_proxy_headers=True,
        )
        self._thread = threading.Thread(target=self._server.run, name="screen", daemon=True)
        self._thread.start()

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            return socket.create_server((self._host, self._port), family=family)
        except (OSError, OverflowError) as problem:
            # The standard library's own text names the address a second time.
            reason = os.strerror(problem.errno) if isinstance(problem, OSError) and problem.errno else str(problem)
            raise PortError(f"the screen cannot listen on {self._host}:{self._port}: {reason}", retry=True) from problem

    def close(self) -> None:
        """End all streams and stop serving. May be called twice."""
        self._audience.close()
        server, thread = self._server, self._thread
        self._server = self._thread = None
        if server is None or thread is None:
            return
        # Sockets belong to the server's own thread. First end what is open, so that no thread waits for a page that does
        # not read; only then take down what those threads use to wake the server.
        _in_its_own_thread(server, lambda: _hang_up(server))
        server.task_dispatcher.shutdown(timeout=STOP_S)
        _in_its_own_thread(server, lambda: _shut(server))
        thread.join(STOP_S)


def _in_its_own_thread(server: Any, act: Callable[[], None]) -> None:
    # Not pull_trigger: that wakes the server after letting go of the lock. An earlier wake-up still under way may run the act
    # first, and where the act closes the server the byte goes to a closed pipe, or to whatever has its number by then.
    with server.trigger.lock:
        server.trigger.thunks.append(act)
        server.trigger._physical_pull()  # noqa: SLF001 - see above


def _hang_up(server: Any) -> None:
    for channel in list(server.active_channels.values()):
        channel.handle_close()


def _shut(server: Any) -> None:
    _hang_up(server)
    server.close()
