"""The worker's line as stock paho does it, to measure beside ours: one packet per read, one send per acknowledgement."""

import queue
import threading
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from cloud.adapters.mqtt_session import ANSWER_EXPIRY_S, ANSWERS_IN_FLIGHT_MAX, KEEPALIVE_S, RECEIVE_MAX
from protocol.envelope import CONTENT_TYPE, Event, encode_properties
from protocol.topics import requests_filter


class StockClient:
    """Receives; acknowledges in the callback unless messages are taken. Context manager: subscribed inside."""

    def __init__(self, port: int, *, inline: bool) -> None:
        self._port = port
        self._inline = inline
        self._subscribed = threading.Event()
        self._arrived: queue.Queue[MQTTMessage] = queue.Queue()
        self.count = 0
        client = Client(CallbackAPIVersion.VERSION2, client_id="stock", protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
        client.max_inflight_messages_set(ANSWERS_IN_FLIGHT_MAX)
        client.on_connect = lambda *_: client.subscribe(requests_filter(), qos=1)
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_message = self._received
        self._client = client

    def __enter__(self) -> "StockClient":
        properties = _properties(PacketTypes.CONNECT)
        properties.ReceiveMaximum = RECEIVE_MAX
        self._client.connect("127.0.0.1", self._port, KEEPALIVE_S, clean_start=True, properties=properties)
        self._client.loop_start()
        assert self._subscribed.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def take(self, count_max: int, *, wait_s: float) -> list[MQTTMessage]:
        """What queued, as the line's."""
        taken: list[MQTTMessage] = []
        try:
            taken.append(self._arrived.get(timeout=wait_s))
            while len(taken) < count_max:
                taken.append(self._arrived.get_nowait())
        except queue.Empty:
            pass
        return taken

    def publish(self, topic: str, event: Event) -> None:
        """Send an answer with QoS 1."""
        properties = _properties(PacketTypes.PUBLISH)
        properties.PayloadFormatIndicator = 1
        properties.ContentType = CONTENT_TYPE
        properties.CorrelationData = event.id.bytes
        properties.MessageExpiryInterval = ANSWER_EXPIRY_S
        properties.UserProperty = encode_properties(event)
        self._client.publish(topic, event.body, qos=1, properties=properties)

    def acknowledge(self, message: MQTTMessage) -> None:
        """Acknowledge by hand."""
        self._client.ack(message.mid, 1)

    def _received(self, client: Client, _userdata: Any, message: MQTTMessage) -> None:
        self.count += 1
        if self._inline:
            client.ack(message.mid, 1)
        else:
            self._arrived.put_nowait(message)


def _properties(packet_type: int) -> Any:
    return Properties(packet_type)  # type: ignore[no-untyped-call]
