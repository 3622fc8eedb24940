"""What the worker reads from the wire and writes to it, against paho's own packing and decoding."""

from collections.abc import Sequence
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from paho.mqtt import _packet
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties, VariableByteIntegers

from cloud.adapters.mqtt_wire import (
    DUPLICATE,
    PUBACK,
    pack_again,
    pack_fixed_properties,
    pack_pubacks,
    pack_publish,
    read_length,
    read_puback,
    read_publish,
)
from tests.support.mqtt_packets import Message, messages, packed_by_paho

V5 = MQTTProtocolVersion.MQTTv5


def body_of(packet: bytes) -> tuple[int, int]:
    found = read_length(packet, 0)
    assert found is not None
    length, start = found
    assert start + length == len(packet)
    return start, len(packet)


def by_paho(body: bytes) -> tuple[Any, ...] | None:
    """What paho makes of the body of a QoS 1 publish; None if it refuses it."""
    try:
        found = _packet.decode_publish(0x32, body, V5)
        topic = found.topic.decode()
    except (MalformedPacket, UnicodeDecodeError):
        return None
    pairs = tuple(getattr(found.properties, "UserProperty", ()))
    return (topic, found.mid, pairs, bytes(found.payload))


@given(messages())
def test_a_publish_is_read_as_paho_packed_it(message: Message) -> None:
    packet = packed_by_paho(message)
    found = read_publish(packet, *body_of(packet))
    if message.is_plain:
        assert found == (message.topic, message.packet_id, message.pairs, message.payload)
    else:
        assert found is None, "what is not ASCII, or rare, is paho's to read"


@given(messages(), st.binary(max_size=40), st.binary(max_size=40))
def test_what_stands_before_and_after_a_packet_is_not_read(message: Message, before: bytes, after: bytes) -> None:
    packet = packed_by_paho(message)
    start, end = body_of(packet)
    alone = read_publish(packet, start, end)
    assert read_publish(before + packet + after, len(before) + start, len(before) + end) == alone


@given(st.binary(max_size=80), st.binary(max_size=8))
@example(b"\0\1t\0\7\0", b"")
def test_hostile_bytes_are_read_as_paho_reads_them_or_not_at_all(body: bytes, after: bytes) -> None:
    found = read_publish(body + after, 0, len(body))
    assert found is None or found == by_paho(body)


@settings(max_examples=400)
@given(messages(), st.data())
def test_a_packet_with_some_bytes_changed_is_read_as_paho_reads_it_or_not_at_all(message: Message, data: st.DataObject) -> None:
    packet = packed_by_paho(message)
    start, end = body_of(packet)
    body = bytearray(packet[start:end])
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.integers(0, len(body)))] if data.draw(st.booleans()) else body
    found = read_publish(bytes(body) + b"\x32\x05\0\1t\0\7\0", 0, len(body))
    assert found is None or found == by_paho(bytes(body))


@given(st.integers(0, 268_435_455), st.binary(max_size=4))
def test_remaining_lengths_are_read_as_paho_writes_them(length: int, after: bytes) -> None:
    written = VariableByteIntegers.encode(length)
    assert read_length(b"\x30" + written + after, 0) == (length, 1 + len(written))
    for cut in range(1, 1 + len(written)):
        assert read_length((b"\x30" + written)[:cut], 0) is None


@given(st.binary(max_size=6))
def test_a_length_of_more_than_four_bytes_is_refused(after: bytes) -> None:
    try:
        read_length(b"\x30\x80\x80\x80\x80" + after, 0)
    except ValueError as problem:
        assert "four bytes" in str(problem)  # noqa: PT017 - with nothing after it, nothing is known yet
    else:
        assert after == b""


@given(st.integers(1, 65_535), st.sampled_from([0x00, 0x10, 0x80, 0x87, 0x97]), st.text("abc", max_size=60))
def test_acknowledgements_are_read_in_every_length(packet_id: int, reason: int, said: str) -> None:
    properties = Properties(PacketTypes.PUBACK)  # type: ignore[no-untyped-call]
    if said:
        properties.ReasonString = said
    forms = [packet_id.to_bytes(2, "big") + bytes([reason]), packet_id.to_bytes(2, "big") + bytes([reason]) + properties.pack()]  # type: ignore[no-untyped-call]
    for body in forms:
        assert read_puback(b"\x40" + body + b"\xff", 1, 1 + len(body)) == (packet_id, reason)
        assert _packet.decode_puback(PUBACK, body, V5).reason.value == reason
    assert read_puback(packet_id.to_bytes(2, "big"), 0, 2) == (packet_id, 0)


@given(st.binary(max_size=8), st.binary(max_size=8))
def test_hostile_acknowledgements_do_no_harm(body: bytes, after: bytes) -> None:
    found = read_puback(body + after, 0, len(body))
    assert found is None or found[0] == int.from_bytes(body[:2], "big")


TEXTS = st.text(st.characters(exclude_characters="\0\ufeff", exclude_categories=["Cs"]), max_size=60)


@given(
    TEXTS,
    st.binary(max_size=400),
    st.integers(1, 65_535),
    st.binary(max_size=20),
    st.lists(st.tuples(TEXTS, TEXTS), max_size=8),
)
def test_what_we_pack_paho_reads(
    topic: str, payload: bytes, packet_id: int, correlation: bytes, pairs: Sequence[tuple[str, str]]
) -> None:
    fixed = pack_fixed_properties(content_type="application/json", expiry_s=300)
    packet = pack_publish(topic, payload, packet_id=packet_id, correlation=correlation, fixed=fixed, properties=pairs)
    start, end = body_of(packet)
    assert by_paho(packet[start:end]) == (topic, packet_id, tuple(pairs), payload)
    found = _packet.decode_publish(packet[0], packet[start:end], V5)
    assert (found.qos, found.retain, found.dup) == (1, False, False)
    read: Any = found.properties
    assert (read.CorrelationData, read.ContentType) == (correlation, "application/json")
    assert (read.MessageExpiryInterval, read.PayloadFormatIndicator) == (300, 1)
    again = pack_again(packet)
    assert (again[0], again[1:]) == (packet[0] | DUPLICATE, packet[1:])


@given(st.lists(st.integers(1, 65_535), max_size=50))
def test_joined_acknowledgements_are_single_ones_in_a_row(packet_ids: list[int]) -> None:
    joined = pack_pubacks(packet_ids)
    for place, packet_id in enumerate(packet_ids):
        packet = joined[4 * place : 4 * place + 4]
        assert packet[:2] == b"\x40\x02"
        assert _packet.decode_puback(packet[0], packet[2:], V5).mid == packet_id
    assert len(joined) == 4 * len(packet_ids)
