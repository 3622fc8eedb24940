"""One whole system on this machine: folders, configuration, processes. Everything in it is real but the kiosk's hardware."""

import fcntl
import json
import os
import shutil
import sqlite3
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from string import Template
from typing import Any

from tests.demo.database import Database, open_database
from tests.demo.processes import DemoError, Process, free_port, is_open, python, run_once, wait_for

HERE = Path(__file__).parent
DIGITS = "0123456789"
DEMO_PASSWORD = "voucher-demo"
PROGRAM_TIMING = "[timing]\nconfirm_guard_s = 0\nresult_guard_s = 0"
"""A program that plays a customer looks before it presses; it needs no guard against a trembling finger."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens, on loopback."""

    web: int
    broker: int
    kiosks: Sequence[int]

    @staticmethod
    def free(kiosks: int) -> "Ports":
        return Ports(free_port(), free_port(), [free_port() for _ in range(kiosks)])


@dataclass(slots=True)
class Kiosk:
    """One kiosk: where it stands, its folders, its process."""

    site_id: str
    port: int
    folder: Path
    process: Process

    @property
    def camera(self) -> Path:
        return self.folder / "camera"

    @property
    def gallery(self) -> Path:
        return self.folder / "gallery"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        return self.folder / "kiosk.toml"

    def view(self) -> dict[str, Any]:
        """What the screen shows now.

        Raises:
            OSError: the kiosk does not answer, or died while it did.
        """
        try:
            with urllib.request.urlopen(f"{self.url}/view", timeout=5) as answer:
                shown: dict[str, Any] = json.load(answer)
                return shown
        except HTTPException as cut_off:
            raise ConnectionError(f"the kiosk at {self.site_id} broke off") from cut_off


