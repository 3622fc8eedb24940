"""``/bench``: the simulated hardware on one page, beside the kiosk's screen, so that a person can play a whole visit.

Only there when a bench was given. The twelve keys go through the simulated key matrix, not through the page's own key route:
what is tried here is the path of the real keypad. A click on a voucher's picture holds it in front of the simulated camera,
another click takes it away.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from flask import Flask, Response, abort, send_from_directory
from msgspec import Struct

from kiosk.adapters.screen.drawing import Artist
from kiosk.adapters.screen.pages import KeyPress, read_body
from kiosk.domain.keys import Key

BENCH_KEYS: Final = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "cancel", "0", "ok")
"""In the order of the telephone layout."""

PICTURE_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg"})

PICTURES_MAX: Final = 200
"""Shown in the gallery; more would not be found by eye anyway."""


class Bench(Protocol):
    """The simulated hardware, as this page uses it. Called from the server's threads; must not block."""

    def show_picture(self, picture: bytes) -> None:
        """Hold a PNG or JPEG picture in front of the camera until it is taken away.

        Raises:
            ValueError: it is no such picture, or too large.
        """

    def take_away(self) -> None: ...

    def tap(self, key: Key) -> None:
        """Press and release a key of the simulated matrix.

        Raises:
            ValueError: this board has no such key.
            OverflowError: far too many taps are waiting.
        """


class Hold(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of ``POST /bench/picture``."""

    name: str | None
    """A picture of the gallery, or None to take away what is shown."""


def add_bench(app: Flask, artist: Artist, bench: Bench, pictures: Path | None) -> None:
    """Add the bench's routes.

    Args:
        pictures: folder of PNG and JPEG files, read at every request, so pictures may be added while it runs.
    """

    def page() -> Response:
        html = artist.page("bench.html", keys=BENCH_KEYS, pictures=_names(pictures), caption=_caption)
        return Response(html, mimetype="text/html")

    def picture(name: str) -> Response:
        if name not in _names(pictures) or pictures is None:
            abort(404)
        return send_from_directory(pictures.absolute(), name)

    def hold() -> Response:
        name = read_body(Hold).name
        if name is None:
            bench.take_away()
        elif pictures is not None and name in _names(pictures):
            return _done(lambda: bench.show_picture((pictures / name).read_bytes()))
        else:
            abort(404)
        return Response(status=204)

    def tap() -> Response:
        key = read_body(KeyPress).key
        return _done(lambda: bench.tap(key))

    app.add_url_rule("/bench", "bench", page)
    app.add_url_rule("/bench/pictures/<name>", "bench_picture", picture)
    app.add_url_rule("/bench/picture", "bench_hold", hold, methods=["POST"])
    app.add_url_rule("/bench/keys", "bench_tap", tap, methods=["POST"])


def _done(action: Callable[[], None]) -> Response:
    try:
        action()
    except ValueError as problem:
        return Response(f"{problem}\n", 400, mimetype="text/plain")
    except OverflowError as problem:
        return Response(f"{problem}\n", 503, mimetype="text/plain")
    return Response(status=204)


def _names(pictures: Path | None) -> list[str]:
    if pictures is None or not pictures.is_dir():
        return []
    return sorted(path.name for path in pictures.iterdir() if path.suffix in PICTURE_SUFFIXES)[:PICTURES_MAX]


def _caption(name: str) -> str:
    return Path(name).stem.replace("_", " ")
