"""The enrolment endpoint: status codes, problem documents, limits."""

import json
from collections.abc import Callable

import msgspec
import pytest
from flask import Flask
from flask.testing import FlaskClient

from cloud.services.enrol import EnrolmentRefusal
from cloud.web.api import REQUEST_BYTES_MAX, make_api
from protocol.enrolment import ENROLMENT_PATH, Enrolment, EnrolmentRequest, decode_enrolment
from protocol.errors import PortError

REQUEST = EnrolmentRequest(claim_code="ABCD-EFGH-IJKL-MNOP", csr_pem="pem", seal_public="key")
ENROLMENT = Enrolment(
    device_id="kiosk-abcdef",
    site_id="lobby",
    site_name="大廳",
    certificate_pem="c",
    ca_pem="ca",
    seal_public="s",
    broker_host="h",
    broker_port=1,
    voucher_keys=[],
    item_categories=[],
)


def client(enrolling: Callable[[EnrolmentRequest], Enrolment | EnrolmentRefusal]) -> FlaskClient:
    app = Flask("test")
    app.register_blueprint(make_api(enrolling))
    return app.test_client()


def fails(_: EnrolmentRequest) -> Enrolment:
    raise PortError("the database failed: at 10.0.0.7", retry=True)


def test_an_enrolled_kiosk_gets_201_and_everything() -> None:
    asked: list[EnrolmentRequest] = []

    def enrolling(request: EnrolmentRequest) -> Enrolment:
        asked.append(request)
        return ENROLMENT

    answer = client(enrolling).post(ENROLMENT_PATH, data=msgspec.json.encode(REQUEST))
    assert answer.status_code == 201
    assert answer.mimetype == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert decode_enrolment(answer.data) == ENROLMENT
    assert asked == [REQUEST]


@pytest.mark.parametrize(
    ("enrolling", "body", "status", "code"),
    [
        (lambda _: EnrolmentRefusal.BAD_CODE, msgspec.json.encode(REQUEST), 403, "bad_code"),
        (lambda _: EnrolmentRefusal.BAD_REQUEST, msgspec.json.encode(REQUEST), 400, "bad_request"),
        (fails, msgspec.json.encode(REQUEST), 503, "unavailable"),
        (lambda _: ENROLMENT, b"", 400, "bad_request"),
        (lambda _: ENROLMENT, b"{}", 400, "bad_request"),
        (lambda _: ENROLMENT, b"[" * 9000, 400, "bad_request"),
        (lambda _: ENROLMENT, b'{"claim_code":"\xff"}', 400, "bad_request"),
        (lambda _: ENROLMENT, b" " * (REQUEST_BYTES_MAX + 1), 413, "too_large"),
    ],
)
def test_everything_else_gets_a_problem_document(
    enrolling: Callable[[EnrolmentRequest], Enrolment | EnrolmentRefusal], body: bytes, status: int, code: str
) -> None:
    answer = client(enrolling).post(ENROLMENT_PATH, data=body)
    problem = json.loads(answer.data)
    assert answer.status_code == status == problem["status"]
    assert answer.mimetype == "application/problem+json"
    assert problem["code"] == code
    assert problem["type"].endswith(code)
    assert REQUEST.claim_code not in answer.text
    assert "10.0.0.7" not in answer.text
    assert ("Retry-After" in answer.headers) == (status == 503)


def test_only_post_is_taken() -> None:
    assert client(lambda _: ENROLMENT).get(ENROLMENT_PATH).status_code == 405
