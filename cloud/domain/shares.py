"""How the sessions of a region are shared out among its workers.

Every worker applies the same rule to what it sees; nobody tells anybody what to do. A worker takes what is free up to its fair
share and gives back what is above it. All shares together hold every session, so this comes to rest: with nothing free, and
nobody above.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """Who holds what, as one worker sees it."""

    workers: int
    """How many there are, the one who looks among them."""
    mine: frozenset[int]
    """Sessions that the one who looks holds."""
    others: frozenset[int] = frozenset()
    """Sessions that anybody else holds."""


def fair_share(sessions: int, workers: int) -> int:
    """Return the most sessions that one of so many workers holds."""
    return -(-sessions // max(workers, 1))


def to_take(standing: Standing, sessions: int) -> list[int]:
    """Return the free sessions that the worker should try to get, lowest first."""
    room = fair_share(sessions, standing.workers) - len(standing.mine)
    free = [session for session in range(sessions) if session not in standing.mine | standing.others]
    return free[: max(room, 0)]


def to_give_back(standing: Standing, sessions: int) -> list[int]:
    """Return the sessions that the worker holds above its share, highest first."""
    surplus = len(standing.mine) - fair_share(sessions, standing.workers)
    return sorted(standing.mine, reverse=True)[: max(surplus, 0)]
