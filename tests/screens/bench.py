"""The bench page, with a voucher held to the camera."""

import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from tests.support.browser import watched_page
from tests.support.screens import RecordingBench, paint_vouchers, screen_stage
from tests.support.views import sample_views


def render(outdir: Path, browser: Browser) -> None:
    """Write ``bench-<width>.png``."""
    for width, height in ((1440, 900), (1920, 1080), (390, 844)):
        context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
        with tempfile.TemporaryDirectory() as folder, watched_page(context) as page:
            paint_vouchers(Path(folder), count=9)
            with screen_stage(bench=RecordingBench(), voucher_pictures=Path(folder)) as stage:
                stage.server.show(sample_views("zh-Hant-TW")["basket-3"])
                page.goto(f"{stage.server.url}/bench")
                page.frame_locator("iframe").locator("[data-screen=basket] .ticket").first.wait_for()
                page.locator("[data-picture]").nth(1).click()
                page.wait_for_load_state("load")
                page.screenshot(path=outdir / f"bench-{width}.png")
        context.close()
