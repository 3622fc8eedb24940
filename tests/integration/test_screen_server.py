"""The screen's server over real sockets: who may speak, how the stream behaves, how it ends."""

import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from kiosk.adapters.screen import ScreenServer
from kiosk.adapters.screen.audience import SPECTATORS_MAX
from kiosk.domain.keys import Key
from kiosk.domain.view import Screen, View
from protocol.errors import PortError
from tests.support.screens import RecordingBench, Stage, paint_vouchers, screen_stage
from tests.support.views import sample_views


@pytest.fixture
def stage() -> Iterator[Stage]:
    with screen_stage() as running:
        yield running


def ask(stage: Stage, method: str, path: str, body: object = None, **headers: str) -> tuple[int, str, dict[str, str]]:
    """One request of a program that is no browser, unless headers say otherwise."""
    address = stage.server.url.removeprefix("http://")
    with closing(http.client.HTTPConnection(address, timeout=10)) as connection:
        all_headers = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
        connection.request(method, path, None if body is None else json.dumps(body), all_headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), dict(answer.getheaders())


class Listener:
    """One open event stream."""

    def __init__(self, stage: Stage) -> None:
        self._connection = http.client.HTTPConnection(stage.server.url.removeprefix("http://"), timeout=10)
        self._connection.request("GET", "/events")
        self.answer = self._connection.getresponse()

    def event(self) -> tuple[str, Any]:
        """The next event."""
        name = self.answer.readline().decode().removeprefix("event: ").strip()
        content = self.answer.readline().decode().removeprefix("data: ")
        self.answer.readline()
        return name, json.loads(content) if content.strip() else None

    def picture(self) -> Any:
        """The next picture; beats are skipped."""
        name, content = self.event()
        while name == "beat":
            name, content = self.event()
        return content

    def close(self) -> None:
        self.answer.close()
        self._connection.close()


def test_the_stream_shows_the_newest_view_at_once_then_every_change_and_beats(stage: Stage) -> None:
    stage.server.show(sample_views("en")["basket-3"])
    with closing(Listener(stage)) as listener:
        name, picture = listener.event()
        assert (name, picture["screen"], picture["sound"]) == ("picture", "basket", None)
        assert listener.event()[0] == "beat"
        stage.server.show(sample_views("en")["done"])
        picture = listener.picture()
        assert (picture["screen"], picture["sound"]) == ("done", "accept")
        assert picture["number"] == stage.server.shown


def test_places_run_out_and_come_back(stage: Stage) -> None:
    listeners = [Listener(stage) for _ in range(SPECTATORS_MAX)]
    for listener in listeners:
        assert listener.event()[0] == "picture"
    with closing(Listener(stage)) as late:
        assert late.answer.status == 503
    assert ask(stage, "GET", "/healthz")[0] == 200, "streams must not starve the rest"
    for listener in listeners:
        listener.close()
    deadline = time.monotonic() + 10
    while ask_stream(stage) != 200:
        assert time.monotonic() < deadline, "places of closed pages were not given back"


def ask_stream(stage: Stage) -> int:
    """Status of one try to listen."""
    with closing(Listener(stage)) as listener:
        return listener.answer.status


def test_a_page_that_does_not_read_holds_up_nobody(stage: Stage) -> None:
    host, port = stage.server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as deaf, closing(Listener(stage)) as listener:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        deaf.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        listener.picture()
        views = [sample_views("en")["basket-20"], sample_views("ja")["basket-20"]]
        for n in range(300):
            stage.server.show(views[n % 2])
            listener.picture()
        began = time.monotonic()
        stage.server.close()
        assert time.monotonic() - began < 4


def test_keys_and_languages_are_heard(stage: Stage) -> None:
    assert ask(stage, "POST", "/keys", {"key": "7"})[0] == 204
    assert ask(stage, "POST", "/keys", {"key": "ok"})[0] == 204
    assert ask(stage, "POST", "/language", {"language": "ko"})[0] == 204
    assert stage.keys == [Key.DIGIT_7, Key.OK]
    assert stage.languages == ["ko"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/keys", {"key": "x"}, 400),
        ("/keys", {}, 400),
        ("/keys", {"key": "1", "more": 1}, 400),
        ("/keys", ["1"], 400),
        ("/language", {"language": "de"}, 400),
        ("/language", {"language": 1}, 400),
        ("/keys", {"key": "1" * 5000}, 413),
    ],
)
def test_anything_else_is_turned_away(stage: Stage, path: str, body: object, status: int) -> None:
    assert ask(stage, "POST", path, body)[0] == status
    assert stage.keys == []
    assert stage.languages == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 204),
        ({"Sec_Fetch_Site": "same-origin"}, 204),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Sec_Fetch_Site": "none"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 400),
        ({"Content_Type": "text/plain"}, 415),
    ],
)
def test_only_our_own_page_may_press_keys(stage: Stage, headers: dict[str, str], status: int) -> None:
    assert ask(stage, "POST", "/keys", {"key": "ok"}, **headers)[0] == status
    assert stage.keys == ([Key.OK] if status == 204 else [])


def test_the_page_s_own_origin_is_taken_from_browsers_without_fetch_metadata(stage: Stage) -> None:
    assert ask(stage, "POST", "/keys", {"key": "ok"}, Origin=stage.server.url)[0] == 204


