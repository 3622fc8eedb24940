"""paho's client, reading whole blocks and sending many packets at once.

Stock paho takes four receives, one ``select`` and a ``Properties`` object per message, and one send per acknowledgement. Here
one block is received, the packets that make up nearly all traffic (QoS 1 publishes, and acknowledgements of our own) are read
by :mod:`cloud.adapters.mqtt_wire`, and every other packet is given to paho's own decoder, in its place in the order. The
session, TLS, keep-alive, reconnecting and how a packet is written stay paho's.

A round's answers are written by whoever has them, without waking the network thread for it, and what arrives is read by
whoever wants it. The network thread reads where nobody else does, and keeps the connection. Two threads that read and judge in
turn wake each other for every message, because each must let go of the interpreter for each receive. The socket has a lock.

Leans on names of paho 2 that are not public: ``_packet_handle``, ``_in_packet``, ``_out_packet``, ``_packet_write``,
``_sock_recv``, ``_sock_close``, ``_sockpairW``, ``_loop_rc_handle``, ``_do_on_disconnect``, ``_mid_generate``. The lock of
requirements pins paho's version, and ``tests/property/test_mqtt_client.py`` compares with the stock client.
"""

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from cloud.adapters.mqtt_wire import (
    PUBACK,
    PUBLISH_QOS_1,
    PUBLISH_QOS_1_MASK,
    RETAINED,
    Publish,
    read_length,
    read_puback,
    read_publish,
)

BLOCK_BYTES: Final = 65_536
BLOCKS_MAX: Final = 128
"""Receives before ``select`` is asked again: over TLS every one brings one packet of the broker's."""

HANDED_OVER_AT_ONCE: Final = 100
SENT_AT_ONCE_BYTES: Final = 65_536
_log = logging.getLogger(__name__)


READ_WAIT_S: Final = 0.05
"""How long the network thread leaves what has arrived to others, before the rest of paho's loop has its turn."""


class BlockEvents(Protocol):
    """Who hears of a block's packets. Called by whoever reads; no exception may leave."""

    def received(self, publishes: Sequence[tuple[Publish, bool]]) -> None:
        """QoS 1 publishes in their order, each with whether it was retained."""

    def acknowledged(self, acknowledgements: Sequence[tuple[int, int]]) -> None:
        """Packet ids with reason codes."""

    def has_room(self) -> bool:
        """Tell whether more may be read."""

    def is_left_to_read(self, wait_s: float) -> bool:
        """Tell whether the network thread shall read, because nobody else does, and there is room; wait so long for that."""

    def holds(self, packet_id: int) -> bool:
        """Tell whether a packet id is in use, other than by paho itself."""

    def may_connect(self) -> bool:
        """Tell whether to connect; asked before every try."""


