"""The machine-readable description of the HTTPS side: an OpenAPI 3.1.0 document for the enrolment of a kiosk.

``docs/openapi.json`` is this document; a test holds the two equal. Not here: the web pages, which are for people.
"""

from typing import Any

import msgspec

from protocol.enrolment import ENROLMENT_PATH, Enrolment, EnrolmentRequest

Document = dict[str, Any]
_SCHEMA = "#/components/schemas/{name}"


def openapi_document() -> Document:
    """Build the document: plain JSON values, the same ones at every call."""
    _, schemas = msgspec.json.schema_components((EnrolmentRequest, Enrolment), ref_template=_SCHEMA)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "voucher-kiosk, enrolment",
            "version": "1.0.0",
            "description": "How a blank kiosk becomes a trusted one: one exchange, carrying a one-time claim code.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "https://pay.example.tw", "description": "the programme's own host"}],
        "tags": [{"name": "enrolment"}],
        "paths": {ENROLMENT_PATH: {"post": _enrol()}},
        "components": {"schemas": {**schemas, "Problem": _problem()}},
    }


def _enrol() -> Document:
    return {
        "operationId": "enrol",
        "summary": "Turn a claim code and a certificate request into a device certificate and the cloud's public key.",
        "description": (
            "The claim code is the whole permission: good once, for one site, for a short time. The subject of the certificate "
            "request is ignored; the cloud decides the name."
        ),
        "tags": ["enrolment"],
        "security": [],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref("EnrolmentRequest")}}},
        "responses": {
            "201": {
                "description": "The kiosk is enrolled and the code is used up.",
                "content": {"application/json": {"schema": _ref("Enrolment")}},
            },
            "default": {
                "description": "Nothing was enrolled; a problem document (RFC 9457) says why.",
                "content": {"application/problem+json": {"schema": _ref("Problem")}},
            },
        },
    }


def _problem() -> Document:
    return {
        "title": "Problem",
        "description": "RFC 9457. Only status and title are promised.",
        "type": "object",
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
        },
        "required": ["title", "status"],
    }


def _ref(name: str) -> Document:
    return {"$ref": _SCHEMA.format(name=name)}
