"""``make demo ORDERS=n``: n customers over two simulated weeks, and then every number is checked.

The calendar is the cloud's: orders are spread over fourteen days from a Thursday; each evening merchants confirm, each
Wednesday the scheduler settles by itself, the office pays and the bank answers. In the second week the bank returns one
merchant's payout. The last evening is not confirmed, so that something stays unclaimed.
"""

import random
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.demo.cast import SITES, UNLUCKY_ACCOUNT, Cast, prepare
from tests.demo.customer import Customer, Outcome
from tests.demo.mishaps import mishap_of
from tests.demo.office import MerchantAtDesk, pay_and_hear
from tests.demo.orders import Order, Story, make_order, stories
from tests.demo.processes import DemoError, wait_for
from tests.demo.summary import Figures, report
from tests.demo.world import Ports, World, open_world

TAIPEI = ZoneInfo("Asia/Taipei")
DAYS = 14
OPENING, CLOSING = 9, 20
WEDNESDAY, THURSDAY = 2, 3
_ALONE = frozenset({Story.USED, Story.REPEATED, Story.RESENT})
"""Stories that disturb, or depend on, what happens at the other kiosk."""


@dataclass(slots=True)
class Diary:
    """What happened, as the people saw it."""

    outcomes: list[tuple[Order, Outcome]] = field(default_factory=list)
    settled: int = 0


def run_script(root: Path, *, database: str, orders: int, seed: int) -> int:
    """Play the orders in a fresh world, print the summary and the JSON line; 0 if every number is right."""
    begin = time.monotonic()
    rng = random.Random(seed)
    ports = Ports.free(len(SITES))
    with open_world(root, database=database, ports=ports, sites=list(SITES), fresh=True) as world:
        cast = open_for_business(world, orders, rng)
        diary = play(world, cast, stories(orders, rng), rng)
        figures = Figures.of(world, diary.outcomes, seconds=time.monotonic() - begin)
    return report(figures, database=database)


def open_for_business(world: World, orders: int, rng: random.Random) -> Cast:
    """Set up, issue and print the vouchers, start everything."""
    say(f"setting up ({world.database.name}) …")
    first_day = _first_thursday()
    world.jump_to(_at(first_day - timedelta(days=40), 12))
    cast = prepare(world, orders=orders, first_day=first_day, rng=rng)
    world.jump_to(_at(first_day, OPENING))
    world.start_cloud()
    for kiosk in world.kiosks:
        world.start_kiosk(kiosk)
    say(f"broker, cloud and {len(world.kiosks)} kiosks are up; first day is {first_day:%A} {first_day}")
    return cast


def play(world: World, cast: Cast, told: Sequence[Story], rng: random.Random) -> Diary:
    """Let fourteen days and the night after them pass."""
    diary = Diary()
    first = world.now().astimezone(TAIPEI).date()
    for day in range(DAYS):
        today = first + timedelta(days=day)
        if day:
            _night(world, diary, today)
        numbers = range(len(told) * day // DAYS, len(told) * (day + 1) // DAYS)
        for group in _groups(numbers, told, len(world.kiosks)):
            world.jump_to(_at(today, OPENING) + timedelta(hours=CLOSING - OPENING) * (group[0] - numbers[0]) / len(numbers))
            _serve(world, cast, [make_order(number, told[number], cast.hand, rng) for number in group], diary, rng)
        if day < DAYS - 1:
            world.jump_to(_at(today, CLOSING + 1))
            _confirm_everything(world)
    return diary


def _confirm_everything(world: World) -> None:
    """Every merchant signs in and confirms, all at the same hour."""
    logins = list(dict.fromkeys(SITES.values()))
    with ThreadPoolExecutor(len(logins)) as desks:
        for done in [desks.submit(MerchantAtDesk(world, login).confirm_all) for login in logins]:
            done.result()


def _groups(numbers: Sequence[int], told: Sequence[Story], kiosks: int) -> Iterator[list[int]]:
    """Put orders together that may be served at the same time, one at each kiosk."""
    group: list[int] = []
    for number in numbers:
        if group and (told[number] in _ALONE or told[group[-1]] in _ALONE or len(group) == kiosks):
            yield group
            group = []
        group.append(number)
    if group:
        yield group


def _serve(world: World, cast: Cast, orders: Sequence[Order], diary: Diary, rng: random.Random) -> None:
    """Serve these orders at once, each at its own kiosk."""

    def visit(place: int, order: Order, own: random.Random) -> Outcome:
        customer = Customer(world.kiosks[place], legend=world.legend, rng=own)
        return customer.visit(cast.dress(order), mishap_of(order.story, world))

    places = range(len(orders)) if len(orders) > 1 else [orders[0].number % len(world.kiosks)]
    seeds = [random.Random(rng.randrange(1 << 30)) for _ in orders]
    if len(orders) == 1:
        # In this thread: a mishap starts processes, and the kernel ends those with the thread that started them.
        outcomes = [visit(places[0], orders[0], seeds[0])]
    else:
        with ThreadPoolExecutor(len(orders)) as counters:
            outcomes = list(counters.map(visit, places, orders, seeds))
    for order, outcome in zip(orders, outcomes, strict=True):
        diary.outcomes.append((order, outcome))
        if outcome.reason != order.refusal:
            raise DemoError(f"order {order.number + 1} ({order.story}) ended {outcome}, expected {order.refusal or 'accepted'}")
        _progress(len(diary.outcomes), order, outcome, world.now())


def _night(world: World, diary: Diary, today: date) -> None:
    """Midnight passes. On a Wednesday the week before it is settled, paid, and the bank answers."""
    world.jump_to(_at(today, 0) + timedelta(minutes=5))
    if today.weekday() != WEDNESDAY:
        return
    week = today - timedelta(days=7)
    wait_for(lambda: week.isoformat() in world.cloud("settlements"), what=f"the scheduler to settle the week of {week}")
    refuse = {UNLUCKY_ACCOUNT.lstrip("0")} if diary.settled else set()
    if pay_and_hear(world, refuse_accounts=refuse, today=today):
        say(f"{today:%a %d %b}  week of {week} settled, paid; the bank answered" + (", one payout came back" if refuse else ""))
    diary.settled += 1


def _at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=TAIPEI).astimezone(UTC)


def _first_thursday() -> date:
    """A Thursday such that the two weeks end about now: certificates and calendar stay in each other's reach."""
    day = datetime.now(TAIPEI).date() - timedelta(days=DAYS)
    return day - timedelta(days=(day.weekday() - THURSDAY) % 7)


def say(text: str) -> None:
    """One line of progress."""
    print(text, file=sys.stderr, flush=True)


def _progress(done: int, order: Order, outcome: Outcome, now: datetime) -> None:
    mark = "✓" if outcome.accepted else "✕"
    ended = f"{len(order.vouchers)} voucher(s), {outcome.topup_twd:,} to pay" if outcome.accepted else str(outcome.reason)
    story = "" if order.story is Story.PLAIN else f"   [{order.story}]"
    wait = f"{outcome.wait_ms:6.0f} ms" if outcome.wait_ms is not None else "         "
    say(f"{now.astimezone(TAIPEI):%a %d %b %H:%M}  {done:>4}  {mark} {wait}  {ended}{story}")
