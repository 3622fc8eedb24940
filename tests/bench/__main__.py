"""``make bench``: measures, tells on stderr what it is at, prints every ratio with its goal, and one JSON object last.

The exit status says whether what was measured did its work, not whether it was quick: this machine may be busy.
"""

import argparse
import json
import platform
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from os import cpu_count, getloadavg
from typing import Any, Final

from tests.bench.codec import run_codec
from tests.bench.confirm import run_confirm
from tests.bench.flood import run_flood
from tests.bench.goals import outcomes
from tests.bench.growth import Sizes, run_growth
from tests.bench.ingest import run_ingest
from tests.bench.latency import run_latency
from tests.bench.leg import run_leg
from tests.bench.line import run_line
from tests.bench.lists import run_lists
from tests.bench.measuring import ROUNDS, WrongAnswerError
from tests.bench.reconcile import run_reconcile
from tests.bench.report import PAGE, fill, table
from tests.bench.settle import run_settle

BENCHMARKS: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    "codec": run_codec,
    "line": run_line,
    "leg": run_leg,
    "ingest": run_ingest,
    "latency": run_latency,
    "flood": run_flood,
    "growth": run_growth,
    "settle": run_settle,
    "confirm": run_confirm,
    "reconcile": run_reconcile,
    "lists": run_lists,
}
SCALED: Final = frozenset({"settle", "confirm", "reconcile", "lists"})
"""Those that take ``--redemptions``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was chosen; the exit status is 1 if an answer was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", choices=(*BENCHMARKS, "all"), default="all")
    parser.add_argument("--redemptions", type=int, metavar="N", help="how many, with --only settle|confirm|reconcile|lists")
    parser.add_argument("--vouchers", type=int, metavar="N", help="with --only growth: go on by tens to so many, e.g. 10000000")
    parser.add_argument("--doc", action="store_true", help="write the figures into docs/performance.md")
    options = parser.parse_args(arguments)
    if options.redemptions is not None and options.only not in SCALED:
        parser.error(f"--redemptions goes with --only {' or '.join(sorted(SCALED))}")
    if options.vouchers is not None and options.only != "growth":
        parser.error("--vouchers goes with --only growth")
    began, load = time.monotonic(), getloadavg()[0]
    found: dict[str, Any] = {}
    wrong: list[str] = []
    for name, run in BENCHMARKS.items():
        if options.only in (name, "all"):
            print(f"bench: {name} …", file=sys.stderr)
            try:
                found[name] = run(**_options_of(name, options))
            except WrongAnswerError as problem:
                wrong.append(f"{name}: {problem}")
    machine = {"python": platform.python_version(), "cores": cpu_count(), "load_before": round(load, 1)}
    if options.doc:
        PAGE.write_text(fill(PAGE.read_text("utf-8"), found, _sentence(machine)), "utf-8")
    ratios = {one.goal.ratio: {"value": one.value, "goal": one.goal.wanted, "verdict": one.verdict} for one in outcomes(found)}
    if ratios:
        print(table(found))
    short = [ratio for ratio, one in ratios.items() if one["verdict"] == "short"]
    summary = {**found, "goals": ratios, "short": short, "rounds": ROUNDS, "machine": machine, "wrong": wrong}
    print(json.dumps({**summary, "seconds": round(time.monotonic() - began, 1)}, ensure_ascii=False))
    return 1 if wrong else 0


def _options_of(name: str, options: argparse.Namespace) -> dict[str, Any]:
    if name in SCALED and options.redemptions is not None:
        return {"redemptions": options.redemptions}
    if name == "growth" and options.vouchers is not None:
        return {"sizes": Sizes(largest=options.vouchers)}
    return {}


def _sentence(machine: Mapping[str, Any]) -> str:
    when = time.strftime("%Y-%m-%d", time.gmtime())
    return (
        f"Measured on {when}: {machine['cores']} cores, CPython {machine['python']}, "
        f"load {machine['load_before']} before the run; medians of at least {ROUNDS} interleaved rounds."
    )


def _end(number: int, _frame: object) -> None:
    # As an exception, so that servers and workers are ended on the way out; by default nobody would.
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main())
