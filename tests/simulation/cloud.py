"""The cloud of one seed: one database, one or two ingest workers that run the real loop round by round, and their mishaps.

A worker dies at the named points of its round and inside a transaction. A transaction fails before, between and after its
steps, as a database that is away, refuses, or loses the connection while it commits. Between reading and writing another
worker's whole round may come first.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy import delete

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.tables import hold
from cloud.domain.digits import digit_tag
from cloud.domain.records import Ask, Decisions, Knowledge, StoredAnswer
from cloud.ingest import Ingest, IngestParts
from cloud.ports.fleet import EnrolledDevice
from cloud.ports.ingest import ConflictError, IngestStore, IngestTransaction, Meanwhile
from cloud.services.admit import KnownDevices
from cloud.services.answer import answer_batch
from protocol.errors import PortError
from protocol.keys import DeviceKeys, agree
from tests.fakes.cloud_ingest import MemoryIngestStore
from tests.fakes.edge_parts import FakeFleet, FakeParking
from tests.simulation.kernel import Kernel, PowerCut
from tests.simulation.network import Network, SimLine
from tests.support.ingest_stores import Bench, memory_bench, sql_bench
from tests.support.worlds import World

DOWN_S: Final = (0.5, 10.0)
ROUND_S: Final = (0.001, 0.05)
PATIENCE: Final = 0.7
"""Chance that a worker tries a failed database again at once instead of being stopped."""

Interleave = Callable[[], None]


class FaultyStore:
    """An ingest store to which everything happens that may happen to a database."""

    def __init__(self, store: IngestStore, kernel: Kernel, *, interleave: Interleave) -> None:
        self._store = store
        self._kernel = kernel
        self._interleave = interleave

    def begin(self, meanwhile: Meanwhile | None = None) -> AbstractContextManager[IngestTransaction]:
        return self._begin(meanwhile)

    @contextmanager
    def _begin(self, meanwhile: Meanwhile | None) -> Iterator[IngestTransaction]:
        self.stumble("begin")
        with self._store.begin(meanwhile) as transaction:
            yield _FaultyTransaction(transaction, self)

    def stumble(self, step: str) -> None:
        """The worker may die here, or the database go away."""
        self._kernel.worker_may_die(step)
        if self._kernel.strikes(self._kernel.weather.database_failure, "database failure"):
            raise PortError(f"the database went away at {step}", retry=True)

    def read(self, transaction: IngestTransaction, asks: Sequence[Ask]) -> Knowledge:
        """Read, and perhaps let somebody else come first."""
        self.stumble("load")
        knowledge = transaction.load(asks)
        self._interleave()
        return knowledge

    def write(self, transaction: IngestTransaction, decisions: Decisions) -> None:
        """Write, or not, or write and not know it."""
        self.stumble("save")
        if self._kernel.strikes(self._kernel.weather.conflict, "conflict"):
            raise ConflictError("somebody else came first")
        transaction.save(decisions)
        self.stumble("commit")


class _FaultyTransaction:
    def __init__(self, transaction: IngestTransaction, store: FaultyStore) -> None:
        self._transaction = transaction
        self._store = store

    def load(self, asks: Sequence[Ask]) -> Knowledge:
        return self._store.read(self._transaction, asks)

    def save(self, decisions: Decisions) -> None:
        self._store.write(self._transaction, decisions)


class OneRound:
    """Stops the worker's loop after one round; where the database fails it is patient at times."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._looks = 0

    def begin(self) -> None:
        """The next round is allowed."""
        self._looks = 0

    def is_set(self) -> bool:
        self._looks += 1
        return self._looks > 1

    def wait(self, timeout: float) -> bool:  # noqa: ARG002 - no time passes inside a round
        return self._kernel.rng.random() >= PATIENCE


