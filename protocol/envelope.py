"""CloudEvents 1.0 on MQTT 5, binary mode: attributes travel as user properties, the body is the bare data.

Only the mapping is here; the MQTT client stays at the edge and passes lists of pairs. ``auth`` is an extension attribute of
ours: the proof of :mod:`protocol.keys` over type, source, id, time and body, in that order. Unknown attributes are ignored,
so that newer senders are understood; a missing or doubled one is a :class:`ProtocolError`. ``traceparent``
(:mod:`protocol.trace`) may stand beside them, unproved: a malformed or doubled one is ignored.

Sources: CloudEvents 1.0.2 §3.1 and its MQTT binding §3.1 (data content type goes to the MQTT Content Type, not to a property).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from protocol.errors import ProtocolError
from protocol.keys import authenticate, is_authentic
from protocol.limits import BODY_BYTES_MAX
from protocol.topics import RequestKind
from protocol.trace import TRACEPARENT, is_traceparent

CONTENT_TYPE: Final = "application/json"
CLOUD_SOURCE: Final = "/cloud"
_ATTRIBUTES = ("specversion", "id", "source", "type", "time", "auth")


@dataclass(frozen=True, slots=True)
class Event:
    """One message: CloudEvents attributes, the proof and the body."""

    id: UUID
    source: str
    type: str
    time: str
    """RFC 3339, UTC. What the sender's clock said: a hint, never trusted for order or money."""
    body: bytes
    auth: str
    traceparent: str | None = field(default=None, compare=False)
    """For logs only: unproved, and no part of what the message says."""

    def is_from(self, key: bytes) -> bool:
        """Tell whether the holder of ``key`` made this very message."""
        return is_authentic(self.auth, key, *_proved(self.id, self.source, self.type, self.time, self.body))


def make_event(
    key: bytes, *, id: UUID, source: str, type: str, time: str, body: bytes, traceparent: str | None = None
) -> Event:
    """Build a message and its proof. The same arguments give the same bytes.

    Raises:
        ValueError: the body is longer than :data:`protocol.limits.BODY_BYTES_MAX`.
    """
    if len(body) > BODY_BYTES_MAX:
        raise ValueError(f"a body of {len(body)} bytes is above the limit of {BODY_BYTES_MAX}")
    return Event(id, source, type, time, body, authenticate(key, *_proved(id, source, type, time, body)), traceparent)


def encode_properties(event: Event) -> list[tuple[str, str]]:
    """Return the MQTT user properties of a message; the body is the payload."""
    properties = [
        ("specversion", "1.0"),
        ("id", str(event.id)),
        ("source", event.source),
        ("type", event.type),
        ("time", event.time),
        ("auth", event.auth),
    ]
    if event.traceparent is not None:
        properties.append((TRACEPARENT, event.traceparent))
    return properties


def decode_event(properties: Iterable[tuple[str, str]], payload: bytes) -> Event:
    """Read a message back; the inverse of :func:`encode_properties`. Proves nothing: ask :meth:`Event.is_from`.

    Raises:
        ProtocolError: an attribute is missing, doubled or malformed, or the body is too long.
    """
    if len(payload) > BODY_BYTES_MAX:
        raise ProtocolError(f"a body of {len(payload)} bytes is above the limit of {BODY_BYTES_MAX}")
    found: dict[str, str] = {}
    traceparents: list[str] = []
    for name, value in properties:
        if name in _ATTRIBUTES:
            if name in found:
                raise ProtocolError(f"attribute {name!r} comes twice")
            found[name] = value
        elif name == TRACEPARENT:
            traceparents.append(value)
    missing = [name for name in _ATTRIBUTES if name not in found]
    if missing:
        raise ProtocolError(f"attributes are missing: {', '.join(missing)}")
    if found["specversion"] != "1.0":
        raise ProtocolError(f"CloudEvents {found['specversion']!r} is not spoken here")
    return Event(_uuid(found["id"]), found["source"], found["type"], found["time"], payload, found["auth"], _one(traceparents))


def _one(traceparents: list[str]) -> str | None:
    return traceparents[0] if len(traceparents) == 1 and is_traceparent(traceparents[0]) else None


def _uuid(text: str) -> UUID:
    try:
        parsed = UUID(text)
    except ValueError as problem:
        raise ProtocolError("the id is not a UUID") from problem
    if str(parsed) != text:
        # UUID() takes braces, capitals and missing hyphens; one id must have one spelling.
        raise ProtocolError("the id is not in the canonical form")
    return parsed


def _proved(id: UUID, source: str, type: str, time: str, body: bytes) -> tuple[bytes, ...]:
    # surrogatepass: a hostile sender may put lone surrogates into a property; that must fail the proof, not the program.
    return (
        type.encode("utf-8", "surrogatepass"),
        source.encode("utf-8", "surrogatepass"),
        id.bytes,
        time.encode("utf-8", "surrogatepass"),
        body,
    )


def device_source(device_id: str) -> str:
    """CloudEvents source of one kiosk."""
    return f"/kiosks/{device_id}"


def request_type(kind: RequestKind) -> str:
    """CloudEvents type of a request."""
    return f"voucherkiosk.{kind}.requested.v1"


def answer_type(kind: RequestKind) -> str:
    """CloudEvents type of the answer to a request."""
    return f"voucherkiosk.{kind}.answered.v1"
