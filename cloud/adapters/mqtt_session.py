"""One session at the broker on paho-mqtt: MQTT 5 over mutual TLS, acknowledged by hand.

What is known about paho and Mosquitto, measured, and what follows from it:

* An exception in a callback ends the network thread while ``is_connected()`` stays true. Every callback here is wrapped, and
  :class:`cloud.adapters.mqtt.MqttLine` looks whether the thread lives.
* ``ack(mid)`` knows nothing of connections: a packet id of an earlier one may stand for another message on this one. Every
  delivery carries the number of its connection, which no other connection of this process has, of whatever session; it
  changes before a new connection can begin.
* The broker throws out the older of two connections of one client, and Mosquitto 2.0.11 does not say that this was why. paho
  connects again, and two workers would throw each other out for ever. So nobody connects again before it is known that the
  session is still this worker's.
* Mosquitto 2.0.11 does not keep to ``receive_maximum`` once messages have queued: after the first acknowledgements it sends
  the whole queue (7000 unacknowledged with a limit of 1000). What is dropped then keeps its slot until the connection ends.
  So nothing is dropped: while the queue here is full the socket is not read, and TCP holds the broker back.
* QoS 0 is outside every limit, so it is not taken at all; kiosks ask and report with QoS 1.
* Answers wait in memory only, and not many: what does not fit is not sent; the kiosk asks again and gets the stored answer.
  What was in flight when a connection broke is sent again on the next one, marked so, as MQTT 5 §4.4 wants it.
* paho publishes, reads and acknowledges one packet at a time: :mod:`cloud.adapters.mqtt_client` does so by the block.
* Without TCP_NODELAY a round trip takes 88 ms instead of half a millisecond.

The lock guards the connection's number and what is to be sent. The worker's thread writes a round's answers to the socket
itself; OpenSSL does not take two threads at once, so the client has a lock for the socket.
"""

import functools
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, ParamSpec, Protocol

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from cloud.adapters.broker import QUEUED_MAX
from cloud.adapters.certificates import session_name
from cloud.adapters.mqtt_client import BlockClient
from cloud.adapters.mqtt_queues import Answers, Arrivals
from cloud.adapters.mqtt_wire import Publish, pack_fixed_properties, pack_pubacks, pack_publish
from cloud.ports.line import Delivery
from protocol.envelope import CONTENT_TYPE, Event, encode_properties
from protocol.limits import PACKET_BYTES_MAX
from protocol.topics import LANES, connections_filter, requests_filter

RECEIVE_MAX: Final = 1_000
"""Deliveries not yet acknowledged, as far as the broker keeps to it, and not yet taken; more gained nothing when measured."""

ANSWERS_IN_FLIGHT_MAX: Final = 500
"""Below what the broker allows (``max_inflight_messages``), since paho does not look."""

ANSWERS_QUEUED_MAX: Final = QUEUED_MAX + RECEIVE_MAX
"""As many as the broker may have sent requests, before it says of the first answer that it has it: that stands behind all of
them. With 2 000, a crowd of 3 000 lost a fifth of its answers, and asked again two seconds later (measured)."""

ANSWER_EXPIRY_S: Final = 300
"""An answer that its kiosk did not fetch by then is dropped by the broker. The kiosk asks again."""

SESSION_EXPIRY_S: Final = 7 * 86_400
KEEPALIVE_S: Final = 20
RECONNECT_S: Final = (1, 10)
_RECEIVED_BYTES_MAX: Final = PACKET_BYTES_MAX * 2
_FIRST_FAILURE: Final = 0x80
_FIXED_PROPERTIES: Final = pack_fixed_properties(content_type=CONTENT_TYPE, expiry_s=ANSWER_EXPIRY_S)

_log = logging.getLogger(__name__)
_P = ParamSpec("_P")


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker listens."""

    host: str
    port: int


class SessionOwner(Protocol):
    """Whose session it is; asked by the network thread."""

    def new_connection(self, session: int) -> int:
        """Return the number of the session's next connection."""

    def may_connect(self, *, since_s: float) -> bool:
        """Tell whether the sessions are known to be this worker's, and were seen to be after that second."""

    def lost(self) -> None:
        """A connection broke."""

    def is_reading(self) -> bool:
        """Tell whether somebody takes what arrives from the sessions themselves, and has done so a moment ago."""


