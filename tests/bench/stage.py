"""One whole cloud to measure: a database with a fleet in it, a real Mosquitto, and a worker as a process of its own.

The worker is the product's, started through its command line with a configuration file, and speaks mutual TLS with the broker,
whose files are the product's too. One thing is added to them, in the benchmark's own folder only: a second listener, on
loopback and without TLS, whose every connection may speak for every kiosk. A thousand TLS sessions of real kiosks would cost
this machine a thousand clients as well; the generator uses a few connections. So the broker is spared their encryption here.
"""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, insert, text

from cloud.adapters.certificates import FleetAuthority
from cloud.adapters.clock import SystemClock
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.migrations import migrate
from cloud.adapters.sql.tables import device, merchant, site
from cloud.adapters.vault import Vault, make_vault, open_vault
from tests.bench.deck import DeckKind
from tests.bench.fleet import KIOSKS, KIOSKS_PER_SITE, address_of, seal_public_of, site_of
from tests.bench.load import CONNECTIONS, Load, running_load
from tests.bench.measuring import WrongAnswerError
from tests.bench.processes import CpuClock, Peer, running_peer
from tests.bench.stock import add_vouchers, insert_scheme
from tests.support.broker import HOST, Broker, free_port
from tests.support.edge import Worker

LISTENING: Final = "listening to the kiosks"
"""What the worker's log says once its subscriptions stand."""

VOUCHERS_SPARE: Final = 200
DATES: Final = (date(2020, 1, 1), date(2099, 12, 31))
_LISTENER: Final = """
# Added by the benchmark: the load generator's connections stand for all kiosks.
listener {port} {host}
allow_anonymous true
acl_file {folder}/bench-acl
"""
_LISTENER_ACL: Final = "topic readwrite vk/#\n"


