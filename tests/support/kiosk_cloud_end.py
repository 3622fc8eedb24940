"""The cloud's end of a real line: an MQTT client that hears a kiosk's requests and presence, and publishes answers."""

import queue
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from cloud.adapters.certificates import FleetAuthority, session_name
from protocol.envelope import Event, decode_event, encode_properties
from protocol.topics import DeviceAddress, RequestKind, connections_filter, decode_request_topic, requests_filter
from tests.support.kiosk_client import tls_of, wait_until


class CloudEnd:
    """Context manager: connected and subscribed inside."""

    def __init__(
        self, port: int, authority: FleetAuthority, *, judge: Callable[[RequestKind, Event], Event] | None = None
    ) -> None:
        """Prepare.

        Args:
            judge: answers every request; without it a test answers.
        """
        self._judge = judge
        self.requests: queue.Queue[tuple[RequestKind, Event]] = queue.Queue()
        self.messages: list[MQTTMessage] = []
        """Requests as they came, with their properties."""
        self.presence: list[tuple[bytes, bool]] = []
        """Bodies of presence messages, and whether they were kept for us."""
        self._subscribed = 0
        self._port = port
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=session_name(0), protocol=MQTTProtocolVersion.MQTTv5)
        pair = authority.worker_certificate()
        self._client.tls_set_context(tls_of(authority.certificate_pem, pair.certificate_pem, pair.key_pem))
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = self._note_subscription
        self._client.on_message = self._take

    def __enter__(self) -> "CloudEnd":
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        wait_until(lambda: self._subscribed == 2, what="the cloud's end to be subscribed")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def answer(self, address: DeviceAddress, kind: RequestKind, event: Event) -> None:
        """Publish an answer."""
        self._publish(address.answer(kind), event)

    def publish(self, topic: str, payload: bytes, pairs: list[tuple[str, str]]) -> None:
        """Publish anything."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if pairs:
            properties.UserProperty = pairs
        self._client.publish(topic, payload, 1, False, properties)

    def _publish(self, topic: str, event: Event) -> None:
        self.publish(topic, event.body, encode_properties(event))

    def _subscribe(self, client: Client, *_: Any) -> None:
        client.subscribe(requests_filter(), qos=1)
        client.subscribe(connections_filter(), qos=1)

    def _note_subscription(self, *_: Any) -> None:
        self._subscribed += 1

    def _take(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        if message.topic.endswith("/state/conn"):
            self.presence.append((bytes(message.payload), bool(message.retain)))
            return
        address, kind = decode_request_topic(message.topic)
        self.messages.append(message)
        event = decode_event(getattr(message.properties, "UserProperty", ()), bytes(message.payload))
        self.requests.put((kind, event))
        if self._judge is not None:
            self._publish(address.answer(kind), self._judge(kind, event))
