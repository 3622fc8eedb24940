"""The OpenAPI 3.1 document of everything that is reached over HTTP by programs, made from the operations and their structs.

``docs/openapi.json`` is this document; a test holds the two equal. It holds the kiosks' enrolment too
(:mod:`protocol.openapi`): one host, one document.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from cloud.domain import webhooks
from cloud.web.http_api import bodies
from cloud.web.http_api.operations import API_PATH, Operation
from cloud.web.http_api.problems import KINDS, MEDIA_TYPE, REASONS, reason_status
from cloud.web.http_api.rates import REQUESTS_MAX
from protocol.openapi import openapi_document

Document = dict[str, Any]
_SCHEMA: Final = "#/components/schemas/{name}"

EVENTS: Final[dict[str, tuple[type[msgspec.Struct], str]]] = {
    "redemption.accepted": (webhooks.RedemptionAcceptedData, "An order was redeemed at a kiosk, on a phone or by a program."),
    "confirmation.made": (webhooks.ConfirmationMadeData, "Transactions were confirmed, one or many at once."),
    "claim.settled": (webhooks.ClaimSettledData, "The weekly settlement made a claim."),
    "payout.paid": (webhooks.PayoutData, "The bank credited a payout."),
    "payout.returned": (webhooks.PayoutData, "The bank sent a payout back; it is paid again once the account is put right."),
}
"""What webhooks tell of."""

_DESCRIPTION: Final = f"""\
How a merchant's programs redeem vouchers and keep their books. A merchant's admin makes a key in the dashboard, under Connect:
it belongs to one site, has scopes (`redeem`, `read`, `confirm`) and is shown once. Send it as `Authorization: Bearer vk_…`.
Take one key per till: holds, tries and limits count per key.

Every POST needs an `Idempotency-Key`, a text of yours. The same key with the same body is answered with the same bytes, for
ever; with another body it is refused (422). Where no answer comes, send the same again.

Lists go on with `cursor`, the `next` of the page before. GETs have an ETag. A key may send {REQUESTS_MAX} requests a minute and
try the digits of 120 vouchers in a quarter of an hour; see the headers `RateLimit` and `Retry-After`.

