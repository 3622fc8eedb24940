"""Sends webhooks out, and keeps them from being turned against our own network (server-side request forgery).

* The host is looked up once, **every** address it has must be a public one, and the connection goes to an address that was
  looked at: a name that answers differently the second time gains nothing.
* Redirects are not followed: whoever answers 3xx has not taken the message.
* The whole exchange has :data:`TOTAL_S`, ended by a timer that shuts the socket, so that a server that sends one byte at a time
  holds nobody. At most :data:`ANSWER_BYTES_MAX` of the answer are read, and none of it is kept.
* HTTPS with a certificate for the host, unless ``private`` allows demonstrations and tests on this machine.
"""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from cloud.domain.webhooks import is_usable_url
from cloud.ports.webhooks import PostOutcome

CONNECT_S: Final = 5.0
TOTAL_S: Final = 15.0
ANSWER_BYTES_MAX: Final = 4_096
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")

_HEADERS: Final = {"Content-Type": "application/json", "User-Agent": "voucher-kiosk"}

Resolve = Callable[[str, int], Sequence[str]]
"""Host and port to addresses, as text."""


def look_up(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(address: str) -> bool:
    """Tell whether an address is reached over the internet and over nothing else."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inside = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inside is None and ip in _NAT64:
            inside = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inside is not None:
            return is_public(str(inside))
        if ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


class WebhookPost:
    """``Post``; safe to call from several threads."""

    def __init__(self, *, private: bool = False, resolve: Resolve = look_up, total_s: float = TOTAL_S) -> None:
        """Set up.

        Args:
            private: whether plain HTTP and addresses of this machine and network will do.
        """
        self._private = private
        self._resolve = resolve
        self._total_s = total_s
        self._tls = ssl.create_default_context()

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> PostOutcome:
        began = time.monotonic()
        status, problem = self._try(url, body, headers)
        return PostOutcome(status, problem, int((time.monotonic() - began) * 1000))

    def _try(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int | None, str]:
        # Judged again: the configuration may have become stricter since the address was written down.
        if not is_usable_url(url, plain_http=self._private):
            return None, "address_not_allowed"
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError):
            return None, "host_unknown"
        if not addresses or not (self._private or all(map(is_public, addresses))):
            return None, "address_not_allowed"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        deadline = _Deadline(self._total_s)
        try:
            with contextlib.closing(self._connect(host, addresses[0], port, deadline, secure=secure)) as connection:
                connection.request("POST", path, body, {**_HEADERS, **headers})
                answer = connection.getresponse()
                answer.read(ANSWER_BYTES_MAX)
                # A shut socket ends a head like the end of a line: what was read then is no answer.
                return (None, "too_slow") if deadline.is_over else (answer.status, "")
        except (OSError, http.client.HTTPException, ValueError) as problem:
            return None, "too_slow" if deadline.is_over else _problem(problem)
        finally:
            deadline.cancel()

    def _connect(
        self, host: str, address: str, port: int, deadline: "_Deadline", *, secure: bool
    ) -> http.client.HTTPConnection:
        wire = socket.create_connection((address, port), timeout=min(CONNECT_S, self._total_s))
        deadline.watch(wire)
        try:
            wire.settimeout(self._total_s)
            if secure:
                wire = self._tls.wrap_socket(wire, server_hostname=host)
                deadline.watch(wire)
        except BaseException:
            wire.close()
            raise
        connection = http.client.HTTPConnection(host, port)
        if port == (443 if secure else 80):
            connection.default_port = port  # which the header Host then leaves out
        connection.sock = wire
        return connection


class _Deadline:
    """Shuts the socket when the time is over; a time-out alone begins anew with every byte that comes."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._wire: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, wire: socket.socket) -> None:
        self._wire = wire
        if self.is_over:
            self._end()

    def cancel(self) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        self.is_over = True
        if self._wire is not None:
            with contextlib.suppress(OSError):
                self._wire.shutdown(socket.SHUT_RDWR)


def _problem(problem: Exception) -> str:
    if isinstance(problem, ssl.SSLError):
        return "certificate"
    return "too_slow" if isinstance(problem, TimeoutError) else "no_answer"
