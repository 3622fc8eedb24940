"""``make demo``: the whole system on this machine, by hand or played through."""

import argparse
import sys
from pathlib import Path

from tests.demo.live import run_live
from tests.demo.play import run_script
from tests.demo.processes import DemoError

ROOT = Path(__file__).resolve().parents[2] / ".demo"
WEB_PORT, KIOSK_PORT, BROKER_PORT = 8080, 8081, 8883


def main() -> int:
    """Run the demo; the exit status is 0 if every number is right."""
    wanted = _arguments()
    try:
        if wanted.orders is not None:
            return run_script(ROOT / f"script-{wanted.db}", database=wanted.db, orders=wanted.orders, seed=wanted.seed)
        ports = (wanted.web_port, wanted.broker_port, wanted.kiosk_port)
        return run_live(ROOT / f"live-{wanted.db}", database=wanted.db, wanted=ports, reset=wanted.reset)
    except DemoError as problem:
        print(f"demo: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ndemo: stopped.", file=sys.stderr)
        return 130


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--orders", type=_count, help="play this many orders and check the sums")
    parser.add_argument("--db", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reset", action="store_true", help="forget what an earlier demo left")
    parser.add_argument("--web-port", type=int, default=WEB_PORT)
    parser.add_argument("--kiosk-port", type=int, default=KIOSK_PORT)
    parser.add_argument("--broker-port", type=int, default=BROKER_PORT)
    return parser.parse_args()


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 5_000:
        raise argparse.ArgumentTypeError("between 1 and 5000 orders")
    return number


if __name__ == "__main__":
    sys.exit(main())
