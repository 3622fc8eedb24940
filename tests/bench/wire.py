"""MQTT 5 packets packed and read by hand: what the load generator speaks, so that it costs a fraction of what it measures.

Only what a generator needs: CONNECT, SUBSCRIBE, PUBLISH with QoS 1 and the properties of the kiosk's link, PUBACK; and the same
read back. A test holds the packing against paho's, byte for byte.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from protocol.envelope import CONTENT_TYPE, Event, encode_properties

CONNACK: Final = 2
PUBLISH: Final = 3
PUBACK: Final = 4
SUBACK: Final = 9

CORRELATION: Final = b"\x09\x00\x10"
"""How a correlation of 16 bytes begins."""

_PUBLISH_QOS_1: Final = b"\x32"
_FIRST_PROPERTIES: Final = b"\x01\x01"
_TIMED: Final = {0x01: 1, 0x02: 4, 0x23: 2, 0x0B: 1}
_TEXTS: Final = frozenset({0x03, 0x08, 0x09})
_PAIR: Final = 0x26


@dataclass(frozen=True, slots=True)
class Published:
    """A PUBLISH that was read."""

    topic: str
    packet_id: int
    pairs: tuple[tuple[str, str], ...]
    correlation: bytes
    payload: bytes


def pack_connect(client_id: str) -> bytes:
    """CONNECT with a clean start, without a user name, keepalive as long as the broker lets it be."""
    body = _text("MQTT") + b"\x05\x02" + (120).to_bytes(2, "big") + b"\x00" + _text(client_id)
    return _packet(b"\x10", body)


def pack_subscribe(packet_id: int, filters: Sequence[str]) -> bytes:
    """SUBSCRIBE to all of them with QoS 1."""
    return _packet(b"\x82", packet_id.to_bytes(2, "big") + b"\x00" + b"".join(_text(one) + b"\x01" for one in filters))


def pack_request(topic: str, event: Event, *, response_topic: str, expiry_s: int | None) -> tuple[bytes, bytes]:
    """PUBLISH a request as the kiosk's link does; what stands before and after the packet id."""
    properties = [_FIRST_PROPERTIES]
    if expiry_s is not None:
        properties.append(b"\x02" + expiry_s.to_bytes(4, "big"))
    properties += [b"\x03", _text(CONTENT_TYPE), b"\x08", _text(response_topic), CORRELATION, event.id.bytes]
    for name, value in encode_properties(event):
        properties += [b"\x26", _text(name), _text(value)]
    joined = b"".join(properties)
    head, tail = _text(topic), _varint(len(joined)) + joined + event.body
    return _PUBLISH_QOS_1 + _varint(len(head) + 2 + len(tail)) + head, tail


def packets_of(block: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the type, the body's first byte and the end of every whole packet in a block."""
    at, size = 0, len(block)
    while at + 2 <= size:
        length, shift, place = 0, 0, at + 1
        while True:
            if place >= size:
                return
            byte = block[place]
            place += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        end = place + length
        if end > size:
            return
        yield block[at] >> 4, place, end
        at = end


def read_publish(body: bytes) -> Published:
    """Read the body of a PUBLISH with QoS 1.

    Raises:
        ValueError: it has a property that is not read here.
    """
    topic_end = 2 + int.from_bytes(body[:2], "big")
    packet_id = int.from_bytes(body[topic_end : topic_end + 2], "big")
    length, at = _read_varint(body, topic_end + 2)
    end = at + length
    pairs: list[tuple[str, str]] = []
    correlation = b""
    while at < end:
        kind = body[at]
        at += 1
        if kind in _TIMED:
            at += _TIMED[kind]
        elif kind in _TEXTS:
            value, at = _read_bytes(body, at)
            correlation = value if kind == CORRELATION[0] else correlation
        elif kind == _PAIR:
            name, at = _read_bytes(body, at)
            value, at = _read_bytes(body, at)
            pairs.append((name.decode(), value.decode()))
        else:
            raise ValueError(f"a property {kind:#x} is not expected in an answer")
    return Published(body[2:topic_end].decode(), packet_id, tuple(pairs), correlation, body[end:])


def _packet(first: bytes, body: bytes) -> bytes:
    return first + _varint(len(body)) + body


def _text(value: str) -> bytes:
    raw = value.encode()
    return len(raw).to_bytes(2, "big") + raw


def _varint(value: int) -> bytes:
    out = bytearray()
    while True:
        value, byte = divmod(value, 128)
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


def _read_varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _read_bytes(raw: bytes, at: int) -> tuple[bytes, int]:
    end = at + 2 + int.from_bytes(raw[at : at + 2], "big")
    return raw[at + 2 : end], end
