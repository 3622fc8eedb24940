"""Orders per second, end to end and durable, beside everything that could limit them, in the same interleaved rounds.

One unit is a redeem order of 2.5 vouchers on average, from the kiosk's publish to its authentic answer after the commit; among
a hundred one comes twice and one spends another's vouchers. A check and a whole visit (a check per voucher, then the order)
are units of their own. CPU time is that of the whole processes, per unit.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal, get_args

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.migrations import migrate
from tests.bench.deck import VOUCHERS_OF_ORDER, Card, Deck, DeckKind
from tests.bench.fleet import KIOSKS, make_fleet
from tests.bench.goals import CLAIMED_PEER_PER_S
from tests.bench.leg import SET_SQL, Leg
from tests.bench.load import CROWD, WINDOW
from tests.bench.measuring import ROUNDS, Case, Figure, measure
from tests.bench.peer_http import HttpPeer, running_http_peer
from tests.bench.pgbench import PgBench
from tests.bench.processes import Peer, cpu_s
from tests.bench.progress import Progress
from tests.bench.stage import Stage, bare_stage, peer_stage, product_stage
from tests.bench.stock import check_books
from tests.bench.wire import packets_of, read_publish
from tests.support.postgres import Cluster, postgres_cluster

POSTGRES: Final = "PostgreSQL end to end"
SQLITE: Final = "SQLite end to end"
CROWDED: Final = f"PostgreSQL end to end, {CROWD:,} waiting"
CHECKS: Final = "PostgreSQL checks"
VISITS: Final = "PostgreSQL whole visits"
ECHO: Final = "echo without database"
PROOF: Final = "echo with proof and seals"
NAIVE: Final = "naive paho and ORM worker"
HTTP: Final = "Flask and ORM over HTTP"
STOCK: Final = "stock paho receive and acknowledge"
PGBENCH: Final = "pgbench, one connection"
PGBENCH_MANY: Final = "pgbench, eight connections"
Part = Literal["product", "echoes", "naive", "stock", "http", "database"]
PARTS: Final[tuple[Part, ...]] = get_args(Part)
_MEAN_VISIT: Final = sum(VOUCHERS_OF_ORDER) / len(VOUCHERS_OF_ORDER) + 1
"""Messages of a visit."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much work a run does."""

    seconds: float = 2.5
    """Of one round of one case, about."""
    warm: int = 1_500
    """Requests of the warm-up, which also tells how many fit the seconds."""
    leg_share: float = 1.0
    slow_orders: int = 400
    """One round of a peer that does a few hundred a second."""
    stock_messages: int = 6_000
    transactions: int = 2_000
    kiosks: int = KIOSKS
    window: int = WINDOW


@dataclass(slots=True)
class Runs:
    """What the rounds of one case found besides their speed."""

    cpu: list[Mapping[str, float]] = field(default_factory=list)
    """Microseconds per unit, by process."""
    vouchers: list[float] = field(default_factory=list)
    """Redeemed per second."""
    asked_again: int = 0
    """Requests whose answer was lost on the way."""

    def cpu_medians(self) -> dict[str, float]:
        """Medians over the rounds."""
        return {name: round(median(run[name] for run in self.cpu), 1) for name in (self.cpu[0] if self.cpu else {})}


