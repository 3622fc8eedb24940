"""``make chaos KILLS=n``: kills drawn at random among the named points; the last line is one JSON object."""

import argparse
import json
import random
import sys
from collections import Counter
from pathlib import Path

from tests.chaos.kills import at_random
from tests.chaos.run import run_orders
from tests.demo.cast import SITES
from tests.demo.processes import DemoError
from tests.demo.world import Ports, open_world

ROOT = Path(__file__).resolve().parents[2] / ".demo"


def main() -> int:
    """Run; 0 if nothing was lost and nothing counted twice."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--db", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    wanted = parser.parse_args()
    rng = random.Random(wanted.seed)
    try:
        with open_world(
            ROOT / f"chaos-{wanted.db}", database=wanted.db, ports=Ports.free(len(SITES)), sites=list(SITES), fresh=True
        ) as world:
            report = run_orders(world, at_random(world, wanted.kills, rng), orders=2 * wanted.kills, seed=wanted.seed)
    except DemoError as problem:
        print(f"chaos: {problem} (repeat with --seed {wanted.seed})", file=sys.stderr)
        return 2
    for fault in report.faults:
        print(f"✕ {fault}", file=sys.stderr)
    line = {
        "database": wanted.db,
        "seed": wanted.seed,
        "orders": report.orders,
        "visits": report.visits,
        "vouchers": report.vouchers,
        "killed": dict(Counter(report.killed)),
        "not_passed": dict(Counter(report.missed)),
        "faults": report.faults,
    }
    print(json.dumps(line))
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
