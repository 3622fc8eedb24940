"""``make ha KILLS=n``: kills of the database's primary under load; a table, and one JSON object as the last line."""

import argparse
import json
import random
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

import pytest

from tests.demo.processes import DemoError
from tests.ha.cluster import ClusterError, patroni_cluster
from tests.ha.play import Stage, close_the_week, kill_once, stage
from tests.ha.table import Kill, summary, table
from tests.support.postgres import PostgresError

EXIT_CANNOT = 2
LAST_LINES = 15


def main() -> int:
    """Run; 0 if every rule held and service was back in time."""
    parser = argparse.ArgumentParser(prog="make ha", description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    wanted = parser.parse_args()
    if wanted.kills < 1:
        parser.error("at least one kill")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    kills: list[Kill] = []
    faults: list[str] = []
    try:
        with patroni_cluster() as cluster, tempfile.TemporaryDirectory(prefix="vk-ha-") as folder:
            print("three nodes are up; starting broker, worker, web, scheduler and kiosks", file=sys.stderr, flush=True)
            with stage(cluster, Path(folder), seed=wanted.seed) as on:
                faults += _play(on, wanted.kills, random.Random(wanted.seed), kills)
    except KeyboardInterrupt:
        print("ha: stopped", file=sys.stderr)
        return 128 + signal.SIGINT
    except (ClusterError, DemoError, PostgresError, TimeoutError, pytest.fail.Exception) as problem:
        print(f"ha: {problem} (repeat with --seed {wanted.seed})", file=sys.stderr)
        faults.append(str(problem))
        if not kills:
            return EXIT_CANNOT
    for fault in faults:
        print(f"✕ {fault}", file=sys.stderr)
    print(table(kills))
    print(json.dumps(summary(kills, faults, seed=wanted.seed)))
    return 1 if faults else 0


def _play(on: Stage, count: int, rng: random.Random, kills: list[Kill]) -> list[str]:
    faults: list[str] = []
    try:
        for number in range(1, count + 1):
            kills.append(kill_once(on, number, rng))
            faults += kills[-1].faults()
            print(f"{number:>3}/{count}  back after {kills[-1].back_s:.1f} s", file=sys.stderr, flush=True)
        faults += close_the_week(on)
    except Exception:
        _say_what_was_logged(on)
        raise
    if faults:
        _say_what_was_logged(on)
    return faults


def _say_what_was_logged(on: Stage) -> None:
    for log in (on.edge.worker.log, on.web.log, on.schedule.log, *(node.log for node in on.cluster.nodes)):
        if log.exists():
            print(f"--- {log.name} of {log.parent.name}", file=sys.stderr)
            print("\n".join(log.read_text("utf-8", "replace").splitlines()[-LAST_LINES:]), file=sys.stderr)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
