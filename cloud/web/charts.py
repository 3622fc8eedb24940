"""Where the bars of a chart stand. Charts are drawn by the server as SVG without script or style, beside the same numbers in a
table; text is never part of the drawing, so that it keeps its size on a phone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

HEIGHT: Final = 128
"""Pixels from the foot of a column chart to the top of its tallest column."""

WIDTH: Final = 1000
"""Units from one end of a bar to the other."""

_LEAST: Final = 1
"""What is not nothing is drawn at least that large."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a chart over time."""

    day: date
    amount_twd: int
    count: int
    height: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a bar."""

    name: str
    value: int
    start: int
    width: int


def columns(rows: Sequence[tuple[date, int, int]]) -> Sequence[Column]:
    """Draw ``(day, amount, count)``; the largest amount reaches the top."""
    largest = max((amount for _, amount, _ in rows), default=0)
    return [Column(day, amount, count, _scaled(amount, largest, HEIGHT)) for day, amount, count in rows]


def segments(parts: Sequence[tuple[str, int]], whole: int) -> Sequence[Segment]:
    """Draw ``(name, value)`` one behind the other along a bar that ``whole`` fills."""
    drawn: list[Segment] = []
    start = 0
    for name, value in parts:
        width = min(_scaled(value, whole, WIDTH), WIDTH - start)
        drawn.append(Segment(name, value, start, width))
        start += width
    return drawn


def _scaled(value: int, largest: int, units: int) -> int:
    return max(_LEAST, round(value * units / largest)) if value > 0 and largest > 0 else 0


@dataclass(frozen=True, slots=True)
class Rank:
    """One bar of several that stand under each other, each with its name."""

    name: str
    value: int
    width: int


def ranks(rows: Sequence[tuple[str, int]]) -> Sequence[Rank]:
    """Draw ``(name, value)`` as bars; the largest value fills the width."""
    largest = max((value for _, value in rows), default=0)
    return [Rank(name, value, _scaled(value, largest, WIDTH)) for name, value in rows]
