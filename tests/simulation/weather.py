"""What goes wrong, and how often. Every seed draws its own mixture, many of them without some kind of fault: a world with
every fault at once hides what a single one does.
"""

import random
from dataclasses import dataclass, replace
from typing import Final, Literal

from cloud.ingest import CRASH_POINTS
from kiosk.ports import CrashPoint

SQL_CLOUD_EVERY: Final = 20
SQL_OUTBOX_EVERY: Final = 5

KIOSK_PLACES: Final = (
    *(str(point) for point in CrashPoint),
    *(f"{when} {write}" for when in ("before", "after") for write in ("append", "store_answer", "mark_shown")),
)
WORKER_PLACES: Final = (
    *(point for point in CRASH_POINTS if point not in {"before_load", "before_save"}),
    *("begin", "load", "save", "commit"),
)
"""Where a machine may die: the product's own crash points, and around every write. The worker's two inside a transaction are
``load`` and ``save`` here."""

LIKELY: Final = 0.5

Store = Literal["memory", "sqlite"]


@dataclass(frozen=True, slots=True)
class Weather:
    """Chances are per occasion, 0 to 1; ``_per_day`` is a mean count per kiosk or broker and simulated shop day."""

    delay_mean_s: float = 0.05
    loss: float = 0
    doubling: float = 0
    corruption: float = 0
    forging: float = 0
    """Somebody at the broker answers in the cloud's name."""
    replaying: float = 0
    """An old message comes again, perhaps in another kiosk's name."""
    partitions_per_day: float = 0
    broker_crashes_per_day: float = 0
    hold_losses_per_day: float = 0
    """All holds are gone: a hold is a courtesy, and nothing may depend on one."""
    kiosk_power_cut: float = 0
    """At every boundary of an effect."""
    kiosk_place: str = ""
    """One boundary at which it is likely."""
    disk_failure: float = 0
    """Of a kiosk, at every write."""
    worker_crash: float = 0
    """At every named point of a round."""
    worker_place: str = ""
    """One point at which it is likely."""
    database_failure: float = 0
    """At every step of a transaction; after the commit it is a lost connection."""
    conflict: float = 0
    interleaving: float = 0
    """Another worker's transaction comes in between reading and writing."""


CALM: Final = Weather()
"""After healing."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Who is there, and on what everything is stored."""

    kiosks: int
    workers: int
    vouchers: int
    """Of each programme. Few vouchers meet often."""
    days: int
    day_s: float
    hostile: float
    """Share of customers that are up to no good."""
    outbox: Store
    database: Store
    weather: Weather


def draw_scenario(seed: int) -> Scenario:
    """Draw a seed's world. Its generator is not the one that plays it, so that a new option does not change old worlds."""
    rng = random.Random(f"scenario {seed}")
    # Chosen by number and not by chance, so that every run of some seeds has its share of the slow ones.
    database: Store = "sqlite" if seed % SQL_CLOUD_EVERY == 3 else "memory"
    outbox: Store = "sqlite" if seed % SQL_OUTBOX_EVERY == 1 else "memory"
    return Scenario(
        kiosks=rng.choice((1, 2, 2, 3)),
        workers=rng.choice((1, 2)),
        vouchers=rng.choice((4, 10, 25)),
        days=rng.choice((2, 3, 4)),
        day_s=rng.choice((60, 120, 180, 420)),
        hostile=rng.choice((0.1, 0.3, 0.6)),
        outbox=outbox,
        database=database,
        weather=_draw_place(seed, _draw_weather(rng)),
    )


def _draw_place(seed: int, weather: Weather) -> Weather:
    """Make one place dangerous: all of them in turn, so that a few dozen seeds meet each of them."""
    turn, is_worker = divmod(seed, 2)
    if is_worker:
        return replace(weather, worker_place=WORKER_PLACES[turn % len(WORKER_PLACES)])
    return replace(weather, kiosk_place=KIOSK_PLACES[turn % len(KIOSK_PLACES)])


def _draw_weather(rng: random.Random) -> Weather:
    return Weather(
        delay_mean_s=rng.choice((0.02, 0.2, 2.0, 20.0)),
        loss=rng.choice((0, 0, 0.05, 0.3)),
        doubling=rng.choice((0, 0.1, 0.5)),
        corruption=rng.choice((0, 0, 0.05)),
        forging=rng.choice((0, 0, 0.2)),
        replaying=rng.choice((0, 0.1)),
        partitions_per_day=rng.choice((0, 1, 3)),
        broker_crashes_per_day=rng.choice((0, 0, 1, 3)),
        hold_losses_per_day=rng.choice((0, 0, 20)),
        kiosk_power_cut=rng.choice((0, 0, 0.01, 0.04)),
        disk_failure=rng.choice((0, 0, 0, 0.03)),
        worker_crash=rng.choice((0, 0.01, 0.05)),
        database_failure=rng.choice((0, 0, 0.03)),
        conflict=rng.choice((0, 0, 0.05)),
        interleaving=rng.choice((0, 0, 0.2)),
    )
