"""The kiosk's screen: every sample view in every language, upright and on a phone too."""

from pathlib import Path

from playwright.sync_api import Browser

from kiosk.words import LANGUAGES
from tests.support.browser import watched_page
from tests.support.screens import screen_stage
from tests.support.views import sample_views

SIZES = {"1280x800": (1280, 800), "800x1280": (800, 1280), "390x844": (390, 844)}
ALL_LANGUAGES_AT = "1280x800"


def render(outdir: Path, browser: Browser) -> None:
    """Write ``<size>/<language>/<view>.png``; sizes other than the kiosk's own in the first language only, and large text."""
    for size, (width, height) in SIZES.items():
        context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
        with screen_stage() as stage, watched_page(context) as page:
            page.goto(stage.server.url)
            for language in LANGUAGES if size == ALL_LANGUAGES_AT else LANGUAGES[:2]:
                folder = outdir / size / language
                folder.mkdir(parents=True, exist_ok=True)
                for name, view in sample_views(language).items():
                    stage.show(page, view)
                    page.screenshot(path=folder / f"{name}.png")
            large = outdir / f"{size}-large-text"
            large.mkdir(parents=True, exist_ok=True)
            for name, view in sample_views("en").items():
                stage.show(page, view)
                if page.locator("html[data-text=large]").count() == 0:
                    page.locator("#large-text").click()
                page.screenshot(path=large / f"{name}.png")
        context.close()