@dataclass(slots=True)
class World:
    """Broker, cloud and kiosks. Make one with :func:`open_world`."""

    root: Path
    database: Database
    ports: Ports
    sites: Sequence[str]
    legend: str = DIGITS
    """What the keypad's digit keys stand for when ID digits are typed; the leak test uses rare symbols."""
    broker_extra: str = ""
    """Lines appended to the broker's ACL (the leak test listens in)."""
    by_hand: bool = False
    """Kiosks are played by a person, with the guards that people need."""
    broker: Process = field(init=False)
    web: Process = field(init=False)
    ingest: Process = field(init=False)
    schedule: Process = field(init=False)
    kiosks: list[Kiosk] = field(init=False)

    def __post_init__(self) -> None:
        for folder in ("logs", "vault", "broker", "sheets"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        self.broker = self._process("broker", [_mosquitto(), "-c", str(self.root / "broker" / "mosquitto.conf")])
        self.web, self.ingest, self.schedule = (
            self._process(name, self._cloud_command(name)) for name in ("web", "ingest", "schedule")
        )
        self.kiosks = [self._kiosk(site, port) for site, port in zip(self.sites, self.ports.kiosks, strict=True)]

    # Configuration ----------------------------------------------------------------------------------------------------

    @property
    def calendar_file(self) -> Path:
        return self.root / "calendar"

    @property
    def cloud_config(self) -> Path:
        return self.root / "cloud.toml"

    @property
    def web_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.web}"

    def write_configuration(self) -> None:
        """Write cloud.toml and each kiosk.toml."""
        values = {
            "root": self.root,
            "database_url": self.database.url,
            "web_port": self.ports.web,
            "broker_port": self.ports.broker,
            "calendar_file": self.calendar_file,
        }
        self.cloud_config.write_text(Template((HERE / "cloud.toml").read_text("utf-8")).substitute(values), "utf-8")
        for kiosk in self.kiosks:
            for folder in (kiosk.camera, kiosk.gallery):
                folder.mkdir(parents=True, exist_ok=True)
            text = Template((HERE / "kiosk.toml").read_text("utf-8")).substitute(
                values, kiosk=kiosk.folder, screen_port=kiosk.port, legend=self.legend, **self._guards()
            )
            kiosk.config.write_text(text, "utf-8")

    def _guards(self) -> dict[str, str]:
        if self.by_hand:
            return {"timing": "", "double_strike_s": "0.15"}
        return {"timing": PROGRAM_TIMING, "double_strike_s": "0.0"}

    # The simulated calendar --------------------------------------------------------------------------------------------

    def jump_to(self, moment: datetime) -> None:
        """Set the cloud's clock; it runs on from there."""
        offset = (moment - datetime.now(UTC)).total_seconds()
        new = self.calendar_file.with_suffix(".new")
        new.write_text(f"{offset:.3f}\n", "ascii")
        new.replace(self.calendar_file)

    def now(self) -> datetime:
        """The cloud's time."""
        offset = float(self.calendar_file.read_text("ascii")) if self.calendar_file.exists() else 0.0
        return datetime.now(UTC) + timedelta(seconds=offset)

    # Commands of the cloud ---------------------------------------------------------------------------------------------

    def cloud(self, *arguments: str) -> str:
        """Run one command of the cloud and return what it printed."""
        return run_once(self._cloud_command(*arguments), log=self.root / "logs" / "commands.log")

    def set_up(self, setup: str) -> None:
        """Make secrets, database, programmes, broker files. Safe to repeat."""
        self.write_configuration()
        self.cloud("init")
        filled = self.root / "setup.toml"
        filled.write_text(setup, "utf-8")
        self.cloud("load", str(filled))
        self.cloud("broker-files", str(self.root / "broker"))
        if self.broker_extra:
            acl = self.root / "broker" / "acl"
            acl.write_text(acl.read_text("utf-8") + self.broker_extra, "utf-8")

    def issue(self, programme_id: str, holders: Sequence[tuple[str, str]]) -> tuple[list[str], Path]:
        """Issue one voucher per holder (name, last four); return the numbers and the folder of the printed sheets."""
        file = self.root / f"holders-{programme_id}.csv"
        file.touch(0o600)
        file.write_text("name,last_four\n" + "".join(f"{name},{digits}\n" for name, digits in holders), "utf-8")
        folder = self.root / "sheets" / programme_id
        try:
            printed = json.loads(
                self.cloud("issue", "--programme", programme_id, "--holders", str(file), "--sheets", str(folder)).splitlines()[
                    -1
                ]
            )
        finally:
            file.unlink()  # it holds digits in clear
        return printed["voucher_nos"], folder

    def reconcile(self) -> dict[str, int]:
        """The programme's money at this moment."""
        totals: dict[str, int] = json.loads(self.cloud("reconcile").splitlines()[-1])
        return totals

    # Processes ---------------------------------------------------------------------------------------------------------

    def start_cloud(self) -> None:
        """Start broker, web, ingest and schedule, and wait until they answer."""
        self.start_broker()
        self.web.start()
        self.ingest.start()
        self.schedule.start()
        wait_for(lambda: is_open("127.0.0.1", self.ports.web), what="the web to listen", alive=self.web)

    def start_broker(self) -> None:
        """Start the broker and wait until it takes connections."""
        self.broker.start()
        wait_for(lambda: is_open("127.0.0.1", self.ports.broker), what="the broker to listen", alive=self.broker)

    def start_kiosk(self, kiosk: Kiosk, **extra: str) -> None:
        """Enrol the kiosk if it is new, start it, and wait until its screen answers and the link is up."""
        if not (kiosk.folder / "state" / "enrolment.json").exists():
            code = self.cloud("claim-code", "--site", kiosk.site_id).splitlines()[-1].strip()
            command = python("-m", "kiosk", "--config", str(kiosk.config), "enrol")
            run_once(command, log=self.root / "logs" / "commands.log", environment={"VK_CLAIM_CODE": code})
        kiosk.process.start(**extra)
        wait_for(lambda: is_open("127.0.0.1", kiosk.port), what=f"the screen of {kiosk.site_id} to listen", alive=kiosk.process)
        wait_for(lambda: bool(kiosk.view().get("online")), what=f"{kiosk.site_id} to be online", alive=kiosk.process)

    def pending(self, kiosk: Kiosk) -> int:
        """How many of its redeem requests have no answer on its disk."""
        with closing(sqlite3.connect(f"file:{kiosk.folder / 'state' / 'outbox.sqlite3'}?mode=ro", uri=True)) as outbox:
            count: int = outbox.execute("SELECT count(*) FROM unanswered").fetchone()[0]
            return count

    def kill_broker(self) -> None:
        """Pull its plug and lose its store."""
        self.broker.kill()
        for store in (self.root / "broker").glob("*.db*"):
            store.unlink()

    def stop(self) -> None:
        """End everything, in the order in which messages flow."""
        for process in [kiosk.process for kiosk in self.kiosks] + [self.schedule, self.ingest, self.web, self.broker]:
            process.stop()

    # -------------------------------------------------------------------------------------------------------------------

    def _cloud_command(self, *arguments: str) -> list[str]:
        return python("-m", "cloud", "--config", str(self.cloud_config), *arguments)

    def _process(self, name: str, command: Sequence[str]) -> Process:
        return Process(name, command, log=self.root / "logs" / f"{name}.log")

    def _kiosk(self, site_id: str, port: int) -> Kiosk:
        folder = self.root / "kiosks" / site_id
        folder.mkdir(parents=True, exist_ok=True)
        command = python("-m", "kiosk", "--config", str(folder / "kiosk.toml"), "run")
        return Kiosk(site_id, port, folder, self._process(f"kiosk-{site_id}", command))


@contextmanager
def open_world(
    root: Path,
    *,
    database: str,
    ports: Ports,
    sites: Sequence[str],
    legend: str = DIGITS,
    broker_extra: str = "",
    by_hand: bool = False,
    fresh: bool,
    keep: bool = True,
) -> Iterator[World]:
    """Open a world in ``root``; on leaving, every process of it has ended.

    Args:
        database: ``sqlite`` or ``postgres``.
        fresh: forget what an earlier run left there.
        keep: leave the database for the next run.
    """
    root.parent.mkdir(parents=True, exist_ok=True)
    with _alone_on(root):
        if fresh:
            shutil.rmtree(root, ignore_errors=True)
        root.mkdir(exist_ok=True)
        with open_database(database, root, fresh=fresh, keep=keep) as opened:
            yield from _run(World(root, opened, ports, sites, legend, broker_extra, by_hand))


def _run(world: World) -> Iterator[World]:
    try:
        yield world
    finally:
        world.stop()


@contextmanager
def _alone_on(root: Path) -> Iterator[None]:
    """Two worlds on one folder would share a database and a broker's store. The lock ends with this process."""
    with root.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(f"another demo runs on {root}; stop it first") from None
        yield


def _mosquitto() -> str:
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise DemoError("Mosquitto is not installed: sudo apt-get install mosquitto")
    return found
