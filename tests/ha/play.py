"""Kills the primary again and again under load and looks, after each kill, at everything that must hold."""

import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.issues import SqlIssueStore
from cloud.adapters.sql.migrations import migrate
from cloud.adapters.sql.tables import settlement
from cloud.adapters.voucher_numbers import random_voucher_nos
from cloud.domain.holders import holder_with_digits
from cloud.services.issue import IssueOrder, issue_vouchers
from protocol.enrolment import ENROLMENT_PATH
from tests.demo.processes import Process, is_open, python, run_once, wait_for
from tests.ha.cluster import Patroni, free_ports
from tests.ha.load import Crowd, Order, busy_kiosks
from tests.ha.rules import breaches
from tests.ha.table import Kill
from tests.support.edge import DIGITS, Edge, running_edge
from tests.support.kiosk_client import Blank, wait_until

KIOSKS: Final = 8
VOUCHERS: Final = 10_000
"""In stock at each kill: more than are ordered with until the database is back."""

WARM_ORDERS: Final = (100, 600)
"""A kill comes after so many answers, drawn between these: at any moment of Patroni's round."""

OPEN_LEAST: Final = 4
"""The primary dies while so many orders wait for their answers."""

AFTER_ORDERS: Final = 300
AGAIN: Final = 200
"""So many answered requests are sent once more; those around the kill first."""

AGAIN_EVERY_S: Final = 2.0
BACK_WAIT_S: Final = 120.0
FINAL_WAIT_S: Final = 60.0
WEEK_S: Final = 8 * 86_400.0
SETTLED_WAIT_S: Final = 30.0
_WEB_LOOK_S: Final = 0.1


@dataclass(slots=True)
class Stage:
    """Everything that runs beside the cluster."""

    cluster: Patroni
    edge: Edge
    crowd: Crowd
    web: Process
    web_port: int
    schedule: Process
    folder: Path

    def programs(self) -> dict[str, bool]:
        """Which of the cloud's programs still run; none is ever started again."""
        return {"ingest": self.edge.worker.is_running, "web": self.web.is_running, "schedule": self.schedule.is_running}

    def cloud(self, *arguments: str) -> str:
        """Run one command of the cloud."""
        command = python("-m", "cloud", "--config", str(self.folder / "cloud.toml"), *arguments)
        return run_once(command, log=self.folder / "commands.log")


@contextmanager
def stage(cluster: Patroni, folder: Path, *, seed: int) -> Iterator[Stage]:
    """Start broker, worker, web, scheduler and kiosks on the cluster's database; all have ended on leaving."""
    _migrate(cluster.url)
    with ExitStack() as stack:
        edge = stack.enter_context(running_edge(folder, cluster.url, worker=False))
        web_port = _configure(folder)
        edge.worker.start()
        web, schedule = (_program(folder, name) for name in ("web", "schedule"))
        for program in (web, schedule):
            stack.callback(program.kill)
            program.start()
        wait_for(lambda: is_open("127.0.0.1", web_port), what="the web to listen", alive=web)
        clients = [stack.enter_context(edge.enrol()) for _ in range(KIOSKS)]
        crowd = stack.enter_context(busy_kiosks(clients, seed=seed))
        yield Stage(cluster, edge, crowd, web, web_port, schedule, folder)


def kill_once(on: Stage, number: int, rng: random.Random) -> Kill:
    """Load, kill, wait until service is back, heal, and check everything that was ever answered."""
    known = {order.id for order in on.crowd.orders()}
    _stock(on)
    victim = on.cluster.wait_healthy()
    on.crowd.order(True)
    warm = len(known) + rng.randint(*WARM_ORDERS)
    _wait(lambda: _answered(on.crowd) >= warm, "kiosks to be at work", FINAL_WAIT_S)
    _wait(lambda: on.crowd.waiting() >= OPEN_LEAST, "orders to be open", FINAL_WAIT_S)
    open_orders = on.crowd.waiting()
    victim.kill()
    killed_at = time.monotonic()
    with _web_probe(on.web_port) as web_back_at:
        _wait(lambda: _first_after(on.crowd, killed_at) is not None, "an order to be accepted", BACK_WAIT_S)
        _wait(lambda: web_back_at() is not None, "the web to be back", BACK_WAIT_S)
        back_at, web_at = _first_after(on.crowd, killed_at), web_back_at()
    assert back_at is not None
    assert web_at is not None
    whole_at = _heal(on, victim.plan.name)
    on.crowd.order(False)
    _settle_down(on)
    orders = on.crowd.orders()
    new = [order for order in orders if order.id not in known]
    repeated = _repeat(on, sorted(new, key=lambda order: abs(order.answered_at - killed_at))[:AGAIN])
    return Kill(
        number=number,
        killed=victim.plan.name,
        successor=on.cluster.primary().plan.name,
        open_orders=open_orders,
        back_s=back_at - killed_at,
        web_s=web_at - killed_at,
        whole_s=whole_at - killed_at,
        orders=len(new),
        accepted=sum(order.is_accepted for order in new),
        repeated=repeated,
        breaches=[*breaches(orders, on.edge.engine), *_ended(on), *_strangers(on)],
    )


