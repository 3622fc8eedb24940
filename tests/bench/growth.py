"""Does an order cost more where there are more vouchers? Doubled six times, by tens further on, and the exponent: 0 is flat.

One PostgreSQL database per size, with a past (:mod:`tests.bench.past`), all in one server. Orders for vouchers that lie
scattered among all others are judged and committed in batches. Cost is CPU time, of this process and of the server, from
``/proc``, never the clock on the wall. Rounds go over all sizes, every other one the other way round.

Three things would be measured instead of growth, if they were left to chance:

* **The last checkpoint.** The first change of a page after one copies all of it into the log. A small table has that behind it
  at once; in a large one nearly every order meets pages that were not changed yet. So none comes by itself here, and both are
  told: *between* checkpoints, where every size has met its pages before anything counts, and *right after* one, which is as bad
  as it gets and over when as many orders have passed as one index has pages.
* **A fresh server.** To read a page in costs more than to look at it. So what orders meet at random is read beforehand, by the
  very connection that works with it then: a worker's lives for weeks. The server may use a quarter of the memory, as
  PostgreSQL's manual says.
* **Autovacuum**, which is off meanwhile; tables are vacuumed and analysed when they are filled.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count, cycle, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from sqlalchemy import Engine

from cloud.adapters.postgres_ingest import PostgresIngestStore
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.migrations import migrate
from cloud.domain.records import Ask
from cloud.services.answer import answer_batch
from protocol.ids import uuid7
from protocol.messages import RedeemAccepted, decode_answer
from tests.bench.deck import VOUCHERS_OF_ORDER
from tests.bench.measuring import ROUNDS, WrongAnswerError, exponent
from tests.bench.past import NOW, PROGRAMME, SHOPS, UNUSED_SHARE, fill, ingest_store, read_pages, unused_numbers
from tests.bench.processes import children_of, cpu_ns
from tests.bench.progress import Progress
from tests.support.asks import Asks
from tests.support.postgres import Cluster, postgres_cluster
from tests.support.worlds import World

DOUBLINGS: Final = 6
_SMALL, _LARGE, _AFTER = "batches of 100", "batches of 400", "batches of 400 right after a checkpoint"
_MEAN: Final = sum(VOUCHERS_OF_ORDER) / len(VOUCHERS_OF_ORDER)
_TOUCHES: Final = 3
"""Changes per page of an index before anything counts: one page in twenty is left."""

_BUFFERS_BYTES: Final = min(4 << 30, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4)
_FILLING: Final = {"shared_buffers": f"{_BUFFERS_BYTES >> 10}kB", "max_wal_size": "8GB"}
_MEASURING: Final = {**_FILLING, "max_wal_size": "64GB", "checkpoint_timeout": "1d", "autovacuum": "off"}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much work there is."""

    smallest: int = 10_000
    """Vouchers of the smallest database."""
    largest: int = 0
    """Go on by tens from the doubled ones to so many vouchers."""
    warm_up: int = 200
    small: int = 600
    """Orders of a round in batches of 100."""
    large: int = 800
    """Orders of a round in batches of 400."""
    rounds: int = ROUNDS + 2

    @property
    def counts(self) -> list[int]:
        """Numbers of vouchers, ascending."""
        doubled = [self.smallest * 2**doubling for doubling in range(DOUBLINGS + 1)]
        tens = (self.smallest * 10**power for power in range(12))
        return doubled + [size for size in tens if doubled[-1] < size <= self.largest]

    @property
    def orders(self) -> int:
        """Of a round, all in all."""
        return self.warm_up + self.small + self.large


_FIGURES: Final = ("judge", "backend", "server", "total", "log_bytes")


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU microseconds of one order, and bytes of the log."""

    judge: float
    backend: float
    server: float
    """The server's other processes."""
    log_bytes: float

    @property
    def total(self) -> float:
        """Of everybody."""
        return self.judge + self.backend + self.server


Costs = dict[int, dict[str, list[Cost]]]
"""By number of vouchers and name of the case."""


