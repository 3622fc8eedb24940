"""The way to the cloud: MQTT 5 over mutual TLS, with paho-mqtt.

Rules it keeps, each learnt from a measurement:

* The broker proves nothing. A PUBACK is looked at and logged; what is delivered is decided by the cloud's answer alone.
* Every connection is a new client with an empty queue. What an old connection had in flight is dropped; the outbox publishes
  again. So nothing is kept in memory that a crash could take, and a check of a customer long gone is never sent late.
* The client is online for us only once the answers' topic is subscribed: an answer that nobody listens for is lost.
* Nagle's algorithm is off on this end too (88 ms against half a millisecond per round trip).
* No exception leaves a callback: in paho it would end the network thread while ``is_connected()`` stays true.
* Publishing never blocks and never writes to the socket from the caller's thread (see :func:`_leave_writing_to_loop`).
* Reconnects wait with exponential growth and full jitter, so that a thousand kiosks do not come back in one second.

Not here: what an answer means, and whether it is authentic.

Sources: MQTT 5.0 §3.1.3.2.2 (will delay), §3.4.2.1 (PUBACK reasons), §4.10 (request and response).
"""

import logging
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from msgspec import structs
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, LogLevel, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from protocol.envelope import CONTENT_TYPE, Event, decode_event, encode_properties
from protocol.errors import ProtocolError
from protocol.limits import BODY_BYTES_MAX
from protocol.topics import DeviceAddress, RequestKind
from protocol.trace import make_traceparent

INFLIGHT_MAX: Final = 20
QUEUED_MAX: Final = 64
"""Messages handed over and not acknowledged; beyond that :meth:`MqttLink.publish` says no."""

LOOP_S: Final = 0.25
"""Longest sleep of the network loop. A publish wakes it; :meth:`MqttLink.close` waits for it."""