@pytest.mark.parametrize("path", ["/", "/view", "/healthz", "/static/kiosk.js", "/events-that-are-not"])
def test_every_answer_forbids_what_is_not_ours(stage: Stage, path: str) -> None:
    headers = ask(stage, "GET", path)[2]
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_before_the_first_view_the_kiosk_is_paused() -> None:
    server = ScreenServer(host="127.0.0.1", port=0, on_key=lambda _: None, on_language=lambda _: None)
    server.start()
    try:
        status, body, _ = ask(Stage(server), "GET", "/view")
    finally:
        server.close()
    assert status == 200
    assert json.loads(body)["screen"] == "out_of_order"


def test_a_taken_port_is_one_clear_sentence(stage: Stage) -> None:
    port = int(stage.server.url.rsplit(":", 1)[1])
    second = ScreenServer(host="127.0.0.1", port=port, on_key=lambda _: None, on_language=lambda _: None)
    with pytest.raises(
        PortError, match=rf"^the screen cannot listen on 127\.0\.0\.1:{port}: Address already in use$"
    ) as caught:
        second.start()
    assert caught.value.retry
    second.close()


def test_closing_ends_streams_threads_and_the_port() -> None:
    before = threading.active_count()
    with screen_stage() as stage:
        listener = Listener(stage)
        listener.picture()
        port = int(stage.server.url.rsplit(":", 1)[1])
        stage.server.close()
        with suppress(http.client.IncompleteRead):
            listener.answer.read()
        listener.close()
        stage.server.close()
    assert threading.active_count() == before
    with screen_stage(port=port) as again:
        assert ask(again, "GET", "/healthz")[0] == 200


def test_many_views_from_another_thread_arrive_as_the_last_one(stage: Stage) -> None:
    views = [View(screen=Screen.TOTAL, language="en", entry=str(n)) for n in range(200)]
    with closing(Listener(stage)) as listener:
        showing = threading.Thread(target=lambda: [stage.server.show(view) for view in views])
        showing.start()
        numbers = [listener.picture()["number"]]
        while numbers[-1] < stage.server.shown or showing.is_alive():
            numbers.append(listener.picture()["number"])
        showing.join()
    assert numbers == sorted(set(numbers))


class TestBench:
    """The page of the simulated hardware."""

    @pytest.fixture
    def bench(self) -> RecordingBench:
        return RecordingBench()

    @pytest.fixture
    def stage(self, bench: RecordingBench, tmp_path: Any) -> Iterator[Stage]:
        paint_vouchers(tmp_path, count=2)
        (tmp_path / "secret.txt").write_text("not a picture", "utf-8")
        with screen_stage(bench=bench, voucher_pictures=tmp_path) as running:
            yield running

    def test_keys_go_through_the_bench(self, stage: Stage, bench: RecordingBench) -> None:
        assert ask(stage, "POST", "/bench/keys", {"key": "5"})[0] == 204
        assert bench.done == ["tap 5"]
        assert stage.keys == []
        status, sentence, _ = ask(stage, "POST", "/bench/keys", {"key": "clear"})
        assert (status, sentence) == (400, "this board has no such key\n")

    def test_a_picture_is_held_and_taken_away(self, stage: Stage, bench: RecordingBench, tmp_path: Any) -> None:
        name = min(path.name for path in tmp_path.glob("*.png"))
        assert ask(stage, "POST", "/bench/picture", {"name": name})[0] == 204
        assert ask(stage, "POST", "/bench/picture", {"name": None})[0] == 204
        assert bench.done == ["show", "take away"]
        assert bench.pictures == [(tmp_path / name).read_bytes()]
        assert ask(stage, "GET", "/bench")[1].count("data-picture=") == 2

    @pytest.mark.parametrize("name", ["secret.txt", "../secret.txt", "/etc/passwd", "none.png"])
    def test_nothing_but_the_gallery_s_pictures_is_reachable(self, stage: Stage, bench: RecordingBench, name: str) -> None:
        assert ask(stage, "POST", "/bench/picture", {"name": name})[0] == 404
        assert ask(stage, "GET", f"/bench/pictures/{name}")[0] == 404
        assert bench.done == []

    def test_other_sites_cannot_use_it(self, stage: Stage, bench: RecordingBench) -> None:
        assert ask(stage, "POST", "/bench/keys", {"key": "5"}, Sec_Fetch_Site="cross-site")[0] == 403
        assert bench.done == []

    def test_only_this_server_may_frame_the_page(self, stage: Stage) -> None:
        headers = ask(stage, "GET", "/")[2]
        assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
        assert headers["X-Frame-Options"] == "SAMEORIGIN"


def test_without_a_bench_there_is_no_bench_page(stage: Stage) -> None:
    assert ask(stage, "GET", "/bench")[0] == 404


def test_an_early_wake_up_does_not_close_the_pipe_under_the_waker(stage: Stage) -> None:
    server, thread = stage.server._server, stage.server._thread
    pull = server.trigger._physical_pull

    def pull_late() -> None:
        os.write(server.trigger.trigger, b"x")  # as a request that has just ended does
        thread.join(0.3)  # all the time the server wants to run what it was given
        pull()

    server.trigger._physical_pull = pull_late
    stage.server.close()
    assert not thread.is_alive()
