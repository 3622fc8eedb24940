"""Every ratio that is published: where it comes from, what it must reach, and what it means.

``docs/performance.md`` shows the same list; a test holds both equal. A goal that is short fails nothing: a machine may be busy,
and a figure is no test. It is printed as short, every time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

CLAIMED_PEER_PER_S: Final = 79.0
"""Check-ins per second of pretix 2026.8.0's redeem endpoint (PostgreSQL, Redis, gunicorn with 2 × 2), measured elsewhere on two
such cores and not repeated here: it is claimed. Our own HTTP peer is measured in every run."""

CLAIMED_PEER_P99_MS: Final = 38.8
"""Its 99th percentile with two clients, measured elsewhere too."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One ratio."""

    benchmark: str
    ratio: str
    limit: float | None
    """None: printed for the reader, and promised to nobody."""
    at_least: bool = True
    measured_by: str = ""

    @property
    def wanted(self) -> str:
        """The goal as text."""
        return "—" if self.limit is None else f"{'≥' if self.at_least else '≤'} {self.limit:g}"

    def is_met(self, value: float) -> bool | None:
        """Tell whether a value reaches it; None where nothing is promised."""
        if self.limit is None:
            return None
        return value >= self.limit if self.at_least else value <= self.limit


GOALS: Final = (
    Goal("ingest", "end to end / echo without database", 0.60),
    Goal("ingest", "end to end / pure server-side set SQL", 0.45),
    Goal("ingest", "database leg / pure server-side set SQL", 0.65),
    Goal("ingest", "worker CPU per order / stock paho receive and acknowledge", 0.45, at_least=False),
    Goal("ingest", "end to end / naive paho and ORM worker", 75),
    Goal("ingest", "end to end / pretix check-in (claimed 79/s)", 300),
    Goal("ingest", "end to end / Flask and ORM over HTTP (measured)", None),
    Goal("ingest", "end to end / pgbench, one connection", None),
    Goal("ingest", "end to end with 3,000 waiting / with 800", None),
    Goal("ingest", "echo with proof and seals / echo without database", None),
    Goal("ingest", "SQLite end to end / PostgreSQL end to end", 0.5),
    Goal("ingest", "SQLite batches of 100 / batches of 1", 6),
    Goal("ingest", "worker CPU µs per order", 15, at_least=False),
    Goal("ingest", "PostgreSQL CPU µs per order", 30, at_least=False),
    Goal("latency", "p50 at half load / commit of one", 4, at_least=False),
    Goal("latency", "p99 at half load / pretix p99 (claimed 38.8 ms)", 0.25, at_least=False),
    Goal("latency", "p99 at half load / p99 of Flask and ORM over HTTP (measured)", None, at_least=False),
    Goal("latency", "one order alone / commit of one", 4, at_least=False),
    Goal("flood", "others' p99 with a flood / without", 1.1, at_least=False),
    Goal("growth", "CPU per order at the largest / at the smallest size", 1.15, at_least=False),
    Goal("settle", "settle / GROUP BY over redemptions", 2.2, at_least=False),
    Goal("lists", "first page / bare SQL", 3, at_least=False),
    Goal("lists", "middle page / bare SQL", 3, at_least=False),
    Goal("lists", "unconfirmed / bare SQL", 3, at_least=False),
    Goal("lists", "claimed / bare SQL", 3, at_least=False),
    Goal("lists", "one day / bare SQL", 3, at_least=False),
    Goal("lists", "sorted by total / bare SQL", 3, at_least=False),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A goal and what was measured."""

    goal: Goal
    value: float

    @property
    def verdict(self) -> str:
        met = self.goal.is_met(self.value)
        return "" if met is None else "met" if met else "short"


def outcomes(found: Mapping[str, Mapping[str, Any]]) -> list[Outcome]:
    """Match what benchmarks found with the goals; a ratio that no benchmark of this run has is left out."""
    known: list[Outcome] = []
    for goal in GOALS:
        mine = found.get(goal.benchmark, {})
        value = mine.get("ratios", {}).get(goal.ratio, mine.get(goal.ratio))
        if value is not None:
            known.append(Outcome(goal, float(value)))
    return known
