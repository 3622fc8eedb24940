"""Behind a proxy the pages see who really asks; and nobody else can pretend."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask, request
from waitress.server import create_server

from cloud.wiring.web import behind


@contextmanager
def asked(trusted: str) -> Iterator[int]:
    app = Flask(__name__)
    app.add_url_rule("/", "who", lambda: str(request.remote_addr))
    server = create_server(app, host="127.0.0.1", port=0, threads=1, **behind(trusted))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.effective_port
    finally:
        with server.trigger.lock:
            server.trigger.thunks.append(server.close)
            server.trigger._physical_pull()
        server.task_dispatcher.shutdown()
        thread.join(10)


@pytest.mark.parametrize(("trusted", "seen"), [("127.0.0.1", "203.0.113.9"), ("", "127.0.0.1"), ("192.0.2.1", "127.0.0.1")])
def test_forwarded_address_is_believed_of_the_proxy_alone(trusted: str, seen: str) -> None:
    with asked(trusted) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/", headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.9", "Connection": "close"})
        assert connection.getresponse().read().decode() == seen
        connection.close()
