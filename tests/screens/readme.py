"""The README's picture: the kiosk's screen beside the merchant's dashboard.

What is committed as ``docs/images/kiosk-and-dashboard.png`` is the picture made here; make it anew when a face changes.
"""

import io
from pathlib import Path

from msgspec.structs import replace
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page

from tests.support.browser import watched_page
from tests.support.screens import screen_stage
from tests.support.views import sample_views
from tests.support.web import DOORS, PASSWORD
from tests.support.web_tour import open_stage

NAME = "kiosk-and-dashboard.png"
SITE = "泊岸旅館　一樓大廳"
KIOSK, DASHBOARD = (800, 1280), (1180, 800)
SHARPNESS = 1.5
"""Pixels of the picture per pixel of the dashboard's page."""
MARGIN, BEZEL = 44, 16
DESK, STEEL, HAIRLINE = "#ece6db", "#0f2233", "#d9d2c7"
COLOURS = 256
"""The faces are flat; a palette keeps the file small."""


def render(outdir: Path, browser: Browser) -> None:
    """Write the picture."""
    height = _px(DASHBOARD[1])
    kiosk = _frame(_fit(_kiosk(browser), height - 2 * _px(BEZEL)), _px(BEZEL), STEEL, radius=_px(22))
    dashboard = _frame(_fit(_dashboard(browser), height - 2), 1, HAIRLINE, radius=_px(12))
    margin = _px(MARGIN)
    picture = Image.new("RGB", (kiosk.width + dashboard.width + 3 * margin, height + 2 * margin), DESK)
    picture.paste(kiosk, (margin, margin), kiosk)
    picture.paste(dashboard, (kiosk.width + 2 * margin, margin), dashboard)
    picture.quantize(COLOURS, kmeans=3, dither=Image.Dither.NONE).save(outdir / NAME, optimize=True)


def _px(length: float) -> int:
    return round(length * SHARPNESS)


def _kiosk(browser: Browser) -> Image.Image:
    """The moment before the key that cannot be undone."""
    width, height = KIOSK
    with (
        screen_stage() as stage,
        browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce") as context,
        watched_page(context) as page,
    ):
        page.goto(stage.server.url)
        stage.show(page, replace(sample_views("zh-Hant-TW")["confirm"], site_name=SITE))
        return _shoot(page)


def _dashboard(browser: Browser) -> Image.Image:
    """The merchant's first page on an ordinary day."""
    width, height = DASHBOARD
    door, login = DOORS["boan-admin"]
    with (
        open_stage() as stage,
        browser.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=SHARPNESS, locale="zh-TW", reduced_motion="reduce"
        ) as context,
        watched_page(context) as page,
    ):
        page.goto(f"{stage.address}/sign-in/{door}")
        page.locator("#login").fill(login)
        page.locator("#password").fill(PASSWORD)
        with page.expect_navigation():
            page.locator("main button.primary").click()
        return _shoot(page)


def _shoot(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def _fit(picture: Image.Image, height: int) -> Image.Image:
    width = round(picture.width * height / picture.height)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _frame(picture: Image.Image, border: int, colour: str, *, radius: int) -> Image.Image:
    """Round the corners of a picture and put a border around it."""
    size = (picture.width + 2 * border, picture.height + 2 * border)
    framed = Image.new("RGBA", size, colour)
    framed.paste(picture, (border, border), _rounded(picture.size, max(0, radius - border)))
    framed.putalpha(_rounded(size, radius))
    return framed


def _rounded(size: tuple[int, int], radius: int) -> Image.Image:
    """A mask with smooth corners: drawn four times as large, and shrunk."""
    mask = Image.new("L", (size[0] * 4, size[1] * 4), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, mask.width - 1, mask.height - 1), radius * 4, fill=255)
    return mask.resize(size, Image.Resampling.LANCZOS)
