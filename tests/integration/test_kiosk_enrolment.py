"""What the kiosk makes of whatever answers at the enrolment address."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kiosk.adapters.enrolment import ANSWER_BYTES_MAX, enrol
from kiosk.adapters.identity import PrivateKeys, prepare_keys
from protocol.enrolment import decode_enrolment_request
from protocol.errors import PortError
from tests.support.broker import free_port

Answer = tuple[int, dict[str, str], bytes]


class Desk:
    """Answers every POST with what the test says, and keeps what was sent."""

    def __init__(self) -> None:
        self.answer: Answer = (201, {}, b"{}")
        self.bodies: list[bytes] = []
        desk = self

        class Counter(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                desk.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                status, headers, body = desk.answer
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                desk.bodies.append(b"")

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Counter)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture
def keys(tmp_path: Path) -> PrivateKeys:
    return prepare_keys(tmp_path)


def test_request_carries_public_halves_only(desk: Desk, keys: PrivateKeys) -> None:
    with pytest.raises(PortError):
        enrol(desk.url, "CODE", keys, serial="board-7")
    request = decode_enrolment_request(desk.bodies[0])
    assert (request.claim_code, request.serial, request.seal_public) == ("CODE", "board-7", keys.seal_public)
    assert "CERTIFICATE REQUEST" in request.csr_pem
    assert b"PRIVATE" not in desk.bodies[0]


@pytest.mark.parametrize(
    ("answer", "sentence", "retry"),
    [
        ((403, {}, b'{"title": "Refused", "detail": "ask again"}'), "Refused: ask again", False),
        ((503, {}, b"<html>"), "HTTP 503", True),
        ((201, {}, b"{}"), "something else", False),
        ((201, {}, b"\xff"), "something else", False),
        ((201, {}, b'{"a":' + b" " * (ANSWER_BYTES_MAX + 10) + b"1}"), "something else", False),
        ((302, {"Location": "http://127.0.0.1:1/elsewhere"}, b""), "HTTP 302", False),
        ((201, {"Content-Length": "99999"}, b"{}"), "reached|something else", True),
    ],
)
def test_answer_that_is_no_enrolment_is_one_sentence(
    desk: Desk, keys: PrivateKeys, answer: Answer, sentence: str, retry: bool
) -> None:
    desk.answer = answer
    with pytest.raises(PortError, match=sentence) as raised:
        enrol(desk.url, "SECRET-CODE", keys)
    assert "SECRET" not in str(raised.value)
    if "|" not in sentence:
        assert raised.value.retry is retry
    assert len(desk.bodies) == 1, "no redirect is followed"


@pytest.mark.parametrize(
    ("make_url", "sentence"),
    [
        (lambda: f"http://127.0.0.1:{free_port()}", "cannot be reached"),
        (lambda: "http://pay.example.tw", "must be https"),
        (lambda: "ftp://127.0.0.1", "not an http"),
        (lambda: "127.0.0.1:8080", "not an http"),
        (lambda: "http://[::1", "not an address"),
        (lambda: "", "not an http"),
    ],
)
def test_address_that_cannot_be_used_is_one_sentence(make_url: Callable[[], str], sentence: str, keys: PrivateKeys) -> None:
    with pytest.raises(PortError, match=sentence):
        enrol(make_url(), "CODE", keys)
