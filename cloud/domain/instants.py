"""Instants on the wire: one spelling, RFC 3339 in UTC with six decimals and ``Z``.

The six decimals are what both databases keep, so the text says exactly what is stored, and equal instants have equal bytes.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

_LENGTH: Final = len("2021-11-01T04:30:00.000000")


@lru_cache(maxsize=64)
def encode_instant(instant: datetime) -> str:
    """Write an instant, e.g. ``2021-11-01T04:30:00.000000Z``.

    The last ones are remembered, because those of a batch are nearly all the same.

    Raises:
        ValueError: the time has no zone.
    """
    if instant.tzinfo is None:
        raise ValueError("a time without a zone is not an instant")
    if instant.tzinfo is not UTC:
        instant = instant.astimezone(UTC)
    # Without its "+00:00".
    return instant.isoformat(timespec="microseconds")[:_LENGTH] + "Z"
