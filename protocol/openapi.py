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
            "400": _refused("bad_request: not an enrolment request, or its certificate request or public key cannot be used."),
            "403": _refused("bad_code: the claim code is unknown, used or too old; which of them is not told."),
            "413": _refused("too_large: more than is read."),
            "503": _refused("unavailable: the database does not answer; the code is unused, send the same again."),
            "default": _refused("Whatever else went wrong; nothing was enrolled."),
        },
    }


def _refused(description: str) -> Document:
    return {"description": description, "content": {"application/problem+json": {"schema": _ref("Problem")}}}


def _problem() -> Document:
    return {
        "title": "Problem",
        "description": "RFC 9457. Nothing was enrolled; only status and title are promised in every case.",
        "type": "object",
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "for people"},
            "code": {"enum": ["bad_request", "bad_code", "too_large", "unavailable"], "description": "for programs"},
        },
        "required": ["title", "status"],
    }


def _ref(name: str) -> Document:
    return {"$ref": _SCHEMA.format(name=name)}
