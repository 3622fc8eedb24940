"""The line to the kiosks on paho-mqtt: MQTT 5 over mutual TLS, acknowledged by hand.

What is known about paho and Mosquitto, measured, and what follows from it:

* An exception in a callback ends the network thread while ``is_connected()`` stays true. Every callback here is wrapped, and
  :meth:`MqttLine.take` looks whether the thread lives.
* ``ack(mid)`` knows nothing of connections: a packet id of an earlier one may stand for another message on this one. Every
  delivery carries the number of its connection, and numbers change before a new connection can begin.
* The broker sends at most ``receive_maximum`` messages that are not acknowledged, and the queue holds as many: it cannot
  overflow. QoS 0 is outside that count, so it is not taken at all; kiosks ask and report with QoS 1.
* paho's own queue is memory only and unlimited by default: here it is short. What does not fit is not sent; the kiosk asks
  again and gets the stored answer.
* Without TCP_NODELAY a round trip takes 88 ms instead of half a millisecond.

The lock guards the connection's number and acknowledging. It is never held while publishing: paho calls ``on_publish`` under
a lock of its own, which ``publish`` takes too.
"""

import functools
import logging
import queue
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, ParamSpec

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from cloud.adapters.certificates import KeyPair
from cloud.ports.line import Delivery
from cloud.ports.meters import LineState
from protocol.envelope import CONTENT_TYPE, Event, encode_properties
from protocol.errors import PortError
from protocol.limits import PACKET_BYTES_MAX
from protocol.topics import CONNECTIONS_FILTER, REQUESTS_FILTER

RECEIVE_MAX: Final = 1_000
"""Deliveries not yet acknowledged; more gained nothing when measured."""

ANSWERS_IN_FLIGHT_MAX: Final = 500
"""Below what the broker allows (``max_inflight_messages``), since paho does not look."""

ANSWERS_QUEUED_MAX: Final = 2_000
ANSWER_EXPIRY_S: Final = 300
"""An answer that its kiosk did not fetch by then is dropped by the broker. The kiosk asks again."""

SESSION_EXPIRY_S: Final = 7 * 86_400
KEEPALIVE_S: Final = 20
RECONNECT_S: Final = (1, 10)

_log = logging.getLogger(__name__)
_P = ParamSpec("_P")


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker listens."""

    host: str
    port: int


def worker_tls(ca_pem: str, pair: KeyPair) -> ssl.SSLContext:
    """Build the TLS settings of a client: its own certificate, our authority only, TLS 1.2 or newer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=ca_pem)
    # OpenSSL reads keys from files only. The folder is closed to others and gone a moment later.
    with tempfile.TemporaryDirectory(prefix="vk-") as folder:
        path = Path(folder) / "pair.pem"
        path.touch(mode=0o600)
        path.write_text(pair.certificate_pem + pair.key_pem, encoding="ascii")
        context.load_cert_chain(path)
    return context


def _guarded(callback: Callable[_P, None]) -> Callable[_P, None]:
    @functools.wraps(callback)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            callback(*args, **kwargs)
        except Exception:  # noqa: BLE001 - whatever it is, it must not leave
            # The network thread must live; what was lost is sent again because it was not acknowledged.
            _log.exception("a callback of the MQTT client failed")

    return guarded


class _Client(Client):
    """paho's client, able to tell whether its network thread lives."""

    @property
    def network_lives(self) -> bool:
        thread = self._thread
        return thread is not None and thread.is_alive()


