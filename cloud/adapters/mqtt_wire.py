"""MQTT 5 on the wire, as much of it as the hot path needs: packets of a block, QoS 1 publishes, acknowledgements. Pure.

What is read here is read as paho reads it (``tests/property/test_mqtt_wire.py`` holds that at every split and for hostile
bytes). Whatever is rare, doubtful or broken is not read here at all: ``None`` means that paho's own decoder has the word.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

PUBACK: Final = 0x40
PUBLISH_QOS_1: Final = 0x32
PUBLISH_QOS_1_MASK: Final = 0xF6
"""Without the bits for "sent again" and "retained"."""

DUPLICATE: Final = 0x08
RETAINED: Final = 0x01
_LENGTH_BYTES_MAX: Final = 4

_FORMAT, _EXPIRY, _CONTENT_TYPE, _RESPONSE_TOPIC, _CORRELATION, _USER = 1, 2, 3, 8, 9, 38
_TEXTS: Final = frozenset((_CONTENT_TYPE, _RESPONSE_TOPIC))
_short = Struct(">H").pack
_acknowledgement = Struct(">BBH").pack

UserProperties = tuple[tuple[str, str], ...]


class Publish(NamedTuple):
    """One QoS 1 publish."""

    topic: str
    packet_id: int
    properties: UserProperties
    payload: bytes


def read_length(block: bytes, at: int) -> tuple[int, int] | None:
    """Read the remaining length of a packet that begins at ``at``.

    Returns:
        Length and start of the packet's body; None where the block ends before it is known.

    Raises:
        ValueError: more than four bytes.
    """
    length = shift = 0
    # Not min(): this runs for every packet.
    for place in range(at + 1, at + 2 + _LENGTH_BYTES_MAX):
        if place >= len(block):
            return None
        byte = block[place]
        if shift == 7 * _LENGTH_BYTES_MAX:
            break
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return length, place + 1
        shift += 7
    raise ValueError("a remaining length of more than four bytes")


def read_publish(block: bytes, at: int, end: int) -> Publish | None:
    """Read the body of a QoS 1 publish, from ``at`` up to ``end``; None if paho must look at it."""
    try:
        topic_end = at + 2 + (block[at] << 8 | block[at + 1])
        start = topic_end + 3
        length = block[start - 1]
        if length >= 0x80:
            more = block[start]
            if not 0 < more < 0x80:
                return None
            length += (more - 1) << 7
            start += 1
        stop = start + length
        if stop > end:
            return None
        topic = block[at + 2 : topic_end].decode("ascii")
        properties = _read_properties(block, start, stop)
    except (IndexError, UnicodeDecodeError):
        return None
    if properties is None or "\0" in topic:
        return None
    return Publish(topic, block[topic_end] << 8 | block[topic_end + 1], properties, block[stop:end])


def _read_properties(block: bytes, at: int, end: int) -> UserProperties | None:
    # Latin-1 gives every byte its own place, so the same positions cut bytes and text. What is not ASCII is paho's to decode.
    text = block[at:end].decode("latin-1")
    origin = at
    found: list[tuple[str, str]] = []
    plain: list[str] = []
    seen = 0
    while at < end:
        identifier = block[at]
        if identifier == _FORMAT and block[at + 1] <= 1 and not seen & 1 << _FORMAT:
            seen |= 1 << _FORMAT
            at += 2
            continue
        second = at + 3 + (block[at + 1] << 8 | block[at + 2])
        if identifier == _USER:
            name = text[at + 3 - origin : second - origin]
            at = second + 2 + (block[second] << 8 | block[second + 1])
            value = text[second + 2 - origin : at - origin]
            found.append((name, value))
            plain += name, value
            continue
        if seen >> identifier & 1:
            return None
        seen |= 1 << identifier
        if identifier in _TEXTS:
            plain.append(text[at + 3 - origin : second - origin])
            at = second
        elif identifier == _CORRELATION:
            at = second
        elif identifier == _EXPIRY:
            at += 5
        else:
            return None
    together = "".join(plain)
    return tuple(found) if at == end and together.isascii() and "\0" not in together else None


def read_puback(block: bytes, at: int, end: int) -> tuple[int, int] | None:
    """Read packet id and reason code of an acknowledgement; None if paho must look at it."""
    match end - at:
        case 2:
            return block[at] << 8 | block[at + 1], 0
        case 3:
            return block[at] << 8 | block[at + 1], block[at + 2]
        case size if size > 3 and block[at + 3] == size - 4 < 0x80:  # what its properties say is of no use here
            return block[at] << 8 | block[at + 1], block[at + 2]
    return None


def pack_fixed_properties(*, content_type: str, expiry_s: int) -> bytes:
    """Pack what all answers have in common: text, of this type, to be dropped after a while."""
    return bytes((_FORMAT, 1, _EXPIRY)) + expiry_s.to_bytes(4, "big") + bytes((_CONTENT_TYPE,)) + _text(content_type)


def pack_publish(
    topic: str, payload: bytes, *, packet_id: int, correlation: bytes, fixed: bytes, properties: Sequence[tuple[str, str]]
) -> bytes:
    """Pack a QoS 1 publish.

    Args:
        fixed: from :func:`pack_fixed_properties`.
    """
    parts = [fixed, b"\x09", _short(len(correlation)), correlation]
    for name, value in properties:
        parts += (_named(name), _text(value))
    packed = b"".join(parts)
    body = b"".join((_text(topic), _short(packet_id), _variable(len(packed)), packed, payload))
    return b"\x32" + _variable(len(body)) + body


def pack_again(packet: bytes) -> bytes:
    """Mark a packed publish as one that was sent before."""
    return bytes((packet[0] | DUPLICATE,)) + packet[1:]


def pack_pubacks(packet_ids: Iterable[int]) -> bytes:
    """Pack acknowledgements, joined."""
    return b"".join([_acknowledgement(PUBACK, 2, packet_id) for packet_id in packet_ids])


@lru_cache(maxsize=64)
def _named(name: str) -> bytes:
    return bytes((_USER,)) + _text(name)


def _text(text: str) -> bytes:
    raw = text.encode()
    return _short(len(raw)) + raw


def _variable(number: int) -> bytes:
    if number < 0x80:
        return bytes((number,))
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
