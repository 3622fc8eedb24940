"""A run of orders with kills among them, and what must hold afterwards.

Customers are patient: whoever does not see a result scans the same vouchers again until the kiosk says what became of them.
At the end every voucher of every order is redeemed, once; kiosks and database agree on every request, both ways.
"""

import random
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select

from cloud.adapters.sql.engine import for_reading, make_engine
from cloud.adapters.sql.tables import redemption, redemption_line
from protocol.messages import RedeemAccepted, decode_answer
from tests.chaos.kills import Kill
from tests.demo.cast import Cast, prepare
from tests.demo.customer import Customer, InterruptedVisitError
from tests.demo.mishaps import NoMishap
from tests.demo.orders import Order, Story, make_order
from tests.demo.processes import DemoError, Process, wait_for
from tests.demo.world import Kiosk, World

ATTEMPTS_MAX = 6
HEAL_S = 60.0
"""After the last fault every request must have its answer within this (RELIABILITY I13)."""


@dataclass(slots=True)
class Report:
    """What happened."""

    orders: int = 0
    vouchers: int = 0
    killed: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    """Planned kills whose point was never passed."""
    visits: int = 0
    faults: list[str] = field(default_factory=list)


def run_orders(world: World, kills: Sequence[Kill], *, orders: int, seed: int) -> Report:
    """Set the world up, serve the orders, kill as planned, heal, and check everything."""
    rng = random.Random(seed)
    cast = prepare(world, orders=2 * orders, first_day=datetime.now(UTC).date(), rng=rng)
    world.start_cloud()
    for kiosk in world.kiosks:
        world.start_kiosk(kiosk)
    report = Report()
    plan: list[Kill | None] = [*kills, *[None] * (orders - len(kills))]
    rng.shuffle(plan)
    redeemed: list[str] = []
    for number, kill in enumerate(plan):
        order = make_order(number, rng.choice((Story.PLAIN, Story.PLAIN, Story.SEVERAL)), cast.hand, rng)
        _serve(world, cast, order, kill, report, rng)
        redeemed += [voucher.voucher_no for voucher in order.vouchers]
        print(f"{number + 1:>4}/{len(plan)}  {_name(kill) or 'no kill'}", file=sys.stderr, flush=True)
    report.orders, report.vouchers = orders, len(redeemed)
    _heal(world, report)
    _check(world, redeemed, report)
    return report


def _serve(world: World, cast: Cast, order: Order, kill: Kill | None, report: Report, rng: random.Random) -> None:
    kiosk = world.kiosks[order.number % len(world.kiosks)]
    customer = Customer(kiosk, legend=cast.legend, rng=rng)
    for attempt in range(ATTEMPTS_MAX):
        report.visits += 1
        settled = _visit(customer, order, kill if attempt == 0 else None)
        dead = _revive(world, kiosk)
        if attempt == 0 and kill is not None:
            (report.killed if dead or kill.struck else report.missed).append(str(_name(kill)))
            _disarm(world, kiosk, kill)
        customer.put_away()
        customer.walk_away()
        if settled:
            return
    report.faults.append(f"order {order.number}: no outcome after {ATTEMPTS_MAX} visits")


def _visit(customer: Customer, order: Order, kill: Kill | None) -> bool:
    """One visit; True if the customer now knows that these vouchers are redeemed."""
    try:
        if kill is not None and kill.needs_cancel:
            customer.give_up(order, kill)
            return False
        outcome = customer.visit(order, kill or NoMishap())
    except InterruptedVisitError as interrupted:
        return interrupted.shown["screen"] == "done"
    except (DemoError, OSError):
        return False
    return outcome.accepted or outcome.reason == "already_redeemed"


def _revive(world: World, kiosk: Kiosk) -> bool:
    """Start again whatever is dead, as systemd would, until the kiosk is online; True if something was dead."""
    dead, end = False, time.monotonic() + HEAL_S
    while True:
        if time.monotonic() > end:
            raise DemoError(f"{kiosk.site_id} did not come back: {kiosk.process.last_words()}")
        if not world.broker.is_running:
            world.broker.stop()
            world.start_broker()
            dead = True
        for process in (world.ingest, kiosk.process):
            if not process.is_running:
                process.stop()
                process.start()
                dead = True
        try:
            wait_for(lambda: bool(kiosk.view()["online"]), what="the kiosk to be online", alive=kiosk.process)
        except (DemoError, OSError):
            # It died just now, or is not up yet: look again.
            continue
        return dead


def _disarm(world: World, kiosk: Kiosk, kill: Kill) -> None:
    """A trap that was not sprung must not spring later."""
    process: Process = world.ingest if kill.victim == "worker" else kiosk.process
    if kill.victim != "broker" and process.environment_of_start:
        process.stop()
        world.start_kiosk(kiosk) if process is kiosk.process else process.start()


def _heal(world: World, report: Report) -> None:
    begin = time.monotonic()
    try:
        wait_for(lambda: not any(map(world.pending, world.kiosks)), what="every request to be answered", seconds=HEAL_S)
    except DemoError as problem:
        report.faults.append(str(problem))
    print(f"healed in {time.monotonic() - begin:.1f} s", file=sys.stderr)


def _check(world: World, vouchers: Sequence[str], report: Report) -> None:
    totals = world.reconcile()
    lines, in_cloud = _cloud_says(world)
    if sorted(lines) != sorted(vouchers):
        lost, extra = set(vouchers) - set(lines), set(lines) - set(vouchers)
        report.faults.append(f"{len(lost)} vouchers lost, {len(extra)} redeemed by nobody, {len(lines)} lines")
    if totals["double_redeemed"] or totals["ledger_sum_twd"] or totals["unbalanced_journals"]:
        report.faults.append(f"totals are off: {totals}")
    on_kiosks = {request_id for kiosk in world.kiosks for request_id in _kiosk_says(kiosk)}
    if on_kiosks != in_cloud:
        report.faults.append(
            f"{len(in_cloud - on_kiosks)} redemptions no kiosk knows of, {len(on_kiosks - in_cloud)} only kiosks know"
        )


def _cloud_says(world: World) -> tuple[list[str], set[UUID]]:
    engine = make_engine(world.database.url)
    try:
        with for_reading(engine).connect() as connection:
            lines = list(connection.execute(select(redemption_line.c.voucher_no)).scalars())
            return lines, set(connection.execute(select(redemption.c.redemption_id)).scalars())
    finally:
        engine.dispose()


def _kiosk_says(kiosk: Kiosk) -> list[UUID]:
    """Requests for which this kiosk has an accepting answer on its disk."""
    with closing(sqlite3.connect(f"file:{kiosk.folder / 'state' / 'outbox.sqlite3'}?mode=ro", uri=True)) as outbox:
        rows = outbox.execute("SELECT request.id, answer.body FROM request JOIN answer USING (sequence)").fetchall()
    return [UUID(request_id) for request_id, body in rows if isinstance(decode_answer(body), RedeemAccepted)]


def _name(kill: Kill | None) -> str | None:
    return f"{kill.victim} at {kill.point}" if kill else None
