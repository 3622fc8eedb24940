"""What a request says, brought into its struct: query, body and cursor. Whatever does not fit is told with its place.

Strict: an unknown parameter or field, a number in quotation marks or ``1.0`` for a count is refused, because a request that is
half understood would be half done.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import date, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from flask import request
from msgspec import Struct

from cloud.ports.api_reports import Place
from cloud.web.http_api.bodies import FieldProblem
from cloud.web.http_api.problems import ApiError, invalid

BODY_BYTES_MAX: Final = 65_536
IDEMPOTENCY_KEY: Final = "Idempotency-Key"
_KEY: Final = re.compile(r"[!-~]{1,255}")
_PATH: Final = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")
_INTEGER_MAX: Final = 2**63 - 1
_FIRST_YEAR, _LAST_YEAR = 1900, 9000
"""Beyond, a midnight of Taipei leaves the calendar that computers have."""

Body = TypeVar("Body", bound=Struct)


def read_query(kind: type[Body]) -> Body:
    """Read the query.

    Raises:
        ApiError: a parameter is unknown, stands there twice, or is not of its kind.
    """
    values: dict[str, str] = {}
    for name, given in request.args.lists():
        if len(given) != 1:
            raise invalid(name, "it stands there more than once", code="bad_request")
        values[name] = given[0]
    try:
        query = msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as problem:
        raise ApiError("bad_request", errors=[_field_problem(problem)]) from problem
    for name in values:
        value = getattr(query, name)
        if value is None:
            # msgspec reads the text "null" as nothing given; whoever writes it means something else.
            raise invalid(name, "null is no value here", code="bad_request")
        if isinstance(value, date) and not _FIRST_YEAR <= value.year <= _LAST_YEAR:
            raise invalid(name, f"a year from {_FIRST_YEAR} to {_LAST_YEAR}", code="bad_request")
    return query


def read_body(kind: type[Body]) -> Body:
    """Read the body.

    Raises:
        ApiError: it is too large, not JSON, or not of its kind.
    """
    if request.mimetype != "application/json":
        raise ApiError("unsupported_media_type")
    # One byte more than allowed is read and no further, whatever Content-Length promises.
    content: bytes = request.stream.read(BODY_BYTES_MAX + 1)
    if len(content) > BODY_BYTES_MAX:
        raise ApiError("too_large")
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as problem:
        raise ApiError("invalid", errors=[_field_problem(problem)]) from problem
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise ApiError("bad_request", errors=[FieldProblem(pointer="", detail="not JSON")]) from problem


def read_idempotency_key() -> str:
    """Read the header that names a request.

    Raises:
        ApiError: it is missing or cannot be one.
    """
    key = request.headers.get(IDEMPOTENCY_KEY, "")
    if not _KEY.fullmatch(key):
        raise ApiError("idempotency_key_missing")
    return key


def write_cursor(of: str, place: Place) -> str:
    """Write a place in a list; ``of`` names the list and its filter, of no other which it is a cursor."""
    return urlsafe_b64encode(msgspec.msgpack.encode((of, type(place[0]).__name__, place))).rstrip(b"=").decode("ascii")


_SORTS: Final[dict[str, type[datetime] | type[date] | type[int]]] = {"datetime": datetime, "date": date, "int": int}


def read_cursor(text: str | None, of: str) -> Place | None:
    """Read what :func:`write_cursor` wrote for the same list.

    Raises:
        ApiError: it is something else.
    """
    if text is None:
        return None
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        written_for, sort, place = msgspec.msgpack.decode(raw, type=tuple[str, str, tuple[Any, UUID]])
        value = msgspec.convert(place[0], _SORTS[sort])
    except (ValueError, KeyError, msgspec.MsgspecError, RecursionError) as problem:
        raise ApiError("bad_cursor") from problem
    if written_for != of or not _is_place(value):
        raise ApiError("bad_cursor")
    return value, place[1]


def _is_place(value: datetime | date | int) -> bool:
    if isinstance(value, int):
        return 0 <= value <= _INTEGER_MAX
    return _FIRST_YEAR <= value.year <= _LAST_YEAR and (not isinstance(value, datetime) or value.tzinfo is not None)


def _field_problem(problem: msgspec.ValidationError) -> FieldProblem:
    said = str(problem)
    found = _PATH.search(said)
    path = "" if found is None else found["path"].replace("[...]", "")
    detail = said if found is None else said[: found.start()]
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", detail, re.DOTALL)
    if unknown:
        detail = "an unknown field"
    elif detail.startswith("Invalid enum value"):
        detail = "not one of the values that are taken"
    return FieldProblem(pointer=re.sub(r"\.|\[(\d+)\]", lambda one: "/" + (one[1] or ""), path), detail=detail)
