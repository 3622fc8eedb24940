"""Messages as a kiosk or a stranger may send them, packed by paho itself."""

from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

_TEXT = st.text(st.characters(exclude_characters="\0\ufeff+#", exclude_categories=["Cs"]), max_size=40)
_ASCII = st.text(st.characters(min_codepoint=1, max_codepoint=126, exclude_characters="+#"), max_size=40)


@dataclass(frozen=True, slots=True)
class Message:
    """One QoS 1 publish."""

    topic: str
    packet_id: int
    pairs: tuple[tuple[str, str], ...]
    payload: bytes
    others: tuple[tuple[str, Any], ...]
    """Further properties by paho's names."""
    retained: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether the quick reader takes it."""
        texts = [self.topic, *(text for pair in self.pairs for text in pair)]
        texts += [value for _, value in self.others if isinstance(value, str)]
        return all(text.isascii() for text in texts) and not any(name == "TopicAlias" for name, _ in self.others)


_OTHERS = st.fixed_dictionaries(
    {},
    optional={
        "PayloadFormatIndicator": st.integers(0, 1),
        "MessageExpiryInterval": st.integers(0, 2**32 - 1),
        "ContentType": st.one_of(_ASCII, _TEXT),
        "ResponseTopic": _ASCII,
        "CorrelationData": st.binary(max_size=30),
        "TopicAlias": st.integers(1, 65_535),
    },
)


def messages() -> st.SearchStrategy[Message]:
    """Messages of all kinds, most of them plain."""
    text = st.one_of(_ASCII, _ASCII, _TEXT)
    return st.builds(
        Message,
        topic=text,
        packet_id=st.integers(1, 65_535),
        pairs=st.lists(st.tuples(text, text), max_size=8).map(tuple),
        payload=st.binary(max_size=300),
        others=_OTHERS.map(lambda found: tuple(found.items())),
        retained=st.booleans(),
    )


def packed_by_paho(message: Message) -> bytes:
    """The bytes that paho would send."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    properties: Any = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    for name, value in message.others:
        setattr(properties, name, value)
    if message.pairs:
        properties.UserProperty = list(message.pairs)
    # It packs for a connection only; what it would queue is all that is wanted.
    with patch.object(client, "_sock", object()), patch.object(client, "_packet_queue", return_value=0) as queued:
        client._send_publish(
            message.packet_id, message.topic.encode(), message.payload, 1, message.retained, False, None, properties
        )
    packet: bytes = bytes(queued.call_args.args[1])
    # It would close the "connection" when it is collected.
    client._sock = None
    return packet
