"""The web: every page in every state, desktop and phone, light and dark, in four languages.

The pictures show a real database on which the example programme has run for three weeks, and an empty one. Each page is held to
the accessibility rules before its picture is taken, and none may stick out sideways.
"""

from pathlib import Path

from playwright.sync_api import Browser, Page

from cloud.web.language import LANGUAGES
from tests.support.browser import axe_violations, watched_page
from tests.support.web_tour import SIZES, TOLERATED, Look, Stage, Tour, open_stage

LOOKS = tuple(
    Look(size, scheme, language)  # type: ignore[arg-type]
    for size in SIZES
    for scheme in ("light", "dark")
    for language in LANGUAGES
)


def render(outdir: Path, browser: Browser) -> None:
    """Write ``<size>/<scheme>-<language>/<page>.png``."""
    with open_stage() as stage:
        for look in LOOKS:
            take_pictures(stage, browser, look, outdir)


def take_pictures(stage: Stage, browser: Browser, look: Look, outdir: Path) -> None:
    """Walk through the site once and take a picture of every stop."""
    folder = outdir / look.size / f"{look.scheme}-{look.language}"
    folder.mkdir(parents=True, exist_ok=True)
    context = look.context(browser)
    try:
        with watched_page(context, tolerated=TOLERATED) as page:
            Tour(page, stage, lambda name: _shoot(page, folder / f"{name}.png")).walk()
    finally:
        context.close()


def _shoot(page: Page, path: Path) -> None:
    page.screenshot(path=path, full_page=True)
    faults = axe_violations(page)
    assert faults == [], (path.stem, faults)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path.stem} sticks out sideways"
