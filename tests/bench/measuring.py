"""Rounds over all cases, each round beginning with another one, so that a busy minute hits all alike."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

ROUNDS: Final = 3

Case = Callable[[], float]
"""Does its work once and returns seconds per unit of it."""


class WrongAnswerError(Exception):
    """What was measured did not do its work: no figure counts."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One case over all rounds."""

    seconds: float
    """Per unit, the median."""
    spread: float
    """Slowest round over fastest: 1.0 is a quiet machine."""

    @property
    def per_s(self) -> float:
        """Units per second."""
        return 1 / self.seconds

    @property
    def us(self) -> float:
        """Microseconds per unit."""
        return self.seconds * 1e6


def measure(
    cases: Mapping[str, Case], *, rounds: int = ROUNDS, tell: Callable[[str], None] = lambda _: None
) -> dict[str, Figure]:
    """Run every case once per round.

    Args:
        tell: hears the name of each case before it runs.

    Raises:
        ValueError: fewer than three rounds have no median worth the name.
    """
    if rounds < ROUNDS:
        raise ValueError(f"a median takes at least {ROUNDS} rounds")
    names = list(cases)
    found: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            tell(name)
            found[name].append(cases[name]())
    return {name: Figure(median(taken), max(taken) / min(taken)) for name, taken in found.items()}


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share of all values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return the slope of cost over size on logarithms: 0 is flat, 1 grows as the size does. By least squares."""
    xs, ys = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / sum((x - mean_x) ** 2 for x in xs)