class Stage:
    """Everything of one measurement but the worker, which :meth:`start_worker` or :meth:`start_peer` begins."""

    def __init__(self, folder: Path, database_url: str, *, kiosks: int) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.kiosks = kiosks
        self.database_url = database_url
        self.config = folder / "cloud.toml"
        make_vault(folder / "vault", now=SystemClock().now())
        self.vault: Vault = open_vault(folder / "vault")
        self.authority = FleetAuthority(self.vault.ca_key, self.vault.ca_certificate, clock=SystemClock())
        self.engine: Engine = make_engine(database_url)
        migrate(self.engine)
        self.broker = Broker(folder / "broker", free_port(), self.authority)
        self.load_port = free_port()
        self.metrics_port = free_port()
        self.load: Load
        self.worker_pid = 0
        self._vouchers = 0
        self._decks = 0
        self._insert_fleet()

    def add_vouchers(self, count: int) -> int:
        """Issue so many more; return the number of the first one."""
        first = add_vouchers(self.engine, self.vault.pepper, count, already=self._vouchers)
        self._vouchers += count
        return first

    def deal(self, kind: DeckKind, sends: int, *, runs: int = 1, kiosk: int | None = None) -> str:
        """Have requests made for so many runs of so many sends, and their vouchers issued; return the deck's name."""
        # What does not divide by the connections falls to the first ones, in every run.
        sends = runs * (sends + CONNECTIONS)
        self._decks += 1
        deck = f"{kind}-{self._decks}"
        # An order takes 2.5 on average, a check one, a message of a visit five sevenths; the deck may be somewhat larger.
        vouchers = sends * (3 if kind == "redeem" else 1) + sends // 8 + VOUCHERS_SPARE
        self.load.make(deck, kind, sends, first_voucher=self.add_vouchers(vouchers), kiosk=kiosk)
        return deck

    def settle_down(self) -> None:
        """Let the database do now what filling it left over."""
        if self.engine.dialect.name == "postgresql":
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("ANALYZE voucher"))
                connection.execute(text("CHECKPOINT"))
        else:
            with self.engine.begin() as connection:
                connection.exec_driver_sql("ANALYZE voucher")

    def clock(self, *, database_pid: int | None = None) -> CpuClock:
        """Return a clock over broker, worker, generator and, on PostgreSQL, the server."""
        pids = {"broker": self.broker.pid, "worker": self.worker_pid, "generator": self.load.pid}
        return CpuClock(pids if database_pid is None else {**pids, "postgresql": database_pid})

    def start_broker(self) -> None:
        """Start the broker with the product's files and the listener of the generator."""
        self.broker.write_files()
        folder = self.broker.folder
        settings = folder / "mosquitto.conf"
        # Per listener, or the new one would share the names and rights of the product's.
        settings.write_text(
            "per_listener_settings true\n"
            + settings.read_text("ascii")
            + _LISTENER.format(port=self.load_port, host=HOST, folder=folder),
            "ascii",
        )
        (folder / "bench-acl").write_text(_LISTENER_ACL, "ascii")
        self.broker.start()
        _wait(lambda: _listens(self.load_port), "the broker's second listener")

    def write_config(self) -> None:
        """Write the worker's configuration. Its metrics are read by :mod:`tests.bench.latency`."""
        self.config.write_text(
            f'database_url = "{self.database_url}"\nvault_dir = "{self.folder / "vault"}"\n'
            f'[broker]\nhost = "{HOST}"\nport = {self.broker.port}\npublic_host = "{HOST}"\n'
            f'[metrics]\nhost = "{HOST}"\nport = {self.metrics_port - 2}\n',
            "utf-8",
        )

    def _insert_fleet(self) -> None:
        now = datetime.now(UTC)
        sites = -(-self.kiosks // KIOSKS_PER_SITE)
        with self.engine.begin() as connection:
            insert_scheme(connection, DATES)
            connection.execute(
                insert(merchant),
                [
                    {
                        "merchant_id": f"inn-{number:04d}",
                        "name": f"旅宿 {number}",
                        "ubn": f"{number:08d}",
                        "merchant_category": "hotel",
                        "state": "approved",
                    }
                    for number in range(sites)
                ],
            )
            connection.execute(
                insert(site),
                [
                    {"site_id": f"site-{number:04d}", "merchant_id": f"inn-{number:04d}", "name": f"大廳 {number}"}
                    for number in range(sites)
                ],
            )
            connection.execute(
                insert(device),
                [
                    {
                        "device_id": address_of(number).device_id,
                        "site_id": site_of(number),
                        "state": "active",
                        "serial": "bench",
                        "seal_public": seal_public_of(number),
                        "certificate_serial": f"{number:x}",
                        "certificate_pem": "",
                        "enrolled_at": now,
                        "state_changed_at": now,
                    }
                    for number in range(self.kiosks)
                ],
            )


@contextmanager
def product_stage(folder: Path, database_url: str, *, kiosks: int = KIOSKS) -> Iterator[Stage]:
    """The product: its worker, through its command line."""
    with _stage(folder, database_url, kiosks=kiosks) as stage:
        worker = Worker(stage.config, folder / "worker.log")
        worker.start()
        stage.worker_pid = worker.pid
        try:
            yield stage
        finally:
            worker.kill()


@contextmanager
def peer_stage(
    folder: Path, database_url: str, module: str, *arguments: str, kiosks: int = KIOSKS
) -> Iterator[tuple[Stage, Peer]]:
    """The same with another worker: ``python -m module CONFIG …``, whose log says :data:`LISTENING`."""
    with (
        _stage(folder, database_url, kiosks=kiosks) as stage,
        running_peer(module, [str(stage.config), *arguments], folder / "worker.log") as peer,
    ):
        peer.wait_for(lambda log: LISTENING in log, what=module)
        stage.worker_pid = peer.pid
        yield stage, peer


@contextmanager
def bare_stage(folder: Path, database_url: str, *, kiosks: int = KIOSKS) -> Iterator[Stage]:
    """Only the database with its fleet."""
    stage = Stage(folder, database_url, kiosks=kiosks)
    try:
        yield stage
    finally:
        stage.engine.dispose()


@contextmanager
def _stage(folder: Path, database_url: str, *, kiosks: int) -> Iterator[Stage]:
    stage = Stage(folder, database_url, kiosks=kiosks)
    with ExitStack() as stack:
        stack.callback(stage.engine.dispose)
        stack.callback(stage.broker.kill)
        stage.start_broker()
        stage.write_config()
        stage.load = stack.enter_context(running_load())
        stage.load.hello(port=stage.load_port, seal_public=stage.vault.seal_public, kiosks=kiosks)
        yield stage


def _listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def _wait(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 20.0
    while not condition():
        if time.monotonic() > end:
            raise WrongAnswerError(f"{what} did not come")
        time.sleep(0.01)  # between two looks
