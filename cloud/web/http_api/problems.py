"""Errors as problem documents (RFC 9457): one list of all that this interface says, with stable codes.

Two families. ``urn:voucher-kiosk:problem:CODE`` is about the request: it was not understood, not allowed, or the cloud was not
able to answer. ``urn:voucher-kiosk:reason:CODE`` is the judge's final answer, one of :class:`protocol.reasons.Reason`.

A detail is for people, in the language that the request prefers, and never repeats what was sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from flask import Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from cloud.web.http_api.bodies import FieldProblem, Problem
from cloud.web.language import LANGUAGES, catalogues, closest
from protocol.ids import reference
from protocol.messages import Refused
from protocol.reasons import Reason

PROBLEM_TYPE: Final = "urn:voucher-kiosk:problem:"
REASON_TYPE: Final = "urn:voucher-kiosk:reason:"
MEDIA_TYPE: Final = "application/problem+json"
RETRY_S: Final = 5


@dataclass(frozen=True, slots=True)
class Kind:
    """One problem that has a code."""

    status: int
    title: str
    detail: str


KINDS: Final[Mapping[str, Kind]] = {
    "bad_request": Kind(400, "The request cannot be read", "See errors for the place, if there is one."),
    "idempotency_key_missing": Kind(
        400,
        "The request needs an Idempotency-Key",
        "Send a header Idempotency-Key of 1 to 255 visible characters, and the same one when you ask again.",
    ),
    "bad_cursor": Kind(400, "The cursor is not one of this list", "Start again without a cursor."),
    "unauthorized": Kind(
        401, "The request has no key that counts", "Send Authorization: Bearer and a key that is not revoked or expired."
    ),
    "forbidden": Kind(403, "The key may not do this", "The key lacks the scope that this operation needs."),
    "not_found": Kind(404, "There is no such thing", "It does not exist, or is not this merchant's."),
    "method_not_allowed": Kind(405, "This method is not taken here", "See the header Allow."),
    "idempotency_key_reused": Kind(
        422,
        "The Idempotency-Key stands for another request",
        "What was sent first is answered for ever; take a new key for something new.",
    ),
    "too_large": Kind(413, "The request is too large", "See the document for the limits."),
    "unsupported_media_type": Kind(415, "The body is not JSON", "Send Content-Type: application/json."),
    "invalid": Kind(422, "The body is not what this operation takes", "See errors for the place."),
    "too_many_requests": Kind(429, "Too many requests", "Wait as long as Retry-After says."),
    "internal": Kind(500, "Something broke here", "It was written down. If it stays, tell the help line the reference."),
    "unavailable": Kind(
        503,
        "The cloud cannot answer at this moment",
        "Whether it was done is not known: send the same request again, same Idempotency-Key.",
    ),
}
"""Every problem that is not a reason."""

_REASON_STATUS: Final = {
    Reason.DEVICE_NOT_ACTIVE: 403,
    Reason.MERCHANT_NOT_ACTIVE: 403,
    Reason.BUSY: 503,
}
_OF_DEVICES: Final = frozenset({Reason.SEQUENCE_CONFLICT, Reason.NOT_A_VOUCHER, Reason.FORGED, Reason.REQUEST_CONFLICT})
"""What the judge never answers here: of chains and of codes that were scanned; a conflict has a problem of its own."""

REASONS: Final = tuple(reason for reason in Reason if reason not in _OF_DEVICES)


class ApiError(Exception):
    """Ends an operation with a problem."""

    def __init__(self, code: str, *, errors: Sequence[FieldProblem] = (), headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.errors = errors
        self.headers = headers or {}


def invalid(pointer: str, detail: str, *, code: str = "invalid") -> ApiError:
    """One part of the request is wrong."""
    return ApiError(code, errors=[FieldProblem(pointer=pointer, detail=detail)])


def problem_response(error: ApiError, *, reference: str | None = None) -> Response:
    """Write a problem."""
    kind = KINDS[error.code]
    body = Problem(
        type=PROBLEM_TYPE + error.code,
        title=kind.title,
        status=kind.status,
        detail=kind.detail,
        code=error.code,
        reference=reference,
        errors=list(error.errors),
    )
    response = _response(body)
    if error.code == "unauthorized":
        response.headers["WWW-Authenticate"] = 'Bearer realm="voucher-kiosk"'
    if error.code == "unavailable":
        response.headers["Retry-After"] = str(RETRY_S)
    response.headers.update(error.headers)
    return response


def api_status(problem: HTTPException) -> Response:
    """Write what the web server itself says of an address that no operation has."""
    codes = {kind.status: code for code, kind in reversed(list(KINDS.items()))}
    response = problem_response(ApiError(codes.get(problem.code or 500, "internal")))
    if isinstance(problem, MethodNotAllowed) and problem.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(problem.valid_methods))
    return response


def refused_response(refused: Refused) -> Response:
    """Write the judge's refusal. The same refusal gives the same bytes to everybody who reads the same language."""
    reason, language = refused.reason, _language()
    first = next((one for one in refused.refusals if one.reason is reason), None)
    words = catalogues().reasons
    plain = words.sentence(reason, language)
    said = (
        plain if first is None else words.sentence(reason, language, at=first.at, site=first.site, tries_left=first.tries_left)
    )
    response = _response(
        Problem(
            type=REASON_TYPE + reason,
            title=words.sentence(reason, "en").what,
            status=reason_status(reason),
            detail=f"{said.what} {said.next}" if language in ("en", "ko") else f"{said.what}{said.next}",
            code=reason,
            reference=reference(refused.request_id),
            request_id=refused.request_id,
            refusals=refused.refusals,
        )
    )
    response.headers["Content-Language"] = language
    response.vary.add("Accept-Language")
    if reason is Reason.BUSY:
        response.headers["Retry-After"] = str(RETRY_S)
    return response


def reason_status(reason: Reason) -> int:
    """The status that a refusal has."""
    return _REASON_STATUS.get(reason, 422)


def _language() -> str:
    # Not the pages' way, which looks at a cookie first.
    for tag in request.accept_languages.values():
        if (known := closest(tag)) is not None:
            return known
    return LANGUAGES[0]


def _response(problem: Problem) -> Response:
    return Response(msgspec.json.encode(problem), status=problem.status, content_type=MEDIA_TYPE)
