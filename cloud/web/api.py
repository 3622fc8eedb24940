"""The devices' HTTP interface: ``POST /api/v1/enrolments``.

JSON in, JSON out, errors as problem documents (RFC 9457). No session, no cookie, and therefore no cross-site request to fear:
the one-time claim code in the body is the whole authority. Everything after enrolment goes over MQTT.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from flask import Blueprint, Response, request

from cloud.services.enrol import EnrolmentRefusal
from protocol.enrolment import ENROLMENT_PATH, Enrolment, EnrolmentRequest, decode_enrolment_request
from protocol.errors import PortError, ProtocolError

REQUEST_BYTES_MAX: Final = 16_384

Enrolling = Callable[[EnrolmentRequest], Enrolment | EnrolmentRefusal]
"""The use case :func:`cloud.services.enrol.enrol` with its ports, clock and randomness inside."""

_TITLES: Final = {
    "bad_request": (400, "The request is not an enrolment request"),
    "bad_code": (403, "The claim code cannot be used"),
    "too_large": (413, "The request is too large"),
    "unavailable": (503, "The cloud cannot enrol at this moment; send the same request again"),
}


def make_api(enrolling: Enrolling) -> Blueprint:
    """Build the blueprint. Its views need no protection against cross-site requests: exempt it."""
    api = Blueprint("api", __name__)

    @api.post(ENROLMENT_PATH)
    def enrol_device() -> Response:
        body = _read_body()
        if body is None:
            return problem("too_large", f"at most {REQUEST_BYTES_MAX} bytes are read")
        try:
            outcome = enrolling(decode_enrolment_request(body))
        except ProtocolError as wrong:
            return problem("bad_request", str(wrong))
        except PortError:
            return problem("unavailable", "the database does not answer")
        match outcome:
            case EnrolmentRefusal.BAD_REQUEST:
                return problem("bad_request", "the certificate request or the public key cannot be used")
            case EnrolmentRefusal.BAD_CODE:
                return problem("bad_code", "it is unknown, used or too old; ask for a new one")
            case _:
                return _json(msgspec.json.encode(outcome), 201, "application/json")

    return api


def problem(code: str, detail: str) -> Response:
    """Build a problem document. ``code`` is stable; ``detail`` is for people and never repeats what was sent."""
    status, title = _TITLES[code]
    document = {"type": f"urn:voucher-kiosk:problem:{code}", "title": title, "status": status, "detail": detail, "code": code}
    response = _json(msgspec.json.encode(document), status, "application/problem+json")
    if status == 503:
        response.headers["Retry-After"] = "5"
    return response


def _read_body() -> bytes | None:
    # One byte more than allowed is read and no further, whatever Content-Length promises.
    body: bytes = request.stream.read(REQUEST_BYTES_MAX + 1)
    return body if len(body) <= REQUEST_BYTES_MAX else None


def _json(body: bytes, status: int, mimetype: str) -> Response:
    response = Response(body, status=status, mimetype=mimetype)
    response.headers["Cache-Control"] = "no-store"
    return response
