"""What an operation is, and how a request becomes a call of it.

In this order, and nothing later happens before the earlier steps have held: key, rate, scope, path, query, Idempotency-Key,
body. Every answer of a GET has an ETag; every POST has an Idempotency-Key.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from flask import Blueprint, Response, current_app, request
from msgspec import Struct

from cloud.ports.connect import ApiKey, Scope
from cloud.services.connect import find_key
from cloud.web.http_api.parts import ApiParts
from cloud.web.http_api.problems import ApiError, problem_response
from cloud.web.http_api.rates import Allowance, RateMeter
from cloud.web.http_api.reading import read_body, read_idempotency_key, read_query
from protocol.errors import PortError
from protocol.ids import reference

API_PATH: Final = "/api/v1"
WRONG_KEYS_MAX: Final = 60
"""Requests of one address without a key that counts, within the throttle's window."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, understood."""

    key: ApiKey
    path: Mapping[str, UUID] = field(default_factory=dict)
    query: Any = None
    body: Any = None
    idempotency_key: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back: JSON as bytes."""

    body: bytes
    location: str | None = None


View = Callable[[Call], "Struct | Answer | Response"]


@dataclass(frozen=True, slots=True)
class Operation:
    """Everything about one path and method."""

    name: str
    """``operationId`` and endpoint."""
    method: Literal["GET", "POST"]
    path: str
    """Under :data:`API_PATH`; its parts in braces are ids."""
    scopes: frozenset[Scope]
    """A key needs one of these; with none any key will do."""
    summary: str
    answer: Any
    view: View
    description: str = ""
    tag: str = ""
    status: int = 200
    query: type[Struct] | None = None
    body: type[Struct] | None = None
    judged: bool = False
    """Whether the judge may refuse, with a reason."""

    @property
    def rule(self) -> str:
        """The path as Flask writes it."""
        return API_PATH + self.path.replace("{", "<uuid:").replace("}", ">")

    @property
    def parameters(self) -> Sequence[str]:
        """Names of the ids in the path."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]


def add_operation(blueprint: Blueprint, operation: Operation, parts: ApiParts, meter: RateMeter) -> None:
    """Give an operation its route."""

    def view(**path: UUID) -> Response:
        try:
            key = _admit(parts)
        except ApiError as error:
            return problem_response(error)
        allowance = meter.take(key.key_id, now=parts.wall_clock.now())
        try:
            _check_rate(allowance)
            response = _answer(operation, _call(operation, key, path))
        except ApiError as error:
            response = problem_response(error)
        except PortError as problem:
            current_app.logger.warning("a program could not be answered: %s", problem)
            response = problem_response(ApiError("unavailable"))
        except Exception:
            # The edge of the program: whoever asked is told that it was ours, and which line of the log says more.
            mark = reference(UUID(bytes=parts.randomness(16)))
            current_app.logger.exception("%s broke, reference %s", operation.name, mark)
            response = problem_response(ApiError("internal"), reference=mark)
        response.headers.update(allowance.headers)
        return response

    blueprint.add_url_rule(operation.rule, operation.name, view, methods=[operation.method])


def _check_rate(allowance: Allowance) -> None:
    if not allowance.admitted:
        raise ApiError("too_many_requests", headers={"Retry-After": str(allowance.resets_s)})


def _admit(parts: ApiParts) -> ApiKey:
    scheme, _, presented = request.headers.get("Authorization", "").partition(" ")
    now = parts.wall_clock.now()
    try:
        key = find_key(parts.keys, presented.strip(), now=now) if scheme.lower() == "bearer" else None
    except PortError as problem:
        raise ApiError("unavailable") from problem
    if key is None:
        wait_s = parts.throttle.admit(f"api {request.remote_addr}", tries_max=WRONG_KEYS_MAX, now=now)
        if wait_s:
            raise ApiError("too_many_requests", headers={"Retry-After": str(wait_s)})
        raise ApiError("unauthorized")
    return key


def _call(operation: Operation, key: ApiKey, path: Mapping[str, UUID]) -> Call:
    if operation.scopes and not operation.scopes & key.scopes:
        raise ApiError("forbidden")
    query = read_query(operation.query or _Nothing)
    if operation.method != "POST":
        return Call(key, path, query)
    idempotency_key = read_idempotency_key()
    assert operation.body is not None, "a POST has a body"
    return Call(key, path, query, read_body(operation.body), idempotency_key)


class _Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """The query of what takes none."""


def _answer(operation: Operation, call: Call) -> Response:
    answer = operation.view(call)
    if isinstance(answer, Response):
        return answer
    body, location = (answer.body, answer.location) if isinstance(answer, Answer) else (msgspec.json.encode(answer), None)
    response = Response(body, status=operation.status, content_type="application/json")
    if location is not None:
        response.headers["Location"] = location
    if operation.method == "GET":
        response.headers["Cache-Control"] = "private, no-cache"
        response.set_etag(urlsafe_b64encode(hashlib.sha256(body).digest()[:18]).decode("ascii"))
        response.make_conditional(request)
    return response
