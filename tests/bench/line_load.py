"""The load of :mod:`tests.bench.line`, a process of its own: kiosks' requests as raw MQTT 5 over one loopback socket.

``python -m tests.bench.line_load PORT COUNT WINDOW``: publishes COUNT requests with QoS 1. WINDOW 0: as fast as the broker
acknowledges them, for a worker that only acknowledges. Otherwise at most WINDOW of them are unanswered. Ends by itself, at the
latest after :data:`SECONDS_MAX`; the last line says how long it took.
"""

import json
import socket
import sys
import time
from typing import Final

from cloud.adapters.mqtt_wire import PUBACK, pack_fixed_properties, pack_publish, read_length
from protocol.envelope import encode_properties
from protocol.topics import DeviceAddress, RequestKind
from tests.bench.codec import Sent, make_sent

HOST: Final = "127.0.0.1"
KIOSKS: Final = 1_000
SECONDS_MAX: Final = 60.0
IN_FLIGHT_MAX: Final = 900
"""Below what the broker allows one client."""

AT_ONCE: Final = 100
_CONNECT: Final = b"\x10\x14\x00\x04MQTT\x05\x02\x00\x00\x03\x21\x03\xe8\x00\x04load"
_ANSWERS: Final = b"vk/v1/+/+/+/rep/+"
_SUBSCRIBE: Final = bytes((0x82, 6 + len(_ANSWERS))) + b"\x00\x01\x00" + len(_ANSWERS).to_bytes(2, "big") + _ANSWERS + b"\x00"
_PUBLISH: Final = 0x30
_SUBACK: Final = 0x90


class Load:
    """One connection that asks."""

    def __init__(self, port: int, window: int) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=SECONDS_MAX)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._window = window
        self._rest = b""
        self.sent = self.acknowledged = self.answered = 0
        self._subscribed = False

    def run(self, packets: list[bytes]) -> float:
        """Ask everything; return the seconds from the first request to the last answer, or acknowledgement."""
        self._socket.sendall(_CONNECT + _SUBSCRIBE)
        while not self._subscribed:
            self._hear()
        began = time.perf_counter()
        end = began + SECONDS_MAX
        while self._done < len(packets):
            if time.perf_counter() > end:
                raise TimeoutError(f"{self._done} of {len(packets)} after {SECONDS_MAX} s")
            room = min(self._room, len(packets) - self.sent)
            # Not for a single one: a send costs as much as a few messages.
            if room >= min(AT_ONCE, len(packets) - self.sent) and room > 0:
                self._socket.sendall(b"".join(packets[self.sent : self.sent + room]))
                self.sent += room
            self._hear()
        return time.perf_counter() - began

    @property
    def _done(self) -> int:
        return self.answered if self._window else self.acknowledged

    @property
    def _room(self) -> int:
        room = IN_FLIGHT_MAX - (self.sent - self.acknowledged)
        return min(room, self._window - (self.sent - self.answered)) if self._window else room

    def _hear(self) -> None:
        block = self._socket.recv(262_144)
        if not block:
            raise ConnectionError("the broker closed the connection")
        block = self._rest + block
        at = 0
        while (found := read_length(block, at)) is not None and sum(found) <= len(block):
            command = block[at] & 0xF0
            self.acknowledged += command == PUBACK
            self.answered += command == _PUBLISH
            self._subscribed |= command == _SUBACK
            at = sum(found)
        self._rest = block[at:]


def pack_requests(count: int) -> list[bytes]:
    """Pack requests as kiosks send them; every one has its own id, proof and sealed digits among a few hundred."""
    some = [make_sent(number) for number in range(min(count, 500))]
    return [_pack(some[number % len(some)], number) for number in range(count)]


def _pack(sent: Sent, number: int) -> bytes:
    address = DeviceAddress("alishan", f"kiosk-{number % KIOSKS:04}")
    return pack_publish(
        address.request(RequestKind.REDEEM),
        sent.event.body,
        packet_id=number % 60_000 + 1,
        correlation=sent.event.id.bytes,
        fixed=pack_fixed_properties(content_type="application/json", expiry_s=300),
        properties=encode_properties(sent.event),
    )


def main() -> None:
    """Run the command line's load."""
    port, count, window = map(int, sys.argv[1:])
    packets = pack_requests(count)
    load = Load(port, window)
    took = load.run(packets)
    print(json.dumps({"seconds": took, "answered": load.answered, "bytes": len(packets[0])}))


if __name__ == "__main__":
    main()