class MqttLine:
    """``Line`` on one broker. Use as a context manager: entering connects in the background, leaving disconnects."""

    def __init__(self, address: BrokerAddress, tls: ssl.SSLContext, *, client_id: str) -> None:
        """Nothing is connected yet.

        Args:
            client_id: the CN of the certificate in ``tls``; the broker sets it anyway.
        """
        self._address = address
        self._arrived: queue.Queue[Delivery] = queue.Queue(RECEIVE_MAX)
        self._lock = threading.Lock()
        self._connection = 0
        self._client = self._make_client(client_id, tls)

    def __enter__(self) -> "MqttLine":
        properties = _properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        properties.ReceiveMaximum = RECEIVE_MAX
        properties.MaximumPacketSize = PACKET_BYTES_MAX * 2
        self._client.connect_async(
            self._address.host, self._address.port, KEEPALIVE_S, clean_start=False, properties=properties
        )
        self._client.loop_start()
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def take(self, count_max: int, *, wait_s: float) -> Sequence[Delivery]:
        """Return what queued; see :class:`cloud.ports.line.Line`."""
        if not self._client.network_lives:
            raise PortError("the MQTT network thread has died", retry=False)
        taken: list[Delivery] = []
        try:
            taken.append(self._arrived.get(timeout=wait_s))
            while len(taken) < count_max:
                taken.append(self._arrived.get_nowait())
        except queue.Empty:
            pass
        # What an earlier connection brought comes again on this one: judging it now would only cost a second round.
        return [delivery for delivery in taken if delivery.connection == self._connection]

    def publish(self, topic: str, event: Event) -> None:
        """Send an answer with QoS 1."""
        properties = _properties(PacketTypes.PUBLISH)
        properties.PayloadFormatIndicator = 1
        properties.ContentType = CONTENT_TYPE
        properties.CorrelationData = event.id.bytes
        properties.MessageExpiryInterval = ANSWER_EXPIRY_S
        properties.UserProperty = encode_properties(event)
        sent = self._client.publish(topic, event.body, qos=1, properties=properties)
        if sent.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN):
            _log.warning("an answer was not sent (%s); its kiosk will ask again", sent.rc)

    def acknowledge(self, delivery: Delivery) -> None:
        """Acknowledge on the connection that brought the message, or not at all."""
        with self._lock:
            if delivery.connection == self._connection:
                self._client.ack(delivery.packet_id, 1)

    def state(self) -> LineState:
        """How it is at this moment; may be asked from any thread."""
        # The connection's number goes up whenever one is lost.
        return LineState(self._client.is_connected(), self._arrived.qsize(), self._connection)

    def _make_client(self, client_id: str, tls: ssl.SSLContext) -> _Client:
        client = _Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
        client.tls_set_context(tls)
        client.max_inflight_messages_set(ANSWERS_IN_FLIGHT_MAX)
        client.max_queued_messages_set(ANSWERS_QUEUED_MAX)
        client.reconnect_delay_set(*RECONNECT_S)
        client.on_socket_open = _guarded(_without_delay)
        client.on_connect = _guarded(self._connected)
        client.on_connect_fail = _guarded(self._not_connected)
        client.on_disconnect = _guarded(self._disconnected)
        client.on_subscribe = _guarded(_subscribed)
        client.on_message = _guarded(self._received)
        client.on_publish = _guarded(_published)
        return client

    def _new_connection(self) -> None:
        with self._lock:
            self._connection += 1
        # Emptied by the thread that fills it, and before it can fill it again.
        while True:
            try:
                self._arrived.get_nowait()
            except queue.Empty:
                return

    def _connected(
        self, client: Client, _userdata: Any, flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            _log.error("the broker refused the connection: %s", reason)
            return
        _log.info("connected to the broker, session %s", "kept" if flags.session_present else "new")
        # Once per session, retained presence is wanted; not again at every reconnect.
        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        client.subscribe([(REQUESTS_FILTER, options), (CONNECTIONS_FILTER, options)])

    def _not_connected(self, _client: Client, _userdata: Any) -> None:
        _log.warning("the broker at %s:%d cannot be reached", self._address.host, self._address.port)

    def _disconnected(
        self, _client: Client, _userdata: Any, _flags: DisconnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._new_connection()
        _log.info("disconnected from the broker: %s", reason)

    def _received(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        if message.qos != 1:
            _log.warning("a message with QoS %d was dropped", message.qos)
            return
        properties = tuple(getattr(message.properties, "UserProperty", ()))
        delivery = Delivery(
            topic=message.topic,
            payload=bytes(message.payload),
            properties=properties,
            retained=message.retain,
            connection=self._connection,
            packet_id=message.mid,
            arrived_at_s=time.monotonic(),
        )
        self._arrived.put_nowait(delivery)


def _properties(packet_type: int) -> Properties:
    return Properties(packet_type)  # type: ignore[no-untyped-call]


def _without_delay(_client: Client, _userdata: Any, connection: Any) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _subscribed(_client: Client, _userdata: Any, _mid: int, reasons: list[ReasonCode], _properties: Properties | None) -> None:
    refused = [reason for reason in reasons if reason.is_failure]
    if refused:
        _log.error("the broker refused a subscription: %s", refused[0])
    else:
        _log.info("listening to the kiosks")


def _published(_client: Client, _userdata: Any, _mid: int, reason: ReasonCode, _properties: Properties | None) -> None:
    # "No matching subscribers" is no failure: that kiosk is away and will ask again.
    if reason.is_failure:
        _log.error("the broker refused an answer: %s", reason)
