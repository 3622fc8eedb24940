"""Kiosks that never stop ordering: enrolled and authenticated, over a real broker, asking again as an outbox does.

Every answer that ever arrives is kept: the first to be compared with all later ones and with the database.
"""

import queue
import random
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from kiosk.domain.outbox import BackOff, Delivery, Pending, answered, is_due, published
from protocol.envelope import Event
from protocol.messages import RedeemAccepted, Refused, decode_answer
from protocol.reasons import Reason
from tests.support.edge import DIGITS, ITEM
from tests.support.kiosk_client import KioskClient, Sealed

ORDERS_PER_S: Final = 15.0
"""Of one kiosk; below the flow limit, far above what customers do."""

AT_ONCE_MAX: Final = 4
"""Orders of one kiosk made in one go, as when several customers' come out of an outbox."""

OPEN_MAX: Final = 8
"""Orders of one kiosk without an answer: more are not made."""

AGAIN_SHARE: Final = 0.05
"""Of the orders: with a voucher that some kiosk has ordered with just now."""

VOUCHERS_MAX: Final = 3
_TURN_S: Final = 0.01
_BACK_OFF: Final = BackOff()


@dataclass(slots=True)
class Order:
    """One request and what came of it."""

    request: Sealed
    vouchers: Sequence[str]
    made_at: float
    delivery: Delivery
    answer: Event | None = None
    answered_at: float = 0.0
    heard: int = 0
    """How many final answers arrived."""
    other: list[Event] = field(default_factory=list)
    """Final answers that differ from the first one: there must be none."""

    @property
    def id(self) -> UUID:
        return self.request.event.id

    @property
    def is_accepted(self) -> bool:
        return self.answer is not None and isinstance(decode_answer(self.answer.body), RedeemAccepted)

    def take(self, event: Event, now: float) -> None:
        """Take an authentic answer. ``busy`` is none: the same request is asked again."""
        body = decode_answer(event.body)
        if isinstance(body, Refused) and body.reason is Reason.BUSY:
            return
        self.heard += 1
        if self.answer is None:
            # Others look at the answer first, and then at its time.
            self.answered_at, self.answer = now, event
            self.delivery = answered(self.delivery)
        elif self.answer != event:
            self.other.append(event)


class Supply:
    """Vouchers that nobody has ordered with, and those of the newest orders."""

    def __init__(self) -> None:
        self.fresh: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.recent: deque[str] = deque(maxlen=200)

    def add(self, numbers: Sequence[str]) -> None:
        """Put new ones in."""
        for number in numbers:
            self.fresh.put(number)

    def deal(self, rng: random.Random) -> list[str]:
        """Take what one order brings; nothing while there are none."""
        try:
            dealt = [self.fresh.get_nowait() for _ in range(rng.randint(1, VOUCHERS_MAX))]
        except queue.Empty:
            return []
        if self.recent and rng.random() < AGAIN_SHARE:
            dealt[0] = self.recent[rng.randrange(len(self.recent))]
        self.recent += dealt
        return list(dict.fromkeys(dealt))


class BusyKiosk:
    """One kiosk with customers in line."""

    def __init__(self, client: KioskClient, supply: Supply, rng: random.Random) -> None:
        self.orders: dict[UUID, Order] = {}
        self.strangers = 0
        """Answers that were not authentic or belong to no order."""
        self.problem: BaseException | None = None
        self._client, self._supply, self._rng = client, supply, rng
        self._again: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._open: dict[UUID, Order] = {}
        self._next_at = 0.0
        self._ordering = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Begin to listen; nothing is ordered yet."""
        self._thread.start()

    def end(self) -> None:
        """Stop for good."""
        self._ended.set()
        self._thread.join()

    def order(self, on: bool) -> None:
        """Order, or only wait for what is open."""
        (self._ordering.set if on else self._ordering.clear)()

    def ask_again(self, order: Order) -> None:
        """Send an answered request once more."""
        self._again.put(order)

    @property
    def waiting(self) -> int:
        """Orders without an answer."""
        return len(self._open)

    def _work(self) -> None:
        try:
            while not self._ended.is_set():
                self._turn()
        except BaseException as problem:
            self.problem = problem
            raise

    def _turn(self) -> None:
        try:
            self._take(self._client.answers.get(timeout=_TURN_S))
            while True:
                self._take(self._client.answers.get_nowait())
        except queue.Empty:
            pass
        now = time.monotonic()
        if self._ordering.is_set() and now >= self._next_at:
            count = self._rng.randint(1, AT_ONCE_MAX)
            self._next_at = now + count * self._rng.expovariate(ORDERS_PER_S)
            for _ in range(min(count, OPEN_MAX - len(self._open))):
                self._make(now)
        for order in self._open.values():
            if is_due(order.delivery, now):
                self._client.send_quickly(order.request)
                order.delivery = published(order.delivery, now, _BACK_OFF)
        while not self._again.empty():
            self._client.send_quickly(self._again.get_nowait().request)

    def _make(self, now: float) -> None:
        vouchers = self._supply.deal(self._rng)
        if not vouchers:
            return
        request = self._client.redeem(
            vouchers, [DIGITS] * len(vouchers), total_twd=1000 * len(vouchers) + 50, item_category=ITEM
        )
        order = Order(request, vouchers, now, Pending(now))
        self.orders[order.id] = self._open[order.id] = order

    def _take(self, event: Event) -> None:
        order = self.orders.get(event.id)
        if order is None or not event.is_from(self._client.keys.answer):
            self.strangers += 1
            return
        order.take(event, time.monotonic())
        if order.answer is not None:
            self._open.pop(event.id, None)


@dataclass(slots=True)
class Crowd:
    """All kiosks."""

    kiosks: Sequence[BusyKiosk]
    supply: Supply

    def order(self, on: bool) -> None:
        """Order, or only wait for what is open."""
        for kiosk in self.kiosks:
            kiosk.order(on)

    def orders(self) -> list[Order]:
        """Every order so far."""
        return [order for kiosk in self.kiosks for order in list(kiosk.orders.values())]

    def waiting(self) -> int:
        """Orders without an answer."""
        for kiosk in self.kiosks:
            if kiosk.problem is not None:
                raise kiosk.problem
        return sum(kiosk.waiting for kiosk in self.kiosks)

    def ask_again(self, wanted: Sequence[Order]) -> None:
        """Send answered requests once more."""
        for kiosk in self.kiosks:
            for order in wanted:
                if order.id in kiosk.orders:
                    kiosk.ask_again(order)


@contextmanager
def busy_kiosks(clients: Sequence[KioskClient], *, seed: int) -> Iterator[Crowd]:
    """Start one thread per connected kiosk; all have ended on leaving."""
    supply = Supply()
    crowd = Crowd([BusyKiosk(client, supply, random.Random(f"{seed}-{place}")) for place, client in enumerate(clients)], supply)
    for kiosk in crowd.kiosks:
        kiosk.start()
    try:
        yield crowd
    finally:
        for kiosk in crowd.kiosks:
            kiosk.end()
