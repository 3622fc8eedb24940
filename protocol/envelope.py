"""CloudEvents 1.0 on MQTT 5, binary mode: attributes travel as user properties, the body is the bare data.

Only the mapping is here; the MQTT client stays at the edge and passes lists of pairs. ``auth`` is an extension attribute of
ours: the proof of :mod:`protocol.keys` over type, source, id, time and body, in that order. Unknown attributes are ignored,
so that newer senders are understood; a missing or doubled one is a :class:`ProtocolError`. ``traceparent``
(:mod:`protocol.trace`) may stand beside them, unproved: a malformed or doubled one is ignored.

Sources: CloudEvents 1.0.2 §3.1 and its MQTT binding §3.1 (data content type goes to the MQTT Content Type, not to a property).
"""

import re
from collections.abc import Iterable
from operator import itemgetter
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from protocol.errors import ProtocolError
from protocol.keys import Prover, authenticate, is_authentic, pack_length
from protocol.limits import BODY_BYTES_MAX
from protocol.topics import RequestKind
from protocol.trace import TRACEPARENT, is_traceparent

CONTENT_TYPE: Final = "application/json"
CLOUD_SOURCE: Final = "/cloud"
_ATTRIBUTES = ("specversion", "id", "source", "type", "time", "auth")
_attributes = itemgetter(*_ATTRIBUTES)
_ID_LENGTH = pack_length(16)
_CANONICAL_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Event(Struct, frozen=True, gc=False, eq=False):
    """One message: CloudEvents attributes, the proof and the body."""

    id: UUID
    source: str
    type: str
    time: str
    """RFC 3339, UTC. What the sender's clock said: a hint, never trusted for order or money."""
    body: bytes
    auth: str
    traceparent: str | None = None
    """For logs only: unproved, and no part of what the message says, nor of whether two are the same."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and self._told == other._told

    def __ne__(self, other: object) -> bool:
        # Struct has one of its own, by identity: it would contradict the line above.
        return not self == other

    def __hash__(self) -> int:
        return hash(self._told)

    @property
    def _told(self) -> tuple[object, ...]:
        return (self.id, self.source, self.type, self.time, self.body, self.auth)

    def is_from(self, key: bytes | Prover) -> bool:
        """Tell whether the holder of ``key`` made this very message."""
        return is_authentic(self.auth, key, _said(self.id, self.source, self.type, self.time, self.body))


def make_event(
    key: bytes | Prover, *, id: UUID, source: str, type: str, time: str, body: bytes, traceparent: str | None = None
) -> Event:
    """Build a message and its proof. The same arguments give the same bytes.

    Raises:
        ValueError: the body is longer than :data:`protocol.limits.BODY_BYTES_MAX`.
    """
    if len(body) > BODY_BYTES_MAX:
        raise ValueError(f"a body of {len(body)} bytes is above the limit of {BODY_BYTES_MAX}")
    return Event(id, source, type, time, body, authenticate(key, _said(id, source, type, time, body)), traceparent)


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
    pairs = list(properties)
    found = dict(pairs)
    traceparent = found.get(TRACEPARENT)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        _check_once(names)
        traceparent = traceparent if names.count(TRACEPARENT) == 1 else None
    try:
        version, id_text, source, type_text, time, auth = _attributes(found)
    except KeyError:
        missing = [name for name in _ATTRIBUTES if name not in found]
        raise ProtocolError(f"attributes are missing: {', '.join(missing)}") from None
    if version != "1.0":
        raise ProtocolError(f"CloudEvents {version!r} is not spoken here")
    if traceparent is not None and not is_traceparent(traceparent):
        traceparent = None
    return Event(_uuid(id_text), source, type_text, time, payload, auth, traceparent)


def _check_once(names: list[str]) -> None:
    for name in _ATTRIBUTES:
        if names.count(name) > 1:
            raise ProtocolError(f"attribute {name!r} comes twice")


def _uuid(text: str) -> UUID:
    # Braces, capitals and missing hyphens make a UUID too, for most readers; one id must have one spelling.
    if _CANONICAL_UUID.fullmatch(text) is None:
        raise ProtocolError("the id is not a UUID in the canonical form")
    # msgspec makes one three times as quickly as UUID() does.
    return msgspec.convert(text, UUID)


def _said(id: UUID, source: str, type: str, time: str, body: bytes) -> bytes:
    # surrogatepass: a hostile sender may put lone surrogates into a property; that must fail the proof, not the program.
    kind = type.encode("utf-8", "surrogatepass")
    whence = source.encode("utf-8", "surrogatepass")
    when = time.encode("utf-8", "surrogatepass")
    # protocol.keys.frame of the five parts, written out: this runs for every message, twice.
    return b"".join(
        (
            pack_length(len(kind)),
            kind,
            pack_length(len(whence)),
            whence,
            _ID_LENGTH,
            id.bytes,
            pack_length(len(when)),
            when,
            pack_length(len(body)),
            body,
        )
    )


def device_source(device_id: str) -> str:
    """CloudEvents source of one kiosk."""
    return f"/kiosks/{device_id}"


def request_type(kind: RequestKind) -> str:
    """CloudEvents type of a request."""
    return _REQUEST_TYPES[kind]


def answer_type(kind: RequestKind) -> str:
    """CloudEvents type of the answer to a request."""
    return _ANSWER_TYPES[kind]


_REQUEST_TYPES: Final = {kind: f"voucherkiosk.{kind}.requested.v1" for kind in RequestKind}
_ANSWER_TYPES: Final = {kind: f"voucherkiosk.{kind}.answered.v1" for kind in RequestKind}