class BlockClient(Client):
    """paho's client for MQTT 5 with acknowledgements by hand."""

    def __init__(self, events: BlockEvents, *, client_id: str, packet_bytes_max: int) -> None:
        """Nothing is connected yet.

        Args:
            packet_bytes_max: what CONNECT says; a broker that sends more breaks the protocol.
        """
        super().__init__(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
        self._events = events
        self._packet_bytes_max = packet_bytes_max
        self._rest = b""
        # OpenSSL takes one thread at a time. Nothing is waited for while it is held, and it is the last lock taken.
        self._socket_lock = threading.RLock()
        # One reads at a time. Taken before every other lock.
        self._reading = threading.RLock()
        self._is_leaving = False
        self._publishes: list[tuple[Publish, bool]] = []
        self._acknowledgements: list[tuple[int, int]] = []

    @property
    def network_lives(self) -> bool:
        """Whether the network thread lives."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def reconnect(self) -> MQTTErrorCode:
        """Connect anew, if that is allowed: half a packet of the connection before is no part of this one."""
        if not self._events.may_connect():
            raise ConnectionAbortedError("not allowed at this moment")
        with self._reading:
            self._rest = b""
        return super().reconnect()

    @property
    def fileno(self) -> int:
        """What ``poll`` looks at; -1 while there is no connection."""
        found = self._sock
        return -1 if found is None else found.fileno()

    def close_socket(self) -> None:
        """Close what a connection left open that was being made when the network thread was told to end."""
        self._sock_close()

    def next_packet_id(self) -> int:
        """Return a packet id that is free."""
        return self._mid_generate()

    def disconnect(self, reasoncode: ReasonCode | None = None, properties: Properties | None = None) -> MQTTErrorCode:
        """Say goodbye after what was queued before; the network thread does."""
        with self._socket_lock:
            self._is_leaving = True
            return super().disconnect(reasoncode, properties)

    def queue_joined(self, packets: Sequence[bytes]) -> None:
        """Queue packets: in this order, in as few sends as they fit. They leave with :meth:`send_queued`.

        The network thread need not call that: it writes whatever is queued before it waits again.
        """
        joined: list[bytes] = []
        size = 0
        for packet in packets:
            joined.append(packet)
            size += len(packet)
            if size >= SENT_AT_ONCE_BYTES:
                self._queue(joined)
                joined, size = [], 0
        if joined:
            self._queue(joined)

    def send_queued(self) -> None:
        """Give the socket what it takes at once, from any thread; the network thread sends the rest.

        Not by way of that thread: it would have to be woken, and to wait for this one to let go of the interpreter.
        """
        with self._socket_lock:
            # A farewell in the queue is for the network thread: its end is the connection's.
            if self._sock is not None and not self._is_leaving:
                self._packet_write()
        if self._out_packet:
            self._wake()

    def _wake(self) -> None:
        if self._sockpairW is not None:
            with suppress(BlockingIOError):
                self._sockpairW.send(b"\0")

    def _packet_write(self) -> MQTTErrorCode:
        if self._is_leaving:
            # With the farewell paho tells of the end, for which nobody may be reading.
            with self._reading, self._socket_lock:
                return super()._packet_write()
        with self._socket_lock:
            return super()._packet_write()

    def _do_on_disconnect(self, *args: Any, **kwargs: Any) -> None:
        # What was read on this connection must be handed over before the next one begins.
        with self._reading:
            super()._do_on_disconnect(*args, **kwargs)

    def _sock_recv(self, bufsize: int) -> bytes:
        with self._socket_lock:
            return super()._sock_recv(bufsize)

    def _queue(self, joined: Sequence[bytes]) -> None:
        # To paho one packet like any other. PUBACK, because paho looks into the books when it has sent a PUBLISH.
        packet = b"".join(joined)
        self._out_packet.append(
            {"command": PUBACK, "mid": 0, "qos": 1, "pos": 0, "to_process": len(packet), "packet": packet, "info": None}
        )

    def _mid_generate(self) -> int:
        while True:
            packet_id = super()._mid_generate()
            if not self._events.holds(packet_id):
                return packet_id

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:  # noqa: ARG002 - paho's signature
        """Take what has arrived, unless somebody else will; called by paho's loop where ``select`` says there is something."""
        if not self._events.is_left_to_read(READ_WAIT_S):
            self._excuse_silence()
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        with self._reading:
            code, _ = self._read_blocks(BLOCKS_MAX)
            return code

    def read_arrived(self) -> bool:
        """Take what has arrived, from any thread; tell whether there was anything."""
        with self._reading:
            if self._sock is None:
                return False
            code, blocks = self._read_blocks(BLOCKS_MAX)
        if code:
            self._wake()
        return blocks > 0

    def _read_blocks(self, count_max: int) -> tuple[MQTTErrorCode, int]:
        count = 0
        while count < count_max and self._events.has_room():
            if self._sock is None:
                return MQTTErrorCode.MQTT_ERR_NO_CONN, count
            try:
                block = self._sock_recv(BLOCK_BYTES)
            except BlockingIOError:
                break
            except OSError as problem:
                _log.info("the connection broke: %s", problem)
                block = b""
            count += 1
            code = self._read_block(block) if block else MQTTErrorCode.MQTT_ERR_CONN_LOST
            if code:
                self._hand_over()
                return self._loop_rc_handle(code), count
            if self._sock is None or (len(block) < BLOCK_BYTES and not hasattr(self._sock, "pending")):
                break  # without TLS there is no more
            if len(self._publishes) >= HANDED_OVER_AT_ONCE:
                self._hand_over()  # or nobody would know that there is no more room
        self._hand_over()
        return MQTTErrorCode.MQTT_ERR_SUCCESS, count

    def _excuse_silence(self) -> None:
        # The broker's signs of life lie unread behind what there is no room for.
        with self._msgtime_mutex:
            self._last_bytes_received = time.monotonic()
        self._ping_t = 0.0

    def _read_block(self, block: bytes) -> MQTTErrorCode:
        with self._msgtime_mutex:
            self._last_bytes_received = time.monotonic()
        try:
            return self._read_packets(self._rest + block if self._rest else block)
        except Exception:  # noqa: BLE001 - the network thread must live, whatever the other end sends
            _log.exception("a packet of the broker's could not be read")
            return MQTTErrorCode.MQTT_ERR_PROTOCOL

    def _read_packets(self, block: bytes) -> MQTTErrorCode:
        at, total = 0, len(block)
        while (found := read_length(block, at)) is not None:
            length, start = found
            end = start + length
            if length > self._packet_bytes_max:
                raise MalformedPacket(f"a packet of {length} bytes")
            if end > total:
                break
            command = block[at]
            if not self._is_read(command, block, start, end):
                self._hand_over()
                code = self._give_to_paho(command, block[start:end])
                if code or self._sock is None:
                    return code  # paho closed the connection, or wants to: what follows is of no account
            at = end
        self._rest = block[at:]
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _is_read(self, command: int, block: bytes, start: int, end: int) -> bool:
        if command & PUBLISH_QOS_1_MASK == PUBLISH_QOS_1:
            publish = read_publish(block, start, end)
            if publish is not None:
                self._publishes.append((publish, command & RETAINED != 0))
                return True
        elif command == PUBACK:
            acknowledgement = read_puback(block, start, end)
            if acknowledgement is not None:
                self._acknowledgements.append(acknowledgement)
                return True
        return False

    def _give_to_paho(self, command: int, body: bytes) -> MQTTErrorCode:
        self._in_packet = {
            "command": command,
            "have_remaining": 1,
            "remaining_count": [],
            "remaining_mult": 1,
            "remaining_length": len(body),
            "packet": bytearray(body),
            "to_process": 0,
            "pos": 0,
        }
        return self._packet_handle()

    def _hand_over(self) -> None:
        publishes, self._publishes = self._publishes, []
        acknowledgements, self._acknowledgements = self._acknowledgements, []
        if acknowledgements:
            self._events.acknowledged(acknowledgements)
        if publishes:
            self._events.received(publishes)