FAREWELL_LOOPS_MAX: Final = 8
CLOSE_WAIT_S: Final = 5.0
_UTF8_PAYLOAD: Final = 1

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Where to and how patiently."""

    host: str
    port: int
    address: DeviceAddress
    will: bytes
    """Device state that the broker publishes when the kiosk falls silent."""
    farewell: bytes
    """Device state that is published before an orderly end."""
    keepalive_s: int = 20
    will_delay_s: int = 30
    reconnect_first_s: float = 0.5
    reconnect_longest_s: float = 15.0


class MqttLink:
    """See :class:`kiosk.ports.Link`."""

    def __init__(self, settings: LinkSettings, tls: ssl.SSLContext, *, jitter: Callable[[], float]) -> None:
        """Prepare; nothing is opened before :meth:`start`.

        Args:
            jitter: a random number between 0 and 1, anew at each call.
        """
        self._settings = settings
        self._tls = tls
        self._jitter = jitter
        self._closing = threading.Event()
        self._online: Client | None = None
        self._was_online = False
        self._state: bytes | None = None
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        self._on_answer: Callable[[RequestKind, Event], None] = lambda _kind, _event: None
        self._on_connection: Callable[[bool], None] = lambda _connected: None
        self.undecodable = 0
        """Messages on the answers' topic that are none."""
        self.refused_publishes = 0
        """PUBACKs with a failure: the outbox will try again."""

    def start(self, on_answer: Callable[[RequestKind, Event], None], on_connection: Callable[[bool], None]) -> None:
        """See the port."""
        self._on_answer, self._on_connection = on_answer, on_connection
        self._thread.start()

    def publish(self, kind: RequestKind, event: Event, *, expiry_s: int | None = None) -> bool:
        """See the port.

        Raises:
            ValueError: the body is above the limit; the broker would refuse it for ever.
        """
        if len(event.body) > BODY_BYTES_MAX:
            raise ValueError(f"a body of {len(event.body)} bytes is above the limit of {BODY_BYTES_MAX}")
        properties = _json_properties()
        if kind is RequestKind.REDEEM:
            # Made from the id at every publish: a repeat carries the same one, and the outbox need not keep it.
            event = structs.replace(event, traceparent=make_traceparent(event.id))
        properties.UserProperty = encode_properties(event)
        properties.ResponseTopic = self._settings.address.answer(kind)
        properties.CorrelationData = event.id.bytes
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        return self._publish(self._settings.address.request(kind), event.body, properties)

    def report(self, state: bytes) -> None:
        """See the port. While offline the state is kept and published with the next connection."""
        self._state = state
        self._publish(self._settings.address.connection, state, _json_properties(), retain=True)

    def close(self) -> None:
        """See the port."""
        if self._closing.is_set():
            return
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_WAIT_S)

    def _publish(self, topic: str, body: bytes, properties: Any, *, retain: bool = False) -> bool:
        client = self._online
        if client is None:
            return False
        sent = client.publish(topic, body, 1, retain, properties)
        return sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    # The adapter's own thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        failures = 0
        while not self._closing.is_set():
            was_online = self._run_connection()
            failures = 0 if was_online else failures + 1
            longest = self._settings.reconnect_first_s * 2 ** min(failures, 16)
            self._closing.wait(self._jitter() * min(longest, self._settings.reconnect_longest_s))

    def _run_connection(self) -> bool:
        """Connect once and stay until the connection ends; tell whether it was ever of use."""
        client = self._make_client()
        self._was_online = False
        try:
            self._connect(client)
            while client.loop(LOOP_S) == MQTTErrorCode.MQTT_ERR_SUCCESS:
                if self._closing.is_set():
                    self._say_farewell(client)
                    break
        except (OSError, ValueError) as problem:
            # ValueError: ssl says so where a socket was closed under it.
            log.info("no connection to %s:%d: %s", self._settings.host, self._settings.port, problem)
        except Exception:
            # A bug in the client library must not end this thread: the kiosk would look alive and hear nothing.
            log.exception("the MQTT client failed; connecting anew")
        finally:
            self._set_online(None)
            connection = client.socket()
            if connection is not None:
                connection.close()
        return self._was_online

    def _connect(self, client: Client) -> None:
        # The broker forgets the session with the will, not before: otherwise it would publish the will at once.
        properties = _properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = self._settings.will_delay_s
        settings = self._settings
        client.connect(settings.host, settings.port, settings.keepalive_s, clean_start=True, properties=properties)

    def _say_farewell(self, client: Client) -> None:
        """Say that this end is meant, which also keeps the broker from publishing the will."""
        if self._online is client:
            client.publish(self._settings.address.connection, self._settings.farewell, 1, True, _json_properties())
        for _ in range(FAREWELL_LOOPS_MAX):
            if not client.want_write() or client.loop(LOOP_S) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                break
        client.disconnect()
        client.loop(LOOP_S)

    def _make_client(self) -> Client:
        address = self._settings.address
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=address.device_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        client.tls_set_context(self._tls)
        client.max_inflight_messages_set(INFLIGHT_MAX)
        client.max_queued_messages_set(QUEUED_MAX)
        will = _properties(PacketTypes.WILLMESSAGE)
        will.WillDelayInterval = self._settings.will_delay_s
        client.will_set(address.connection, self._settings.will, 1, True, will)
        client.on_socket_open = _turn_nagle_off
        _leave_writing_to_loop(client)
        client.on_connect = self._take_connect
        client.on_subscribe = self._take_subscribe
        client.on_message = self._take_message
        client.on_publish = self._take_publish
        client.on_disconnect = self._take_disconnect
        # An exception that leaves a callback goes no further than paho's log.
        client.suppress_exceptions = True
        client.on_log = _take_log
        return client

    def _set_online(self, client: Client | None) -> None:
        changed = (client is None) != (self._online is None)
        self._online = client
        if changed:
            self._on_connection(client is not None)

    def _take_connect(
        self, client: Client, _userdata: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            log.warning("the broker refused the connection: %s", reason)
            return
        client.subscribe(self._settings.address.answers_filter, qos=1)

    def _take_subscribe(
        self, client: Client, _userdata: Any, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            log.error("the broker refused the subscription to answers: %s", reasons)
            client.disconnect()
            return
        self._was_online = True
        self._set_online(client)
        if self._state is not None:
            self.report(self._state)

    def _take_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        try:
            kind = RequestKind(message.topic.rpartition("/")[2])
            event = decode_event(getattr(message.properties, "UserProperty", ()), bytes(message.payload))
        except (ProtocolError, ValueError) as problem:
            self.undecodable += 1
            log.warning("not an answer: %s", problem)
            return
        self._on_answer(kind, event)

    def _take_publish(
        self, _client: Client, _userdata: Any, _mid: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self.refused_publishes += 1
            log.warning("the broker refused a message: %s", reason)

    def _take_disconnect(
        self, _client: Client, _userdata: Any, _flags: DisconnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        # "Session taken over" here means that another machine uses this kiosk's identity.
        log.log(logging.WARNING if reason.is_failure else logging.INFO, "disconnected: %s", reason)
        self._set_online(None)


def make_tls(*, ca_pem: str, certificate_file: str, key_file: str) -> ssl.SSLContext:
    """Build the TLS settings: our own authority only, our own certificate, the broker's name checked.

    Raises:
        OSError: a file cannot be read or is no key or certificate (``ssl.SSLError`` is one).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=ca_pem)
    context.load_cert_chain(certificate_file, key_file)
    return context


def _properties(packet: int) -> Any:
    return Properties(packet)  # type: ignore[no-untyped-call]


def _json_properties() -> Any:
    properties = _properties(PacketTypes.PUBLISH)
    properties.ContentType = CONTENT_TYPE
    properties.PayloadFormatIndicator = _UTF8_PAYLOAD
    return properties


def _take_log(_client: Client, _userdata: Any, level: int, text: str) -> None:
    # Below a warning paho logs every packet.
    if level in {LogLevel.MQTT_LOG_ERR, LogLevel.MQTT_LOG_WARNING}:
        log.warning("paho: %s", text)


def _turn_nagle_off(_client: Client, _userdata: Any, connection: Any) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _leave_writing_to_loop(client: Client) -> None:
    # Without a thread of its own paho writes to the socket from whichever thread publishes, unless somebody watches for
    # writability. Our loop does; two threads on one socket would mix packets.
    client.on_socket_register_write = _do_nothing
    client.on_socket_unregister_write = _do_nothing


def _do_nothing(_client: Client, _userdata: Any, _socket: Any) -> None:
    """Watching is the loop's business."""
