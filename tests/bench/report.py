"""What people read: the table of ratios after a run, and the figures in ``docs/performance.md``.

In the document, what stands between ``<!-- measured: NAME -->`` and ``<!-- end -->`` is written by ``make bench DOC=1``, block
by block: a run of one benchmark leaves the others' figures as they were. A test holds the ratios and goals of every block equal
to :data:`tests.bench.goals.GOALS`; the values are whatever the machine gave.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.bench.goals import GOALS, Goal, Outcome, outcomes

PAGE: Final = Path(__file__).parents[2] / "docs" / "performance.md"
_BLOCK: Final = re.compile(r"(<!-- measured: (?P<name>[a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_NOT_MEASURED: Final = "not measured yet"


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the ratios of a run as lines for a terminal."""
    known = outcomes(found)
    width = max((len(one.goal.ratio) for one in known), default=0)
    return "\n".join(
        f"{one.goal.ratio:{width}}  {one.value:>9.3g}  {one.goal.wanted:>7}  {one.verdict}".rstrip() for one in known
    )


def fill(page: str, found: Mapping[str, Mapping[str, Any]], machine: str) -> str:
    """Return the page with the figures of these benchmarks."""

    def block(match: re.Match[str]) -> str:
        name = match["name"]
        return f"{match[1]}{_block(name, found[name], machine)}{match[3]}" if name in found else match[0]

    return _BLOCK.sub(block, page)


def rows_of(page: str) -> dict[str, list[tuple[str, str]]]:
    """Return ratio and goal of every row, by benchmark, as the page shows them."""
    found: dict[str, list[tuple[str, str]]] = {}
    for match in _BLOCK.finditer(page):
        head = match[0].split("\n\n")[0]
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in head.splitlines() if line.startswith("|")]
        found[match["name"]] = [(row[0], row[2]) for row in cells[2:]]
    return found


def goals_of(benchmark: str) -> list[Goal]:
    """Return the goals of one benchmark."""
    return [goal for goal in GOALS if goal.benchmark == benchmark]


def _block(name: str, found: Mapping[str, Any], machine: str) -> str:
    known = {one.goal.ratio: one for one in outcomes({name: found})}
    lines = ["| ratio | measured | goal | |", "|---|---|---|---|"]
    lines += [_ratio_row(goal, known.get(goal.ratio)) for goal in goals_of(name)]
    lines += ["", machine, "", "| figure | |", "|---|---|"]
    lines += [f"| {' · '.join(path)} | {value} |" for path, value in _leaves(found) if path[0] != "ratios"]
    return "\n".join(lines) + "\n"


def _ratio_row(goal: Goal, outcome: Outcome | None) -> str:
    value, verdict = (_NOT_MEASURED, "") if outcome is None else (f"{outcome.value:.3g}", outcome.verdict)
    return f"| {goal.ratio} | {value} | {goal.wanted} | {verdict} |"


def _leaves(found: Any, path: Sequence[str] = ()) -> Iterator[tuple[Sequence[str], str]]:
    if isinstance(found, Mapping):
        for key, value in found.items():
            yield from _leaves(value, (*path, str(key)))
    elif isinstance(found, Iterable) and not isinstance(found, str):
        yield path, ", ".join(map(str, found))
    else:
        yield path, f"{found:,}" if isinstance(found, int | float) and not isinstance(found, bool) else str(found)
