"""One seed, from the first customer to the last check.

Shop days with every fault of the seed's weather, nights in which the kiosks have no power and days pass; then everything heals,
and within a bounded virtual time every request must be final and every kiosk must serve an honest customer again.
"""

import logging
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.migrations import migrate
from kiosk.domain.view import Screen
from kiosk.ports import OutboxRow
from protocol.ids import reference
from tests.simulation.checkers import Ended, check_all
from tests.simulation.cloud import Cloud
from tests.simulation.kernel import Kernel
from tests.simulation.kiosks import KioskHost
from tests.simulation.network import Network
from tests.simulation.office import Office
from tests.simulation.people import Crowd, StaffPhone, show, staff_of
from tests.simulation.weather import CALM, Scenario, draw_scenario
from tests.simulation.witness import LEGEND, ListeningHandler, Witness, is_acceptance
from tests.support.worlds import NOW, Shop, World, make_programme, make_world

DRAIN_S: Final = 60.0
VISIT_OVER_S: Final = 90.0
"""Longest time in which a visit that its customer left comes to its end by itself."""

RESULT_OVER_S: Final = 20.0
PROOF_S: Final = 60.0
OPENS_AFTER_S: Final = (0.0, 0.0, 30.0, 100.0)
"""When a kiosk is switched on: the staff's phones may take its vouchers before it has sent what it saved the day before."""