Errors are problem documents (RFC 9457) with a stable `code`. Money is whole TWD, times are UTC, days are Asia/Taipei."""

_HEADERS: Final[Document] = {
    "RateLimit": {"description": "What is left: r requests, for t seconds.", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "q requests in w seconds.", "schema": {"type": "string"}},
    "ETag": {"description": "For If-None-Match.", "schema": {"type": "string"}},
    "Location": {"description": "Where the order can be read.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "Bearer.", "schema": {"type": "string"}},
}


def api_document(operations: Sequence[Operation]) -> Document:
    """Build the document: plain JSON values, new ones at every call."""
    enrolment = openapi_document()
    types = [kind for one in operations for kind in (one.answer, one.body, one.query) if kind is not None]
    told = [kind for kind, _ in EVENTS.values()]
    _, schemas = msgspec.json.schema_components([*types, *told, bodies.Problem], ref_template=_SCHEMA)
    for one in operations:
        if one.query is not None:
            schemas.pop(one.query.__name__, None)
    paths: dict[str, Document] = {}
    for one in operations:
        paths.setdefault(API_PATH + one.path, {})[one.method.lower()] = _operation(one)
    theirs = enrolment["components"]["schemas"]
    theirs["EnrolmentProblem"] = theirs.pop("Problem")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "voucher-kiosk",
            "version": "1.0.0",
            "description": _DESCRIPTION,
            "license": enrolment["info"]["license"],
        },
        "servers": enrolment["servers"],
        "tags": [
            {"name": "till", "description": "Check and redeem."},
            {"name": "books", "description": "Transactions, confirmations, claims and payouts."},
            {"name": "enrolment", "description": "How a blank kiosk becomes a trusted one; for kiosks."},
        ],
        "security": [{"key": []}],
        "paths": {**paths, **_renamed(enrolment["paths"])},
        "webhooks": {name: _webhook(name, kind, says) for name, (kind, says) in EVENTS.items()},
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "A key from the dashboard."}},
            "headers": _headers(),
            "schemas": {**schemas, **theirs},
        },
    }


def _headers() -> Document:
    return {name: dict(header) for name, header in _HEADERS.items()}


def _renamed(paths: Document) -> Document:
    for path in paths.values():
        for operation in path.values():
            for response in operation["responses"].values():
                content = response["content"]
                if MEDIA_TYPE in content:
                    content[MEDIA_TYPE] = {"schema": _ref("EnrolmentProblem")}
    return paths


def _operation(one: Operation) -> Document:
    said: Document = {"operationId": one.name, "summary": one.summary, "tags": [one.tag]}
    needs = f"Scope: {' or '.join(sorted(one.scopes))}." if one.scopes else "Any key."
    said["description"] = f"{one.description} {needs}".strip()
    parameters = [*(_path_parameter(name) for name in one.parameters), *_query_parameters(one)]
    if one.method == "POST":
        parameters.append(_idempotency_key())
        said["requestBody"] = {"required": True, "content": {"application/json": {"schema": _of(one.body)}}}
    else:
        parameters.append({"name": "If-None-Match", "in": "header", "schema": {"type": "string"}})
    said["parameters"] = parameters
    said["responses"] = _responses(one)
    return said


def _path_parameter(name: str) -> Document:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}


def _idempotency_key() -> Document:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "A text of yours that names this request; the same one when it is sent again.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
        "example": "till-3-20261120-0042",
    }


def _query_parameters(one: Operation) -> list[Document]:
    if one.query is None:
        return []
    _, schemas = msgspec.json.schema_components([one.query], ref_template=_SCHEMA)
    parameters = []
    for name, schema in schemas[one.query.__name__]["properties"].items():
        # Null is how the struct says "not given"; an address cannot say it.
        options = [option for option in schema.pop("anyOf", []) if option != {"type": "null"}]
        schema.update(options[0] if options else {})
        if schema.get("default", 0) is None:
            del schema["default"]
        if "enum" in schema:
            schema["enum"] = [value for value in schema["enum"] if value is not None]
        description = schema.pop("description", None)
        parameters.append(
            {"name": name, "in": "query", "schema": schema, **({"description": description} if description else {})}
        )
    return parameters


def _responses(one: Operation) -> Document:
    headers = {name: _header(name) for name in ("RateLimit", "RateLimit-Policy")}
    more = {"Location": _header("Location")} if one.name == "redeemOrder" else {}
    if one.method == "GET":
        more = {"ETag": _header("ETag")}
    responses: Document = {
        str(one.status): {
            "description": one.summary + ".",
            "headers": {**headers, **more},
            "content": {"application/json": {"schema": _of(one.answer)}},
        }
    }
    if one.method == "GET":
        responses["304"] = {"description": "The caller has it already.", "headers": {**headers, **more}}
    for status, codes in sorted(_codes(one).items()):
        said = [f"`{code}`: {KINDS[code].title}." for code in codes]
        reasons = [f"`{reason}`" for reason in REASONS if one.judged and reason_status(reason) == status]
        if reasons:
            said.append(f"Refused by the judge: {', '.join(reasons)}.")
        of_status = {503: ["Retry-After"], 429: ["Retry-After"], 401: ["WWW-Authenticate"]}.get(status, [])
        responses[str(status)] = {
            "description": " ".join(said),
            "headers": {name: _header(name) for name in of_status},
            "content": {MEDIA_TYPE: {"schema": _ref("Problem")}},
        }
    return responses


def _codes(one: Operation) -> dict[int, list[str]]:
    codes = ["bad_request", "unauthorized", "forbidden", "too_many_requests", "internal", "unavailable"]
    if one.parameters:
        codes.append("not_found")
    if one.query is not None:
        codes.append("bad_cursor")
    if one.method == "POST":
        codes += ["idempotency_key_missing", "too_large", "unsupported_media_type", "invalid", "idempotency_key_reused"]
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(KINDS[code].status, []).append(code)
    return by_status


def _webhook(name: str, kind: type[msgspec.Struct], says: str) -> Document:
    properties = {
        "type": {"const": name},
        "timestamp": {"type": "string", "format": "date-time", "description": "When it happened."},
        "data": _of(kind),
    }
    body = {"type": "object", "properties": properties, "required": ["type", "timestamp", "data"]}
    header = {"in": "header", "required": True, "schema": {"type": "string"}}
    return {
        "post": {
            "operationId": name.replace(".", "_"),
            "summary": says,
            "description": "Sent as Standard Webhooks 1.0.0 say. Answer 2xx within 15 seconds; anything else is sent again.",
            "security": [],
            "parameters": [{"name": f"webhook-{part}", **header} for part in ("id", "timestamp", "signature")],
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": {"2XX": {"description": "Taken."}},
        }
    }


def _of(kind: Any) -> Document:
    return _ref(kind.__name__)


def _ref(name: str) -> Document:
    return {"$ref": _SCHEMA.format(name=name)}


def _header(name: str) -> Document:
    return {"$ref": f"#/components/headers/{name}"}
