"""Does an order cost more where there are more vouchers? Doubled six times, and the exponent of it: 0 is flat.

One PostgreSQL database per size, all measured in turn: batches of 400, judged and committed. The vouchers that are redeemed lie
scattered among all others. Cost is CPU time, of this process and of the server.
"""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from statistics import median
from typing import Any, Final

from sqlalchemy import Engine, text

from cloud.adapters.ingest_stores import make_ingest_store
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.migrations import migrate
from cloud.domain.records import Ask
from cloud.services.answer import answer_batch
from protocol.messages import RedeemAccepted, decode_answer
from tests.bench.deck import VOUCHERS_OF_ORDER
from tests.bench.leg import SHOPS
from tests.bench.measuring import ROUNDS, Case, WrongAnswerError, exponent, measure
from tests.bench.processes import cpu_s
from tests.bench.progress import Progress
from tests.support.asks import Asks
from tests.support.postgres import Cluster, postgres_cluster
from tests.support.worlds import NOW, Shop, World, insert_world, make_programme

DOUBLINGS: Final = 6
BATCH: Final = 400
_FILL: Final = """
    INSERT INTO voucher (voucher_no, programme_id, issue_id, position, holder_name_masked, holder_id_masked, digit_tag)
    SELECT lpad(place::text, 12, '0'), :programme, :issue, place, '王○明', 'A12345****',
           decode(md5(place::text) || md5('x' || place::text), 'hex')
    FROM generate_series(0, :size - 1) AS place WHERE place % :stride <> 0
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much work there is."""

    smallest: int = 20_000
    """Vouchers of the smallest database."""
    orders: int = 2_400
    """Of one round at one size."""


def run_growth(*, sizes: Sizes | None = None) -> dict[str, Any]:
    """Measure.

    Raises:
        WrongAnswerError: an order was refused.
    """
    sizes = sizes or Sizes()
    counts = [sizes.smallest * 2**doubling for doubling in range(DOUBLINGS + 1)]
    bar = Progress("growth", len(counts) * (ROUNDS + 1))
    with postgres_cluster(durable=True) as cluster, ExitStack() as stack:
        costs: dict[int, list[float]] = {count: [] for count in counts}
        cases: dict[str, Case] = {}
        for count in counts:
            bar.step(f"filling {count:,} vouchers")
            engine = make_engine(cluster.url(cluster.make_database()))
            stack.callback(engine.dispose)
            orders = _fill(engine, count, sizes.orders * ROUNDS)
            cases[f"{count:,}"] = partial(_redeem, engine, cluster, islice_of(orders, sizes.orders), costs[count])
        figures = measure(cases, tell=lambda name: bar.step(f"{name} vouchers"))
    bar.end()
    cpu = {count: median(found) for count, found in costs.items()}
    return {
        "orders_per_s": {name: round(figure.per_s) for name, figure in figures.items()},
        "cpu_us_per_order": {f"{count:,}": round(found * 1e6, 1) for count, found in cpu.items()},
        "exponent of CPU per order over vouchers": round(exponent(list(cpu), list(cpu.values())), 3),
        "exponent of seconds per order over vouchers": round(
            exponent(counts, [figure.seconds for figure in figures.values()]), 3
        ),
        "ratios": {"CPU per order at the largest / at the smallest size": round(cpu[counts[-1]] / cpu[counts[0]], 3)},
    }


def islice_of(orders: Iterator[Ask], count: int) -> Iterator[Sequence[Ask]]:
    """Cut a stream into rounds."""
    while some := list(islice(orders, count)):
        yield some


def _redeem(engine: Engine, cluster: Cluster, rounds: Iterator[Sequence[Ask]], costs: list[float]) -> float:
    asks, store = next(rounds), make_ingest_store(engine)
    batches = [asks[start : start + BATCH] for start in range(0, len(asks), BATCH)]
    server_s, own_s, began_s = cpu_s(cluster.pid), time.process_time(), time.perf_counter()
    answers = [answer for batch in batches for answer in answer_batch(store, batch, now=NOW)]
    took_s = time.perf_counter() - began_s
    # Ticks of a process that ends just now may be counted nowhere for a moment.
    costs.append(max(1e-9, time.process_time() - own_s + cpu_s(cluster.pid) - server_s) / len(asks))
    if not all(isinstance(decode_answer(answer.answer), RedeemAccepted) for answer in answers):
        raise WrongAnswerError("an order was refused")
    return took_s / len(asks)


def _fill(engine: Engine, count: int, orders: int) -> Iterator[Ask]:
    """Fill a database, and return orders for vouchers scattered over it."""
    migrate(engine)
    scheme = make_programme()
    stride = count // (orders * sum(VOUCHERS_OF_ORDER) // len(VOUCHERS_OF_ORDER) + max(VOUCHERS_OF_ORDER))
    if not stride:
        raise ValueError("more orders than vouchers")
    numbers = [f"{place:012d}" for place in range(0, count, stride)]
    shops = tuple(Shop(f"hotel-{letter}") for letter in SHOPS)
    digits = {number: f"{int(number) * 7919 % 10_000:04d}" for number in numbers}
    world = World((scheme,), shops, dict.fromkeys(numbers, scheme.programme_id), digits)
    insert_world(engine, world)
    with engine.begin() as connection:
        issue = connection.scalar(text("SELECT issue_id FROM issue_batch"))
        connection.execute(text(_FILL), {"programme": scheme.programme_id, "issue": issue, "size": count, "stride": stride})
        connection.execute(text("ANALYZE voucher"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CHECKPOINT"))
    random.Random(count).shuffle(numbers)
    return _orders(world, numbers)


def _orders(world: World, numbers: Sequence[str]) -> Iterator[Ask]:
    makers, left = cycle([Asks(world, shop) for shop in world.shops]), iter(numbers)
    for maker, count in zip(makers, cycle(VOUCHERS_OF_ORDER), strict=False):
        wanted = list(islice(left, count))
        if len(wanted) < count:
            return
        yield maker.redeem(*wanted)
