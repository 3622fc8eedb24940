"""The Flask application: the page, its stream of pictures, and the two things it may say back (a key, a language)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
from flask import Flask, Response, abort, request
from msgspec import Struct

from kiosk.adapters.screen.audience import Audience, FullHouse, Spectator
from kiosk.adapters.screen.drawing import Artist
from kiosk.adapters.screen.guards import guard
from kiosk.domain.keys import Key
from kiosk.words import LANGUAGES

BEAT_S: Final = 1.0
"""A sign of life at least this often."""

SILENCE_MS: Final = 5_000
"""After this long without a sign of life the page itself says that the kiosk is paused."""


class KeyPress(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of ``POST /keys``."""

    key: Key


class LanguageChoice(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of ``POST /language``."""

    language: str


@dataclass(frozen=True, slots=True)
class Ears:
    """What the page tells the kiosk. Called from the server's threads; must neither block nor raise."""

    on_key: Callable[[Key], None]
    on_language: Callable[[str], None]


Body = TypeVar("Body", bound=Struct)


def make_app(audience: Audience, artist: Artist, ears: Ears, *, host: str, framed: bool) -> Flask:
    """Build the application.

    Args:
        host: where the server will listen.
        framed: the page may stand in a frame of the same origin.
    """
    app = Flask(__name__, template_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    guard(app, host=host, framed=framed)
    _add_page(app, audience, artist)
    _add_stream(app, audience, artist)
    _add_ears(app, ears)
    return app


def read_body(form: type[Body]) -> Body:
    """The JSON body of the request, or an answer of 400 that says what is wrong with it, or 415 for another type."""
    if request.mimetype != "application/json":
        abort(415)
    try:
        return msgspec.json.decode(request.get_data(), type=form)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        abort(Response(f"{problem}\n", 400, mimetype="text/plain"))


def _add_page(app: Flask, audience: Audience, artist: Artist) -> None:
    def page() -> Response:
        return Response(artist.page("kiosk.html", silence_ms=SILENCE_MS), mimetype="text/html")

    def view() -> Response:
        return Response(msgspec.json.encode(audience.view), mimetype="application/json")

    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")

    app.add_url_rule("/", view_func=page)
    app.add_url_rule("/view", view_func=view)
    app.add_url_rule("/healthz", view_func=healthz)


def _add_stream(app: Flask, audience: Audience, artist: Artist) -> None:
    def events() -> Response:
        try:
            spectator = audience.join()
        except FullHouse:
            return Response("all places are taken\n", 503, mimetype="text/plain")
        response = Response(_stream(audience, spectator, artist), mimetype="text/event-stream")
        # Not in the generator: one that was never started would never give its place back.
        response.call_on_close(spectator.leave)
        return response

    app.add_url_rule("/events", view_func=events, methods=["GET"])


def _stream(audience: Audience, spectator: Spectator, artist: Artist) -> Iterator[bytes]:
    while True:
        scene = spectator.wait(BEAT_S)
        if audience.is_closed:
            return
        if scene is None:
            yield b"event: beat\ndata: 1\n\n"
        else:
            # JSON has no line breaks outside strings and escapes them inside, so one data line is enough.
            yield b"event: picture\ndata: " + msgspec.json.encode(artist.draw(scene)) + b"\n\n"


def _add_ears(app: Flask, ears: Ears) -> None:
    def keys() -> Response:
        ears.on_key(read_body(KeyPress).key)
        return Response(status=204)

    def language() -> Response:
        choice = read_body(LanguageChoice).language
        if choice not in LANGUAGES:
            return Response(f"not one of {', '.join(LANGUAGES)}\n", 400, mimetype="text/plain")
        ears.on_language(choice)
        return Response(status=204)

    app.add_url_rule("/keys", view_func=keys, methods=["POST"])
    app.add_url_rule("/language", view_func=language, methods=["POST"])