class Ingest:
    """All cases, opened one after another and measured in turn."""

    def __init__(self, folder: Path, cluster: Cluster, sizes: Sizes, stack: ExitStack) -> None:
        self._folder = folder
        self._cluster = cluster
        self._sizes = sizes
        self._stack = stack
        self.cases: dict[str, Case] = {}
        self.runs: dict[str, Runs] = {}
        self._checks: list[Callable[[], None]] = []
        self._orders_ever: dict[str, tuple[int, int]] = {}

    def open(self, tell: Callable[[str], None] = lambda _: None, *, parts: Sequence[Part] = PARTS) -> None:
        """Start the product and what it is compared with."""
        opening = {
            "product": self._open_product,
            "echoes": self._open_echoes,
            "naive": self._open_naive,
            "stock": self._open_stock,
            "http": self._open_http,
            "database": self._open_database_alone,
        }
        for part in parts:
            tell(f"preparing: {part}")
            opening[part]()

    def check(self) -> None:
        """Hold every database against what its kiosks were told.

        Raises:
            WrongAnswerError: they differ.
        """
        for check in self._checks:
            check()

    # The product ----------------------------------------------------------------------------------------------------------

    def _open_product(self) -> None:
        for name, url in ((POSTGRES, self._new_database()), (SQLITE, self._sqlite("sqlite"))):
            stage = self._stack.enter_context(product_stage(self._folder / name[:6], url, kiosks=self._sizes.kiosks))
            pid = self._cluster.pid if name == POSTGRES else None
            self._add(name, stage, "redeem", postgres_pid=pid)
            if name == POSTGRES:
                self._add(CROWDED, stage, "redeem", postgres_pid=pid, window=CROWD)
                self._add(CHECKS, stage, "check", postgres_pid=pid)
                self._add(VISITS, stage, "visit", postgres_pid=pid)
            self._checks.append(partial(self._check_books, stage))

    def _check_books(self, stage: Stage) -> None:
        orders, vouchers = self._orders_ever[stage.database_url]
        check_books(stage.engine, orders=orders, vouchers=vouchers)

    def _open_echoes(self) -> None:
        for name, mode in ((ECHO, "bare"), (PROOF, "proof")):
            url = self._sqlite(mode)
            stage, _ = self._stack.enter_context(
                peer_stage(self._folder / mode, url, "tests.bench.peer_echo", mode, kiosks=self._sizes.kiosks)
            )
            self._add(name, stage, "redeem", check=False)

    def _open_naive(self) -> None:
        stage, _ = self._stack.enter_context(
            peer_stage(
                self._folder / "naive", self._new_database(), "tests.bench.peer_paho", "redeem", kiosks=self._sizes.kiosks
            )
        )
        self._add(NAIVE, stage, "redeem", postgres_pid=self._cluster.pid, check=False, sends=self._sizes.slow_orders)

    def _add(
        self,
        name: str,
        stage: Stage,
        kind: DeckKind,
        *,
        postgres_pid: int | None = None,
        check: bool = True,
        sends: int | None = None,
        window: int | None = None,
    ) -> None:
        """Warm up, have the requests of all rounds made, and add the case."""
        warm, window = min(sends or self._sizes.warm, self._sizes.warm), window or self._sizes.window
        if sends is None:
            took = self._note(stage, stage.load.run(stage.deal(kind, warm), warm, window=window, check=check))
            sends = max(warm, int(warm / took["seconds"] * self._sizes.seconds))
        deck = stage.deal(kind, sends, runs=ROUNDS)
        stage.settle_down()
        clock, runs = stage.clock(database_pid=postgres_pid), self.runs.setdefault(name, Runs())
        units = sends / _MEAN_VISIT if kind == "visit" else sends

        def run() -> float:
            clock.start()
            found = stage.load.run(deck, sends, window=window, check=check)
            runs.asked_again += found["asked_again"]
            cpu = {**clock.read(), "generator": found["cpu_s"]}
            runs.cpu.append({process: seconds / units * 1e6 for process, seconds in cpu.items()})
            runs.vouchers.append(self._note(stage, found).get("vouchers", 0) / found["seconds"])
            return float(found["seconds"]) / units

        self.cases[name] = run

    def _note(self, stage: Stage, found: dict[str, Any]) -> dict[str, Any]:
        if "orders_ever" in found:
            self._orders_ever[stage.database_url] = (found["orders_ever"], found["vouchers_ever"])
        return found

    # Peers ----------------------------------------------------------------------------------------------------------------

    def _open_stock(self) -> None:
        stage, peer = self._stack.enter_context(
            peer_stage(
                self._folder / "stock",
                self._sqlite("stock"),
                "tests.bench.peer_paho",
                "acknowledge",
                kiosks=self._sizes.kiosks,
            )
        )
        sends = self._sizes.stock_messages
        deck = stage.deal("redeem", sends, runs=ROUNDS)
        self.cases[STOCK] = partial(self._acknowledge, stage, peer, deck)

    def _acknowledge(self, stage: Stage, peer: Peer, deck: str) -> float:
        """CPU time, not wall: nobody answers here, so nobody knows when the last one was done."""
        sends, runs = self._sizes.stock_messages, self.runs.setdefault(STOCK, Runs())
        began_s = cpu_s(peer.pid)
        stage.load.run(deck, sends, window=self._sizes.window, answers=False)
        wanted = f"received {sends * (len(runs.cpu) + 1)}\n"
        peer.wait_for(lambda log: wanted in log, what="the last acknowledgement")
        took_s = cpu_s(peer.pid) - began_s
        runs.cpu.append({"worker": took_s / sends * 1e6})
        return max(took_s, 1e-9) / sends

    def _open_http(self) -> None:
        stage = self._stack.enter_context(bare_stage(self._folder / "http", self._new_database(), kiosks=self._sizes.kiosks))
        peer = self._stack.enter_context(running_http_peer(stage.database_url, self._folder / "http"))
        orders = http_orders(stage, ROUNDS * self._sizes.slow_orders)
        self.cases[HTTP] = partial(self._ask_http, peer, orders)

    def _ask_http(self, peer: HttpPeer, orders: list[tuple[str, Card, bytes]]) -> float:
        mine = [orders.pop() for _ in range(self._sizes.slow_orders)]
        pids = {"worker": peer.pids, "postgresql": [self._cluster.pid]}
        before = {name: sum(map(cpu_s, some)) for name, some in pids.items()}
        began_s = time.perf_counter()
        peer.redeem(mine)
        took_s = time.perf_counter() - began_s
        cpu = {name: (sum(map(cpu_s, some)) - before[name]) / len(mine) * 1e6 for name, some in pids.items()}
        self.runs.setdefault(HTTP, Runs()).cpu.append(cpu)
        return took_s / len(mine)

    # The database alone ---------------------------------------------------------------------------------------------------

    def _open_database_alone(self) -> None:
        for name, url in (("PostgreSQL", self._new_database()), ("SQLite", self._sqlite("leg"))):
            engine = make_engine(url)
            self._stack.callback(engine.dispose)
            migrate(engine)
            leg = Leg(engine, self._sizes.leg_share)
            self.cases |= {f"{name} {case}": act for case, act in leg.cases().items()}
            self._checks.append(leg.check)
        bench = PgBench(self._cluster, self._folder)
        for case, clients in ((PGBENCH, 1), (PGBENCH_MANY, 8)):
            self.cases[case] = partial(bench.seconds_per_transaction, clients=clients, transactions=self._sizes.transactions)

    def _new_database(self) -> str:
        return self._cluster.url(self._cluster.make_database())

    def _sqlite(self, name: str) -> str:
        return f"sqlite:///{self._folder / name}.sqlite3"


