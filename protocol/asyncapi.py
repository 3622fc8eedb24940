"""The machine-readable description of the MQTT side: an AsyncAPI 3.0.0 document, made from the same structs that are spoken.

``docs/asyncapi.json`` is this document; a test holds the two equal, so it cannot drift. It is written from the cloud's side:
the cloud *receives* requests and states and *replies* with answers. Not here: the HTTPS enrolment, which is
:mod:`protocol.openapi`, and what goes into the proof and the box, byte by byte, which is ``docs/protocol.md``.
"""

from typing import Any, Final

import msgspec

from protocol import limits
from protocol.envelope import CONTENT_TYPE, answer_type, request_type
from protocol.messages import (
    REQUEST_TYPES,
    Check,
    CheckAccepted,
    DeviceState,
    Redeem,
    RedeemAccepted,
    Refused,
    Release,
    Released,
)
from protocol.reasons import Reason
from protocol.topics import LANES, RequestKind

Document = dict[str, Any]

ACCEPTED_TYPES: Final = {
    RequestKind.CHECK: CheckAccepted,
    RequestKind.REDEEM: RedeemAccepted,
    RequestKind.RELEASE: Released,
}
"""What a request of each kind is answered with when it is not refused."""

_STRUCTS = (Check, Redeem, Release, CheckAccepted, RedeemAccepted, Released, Refused, DeviceState)
_ROOT = "vk/v1/{lane}/{site}/{device}"
_SCHEMA = "#/components/schemas/{name}"


def asyncapi_document() -> Document:
    """Build the document: plain JSON values, the same ones at every call."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "voucher-kiosk, kiosk to cloud",
            "version": "1.0.0",
            "description": (
                "CloudEvents 1.0 in MQTT 5 binary mode. A request keeps its id for ever and gets one final answer, byte for "
                "byte the same at every repeat. The broker proves nothing: the auth attribute does."
            ),
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
            "tags": [{"name": "redemption"}, {"name": "presence"}],
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {"broker": _server()},
        "channels": _channels(),
        "operations": _operations(),
        "components": {
            "schemas": _schemas(),
            "messages": _messages(),
            "parameters": {
                "lane": {
                    "description": "First hexadecimal digit, lower case, of the SHA-256 of the device id.",
                    "enum": list(LANES),
                },
                "site": {"description": "Where the kiosk stands: 3 to 32 lower-case letters, digits and hyphens."},
                "device": {"description": "The kiosk: certificate CN, MQTT user name and client id at once; same alphabet."},
            },
            "securitySchemes": {"deviceCertificate": {"type": "X509", "description": "issued at enrolment by the own CA"}},
        },
        "x-limits": _limits(),
        "x-reasons-in-order-of-precedence": [reason.value for reason in Reason],
    }


def _server() -> Document:
    return {
        "host": "broker.example.tw:8883",
        "protocol": "secure-mqtt",
        "protocolVersion": "5.0",
        "description": "Host and port come with the enrolment. MQTT 5 over TLS 1.2 or later, client certificate required.",
        "security": [{"$ref": "#/components/securitySchemes/deviceCertificate"}],
    }


def _channels() -> Document:
    channels: Document = {}
    for kind in RequestKind:
        channels[f"{kind}Request"] = _channel(f"{_ROOT}/req/{kind}", f"{kind}Request")
        channels[f"{kind}Answer"] = _channel(f"{_ROOT}/rep/{kind}", f"{kind}Answer")
    channels["connection"] = _channel(f"{_ROOT}/state/conn", "deviceState")
    return channels


def _channel(address: str, message: str) -> Document:
    return {
        "address": address,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "parameters": {name: {"$ref": f"#/components/parameters/{name}"} for name in ("lane", "site", "device")},
    }


def _operations() -> Document:
    operations: Document = {
        f"answer{kind.capitalize()}": {
            "action": "receive",
            "description": f"Judge a {kind} request and answer it.",
            "channel": {"$ref": f"#/channels/{kind}Request"},
            "messages": [{"$ref": f"#/channels/{kind}Request/messages/{kind}Request"}],
            "bindings": {"mqtt": {"qos": 1, "retain": False, "bindingVersion": "0.2.0"}},
            "reply": {
                "channel": {"$ref": f"#/channels/{kind}Answer"},
                "messages": [{"$ref": f"#/channels/{kind}Answer/messages/{kind}Answer"}],
            },
        }
        for kind in RequestKind
    }
    operations["followConnection"] = {
        "action": "receive",
        "description": "See which kiosks are there. Retained; the will says lost. A hint for people, no part of any decision.",
        "channel": {"$ref": "#/channels/connection"},
        "messages": [{"$ref": "#/channels/connection/messages/deviceState"}],
        "bindings": {"mqtt": {"qos": 1, "retain": True, "bindingVersion": "0.2.0"}},
    }
    return operations


def _messages() -> Document:
    messages: Document = {}
    for kind, struct in REQUEST_TYPES.items():
        messages[f"{kind}Request"] = _message(request_type(kind), _ref(struct.__name__))
        accepted = ACCEPTED_TYPES[kind].__name__
        messages[f"{kind}Answer"] = _message(answer_type(kind), {"oneOf": [_ref(accepted), _ref("Refused")]})
    messages["deviceState"] = {"name": "deviceState", "contentType": CONTENT_TYPE, "payload": _ref("DeviceState")}
    return messages


def _message(cloud_event: str, payload: Document) -> Document:
    return {
        "name": cloud_event,
        "contentType": CONTENT_TYPE,
        "headers": {"type": "object", "allOf": [_ref("Attributes"), {"properties": {"type": {"const": cloud_event}}}]},
        "correlationId": {
            "description": "MQTT Correlation Data holds the 16 bytes of the id.",
            "location": "$message.header#/id",
        },
        "payload": payload,
    }


def _ref(name: str) -> Document:
    return {"$ref": _SCHEMA.format(name=name)}


def _schemas() -> Document:
    _, schemas = msgspec.json.schema_components(_STRUCTS, ref_template=_SCHEMA)
    # msgspec sorts the members of an enumeration; ours are a ranking.
    schemas["Reason"]["enum"] = [reason.value for reason in Reason]
    return {**schemas, "Attributes": _attributes()}


def _attributes() -> Document:
    """Describe the MQTT user properties that every request and answer carries."""
    texts = {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "format": "uuid", "description": "UUIDv7 of the request; an answer carries its request's id"},
        "source": {"type": "string", "description": "/kiosks/{device} or /cloud"},
        "type": {"type": "string"},
        "time": {"type": "string", "format": "date-time", "description": "the sender's clock: a hint"},
        "auth": {
            "type": "string",
            "pattern": "^[A-Za-z0-9_-]{22}$",
            "description": "keyed BLAKE2b over the others and the body",
        },
    }
    required = list(texts)
    texts["traceparent"] = {
        "type": "string",
        "description": "W3C Trace Context: not proved, may be absent, ignored if malformed; an answer carries its request's",
    }
    return {"type": "object", "properties": texts, "required": required}


def _limits() -> Document:
    names = [name for name in dir(limits) if name.isupper()]
    return {name.lower(): getattr(limits, name) for name in names}
