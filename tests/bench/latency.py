"""How long an answer takes: at half of what the system can do, and alone.

Beside both, in the same rounds, a batch of one: judge and commit, and nothing around it. The hops of an order alone are taken
on the kiosk; what broker and line need of it is the same way through a worker that answers at once, what judge and commit need
is what the worker's own meter says.
"""

import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from itertools import cycle
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.migrations import migrate
from tests.bench.customer import Customer, Hops
from tests.bench.fleet import KIOSKS
from tests.bench.goals import CLAIMED_PEER_P99_MS
from tests.bench.ingest import http_orders
from tests.bench.leg import Leg
from tests.bench.load import WINDOW
from tests.bench.measuring import ROUNDS, percentile
from tests.bench.peer_http import running_http_peer
from tests.bench.progress import Progress
from tests.bench.stage import Stage, bare_stage, peer_stage, product_stage
from tests.bench.stock import FIRST_VOUCHER
from tests.support.broker import HOST
from tests.support.postgres import Cluster, postgres_cluster

LOAD: Final = 0.5
CUSTOMERS: Final = 16
"""Kiosks that are alone in turn: one would ask more than its flow limit."""

HTTP_CLIENTS: Final = 2
_VOUCHERS_OF_ORDER: Final = (2, 3)
_HOPS: Final = tuple(field.name for field in fields(Hops))


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much work a round does."""

    warm: int = 1_500
    seconds: float = 3.0
    """Of one open loop, and of the closed one that tells what the system can do."""
    alone: int = 100
    visits: int = 20
    http_orders: int = 150
    kiosks: int = KIOSKS


def run_latency(*, sizes: Sizes | None = None) -> dict[str, Any]:
    """Measure.

    Raises:
        WrongAnswerError: an answer was missing, not authentic or not what it must be.
    """
    sizes = sizes or Sizes()
    bar = Progress("latency", 4 + ROUNDS * 5)
    with (
        TemporaryDirectory(prefix="vk-bench-", dir="/var/tmp") as folder,
        postgres_cluster(durable=True) as cluster,
        ExitStack() as stack,
    ):
        bar.step("preparing")
        latency = Latency(Path(folder), cluster, sizes, stack)
        bar.step("what the system can do")
        latency.find_rate()
        for _ in range(ROUNDS):
            for act in (latency.half_load, latency.alone, latency.commits, latency.http, latency.echoes):
                bar.step(act.__name__.replace("_", " "))
                act()
        bar.end()
        return latency.summary()


class Latency:
    """The system, and what was found out."""

    def __init__(self, folder: Path, cluster: Cluster, sizes: Sizes, stack: ExitStack) -> None:
        self._sizes = sizes
        self._stage = stack.enter_context(product_stage(folder / "product", _new(cluster), kiosks=sizes.kiosks))
        customers = [stack.enter_context(Customer(self._stage, folder / f"kiosk-{number}")) for number in range(CUSTOMERS)]
        self._customers = cycle(customers)
        visits = ROUNDS * (sizes.alone * 2 + sizes.visits + 1) * max(_VOUCHERS_OF_ORDER)
        first = self._stage.add_vouchers(visits)
        self._numbers = (f"{number:012d}" for number in range(first, first + visits))
        echo, _ = stack.enter_context(
            peer_stage(folder / "echo", f"sqlite:///{folder}/echo.sqlite3", "tests.bench.peer_echo", "bare", kiosks=1)
        )
        self._echo = stack.enter_context(Customer(echo, folder / "echo-kiosk"))
        shop = stack.enter_context(bare_stage(folder / "http", _new(cluster), kiosks=sizes.kiosks))
        self._http = stack.enter_context(running_http_peer(shop.database_url, folder / "http"))
        self._http_orders = http_orders(shop, ROUNDS * sizes.http_orders)
        self._leg = self._open_leg(_new(cluster), stack)
        self._half: list[dict[str, float]] = []
        self._found: dict[str, list[float]] = {}
        self._hops: list[Hops] = []
        self._most_per_s = 0.0
        self._commit_s: list[float] = []

    def find_rate(self) -> None:
        """Find what the system can do, and have the requests for half of it made."""
        sizes, load = self._sizes, self._stage.load
        warm = load.run(self._stage.deal("redeem", sizes.warm), sizes.warm, window=WINDOW)
        sends = max(sizes.warm, int(sizes.warm / warm["seconds"] * sizes.seconds))
        found = load.run(self._stage.deal("redeem", sends), sends, window=WINDOW)
        self._most_per_s = sends / found["seconds"]
        self._half_sends = max(100, int(self._most_per_s * LOAD * sizes.seconds))
        self._deck = self._stage.deal("redeem", self._half_sends, runs=ROUNDS)
        self._stage.settle_down()

    def half_load(self) -> None:
        """Open loop, whatever happens."""
        found = self._stage.load.run(self._deck, self._half_sends, rate=self._most_per_s * LOAD)
        self._half.append(found["latency_ms"])

    def alone(self) -> None:
        """One order, one check, one visit at a time."""
        before = _metered(self._stage)
        for place in range(self._sizes.alone):
            self._hops.append(next(self._customers).redeem(self._take(_VOUCHERS_OF_ORDER[place % 2])))
        after = _metered(self._stage)
        self._commit_s.append((after[0] - before[0]) / max(1.0, after[1] - before[1]))
        for _ in range(self._sizes.alone):
            self._note("check alone", [next(self._customers).check(*self._take(1))])
        for place in range(self._sizes.visits):
            self._note("visit alone", [next(self._customers).visit(self._take(_VOUCHERS_OF_ORDER[place % 2]))])

    def commits(self) -> None:
        """Batches of one."""
        self._note("commit of one", self._leg.commits_of_one(self._sizes.alone))

    def http(self) -> None:
        """The HTTP peer."""
        mine = [self._http_orders.pop() for _ in range(self._sizes.http_orders)]
        self._note("Flask and ORM over HTTP", self._http.redeem(mine, clients=HTTP_CLIENTS))

    def echoes(self) -> None:
        """The way there and back."""
        self._note("there and back", [self._echo.echo(f"{FIRST_VOUCHER:012d}") for _ in range(self._sizes.alone)])

    def summary(self) -> dict[str, Any]:
        """All figures, in milliseconds."""
        self._leg.check()
        half = {name: median(found[name] for found in self._half) for name in self._half[0]}
        quantiles = {name: _quantiles(values) for name, values in self._found.items()}
        alone = _quantiles([hops.total for hops in self._hops])
        commit, peer = quantiles["commit of one"], quantiles["Flask and ORM over HTTP"]
        ratios = {
            "p50 at half load / commit of one": half["p50"] / commit["p50"],
            "p99 at half load / pretix p99 (claimed 38.8 ms)": half["p99"] / CLAIMED_PEER_P99_MS,
            "p99 at half load / p99 of Flask and ORM over HTTP (measured)": half["p99"] / peer["p99"],
            "one order alone / commit of one": alone["p50"] / commit["p50"],
        }
        return {
            "most_orders_per_s": round(self._most_per_s),
            "half load: ms": {"orders_per_s": round(self._most_per_s * LOAD), **half},
            "alone: ms": {"order": alone, **quantiles},
            "order alone, hop by hop: ms, medians": self._hop_medians(quantiles["there and back"]["p50"]),
            "ratios": {name: round(value, 3) for name, value in ratios.items()},
        }

    def _hop_medians(self, there_and_back_ms: float) -> dict[str, float]:
        hops = {name: median(getattr(one, name) for one in self._hops) * 1e3 for name in _HOPS}
        commit_ms = median(self._commit_s) * 1e3
        rest = hops["away"] - there_and_back_ms - commit_ms
        named = {
            "save in the outbox (before the publish)": hops["save"],
            "publish": hops["publish"],
            "away": hops["away"],
            "away: broker and line, there and back": there_and_back_ms,
            "away: judge and commit, by the worker's meter": commit_ms,
            "away: proof, answer and the rest": rest,
            "wake the kiosk's loop": hops["wake"],
            "prove and store the answer": hops["store"],
        }
        return {name: round(value, 3) for name, value in named.items()}

    def _note(self, name: str, seconds: Sequence[float]) -> None:
        self._found.setdefault(name, []).extend(seconds)

    def _take(self, count: int) -> list[str]:
        return [next(self._numbers) for _ in range(count)]

    def _open_leg(self, url: str, stack: ExitStack) -> Leg:
        engine = make_engine(url)
        stack.callback(engine.dispose)
        migrate(engine)
        return Leg(engine, 0.0, commits_of_one=ROUNDS * self._sizes.alone)


def _quantiles(seconds: Sequence[float]) -> dict[str, float]:
    return {name: round(percentile(seconds, share) * 1e3, 3) for name, share in (("p50", 0.5), ("p99", 0.99))}


def _metered(stage: Stage) -> tuple[float, float]:
    """Seconds of all commits so far, and how many there were."""
    with urllib.request.urlopen(f"http://{HOST}:{stage.metrics_port}/metrics", timeout=20) as answer:
        lines = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if not line.startswith("#"))
    name = "voucher_ingest_commit_seconds"
    return float(lines[f"{name}_sum"]), float(lines[f"{name}_count"])


def _new(cluster: Cluster) -> str:
    return cluster.url(cluster.make_database())
