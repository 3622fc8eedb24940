"""Turns a clean voucher picture into what the kiosk's camera would see of it.

A flat voucher is held in front of a dim background: turned, tilted (perspective), unevenly lit, out of focus or moving,
and seen through a noisy sensor. Everything follows from a seed, so a picture that fails can be looked at again.

``level`` scales every fault at once: 0 is a perfect frame, :data:`DEMO_LEVEL` a customer at a counter, 3 a bad day.
"""

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

FRAME_SIZE = (1280, 720)
"""Width and height of a camera frame, pixels."""

DEMO_LEVEL = 1.0

_BACKGROUND_LUMA = 70.0


@dataclass(frozen=True, slots=True)
class Shot:
    """How a picture is taken."""

    seed: int
    level: float = DEMO_LEVEL
    fill: float = 0.8
    """Height or width of the voucher in the frame, whichever is larger in proportion; 1 touches the edges."""
    inverted: bool = False
    """A phone in dark mode: light modules on a dark ground."""
    upside_down: bool = False


def photograph(voucher: Image.Image, shot: Shot) -> Image.Image:
    """Return a 1280×720 greyscale picture of the voucher.

    Args:
        voucher: clean picture, any mode and size; small ones are enlarged without smoothing.
        shot: circumstances.
    """
    chance = random.Random(shot.seed)
    flat = ImageOps.invert(voucher.convert("L")) if shot.inverted else voucher.convert("L")
    if shot.upside_down:
        flat = flat.rotate(180)
    held = _held(flat, shot, chance)
    lit = _lit(np.asarray(held, dtype=np.float32), shot.level, chance)
    soft = _moved(_blurred(lit, shot.level, chance), shot.level, chance)
    return Image.fromarray(_sensed(soft, shot, chance))


def empty_frame(seed: int, *, noise: float = 4.0) -> Image.Image:
    """Return what the camera sees when nobody is there: a blurred room and sensor noise.

    Args:
        noise: standard deviation, grey levels.
    """
    grain = np.random.default_rng(seed)
    room = Image.fromarray(grain.integers(0, 256, (9, 16), dtype=np.uint8)).resize(FRAME_SIZE, Image.Resampling.BICUBIC)
    seen = np.asarray(room, dtype=np.float32) * 0.5 + 60 + grain.normal(0, noise, FRAME_SIZE[::-1])
    return Image.fromarray(np.clip(seen, 0, 255).astype(np.uint8))


def _held(flat: Image.Image, shot: Shot, chance: random.Random) -> Image.Image:
    """Put the voucher into the frame: turned, tilted, off the middle."""
    width, height = FRAME_SIZE
    scale = shot.fill * min(width / flat.width, height / flat.height)
    if scale > 1:
        flat = ImageOps.scale(flat, np.ceil(scale), Image.Resampling.NEAREST)
        scale = shot.fill * min(width / flat.width, height / flat.height)
    if scale < 0.5:
        # Perspective resampling looks at four pixels: shrink most of the way with a proper average first.
        flat = flat.resize((int(flat.width * scale * 1.5), int(flat.height * scale * 1.5)), Image.Resampling.LANCZOS)
        scale = shot.fill * min(width / flat.width, height / flat.height)
    corners = _corners(flat.width * scale, flat.height * scale, shot.level, chance)
    source = [(0.0, 0.0), (flat.width, 0.0), (flat.width, flat.height), (0.0, flat.height)]
    frame = flat.transform(
        FRAME_SIZE, Image.Transform.PERSPECTIVE, _perspective(corners, source), Image.Resampling.BICUBIC, fillcolor=0
    )
    there = Image.new("L", flat.size, 255).transform(
        FRAME_SIZE, Image.Transform.PERSPECTIVE, _perspective(corners, source), Image.Resampling.BILINEAR, fillcolor=0
    )
    return Image.composite(frame, Image.new("L", FRAME_SIZE, int(_BACKGROUND_LUMA)), there)


def _corners(width: float, height: float, level: float, chance: random.Random) -> list[tuple[float, float]]:
    """Where the voucher's corners come to lie, clockwise from its upper left."""
    turn = np.deg2rad(chance.uniform(-8, 8) * level)
    middle = np.array(FRAME_SIZE) / 2 + [chance.uniform(-40, 40) * level, chance.uniform(-20, 20) * level]
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    corners = []
    for across, down in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        nearer = 1 + chance.uniform(-0.05, 0.05) * level
        corners.append(middle + rotation @ np.array([across * width / 2, down * height / 2]) * nearer)
    return [(float(x), float(y)) for x, y in corners]


def _perspective(to: list[tuple[float, float]], source: list[tuple[float, float]]) -> list[float]:
    """Return Pillow's eight coefficients, which lead from the frame back to the flat picture."""
    rows, right = [], []
    for (x, y), (u, v) in zip(to, source, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    return [float(value) for value in np.linalg.solve(np.array(rows), np.array(right))]


def _lit(seen: NDArray[np.float32], level: float, chance: random.Random) -> NDArray[np.float32]:
    """Uneven light from one side, and less contrast."""
    height, width = seen.shape
    angle = chance.uniform(0, 2 * np.pi)
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :] * np.float32(np.cos(angle))
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(np.sin(angle))
    light = 1 + np.float32(0.2 * min(level, 4)) * (across + down)
    contrast = np.float32(1 - min(0.15 * level, 0.7))
    dimmed: NDArray[np.float32] = (seen * contrast + np.float32(20 * min(level, 3))) * light
    return dimmed


def _blurred(seen: NDArray[np.float32], level: float, chance: random.Random) -> Image.Image:
    """Out of focus."""
    picture = Image.fromarray(np.clip(seen, 0, 255).astype(np.uint8))
    return picture.filter(ImageFilter.GaussianBlur(chance.uniform(0.2, 0.9) * level))


def _moved(picture: Image.Image, level: float, chance: random.Random) -> NDArray[np.float32]:
    """A hand that moves sideways or up and down while the shutter is open."""
    seen = np.asarray(picture, dtype=np.float32)
    steps = 1 + chance.randrange(int(2 * level) + 1)
    axis = chance.randrange(2)
    moved: NDArray[np.float32] = np.mean([np.roll(seen, step, axis) for step in range(steps)], axis=0, dtype=np.float32)
    return moved


def _sensed(seen: NDArray[np.float32], shot: Shot, chance: random.Random) -> NDArray[np.uint8]:
    grain = np.random.default_rng(chance.randrange(2**32)).standard_normal(seen.shape, dtype=np.float32)
    return np.clip(seen + grain * np.float32(6 * shot.level), 0, 255).astype(np.uint8)
