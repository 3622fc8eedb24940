"""A running kiosk screen for tests and pictures, a bench that remembers, and vouchers to hold to it."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import segno
from PIL import Image, ImageDraw
from playwright.sync_api import Page

from kiosk.adapters.screen import ScreenServer
from kiosk.domain.keys import Key
from kiosk.domain.view import Screen, View


@dataclass
class Stage:
    """A screen server that remembers what it heard."""

    server: ScreenServer
    keys: list[Key] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)

    def show(self, page: Page, view: View) -> None:
        """Show a view and wait until the page has drawn it."""
        self.server.show(view)
        page.wait_for_function("number => document.documentElement.dataset.picture === number", arg=str(self.server.shown))


@contextmanager
def screen_stage(port: int = 0, **options: Any) -> Iterator[Stage]:
    """A started screen server, on a free port unless one is given, showing attract in the first language."""
    keys: list[Key] = []
    languages: list[str] = []
    server = ScreenServer(host="127.0.0.1", port=port, on_key=keys.append, on_language=languages.append, **options)
    server.start()
    server.show(View(screen=Screen.ATTRACT, language="zh-Hant-TW", online=True))
    try:
        yield Stage(server, keys, languages)
    finally:
        server.close()


@dataclass
class RecordingBench:
    """The bench's port without a kiosk behind it: remembers what was done."""

    done: list[str] = field(default_factory=list)
    pictures: list[bytes] = field(default_factory=list)

    def show_picture(self, picture: bytes) -> None:
        self.done.append("show")
        self.pictures.append(picture)

    def take_away(self) -> None:
        self.done.append("take away")

    def tap(self, key: Key) -> None:
        if key is Key.CLEAR:
            raise ValueError("this board has no such key")
        self.done.append(f"tap {key}")


def paint_vouchers(folder: Path, *, count: int) -> None:
    """Write ``count`` pictures of vouchers: a QR code on a sheet, with its number below."""
    for n in range(count):
        number = f"{566780776770 + 7919 * n:012}"
        sheet = Image.new("L", (640, 480), 250)
        code = io.BytesIO()
        segno.make(f"https://pay.example.tw/v/{number}", micro=False).save(code, kind="png", scale=9, border=2)
        with Image.open(code) as opened:
            sheet.paste(opened.convert("L"), (170, 60))
        ImageDraw.Draw(sheet).text((230, 400), number, fill=15)
        sheet.save(folder / f"voucher_{n + 1}_{number[-3:]}.png")
