"""The cloud's edge for one test: a real Mosquitto with mutual TLS, a real database, the ingest worker as a process of its own.

Seeded with one merchant, two sites, one programme of 1000-dollar vouchers. Every voucher's digits are what :data:`DIGITS` says.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, Table, func, insert, select

from cloud.adapters.certificates import FleetAuthority
from cloud.adapters.clock import SystemClock
from cloud.adapters.crash_points import VARIABLE
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.fleet import SqlFleet
from cloud.adapters.sql.tables import (
    inbox,
    item_category,
    merchant,
    programme,
    programme_merchant_category,
    redemption_line,
    site,
    voucher,
)
from cloud.adapters.vault import make_vault, open_vault
from cloud.domain.digits import digit_tag
from cloud.services.enrol import CloudTerms, enrol, make_claim_code
from protocol.enrolment import Enrolment
from tests.support.broker import HOST, Broker, running_broker
from tests.support.kiosk_client import Blank, KioskClient, wait_until

DIGITS = "4321"
ITEM = "night"
PROGRAMME_DAYS = (date(2020, 1, 1), date(2099, 12, 31))


class Worker:
    """The ingest worker as a process."""

    def __init__(self, config: Path, log: Path) -> None:
        self._config = config
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, crash_at: str | None = None, listens: bool = True) -> None:
        """Start, and wait until it listens to the kiosks, or at least knows what it holds."""
        environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
        if crash_at is not None:
            environment[VARIABLE] = crash_at
        heard, told = self._listenings(), len(self.held())
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cloud", "--config", str(self._config), "ingest"],
                stdin=subprocess.DEVNULL,
                stderr=log,
                env=environment,
            )
        wait_until(
            lambda: (
                (self._listenings() > heard if listens else len(self.held()) > told)
                or self._process is None
                or self._process.poll() is not None
            ),
            what="the worker",
        )
        if self._process.poll() is not None and crash_at is None:
            pytest.fail(f"the worker ended: {self.log.read_text()}", pytrace=False)

    def wait_killed(self, wait_s: float = 20.0) -> None:
        """Wait until a crash point has killed it."""
        assert self._process is not None
        assert self._process.wait(wait_s) == -signal.SIGKILL, self.log.read_text()
        self._process = None

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        return self._end(signal.SIGTERM)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait_listening_again(self, since: int) -> None:
        """Wait until it listens once more than ``since`` times."""
        wait_until(lambda: self._listenings() > since, what="the worker to listen again")

    def listenings(self) -> int:
        """How often it has begun to listen."""
        return self._listenings()

    def held(self) -> list[frozenset[int]]:
        """Which sessions it has held, one after the other."""
        found = re.findall(r"holding sessions: ([\d, ]*\d|none);", self.text)
        return [frozenset() if one == "none" else frozenset(map(int, one.split(", "))) for one in found]

    @property
    def text(self) -> str:
        """Its log."""
        return self.log.read_text() if self.log.exists() else ""

    def _listenings(self) -> int:
        return self.text.count("listening to the kiosks")

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        return process.wait(20)


class Edge:
    """Broker, database, vault and worker of one test."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        self.database_url = database_url
        self.engine: Engine = make_engine(database_url)
        self.vault_folder = folder / "vault"
        make_vault(self.vault_folder, now=SystemClock().now())
        self.vault = open_vault(self.vault_folder)
        self.authority = FleetAuthority(self.vault.ca_key, self.vault.ca_certificate, clock=SystemClock())
        self.fleet = SqlFleet(self.engine)
        self.workers: list[Worker] = []
        self.worker = self.another_worker()
        self.broker: Broker
        self.sessions = 1
        self._next_no = 100_000_000_000
        _seed(self.engine)

    def write_config(self, *, broker: Broker | None = None, region: str = "main") -> Path:
        """Write the workers' configuration; return where."""
        path = self.folder / ("cloud.toml" if region == "main" else f"cloud-{region}.toml")
        path.write_text(
            f'database_url = "{self.database_url}"\nvault_dir = "{self.vault_folder}"\n'
            f'[broker]\nhost = "{HOST}"\nport = {(broker or self.broker).port}\npublic_host = "{HOST}"\nregion = "{region}"\n'
            f"[ingest]\nsessions = {self.sessions}\n"
        )
        return path

    def another_worker(self, config: Path | None = None) -> Worker:
        """Make a worker with a log of its own; not started. It is killed at the end."""
        worker = Worker(config or self.folder / "cloud.toml", self.folder / f"worker-{len(self.workers) + 1}.log")
        self.workers.append(worker)
        return worker

    def enrol(self, site_id: str = "lobby", *, broker: Broker | None = None) -> KioskClient:
        """Enrol a kiosk the real way; it is not connected yet."""
        now, blank = datetime.now(UTC), Blank()
        code = make_claim_code(self.fleet, site_id, made_by="test", now=now, randomness=os.urandom)
        assert code is not None
        terms = CloudTerms(self.vault.seal_public, HOST, (broker or self.broker).port, [])
        outcome = enrol(self.fleet, self.authority, terms, blank.request(code), now=now, randomness=os.urandom)
        assert isinstance(outcome, Enrolment)
        return blank.enrolled(outcome)

    def issue(self, count: int = 1) -> list[str]:
        """Make vouchers and return their numbers."""
        numbers = [str(self._next_no + offset) for offset in range(count)]
        self._next_no += count
        with self.engine.begin() as connection:
            connection.execute(
                insert(voucher),
                [
                    {
                        "voucher_no": number,
                        "programme_id": "autumn",
                        "issue_id": UUID(int=1),
                        "position": 1,
                        "holder_name_masked": "王○明",
                        "holder_id_masked": "A12345••••",
                        "digit_tag": digit_tag(self.vault.pepper, number, DIGITS),
                    }
                    for number in numbers
                ],
            )
        return numbers

    def redemptions_of(self, voucher_no: str) -> list[UUID]:
        """Which redemptions used the voucher."""
        with self.engine.connect() as connection:
            return list(
                connection.scalars(select(redemption_line.c.redemption_id).where(redemption_line.c.voucher_no == voucher_no))
            )

    def stored_answer(self, request_id: UUID) -> bytes | None:
        """The answer that the database holds."""
        with self.engine.connect() as connection:
            return connection.scalar(select(inbox.c.answer).where(inbox.c.request_id == request_id))

    def count(self, table: Table) -> int:
        """How many rows a table has."""
        with self.engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(table)) or 0


