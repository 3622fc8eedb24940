"""Draws by the last digits of IDs (DOMAIN 3.6): which suffixes may be drawn, and whom they draw. Pure.

A programme draws several times, each time some suffixes of two to four digits. Everybody who registered and whose ID ends with
one of them wins, at most once over all draws. A suffix is drawn once; one that an earlier suffix covers already (``121`` after
``21``) would draw nobody.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

SUFFIXES_MAX: Final = 50
_SUFFIX: Final = re.compile(r"[0-9]{2,4}")
_BETWEEN: Final = re.compile(r"[\s,，、;；]+")


@dataclass(frozen=True, slots=True)
class SuffixProblem:
    """What is wrong with the suffixes; ``why`` is a word of the page."""

    why: str
    suffix: str = ""


def read_suffixes(typed: str, *, before: Collection[str] = ()) -> tuple[str, ...] | SuffixProblem:
    """Read suffixes as people type them, sorted.

    Args:
        before: those that were drawn earlier in this programme.
    """
    found = [piece for piece in _BETWEEN.split(typed.strip()) if piece]
    if not found:
        return SuffixProblem("none")
    if len(found) > SUFFIXES_MAX:
        return SuffixProblem("many")
    for suffix in found:
        problem = _problem(suffix, found, before)
        if problem is not None:
            return SuffixProblem(problem, suffix)
    return tuple(sorted(found))


def is_drawn(national_id: str, suffixes: Sequence[str]) -> bool:
    """Tell whether an ID ends with one of the suffixes."""
    return national_id.endswith(tuple(suffixes))


def _problem(suffix: str, found: Sequence[str], before: Collection[str]) -> str | None:
    if not _SUFFIX.fullmatch(suffix):
        return "shape"
    if found.count(suffix) > 1:
        return "twice"
    if suffix in before:
        return "drawn"
    others = [other for other in (*found, *before) if other != suffix]
    return "covered" if suffix.endswith(tuple(others)) else None
