"""Signals of collusion: what looks as if a till redeemed without customers. Pure: thresholds and their limits.

A signal accuses nobody. It names rows that a person should look at, and the threshold by which they were found.
"""

from dataclasses import dataclass
from typing import Final, Literal

SignalKind = Literal["burst", "night", "pair"]
KINDS: Final[tuple[SignalKind, ...]] = ("burst", "night", "pair")
SHOWN_MAX: Final = 100
"""Of each kind; the strongest ones."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From where on something is a signal. Each has the limits of :data:`LIMITS`."""

    days: int = 30
    """How far back is looked, today included."""
    burst_count: int = 6
    """So many redemptions by one till …"""
    burst_minutes: int = 10
    """… within so many minutes."""
    night_count: int = 3
    """So many redemptions by one till between :data:`NIGHT_FROM_H` and :data:`NIGHT_UNTIL_H`."""
    pair_count: int = 3
    """So many orders of one person at one merchant."""


NIGHT_FROM_H: Final = 23
NIGHT_UNTIL_H: Final = 6
"""Hours of Asia/Taipei."""

LIMITS: Final = {
    "days": (1, 366),
    "burst_count": (2, 100),
    "burst_minutes": (1, 120),
    "night_count": (1, 1000),
    "pair_count": (2, 1000),
}
