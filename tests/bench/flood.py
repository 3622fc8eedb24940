"""One kiosk gone mad: a thousand messages a second from one device, and what the others feel of it.

The others ask at a steady rate, a quarter of what the system can do, with and without the flood beside them, in turn. The flood
is made of honest, proved requests, all different; what is beyond its allowance the worker hardly looks at.

A 99th percentile of one round says as much about the machine's other work as about the flood. So the rounds are many and short,
a pair of neighbours (with, without) makes one ratio, the two of a pair change places, and the median of the ratios counts.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from tests.bench.fleet import KIOSKS
from tests.bench.load import CONNECTIONS, WINDOW
from tests.bench.measuring import ROUNDS
from tests.bench.progress import Progress
from tests.bench.stage import product_stage
from tests.support.postgres import postgres_cluster

FLOOD_PER_S: Final = 1_000
LOAD: Final = 0.25


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much work a round does."""

    warm: int = 1_500
    seconds: float = 3.0
    kiosks: int = KIOSKS
    rounds: int = 3 * ROUNDS
    """Of each kind."""


def run_flood(*, sizes: Sizes | None = None) -> dict[str, Any]:
    """Measure.

    Raises:
        WrongAnswerError: another kiosk's answer was missing, not authentic or not what it must be.
    """
    sizes = sizes or Sizes()
    bar = Progress("flood", 1 + 2 * sizes.rounds)
    with (
        TemporaryDirectory(prefix="vk-bench-", dir="/var/tmp") as folder,
        postgres_cluster(durable=True) as cluster,
        ExitStack() as stack,
    ):
        bar.step("preparing")
        url = cluster.url(cluster.make_database())
        stage = stack.enter_context(product_stage(Path(folder) / "product", url, kiosks=sizes.kiosks))
        for sends in (sizes.warm, 4 * sizes.warm):
            warm = stage.load.run(stage.deal("redeem", sends), sends, window=WINDOW)
        rate = sends / warm["seconds"] * LOAD
        sends, floods = max(40, int(rate * sizes.seconds)), int(FLOOD_PER_S * sizes.seconds)
        deck = stage.deal("redeem", sends + sizes.warm + CONNECTIONS, runs=2 * sizes.rounds)
        flood = {"deck": stage.deal("check", floods, runs=sizes.rounds, kiosk=sizes.kiosks - 1), "rate": FLOOD_PER_S}
        stage.settle_down()
        found: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
        for number in range(sizes.rounds):
            for name in ("without", "with") if number % 2 == 0 else ("with", "without"):
                bar.step(f"{name} a flood")
                beside = {"flood": {**flood, "sends": floods}} if name == "with" else {}
                found[name].append(stage.load.run(deck, sends, rate=rate, **beside)["latency_ms"])
                # Until what the flood left behind is worked off.
                stage.load.run(deck, sizes.warm, window=WINDOW)
    bar.end()
    medians = {name: {key: median(run[key] for run in runs) for key in runs[0]} for name, runs in found.items()}
    ratios = [beside["p99"] / max(1e-6, alone["p99"]) for beside, alone in zip(found["with"], found["without"], strict=True)]
    return {
        "flood_per_s": FLOOD_PER_S,
        "others_per_s": round(rate),
        "others: ms": medians,
        "p99 of each round: ms": {name: [run["p99"] for run in runs] for name, runs in found.items()},
        "p99 of each pair, with / without": [round(ratio, 2) for ratio in ratios],
        "ratios": {"others' p99 with a flood / without": round(median(ratios), 3)},
    }