NIGHT_S: Final = 3_600.0
DAYS_BETWEEN: Final = (1, 8)
PARTITION_S: Final = (1.0, 10.0, 60.0, 400.0)
UNKNOWN_NO: Final = "999999999999"
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a seed."""

    seed: int
    violations: tuple[str, ...]
    redemptions: int
    refused: dict[str, int]
    struck: dict[str, int]
    deaths: dict[str, int]
    virtual_days: float
    events: int
    trace_hash: str


def play_seed(seed: int, *, tell: Callable[[str], None] | None = None) -> Outcome:
    """Play one seed.

    Args:
        tell: gets every line of the trace.
    """
    with tempfile.TemporaryDirectory(prefix="vk-sim-", dir=_ram()) as folder:
        return _Play(seed, Path(folder), tell).run()


class _Play:
    def __init__(self, seed: int, folder: Path, tell: Callable[[str], None] | None) -> None:
        self._seed = seed
        self._scenario = draw_scenario(seed)
        self._kernel = Kernel(seed, weather=self._scenario.weather, begins_at=NOW, tell=tell)
        self._witness = Witness(self._kernel.note)
        self._network = Network(self._kernel, self._witness)
        self._world, self._typed = _make_world(self._scenario)
        sqlite = _fresh_database(folder) if self._scenario.database == "sqlite" else None
        self._cloud = Cloud(self._network, self._world, workers=self._scenario.workers, sqlite=sqlite)
        self._office = (
            None if self._cloud.engine is None else Office(self._kernel, self._witness, self._cloud.engine, self._world)
        )
        self._hosts = [self._host(shop, folder) for shop in self._world.shops]
        self._reserved = dict(zip(self._world.shops, self._world.numbers("reserved"), strict=False))
        numbers = [number for number in self._world.numbers() if number not in self._reserved.values()]
        self._kernel.rng.shuffle(numbers)
        self._numbers = [*numbers, UNKNOWN_NO]
        phones = [staff_of(self._cloud, shop, numbers) for shop in self._world.shops]
        self._people: list[Crowd | StaffPhone] = [*(self._crowd(host) for host in self._hosts), *phones]

    def run(self) -> Outcome:
        """Play it to the end, or to the first thing that must not be."""
        try:
            with _listening(self._witness):
                self._play()
            return self._outcome()
        finally:
            self._close()

    def _play(self) -> None:
        try:
            if self._live() and self._drain() and self._prove() and self._tell():
                self._settle()
                self._witness.violations[:] = check_all(Ended(self._cloud, self._hosts, self._witness))
        except Exception as problem:  # noqa: BLE001 - a program that ends by an exception is a finding like any other
            self._witness.complain("no exception", "".join(traceback.format_exception(problem, limit=-3)).strip())

    # Chaos -------------------------------------------------------------------------------------------------------------

    def _live(self) -> bool:
        for day in range(self._scenario.days):
            if not self._open_day():
                return False
            if day + 1 < self._scenario.days and not self._night():
                return False
        return True

    def _open_day(self) -> bool:
        for host in self._hosts:
            self._kernel.after(min(self._kernel.rng.choice(OPENS_AFTER_S), self._scenario.day_s / 2), host.power_on)
        for opens in self._people:
            opens.open()
        self._plan_faults()
        is_well = self._run_for(self._scenario.day_s)
        for closes in self._people:
            closes.close()
        return is_well

    def _plan_faults(self) -> None:
        rng, weather, day_s = self._kernel.rng, self._scenario.weather, self._scenario.day_s
        for host in self._hosts:
            for _ in range(round(rng.uniform(0, 2 * weather.partitions_per_day))):
                length_s = rng.choice(PARTITION_S) * rng.random() * 2
                self._kernel.after(rng.uniform(0, day_s), self._cutting(host.name, length_s))
        for _ in range(round(rng.uniform(0, 2 * weather.broker_crashes_per_day))):
            self._kernel.after(rng.uniform(0, day_s), self._network.crash_broker)
        for _ in range(round(rng.uniform(0, 2 * weather.hold_losses_per_day))):
            self._kernel.after(rng.uniform(0, day_s), self._cloud.lose_holds)

    def _cutting(self, device_id: str, length_s: float) -> Callable[[], None]:
        return lambda: self._network.partition(device_id, length_s)

    def _night(self) -> bool:
        for host in self._hosts:
            host.power_off()
        is_well = self._run_for(NIGHT_S)
        if self._office is not None:
            self._office.after_hours()
        is_well = is_well and self._run_for(_DAY_S * self._kernel.rng.uniform(*DAYS_BETWEEN))
        if self._office is not None:
            self._office.settle()
        return is_well

    # Healing -----------------------------------------------------------------------------------------------------------

    def _drain(self) -> bool:
        """Everything works again: what is open must become final in time."""
        self._kernel.note("healed")
        self._kernel.weather = CALM
        self._network.heal()
        self._cloud.heal()
        for host in self._hosts:
            host.power_on()
        is_well = self._run_for(DRAIN_S)
        for host in self._hosts:
            if count := host.outbox.pending_count():
                self._witness.complain("final in time", f"{host.name} has {count} open requests {DRAIN_S:.0f} s after healing")
        # What was on its way for hours or days (replays) must find everything as it is.
        return is_well and self._run_for(VISIT_OVER_S)

    def _prove(self) -> bool:
        """Every kiosk serves an honest customer, with a voucher that nobody has touched."""
        before = set(self._witness.done)
        crowds = [replace(self._crowd(host), numbers=[self._reserved[host.shop]], hostile=0.0) for host in self._hosts]
        for host in self._hosts:
            if host.screen is not Screen.ATTRACT:
                self._witness.complain("nobody is stuck", f"{host.name} still shows {host.screen} after healing")
        for crowd in crowds:
            crowd.open()
        is_well = self._run_for(PROOF_S)
        for crowd in crowds:
            crowd.close()
        served = {device for request_id, device in self._witness.done.items() if request_id not in before}
        for host in self._hosts:
            if host.name not in served:
                self._witness.complain("nobody is stuck", f"{host.name} does not serve an honest customer after healing")
        return is_well and self._run_for(VISIT_OVER_S)

    def _tell(self) -> bool:
        """Whoever left without knowing shows the voucher again and learns that it was redeemed, and when."""
        for host in self._hosts:
            for row in self._untold(host):
                host.feed([show(row.voucher_nos[0])])
                view = host.view
                if view is None or (view.screen, view.repeated, view.reference) != (
                    Screen.DONE,
                    True,
                    reference(row.request.id),
                ):
                    self._witness.complain("nobody is left not knowing", f"{host.name} does not tell of {row.request.id}")
                if not self._run_for(RESULT_OVER_S):
                    return False
            if self._untold(host):
                self._witness.complain("nobody is left not knowing", f"{host.name} tells the same again and again")
        return not self._witness.violations

    def _untold(self, host: KioskHost) -> list[OutboxRow]:
        mine = [request_id for request_id, owner in self._witness.saved.items() if owner == host.name]
        rows = [row for request_id in mine if (row := host.outbox.find(request_id)) is not None]
        return [row for row in rows if not row.shown and row.answer is not None and is_acceptance(row.answer)]

    def _settle(self) -> None:
        if self._office is not None:
            self._office.finish()
            self._office.check()

    # -------------------------------------------------------------------------------------------------------------------

    def _run_for(self, seconds: float) -> bool:
        return not self._kernel.run_for(seconds, until=lambda: bool(self._witness.violations))

    def _host(self, shop: Shop, folder: Path) -> KioskHost:
        disk = None
        if self._scenario.outbox == "sqlite":
            disk = folder / shop.device_id
            disk.mkdir()
        return KioskHost(self._network, shop, self._cloud.keys[shop.device_id], disk)

    def _crowd(self, host: KioskHost) -> Crowd:
        return Crowd(self._kernel, host, self._numbers, self._typed, self._scenario.hostile)

    def _outcome(self) -> Outcome:
        return Outcome(
            seed=self._seed,
            violations=tuple(self._witness.violations),
            redemptions=len(self._cloud.bench.facts.redemptions()),
            refused=dict(self._witness.refused),
            struck=dict(self._kernel.struck),
            deaths=dict(self._kernel.deaths),
            virtual_days=self._kernel.now_s / _DAY_S,
            events=self._kernel.events,
            trace_hash=self._kernel.trace_hash,
        )

    def _close(self) -> None:
        for host in self._hosts:
            host.is_open = False
            host.outbox.close()
        self._cloud.close()


def _make_world(scenario: Scenario) -> tuple[World, dict[str, str]]:
    """Build the world, and the keys of every holder's digits."""
    programmes = (
        make_programme(),
        make_programme("tour-2021", vouchers_per_order_max=2),
        make_programme("over-2020", starts_on=date(2020, 1, 1), ends_on=date(2020, 12, 31)),
        make_programme("reserved"),
    )
    shops = tuple(Shop(f"hotel-{number}") for number in range(1, scenario.kiosks + 1))
    world = make_world(voucher_count=scenario.vouchers, programmes=programmes, shops=shops)
    meant = {number: "".join(LEGEND[int(key)] for key in keys) for number, keys in world.digits.items()}
    return replace(world, digits=meant), dict(world.digits)


@contextmanager
def _listening(witness: Witness) -> Iterator[None]:
    """Read every log line for digits, and keep the console free of them."""
    root, handler = logging.getLogger(), ListeningHandler(witness)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


def _ram() -> str | None:
    """Where files cost nothing: every fault here is made up, so nothing need reach a real disk."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


@cache
def _template() -> bytes:
    with tempfile.TemporaryDirectory(prefix="vk-sim-", dir=_ram()) as folder:
        path = Path(folder) / "template.sqlite3"
        engine = make_engine(f"sqlite:///{path}")
        migrate(engine)
        engine.dispose()
        return path.read_bytes()


def _fresh_database(folder: Path) -> Path:
    path = folder / "cloud.sqlite3"
    path.write_bytes(_template())
    return path