class Worker:
    """One ingest process, again and again."""

    def __init__(self, cloud: "Cloud", line: SimLine) -> None:
        self._cloud = cloud
        self._kernel = cloud.kernel
        self._line = line
        self._is_due = False
        self._is_up = True
        self._stop = OneRound(self._kernel)
        self._ingest = self._start()
        line.on_arrival = self.wake

    def wake(self) -> None:
        """There is something to take."""
        if self._is_up and not self._is_due:
            self._is_due = True
            self._kernel.after(self._kernel.rng.uniform(*ROUND_S), self._turn)

    @property
    def has_waiting(self) -> bool:
        """Whether it is up and could start a round."""
        return self._is_up and bool(self._line.queue)

    def turn_now(self) -> None:
        """One round of the real loop."""
        if not self._is_up:
            return
        self._stop.begin()
        try:
            self._ingest.run()
        except PowerCut as crash:
            self._crash(str(crash))
            return
        if self._line.unacknowledged:
            # Stopped while the database was away: systemd starts it again.
            self._crash("stopped")

    def restart(self) -> None:
        """Come up, if down; what was not acknowledged comes again."""
        if not self._is_up:
            self._is_up = True
            self._ingest = self._start()
            self._line.reconnect()
            self.wake()

    def _turn(self) -> None:
        self._is_due = False
        if self._is_up:
            self.turn_now()
            if self._line.queue:
                self.wake()

    def _crash(self, where: str) -> None:
        self._kernel.note(f"worker ends at {where}")
        self._is_up = False
        self._kernel.after(self._kernel.rng.uniform(*DOWN_S), self.restart)

    def _start(self) -> Ingest:
        cloud = self._cloud
        return Ingest(
            IngestParts(
                line=self._line,
                judge=partial(answer_batch, cloud.store),
                fleet=cloud.fleet,  # type: ignore[arg-type]
                parking=cloud.parking,
                devices=KnownDevices(cloud.fleet, cloud.seal_private),  # type: ignore[arg-type]
                digit_tag=partial(digit_tag, cloud.world.pepper),
                clock=self._kernel,
                elapsed_s=lambda: self._kernel.now_s,
                reach=self._kernel.worker_may_die,
                stop=self._stop,
            )
        )


class Cloud:
    """Database, fleet, workers."""

    def __init__(self, network: Network, world: World, *, workers: int, sqlite: Path | None) -> None:
        """Open it.

        Args:
            sqlite: a fresh, migrated database; None for the fake in memory.
        """
        self.kernel = network.kernel
        self.witness = network.witness
        self.world = world
        self.engine = None if sqlite is None else make_engine(f"sqlite:///{sqlite}")
        self.bench: Bench = memory_bench(world) if self.engine is None else sql_bench(self.engine, world)
        self.store = FaultyStore(self.bench.store, self.kernel, interleave=self._interleave)
        self.parking = FakeParking()
        self.seal_private = self.kernel.rng.randbytes(32)
        self.keys, self.fleet = self._enrol()
        network.lines.extend(SimLine(network) for _ in range(workers))
        self.workers = [Worker(self, line) for line in network.lines]
        self._is_nested = False

    def ask_now(self, ask: Ask) -> StoredAnswer | None:
        """Ask as the staff page does: without a broker in between. None where the database or the web worker failed."""
        try:
            (stored,) = answer_batch(self.store, [ask], now=self.kernel.now())
        except (PortError, PowerCut):
            return None
        return stored

    def lose_holds(self) -> None:
        """Somebody empties that table."""
        self.kernel.struck["holds lost"] += 1
        if isinstance(self.bench.store, MemoryIngestStore):
            self.bench.store.holds.clear()
        if self.engine is not None:
            with self.engine.begin() as connection:
                connection.execute(delete(hold))

    def heal(self) -> None:
        """Every worker is up."""
        for worker in self.workers:
            worker.restart()

    def close(self) -> None:
        """Let go of the file."""
        if self.engine is not None:
            self.engine.dispose()

    def _enrol(self) -> tuple[Mapping[str, DeviceKeys], FakeFleet]:
        keys: dict[str, DeviceKeys] = {}
        rows: list[EnrolledDevice] = []
        own_public = _public(self.seal_private)
        for shop in self.world.shops:
            private = self.kernel.rng.randbytes(32)
            keys[shop.device_id] = agree(private, own_public, device_id=shop.device_id)
            rows.append(EnrolledDevice(shop.device_id, shop.site_id, _public(private)))
        return keys, FakeFleet(rows)

    def _interleave(self) -> None:
        # SQLite has one writer: there nobody can come in between, and trying would wait for itself.
        if self.engine is not None or self._is_nested or len(self.workers) < 2:
            return
        if self.kernel.strikes(self.kernel.weather.interleaving, "interleaved round"):
            self._is_nested = True
            try:
                # The worker that is at work has taken its messages: it finds nothing, the other one does its round.
                for worker in self.workers:
                    if worker.has_waiting:
                        worker.turn_now()
                        break
            finally:
                self._is_nested = False


def _public(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
