"""A running kiosk screen for tests and pictures."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

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