@contextmanager
def running_edge(folder: Path, database_url: str, *, worker: bool = True, sessions: int = 1) -> Iterator[Edge]:
    """Open it all; everything has ended on leaving."""
    edge = Edge(folder, database_url)
    edge.sessions = sessions
    with running_broker(folder / "broker", edge.authority) as broker:
        edge.broker = broker
        edge.write_config()
        try:
            if worker:
                edge.worker.start()
            yield edge
        finally:
            for each in edge.workers:
                each.kill()
            edge.engine.dispose()


def _seed(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            insert(merchant).values(
                merchant_id="inn", name="Inn", ubn="04595257", merchant_category="lodging", state="approved"
            )
        )
        connection.execute(
            insert(site), [{"site_id": name, "merchant_id": "inn", "name": name.title()} for name in ("lobby", "bar")]
        )
        connection.execute(
            insert(programme).values(
                programme_id="autumn",
                name_zh="秋遊",
                name_en="Autumn",
                face_value_twd=1000,
                starts_on=PROGRAMME_DAYS[0],
                ends_on=PROGRAMME_DAYS[1],
                vouchers_per_order_max=10,
            )
        )
        connection.execute(insert(programme_merchant_category).values(programme_id="autumn", merchant_category="lodging"))
        names = {f"name_{tag}": "night" for tag in ("zh", "en", "ja", "ko")}
        connection.execute(insert(item_category).values(item_category=ITEM, merchant_category="lodging", position=1, **names))