class Place:
    """One size: a database, or a fresh copy for every round where it is too small for all of them."""

    def __init__(self, cluster: Cluster, filled: str, vouchers: int, sizes: Sizes) -> None:
        self._cluster, self._filled, self._vouchers, self._sizes = cluster, filled, vouchers, sizes
        self._is_copied = vouchers * UNUSED_SHARE < (sizes.rounds + 2) * sizes.orders * _MEAN
        self._engine: Engine | None = None
        self.costs: dict[str, list[Cost]] = {_SMALL: [], _LARGE: [], _AFTER: []}

    def run_round(self) -> None:
        """Measure between two checkpoints."""
        if self._is_copied or self._engine is None:
            self._open()
        for name, orders, size in ((_SMALL, self._sizes.small, 100), (_LARGE, self._sizes.large, 400)):
            self.costs[name].append(self._answer(orders, size))

    def run_after_checkpoint(self) -> None:
        """Measure right after a checkpoint."""
        if self._is_copied or self._engine is None:
            self._open()
        self._administer("CHECKPOINT")
        self.costs[_AFTER].append(self._answer(self._sizes.large // 2, 400))

    def close(self) -> None:
        """Leave the database."""
        if self._engine is not None:
            self._engine.dispose()

    def _open(self) -> None:
        self.close()
        self._database = self._cluster.make_database(self._filled) if self._is_copied else self._filled
        self._engine = make_engine(self._cluster.url(self._database))
        with self._engine.begin() as connection:
            pages = connection.exec_driver_sql(
                "SELECT relpages FROM pg_class WHERE relname = 'pk_redemption_line'"
            ).scalar_one()
            warm_up = max(self._sizes.warm_up, int(pages * _TOUCHES / _MEAN))
            orders = warm_up + self._sizes.orders * (1 if self._is_copied else self._sizes.rounds + 2)
            numbers = unused_numbers(connection, min(int(orders * _MEAN), int(self._vouchers * UNUSED_SHARE)))
        self._store: PostgresIngestStore = ingest_store(self._engine)
        read_pages(self._store)
        self._asks = _orders(numbers)
        self._answer(warm_up, 100)

    def _answer(self, orders: int, size: int) -> Cost:
        asks = list(islice(self._asks, orders))
        batches = [asks[start : start + size] for start in range(0, len(asks), size)]
        answers = []
        log_end, before = self._log_end(), self._cpu_us()
        for batch in batches:
            answers += answer_batch(self._store, batch, now=NOW)
        spent = [(now - then) / orders for now, then in zip(self._cpu_us(), before, strict=True)]
        if len(answers) < orders or not all(isinstance(decode_answer(one.answer), RedeemAccepted) for one in answers):
            raise WrongAnswerError(f"{self._vouchers} vouchers: an order was refused")
        return Cost(*spent, log_bytes=(self._log_end() - log_end) / orders)

    def _cpu_us(self) -> tuple[float, float, float]:
        """Of this process, of the backends of this database, and of the rest of the server."""
        children = children_of(self._cluster.pid)
        mine = [pid for pid, title in children.items() if f" {self._database} " in title]
        return time.process_time_ns() / 1_000, cpu_ns(mine) / 1_000, cpu_ns(children.keys() - mine) / 1_000

    def _log_end(self) -> int:
        return int(self._administer("SELECT pg_current_wal_insert_lsn() - '0/0'"))

    def _administer(self, statement: str) -> Any:
        assert self._engine is not None
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            found = connection.exec_driver_sql(statement)
            return found.scalar() if found.returns_rows else None


def run_growth(*, sizes: Sizes | None = None) -> dict[str, Any]:
    """Measure.

    Raises:
        WrongAnswerError: an order was refused.
    """
    sizes = sizes or Sizes()
    bar = Progress("growth", len(sizes.counts) + sizes.rounds + ROUNDS)
    # Not /tmp, which may be memory.
    with TemporaryDirectory(prefix="vk-growth-", dir="/var/tmp", ignore_cleanup_errors=True) as above:
        Path(above).chmod(0o755)
        fill_sizes(Path(above) / "server", sizes, bar)
        costs = measure_sizes(Path(above) / "server", sizes, bar)
    bar.end()
    return summary_of(costs)


def fill_sizes(folder: Path, sizes: Sizes, bar: Progress) -> None:
    """Fill a database for every size, quickly."""
    with postgres_cluster(folder=folder, settings=_FILLING) as cluster:
        for vouchers in sizes.counts:
            bar.step(f"filling {vouchers:,} vouchers")
            engine = make_engine(cluster.url(cluster.make_database(name=_name(vouchers))))
            migrate(engine)
            fill(engine, vouchers)
            engine.dispose()


def measure_sizes(folder: Path, sizes: Sizes, bar: Progress) -> Costs:
    """Measure every size, as durable as PostgreSQL is installed."""
    with postgres_cluster(durable=True, folder=folder, fresh=False, settings=_MEASURING) as cluster, ExitStack() as stack:
        places = {vouchers: Place(cluster, _name(vouchers), vouchers, sizes) for vouchers in sizes.counts}
        for place in places.values():
            stack.callback(place.close)
        for number in range(sizes.rounds):
            bar.step("between checkpoints")
            for vouchers in sorted(places, reverse=number % 2 == 1):
                places[vouchers].run_round()
        for _ in range(ROUNDS):
            bar.step("right after a checkpoint")
            for place in places.values():
                place.run_after_checkpoint()
        return {vouchers: place.costs for vouchers, place in places.items()}


def _name(vouchers: int) -> str:
    return f"past_{vouchers}"


def _orders(numbers: Sequence[str]) -> Iterator[Ask]:
    world = World((PROGRAMME,), SHOPS, {}, {number: number[-4:] for number in numbers})
    makers = cycle([Asks(world, shop) for shop in SHOPS])
    left, places = iter(numbers), count(1)
    for maker, size, place in zip(makers, cycle(VOUCHERS_OF_ORDER), places, strict=False):
        wanted = list(islice(left, size))
        if len(wanted) < size:
            return
        request_id = uuid7(int(NOW.timestamp() * 1_000) + place, os.urandom(10))
        # Far behind the kiosk's numbers of the past.
        yield maker.redeem(*wanted, id=request_id, sequence=time.time_ns())


def summary_of(costs: Costs) -> dict[str, Any]:
    """Return what is published."""
    found = {name: {vouchers: _median(mine[name]) for vouchers, mine in costs.items()} for name in (_SMALL, _LARGE, _AFTER)}
    first, *_, last = costs
    totals = {name: {vouchers: mine["total"] for vouchers, mine in by_size.items()} for name, by_size in found.items()}
    return {
        "cpu_us_per_order": {
            name: {f"{vouchers:,}": {field: round(mine[field], 1) for field in _FIGURES} for vouchers, mine in by_size.items()}
            for name, by_size in found.items()
        },
        "growth in percent": {name: round((mine[last] / mine[first] - 1) * 100, 1) for name, mine in totals.items()},
        "exponent of CPU per order over vouchers": {
            name: round(exponent(list(mine), list(mine.values())), 3) for name, mine in totals.items()
        },
        "ratios": {
            "CPU per order at the largest / at the smallest size": round(totals[_LARGE][last] / totals[_LARGE][first], 3)
        },
    }


def _median(costs: Sequence[Cost]) -> dict[str, float]:
    return {figure: median(getattr(cost, figure) for cost in costs) for figure in _FIGURES}
