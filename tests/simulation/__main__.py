"""``make simulate``: plays seeds. The last line is one JSON object; the exit status is 0 if no rule was broken."""

import argparse
import hashlib
import json
import os
import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Final

from tests.simulation.play import Outcome, play_seed

REPEATED_EVERY: Final = 50
"""Every so many seeds one is played twice, and must leave the same trace."""

SEEDS: Final = 200
JOBS_MAX: Final = 2
PROGRESS_S: Final = 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Play; the exit status is 1 if a rule was broken or a trace was not the same twice."""
    wanted = _arguments(arguments)
    began = time.monotonic()
    if wanted.seed is not None and wanted.seeds is None:
        outcomes = [play_seed(wanted.seed, tell=lambda line: print(line, file=sys.stderr))]
    else:
        first, count = wanted.seed or 1, wanted.seeds or SEEDS
        outcomes = list(_play_many(range(first, first + count), jobs=wanted.jobs))
    summary = summarise(outcomes, seconds=time.monotonic() - began)
    print(json.dumps(summary, sort_keys=False))
    return 1 if summary["failures"] else 0


def summarise(outcomes: Sequence[Outcome], *, seconds: float) -> dict[str, object]:
    """Sum up what was played."""
    struck: Counter[str] = Counter()
    for outcome in outcomes:
        struck.update(outcome.struck)
    failed = [outcome.seed for outcome in outcomes if outcome.violations]
    trace = hashlib.blake2b(" ".join(outcome.trace_hash for outcome in outcomes).encode(), digest_size=16)
    return {
        "seeds": len(outcomes),
        "failures": len(failed),
        "failed_seeds": failed,
        "redemptions": sum(outcome.redemptions for outcome in outcomes),
        "refused": sum(sum(outcome.refused.values()) for outcome in outcomes),
        "events": sum(outcome.events for outcome in outcomes),
        "virtual_days": round(sum(outcome.virtual_days for outcome in outcomes), 1),
        "faults": dict(sorted(struck.items())),
        "seconds": round(seconds, 1),
        "trace_hash": trace.hexdigest(),
    }


def play_checked(seed: int) -> Outcome:
    """Play a seed, some of them twice."""
    outcome = play_seed(seed)
    if seed % REPEATED_EVERY == 1:
        again = play_seed(seed)
        if again.trace_hash != outcome.trace_hash:
            wrong = "the same seed left another trace when it was played again"
            return replace(outcome, violations=(*outcome.violations, wrong))
    return outcome


def _play_many(seeds: Sequence[int], *, jobs: int) -> Iterator[Outcome]:
    told = time.monotonic()
    with ProcessPoolExecutor(jobs) as pool:
        for count, outcome in enumerate(pool.map(play_checked, seeds, chunksize=8), start=1):
            if outcome.violations:
                _report(outcome)
            if time.monotonic() - told > PROGRESS_S:
                told = time.monotonic()
                print(f"simulation: {count} of {len(seeds)} seeds", file=sys.stderr)
            yield outcome


def _report(outcome: Outcome) -> None:
    command = shlex.join([os.path.relpath(sys.executable), "-m", "tests.simulation", "--seed", str(outcome.seed)])
    print(f"simulation: seed {outcome.seed} failed; again with its trace:  {command}", file=sys.stderr)
    for violation in outcome.violations[:5]:
        print(f"    {violation}", file=sys.stderr)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=_count, help=f"how many (default {SEEDS})")
    parser.add_argument("--seed", type=_count, help="the first one; alone: only this one, with its trace on stderr")
    parser.add_argument("--jobs", type=_count, default=min(JOBS_MAX, os.cpu_count() or 1), help="processes")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 10_000_000:
        raise argparse.ArgumentTypeError("between 1 and 10 million")
    return number


if __name__ == "__main__":
    sys.exit(main())
