"""``make bench``: measures, tells on stderr what it is at, and prints one JSON object as its last line.

The exit status says whether what was measured did its work, not whether it was quick: this machine may be busy.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from os import cpu_count, getloadavg
from typing import Any, Final

from tests.bench.codec import run_codec
from tests.bench.ingest import run_ingest
from tests.bench.line import run_line
from tests.bench.measuring import ROUNDS, WrongAnswerError

BENCHMARKS: Final[dict[str, Callable[[], dict[str, Any]]]] = {"codec": run_codec, "line": run_line, "ingest": run_ingest}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was chosen; the exit status is 1 if an answer was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", choices=(*BENCHMARKS, "all"), default="all")
    chosen = parser.parse_args(arguments).only
    began, load = time.monotonic(), getloadavg()[0]
    found: dict[str, Any] = {}
    wrong: list[str] = []
    for name, run in BENCHMARKS.items():
        if chosen in (name, "all"):
            print(f"bench: {name} …", file=sys.stderr)
            try:
                found[name] = run()
            except WrongAnswerError as problem:
                wrong.append(f"{name}: {problem}")
    machine = {"python": platform.python_version(), "cores": cpu_count(), "load_before": round(load, 1)}
    summary = {**found, "rounds": ROUNDS, "machine": machine, "wrong": wrong, "seconds": round(time.monotonic() - began, 1)}
    print(json.dumps(summary, ensure_ascii=False))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
