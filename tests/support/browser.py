"""A real browser for tests: Chromium of the system, driven by Playwright, without anything that calls home.

Use the fixtures by importing them in a ``conftest.py``::

    from tests.support.browser import browser, page

``page`` fails its test when the page logged an error, threw, or asked a foreign host for anything: no test has to
remember that. :func:`axe_violations` runs the vendored accessibility rules.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Frame, Page, sync_playwright

_ARGUMENTS = (
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",  # as on the kiosk: sounds without a touch first
)
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_AXE = Path(__file__).parent / "vendor" / "axe.min.js"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


def chromium_path() -> str:
    """Where Chromium is.

    Raises:
        RuntimeError: it is not installed; the message says what to install.
    """
    for name in _NAMES:
        found = shutil.which(name)
        if found is not None:
            return found
    raise RuntimeError("the browser tests need Chromium: install the package chromium")


@contextmanager
def open_browser() -> Iterator[Browser]:
    """One headless Chromium; closed at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(_ARGUMENTS), headless=True)
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture(scope="session", name="browser")
def browser_fixture() -> Iterator[Browser]:
    """One browser for the whole run."""
    with open_browser() as browser:
        yield browser


@contextmanager
def watched_page(context: BrowserContext, *, tolerated: str = "") -> Iterator[Page]:
    """A page of ``context``; at the end, asserts that it logged no error, threw nothing and asked no foreign host.

    ``tolerated``: how the browser's own remarks begin that a test expects, such as the one on a page that answers 404.
    """
    page = context.new_page()
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error" and not (tolerated and message.text.startswith(tolerated)):
            complaints.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(f"uncaught: {error}"))
    page.on("request", lambda request: complaints.extend(_foreign(request.url)))
    yield page
    assert complaints == [], complaints


def _foreign(url: str) -> list[str]:
    parts = urlsplit(url)
    is_local = parts.scheme in {"data", "blob", "about"} or parts.hostname in _LOCAL
    return [] if is_local else [f"asked a foreign host: {url}"]


@pytest.fixture(name="page")
def page_fixture(browser: Browser) -> Iterator[Page]:
    """A fresh, watched page at 1280x800 without motion."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce", locale="zh-TW")
    try:
        with watched_page(context) as page:
            yield page
    finally:
        context.close()


def axe_violations(page: Page | Frame) -> list[str]:
    """Run the accessibility rules (WCAG 2.2 A and AA, and good practice) on the page, or a frame of it, as it stands.

    Returns:
        One line per fault, with the rule and the elements; empty when there is none.
    """
    # Evaluated through the debugger, not as a script element: the pages' CSP forbids those, and must not be loosened here.
    if not page.evaluate("() => typeof window.axe === 'object'"):
        page.evaluate(_AXE.read_text("utf-8") + "\n;undefined")
    found: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']})", _RULES
    )
    return [
        f"{fault['id']} ({fault['impact']}): {fault['help']} at {' '.join(str(node['target']) for node in fault['nodes'])}"
        for fault in found["violations"]
    ]


browser = browser_fixture
page = page_fixture