def close_the_week(on: Stage) -> list[str]:
    """The scheduler, which slept through every kill, must close a week without being started again; the books must add up."""
    on.cloud("confirm-all", "--merchant", "inn")
    moved = on.folder / "calendar.new"
    moved.write_text(f"{WEEK_S:.0f}\n", "ascii")
    moved.replace(on.folder / "calendar")
    try:
        _wait(lambda: on.edge.count(settlement) > 0, "the week to be closed", SETTLED_WAIT_S)
    except TimeoutError as problem:
        return [str(problem)]
    on.cloud("reconcile")
    return _ended(on)


def _migrate(url: str) -> None:
    engine = make_engine(url)
    migrate(engine)
    engine.dispose()


def _configure(folder: Path) -> int:
    """Give the worker's configuration a web, a scheduler's calendar and ports; return the web's."""
    config, calendar = folder / "cloud.toml", folder / "calendar"
    calendar.write_text("0\n", "ascii")
    (port,) = free_ports(1)
    text = config.read_text("utf-8")
    config.write_text(f'calendar_file = "{calendar}"\n{text}[web]\nport = {port}\n', "utf-8")
    return port


def _program(on: Path, name: str) -> Process:
    return Process(name, python("-m", "cloud", "--config", str(on / "cloud.toml"), name), log=on / f"{name}.log")


def _stock(on: Stage) -> None:
    missing = VOUCHERS - on.crowd.supply.fresh.qsize()
    if missing > 0:
        on.crowd.supply.add(_issue(on.edge, missing))


def _issue(edge: Edge, count: int) -> Sequence[str]:
    order = IssueOrder(uuid4(), "autumn", "test", datetime.now(UTC))
    holders = [holder_with_digits("王小明", DIGITS)] * count
    return issue_vouchers(
        SqlIssueStore(edge.engine), order, holders, numbers=random_voucher_nos(), pepper=edge.vault.pepper
    ).voucher_nos


def _first_after(crowd: Crowd, moment: float) -> float | None:
    """When a kiosk first held the acceptance of an order that was made after that moment."""
    return min((order.answered_at for order in crowd.orders() if order.made_at > moment and order.is_accepted), default=None)


def _heal(on: Stage, name: str) -> float:
    """Start the killed node while orders go on; return when the cluster was whole again."""
    answered = _answered(on.crowd)
    _wait(lambda: _answered(on.crowd) >= answered + AFTER_ORDERS, "orders to go on", FINAL_WAIT_S)
    on.cluster.node(name).start(on.cluster.owner)
    _stock(on)
    on.cluster.wait_healthy()
    return time.monotonic()


def _settle_down(on: Stage) -> None:
    """Wait until every order is answered. One that never is, is a breach that the rules name."""
    with suppress(TimeoutError):
        _wait(lambda: on.crowd.waiting() == 0, "every order to be answered", FINAL_WAIT_S)


def _repeat(on: Stage, wanted: Sequence[Order]) -> int:
    """Ask again for answers that kiosks have, until each came once more; return how many did."""
    before = {order.id: order.heard for order in wanted}
    end = time.monotonic() + FINAL_WAIT_S
    while open_ := [order for order in wanted if order.heard == before[order.id]]:
        if time.monotonic() > end:
            break
        on.crowd.ask_again(open_)
        with suppress(TimeoutError):
            _wait(lambda: all(order.heard > before[order.id] for order in open_), "repeats", AGAIN_EVERY_S)
    return len(wanted) - len(open_)


def _answered(crowd: Crowd) -> int:
    return sum(order.answer is not None for order in crowd.orders())


def _ended(on: Stage) -> list[str]:
    return [f"{name} has ended" for name, runs in on.programs().items() if not runs]


def _strangers(on: Stage) -> list[str]:
    count = sum(kiosk.strangers for kiosk in on.crowd.kiosks)
    return [f"{count} answers that were not authentic"] if count else []


@contextmanager
def _web_probe(port: int) -> Iterator[Callable[[], float | None]]:
    """Ask the web for something that needs the database, again and again; inside, tells when it first was given."""
    body = msgspec.json.encode(Blank().request("no-such-code"))
    ended, back = threading.Event(), list[float]()

    def look() -> None:
        while not ended.is_set() and not back:
            if _web_answers(port, body):
                back.append(time.monotonic())
            ended.wait(_WEB_LOOK_S)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield lambda: back[0] if back else None
    finally:
        ended.set()
        thread.join()


def _web_answers(port: int, body: bytes) -> bool:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{ENROLMENT_PATH}", data=body, headers={"Content-Type": "application/json"}
    )
    try:
        urllib.request.urlopen(request, timeout=BACK_WAIT_S).close()
    except urllib.error.HTTPError as refused:
        # 403: the database says that there is no such code. 503: there is no database.
        return refused.code == HTTPStatus.FORBIDDEN
    except OSError:
        return False
    return False


def _wait(condition: Callable[[], bool], what: str, seconds: float) -> None:
    wait_until(condition, what=what, wait_s=seconds)