def run_ingest(*, sizes: Sizes | None = None) -> dict[str, Any]:
    """Measure.

    Raises:
        WrongAnswerError: an answer was missing, not authentic or not what it must be, or a database holds something else.
    """
    bar = Progress("ingest", len(PARTS) + ROUNDS * 24)
    with opened_ingest(sizes or Sizes()) as ingest:
        ingest.open(bar.step)
        figures = measure(ingest.cases, tell=bar.step)
        ingest.check()
    bar.end()
    return summary(figures, ingest.runs)


@contextmanager
def opened_ingest(sizes: Sizes) -> Iterator[Ingest]:
    """Give a folder and a PostgreSQL; nothing is opened yet, and all of it has ended on leaving."""
    # Not /tmp, which may be memory: a commit must meet a disk.
    with (
        TemporaryDirectory(prefix="vk-bench-", dir="/var/tmp") as folder,
        postgres_cluster(durable=True) as cluster,
        ExitStack() as stack,
    ):
        yield Ingest(Path(folder), cluster, sizes, stack)


def http_orders(stage: Stage, count: int) -> list[tuple[str, Card, bytes]]:
    """Make orders for the HTTP peer: device, card and body; each once, none of them spends another's vouchers."""
    fleet = make_fleet(stage.kiosks, stage.vault.seal_public)
    deck = Deck(fleet, 1, stage.add_vouchers(count * 3 + len(VOUCHERS_OF_ORDER)))
    while (ready := sum(card.twin is None for card in deck.cards)) < count:
        deck.deal("redeem", max(1, count - ready))
    cards = [card for card in deck.cards if card.twin is None][:count]
    return [(fleet[card.kiosk].address.device_id, card, _body_of(card)) for card in cards]


def _body_of(card: Card) -> bytes:
    packet = card.packet[0] + b"\x00\x01" + card.packet[1]
    ((_, start, end),) = packets_of(packet)
    return read_publish(packet[start:end]).payload


def summary(figures: Mapping[str, Figure], runs: Mapping[str, Runs]) -> dict[str, Any]:
    """Put the figures together, and the ratios between them."""
    per_s = {name: figure.per_s for name, figure in figures.items()}
    cpu = {name: found.cpu_medians() for name, found in runs.items()}
    end_to_end, set_sql = per_s[POSTGRES], per_s[f"PostgreSQL {SET_SQL}"]
    ratios = {
        "end to end / echo without database": end_to_end / per_s[ECHO],
        "end to end / pure server-side set SQL": end_to_end / set_sql,
        "database leg / pure server-side set SQL": per_s["PostgreSQL batches of 400"] / set_sql,
        "worker CPU per order / stock paho receive and acknowledge": cpu[POSTGRES]["worker"] / max(0.1, cpu[STOCK]["worker"]),
        "end to end / naive paho and ORM worker": end_to_end / per_s[NAIVE],
        "end to end / pretix check-in (claimed 79/s)": end_to_end / CLAIMED_PEER_PER_S,
        "end to end / Flask and ORM over HTTP (measured)": end_to_end / per_s[HTTP],
        "end to end / pgbench, one connection": end_to_end / per_s[PGBENCH],
        "end to end with 3,000 waiting / with 800": per_s[CROWDED] / end_to_end,
        "echo with proof and seals / echo without database": per_s[PROOF] / per_s[ECHO],
        "SQLite end to end / PostgreSQL end to end": per_s[SQLITE] / end_to_end,
        "SQLite batches of 100 / batches of 1": per_s["SQLite batches of 100"] / per_s["SQLite batches of 1"],
        "worker CPU µs per order": cpu[POSTGRES]["worker"],
        "PostgreSQL CPU µs per order": cpu[POSTGRES]["postgresql"],
    }
    per_s.pop(STOCK)
    return {
        "units": "orders of 2.5 vouchers; checks; whole visits (a check per voucher, then the order)",
        "units_per_s": {name: round(value) for name, value in per_s.items()},
        "vouchers_per_s": {name: round(median(runs[name].vouchers)) for name in (POSTGRES, SQLITE)},
        "cpu_us_per_unit": cpu,
        "asked_again": {name: found.asked_again for name, found in runs.items() if found.asked_again},
        "spread": {name: round(figure.spread, 2) for name, figure in figures.items()},
        "ratios": {name: round(value, 3) for name, value in ratios.items()},
    }
