"""What a phone's camera would film at the voucher desk: one voucher after the other, and a desk between."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import segno
from PIL import Image
from playwright.sync_api import Browser

from tests.support.browser import chromium_path
from tests.support.cameras import write_y4m

WIDTH, HEIGHT = 640, 480
_HELD_FRAMES, _BETWEEN_FRAMES = 14, 4
"""At fifteen a second."""

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--disable-dev-shm-usage",
)


def film(path: Path, codes: Sequence[str]) -> None:
    """Write the film, which the browser plays again and again."""
    grain = np.random.default_rng(20261120)
    frames = []
    for code in codes:
        for place in range(_HELD_FRAMES + _BETWEEN_FRAMES):
            desk = np.full((HEIGHT, WIDTH), 96.0)
            if place < _HELD_FRAMES:
                held = _print(code)
                top, left = 60 + place, 140 + 2 * place
                desk[top : top + held.shape[0], left : left + held.shape[1]] = held
            frames.append(np.clip(desk + grain.normal(0, 5, desk.shape), 0, 255).astype(np.uint8))
    write_y4m(path, frames, colour="420jpeg", chroma_bytes=WIDTH * HEIGHT // 2)


def open_filming(browser: Browser, film: Path | None, *, allowed: bool = True) -> Browser:
    """Another Chromium, whose camera shows the film; with None, one that has no camera."""
    camera = (
        ["--use-fake-device-for-media-stream=device-count=0"] if film is None else [f"--use-file-for-fake-video-capture={film}"]
    )
    ask = ["--use-fake-ui-for-media-stream"] if allowed else ["--deny-permission-prompts"]
    options: dict[str, Any] = {"executable_path": chromium_path(), "headless": True}
    return browser.browser_type.launch(args=[*_ARGUMENTS, *camera, *ask], **options)


def _print(code: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    picture = io.BytesIO()
    segno.make_qr(code, error="m").save(picture, kind="png", scale=6, border=4)
    with Image.open(picture) as opened:
        return np.asarray(opened.convert("L"), dtype=np.float64) * 0.85 + 20