def _guarded(callback: Callable[_P, None]) -> Callable[_P, None]:
    @functools.wraps(callback)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            callback(*args, **kwargs)
        except Exception:  # noqa: BLE001 - whatever it is, it must not leave
            # The network thread must live; what was lost is sent again because it was not acknowledged.
            _log.exception("a callback of the MQTT client failed")

    return guarded


class MqttSession:
    """A persistent session at the broker: connects in the background from :meth:`start` until :meth:`close`."""

    def __init__(self, number: int, sessions: int, address: BrokerAddress, arrived: Arrivals, owner: SessionOwner) -> None:
        """Nothing is connected yet.

        Args:
            number: which of the region's ``sessions`` it is; says its lanes, and its name at the broker.
            arrived: takes what arrives.
        """
        self.number = number
        self._sessions = sessions
        self._address = address
        self._arrived = arrived
        self._owner = owner
        self._answers = Answers(in_flight_max=ANSWERS_IN_FLIGHT_MAX, count_max=ANSWERS_QUEUED_MAX)
        self._acknowledged: list[int] = []
        self._lock = threading.Lock()
        self.connection = owner.new_connection(number)
        """The number of the connection at hand, or of the next one."""
        self._is_online = False
        self._is_started = False
        self._is_closing = False
        self._ended = threading.Event()
        self._lost_at_s = float("-inf")
        self._client = self._make_client(session_name(number))

    def start(self, tls: ssl.SSLContext) -> None:
        """Begin to connect.

        Args:
            tls: with a certificate of the session's name; the broker takes it for the client id.
        """
        properties = _properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        properties.ReceiveMaximum = RECEIVE_MAX
        properties.MaximumPacketSize = _RECEIVED_BYTES_MAX
        self._client.tls_set_context(tls)
        self._client.connect_async(
            self._address.host, self._address.port, KEEPALIVE_S, clean_start=False, properties=properties
        )
        self._client.loop_start()
        self._is_started = True

    def disconnect(self) -> None:
        """Say goodbye after all that was flushed. The broker keeps the session; what was not acknowledged is sent again."""
        self._is_closing = True
        self._ended.set()
        self._client.disconnect()

    def close(self) -> None:
        """End the network thread; :meth:`disconnect` comes first."""
        self._client.loop_stop()
        self._client.close_socket()
        self._arrived.forget(self.connection)

    @property
    def has_died(self) -> bool:
        """Whether the network thread has ended without being asked to."""
        return self._is_started and not self._is_closing and not self._client.network_lives

    @property
    def is_connected(self) -> bool:
        """Whether the broker has said yes."""
        return self._client.is_connected()

    def publish(self, topic: str, event: Event) -> None:
        """Send an answer with QoS 1."""
        packet_id = self._client.next_packet_id()
        packet = pack_publish(
            topic,
            event.body,
            packet_id=packet_id,
            correlation=event.id.bytes,
            fixed=_FIXED_PROPERTIES,
            properties=encode_properties(event),
        )
        with self._lock:
            if not self._answers.is_full:
                self._answers.add(packet_id, packet)
                return
        _log.warning("too many answers wait for the broker; one was not sent, its kiosk will ask again")

    def acknowledge(self, delivery: Delivery) -> None:
        """Acknowledge on the connection that brought the message, or not at all."""
        with self._lock:
            if delivery.connection == self.connection:
                self._acknowledged.append(delivery.packet_id)

    def flush(self) -> None:
        """Send everything in one piece, as far as the socket takes it; the network thread sends the rest."""
        with self._lock:
            packets = self._answers.take_due() if self._is_online else []
            if self._acknowledged:
                packets.append(pack_pubacks(self._acknowledged))
                self._acknowledged.clear()
            self._client.queue_joined(packets)
        if packets:
            self._client.send_queued()

    def read(self) -> bool:
        """Take what has arrived to where arrivals are kept; tell whether there was anything."""
        return self._client.read_arrived()

    @property
    def fileno(self) -> int:
        """What ``poll`` looks at; -1 while there is no connection."""
        return self._client.fileno

    # What the network thread calls ----------------------------------------------------------------------------------------

    @_guarded
    def received(self, publishes: Sequence[tuple[Publish, bool]]) -> None:
        """See :class:`cloud.adapters.mqtt_client.BlockEvents`."""
        connection, at_s = self.connection, time.monotonic()
        self._arrived.put(
            [
                Delivery(one.topic, one.payload, one.properties, retained, connection, one.packet_id, at_s)
                for one, retained in publishes
            ]
        )

    @_guarded
    def acknowledged(self, acknowledgements: Sequence[tuple[int, int]]) -> None:
        """See :class:`cloud.adapters.mqtt_client.BlockEvents`."""
        with self._lock:
            for packet_id, _ in acknowledgements:
                self._answers.done(packet_id)
            if self._is_online:
                self._client.queue_joined(self._answers.take_due())
        for _, reason in acknowledgements:
            # "No matching subscribers" is no failure: that kiosk is away and will ask again.
            if reason >= _FIRST_FAILURE:
                _log.error("the broker refused an answer: reason 0x%02x", reason)

    def has_room(self) -> bool:
        """See :class:`cloud.adapters.mqtt_client.BlockEvents`."""
        return self._arrived.has_room(0.0)

    def is_left_to_read(self, wait_s: float) -> bool:
        """See :class:`cloud.adapters.mqtt_client.BlockEvents`."""
        if self._owner.is_reading():
            self._ended.wait(wait_s)
            return False
        return self._arrived.has_room(wait_s)

    def holds(self, packet_id: int) -> bool:
        """See :class:`cloud.adapters.mqtt_client.BlockEvents`."""
        return packet_id in self._answers

    def may_connect(self) -> bool:
        """See :class:`cloud.adapters.mqtt_client.BlockEvents`."""
        return not self._is_closing and self._owner.may_connect(since_s=self._lost_at_s)

    def _make_client(self, client_id: str) -> BlockClient:
        client = BlockClient(self, client_id=client_id, packet_bytes_max=_RECEIVED_BYTES_MAX)
        client.reconnect_delay_set(*RECONNECT_S)
        client.on_socket_open = _guarded(_without_delay)
        client.on_connect = _guarded(self._connected)
        client.on_connect_fail = _guarded(self._not_connected)
        client.on_disconnect = _guarded(self._disconnected)
        client.on_subscribe = _guarded(self._subscribed)
        client.on_message = _guarded(self._received_otherwise)
        return client

    def _new_connection(self) -> None:
        with self._lock:
            self._is_online = False
            broken, self.connection = self.connection, self._owner.new_connection(self.number)
            self._acknowledged.clear()
        # By the thread that put it there, and before it can put more.
        self._arrived.forget(broken)

    def _connected(
        self, client: Client, _userdata: Any, flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            _log.error("the broker refused the connection: %s", reason)
            return
        _log.info("session %d connected to the broker, %s", self.number, "kept" if flags.session_present else "new")
        # Once per session, retained presence is wanted; not again at every reconnect.
        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        mine = [lane for place, lane in enumerate(LANES) if place % self._sessions == self.number]
        client.subscribe([(topic, options) for topic in _filters(mine)])
        # The session may be older than the number of sessions: what it heard then belongs to others now.
        if foreign := [lane for lane in LANES if lane not in mine]:
            client.unsubscribe(_filters(foreign))
        with self._lock:
            self._is_online = True
            self._client.queue_joined([*self._answers.take_again(), *self._answers.take_due()])

    def _not_connected(self, _client: Client, _userdata: Any) -> None:
        if self.may_connect():
            _log.warning("the broker at %s:%d cannot be reached", self._address.host, self._address.port)
        else:
            _log.info("session %d is not connected before its lock is seen", self.number)

    def _disconnected(
        self, _client: Client, _userdata: Any, _flags: DisconnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._new_connection()
        if not self._is_closing:
            self._lost_at_s = time.monotonic()
            self._owner.lost()
        _log.info("session %d disconnected from the broker: %s", self.number, reason)

    def _subscribed(
        self, _client: Client, _userdata: Any, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        refused = [reason for reason in reasons if reason.is_failure]
        if refused:
            _log.error("the broker refused a subscription: %s", refused[0])
        else:
            _log.info("listening to the kiosks, session %d of %d", self.number, self._sessions)

    def _received_otherwise(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        """What paho had to read: whatever is not a plain publish with QoS 1."""
        if message.qos != 1:
            _log.warning("a message with QoS %d was dropped", message.qos)
            return
        properties = tuple(getattr(message.properties, "UserProperty", ()))
        publish = Publish(message.topic, message.mid, properties, bytes(message.payload))
        self.received([(publish, message.retain)])


def _properties(packet_type: int) -> Properties:
    return Properties(packet_type)  # type: ignore[no-untyped-call]


def _without_delay(_client: Client, _userdata: Any, connection: Any) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _filters(lanes: Sequence[str]) -> list[str]:
    return [topic(lane) for topic in (requests_filter, connections_filter) for lane in lanes]
