"""Customers at the kiosks and staff with their phones: honest, hurried, absent, and up to no good.

A customer looks at the screen and does what the screen asks for, with a plan in mind: which vouchers, whose digits, how much.
Digits are given as keys; what they stand for is the site's legend.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from kiosk.app import App
from kiosk.domain.keys import Key
from kiosk.domain.view import Screen, View
from protocol.limits import ID_DIGITS_LENGTH
from tests.simulation.cloud import Cloud
from tests.simulation.kernel import Kernel
from tests.simulation.kiosks import Input, KioskHost
from tests.simulation.witness import LEGEND
from tests.support.asks import Asks
from tests.support.worlds import Shop

HUMAN_S: Final = (0.2, 2.5)
BETWEEN_VISITS_S: Final = (0.5, 8.0)
STAFF_EVERY_S: Final = (5.0, 60.0)
ABSENT_S: Final = (1.0, 70.0)
GUESSES_MAX: Final = 9
STAFF_TRIES_MAX: Final = 4
TOTALS_TWD: Final = (1, 999, 1000, 3500, 9_999_999)
RUBBISH: Final = (b"", b"https://example.org/", b"123", b"12345678901a", "１２３４５６７８９０１２".encode())


class Manner(StrEnum):
    """What somebody is like."""

    HONEST = "honest"
    HASTY = "hasty"
    """Presses whatever, cancels, changes the language, shows rubbish to the camera."""
    ABSENT = "absent"
    """Walks away in the middle."""
    GUESSER = "guesser"
    """Does not know the digits and tries, again and again, the same voucher."""


@dataclass(slots=True)
class Plan:
    """One visit, as its customer means it."""

    manner: Manner
    to_show: list[str]
    total_twd: int
    by_hand: bool
    """Types the numbers instead of showing the codes."""
    current: str = ""
    guesses: int = 0

    @property
    def is_over(self) -> bool:
        return bool(self.current) and not self.to_show


@dataclass(slots=True)
class Crowd:
    """The customers of one kiosk, one after another."""

    kernel: Kernel
    host: KioskHost
    numbers: Sequence[str]
    """What they may bring, the most popular ones first."""
    typed: Mapping[str, str]
    """The keys of the holder's digits, by voucher."""
    hostile: float
    _is_open: bool = False
    _round: int = 0
    _plan: Plan | None = None

    def open(self) -> None:
        """The shop opens: people come."""
        self._is_open, self._plan = True, None
        self._round += 1
        self._next(BETWEEN_VISITS_S)

    def close(self) -> None:
        """Nobody comes any more; whoever is here walks away."""
        self._is_open = False

    def _next(self, span_s: tuple[float, float]) -> None:
        this_round = self._round
        self.kernel.after(self.kernel.rng.uniform(*span_s), lambda: self._act(this_round))

    def _act(self, this_round: int) -> None:
        if not self._is_open or this_round != self._round:
            return
        plan, view = self._plan, self.host.view
        if view is None or view.screen is Screen.OUT_OF_ORDER:
            self._plan = None
            self._next(BETWEEN_VISITS_S)
        elif plan is None or (plan.is_over and view.screen is Screen.ATTRACT):
            self._plan = self._draw_plan(plan)
            self._next(BETWEEN_VISITS_S)
        elif plan.manner is Manner.ABSENT and self.kernel.rng.random() < 0.1:
            self._next(ABSENT_S)
        else:
            hasty = plan.manner is Manner.HASTY and self.kernel.rng.random() < 0.25
            self.host.feed([self._mischief()] if hasty else self.respond(plan, view))
            self._next(HUMAN_S)

    def respond(self, plan: Plan, view: View) -> list[Input]:
        """Do what the screen asks for."""
        match view.screen:
            case Screen.ATTRACT | Screen.BASKET if plan.to_show:
                plan.current = plan.to_show.pop(0)
                return press(*plan.current, Key.OK) if plan.by_hand else [show(plan.current)]
            case Screen.DIGITS:
                return self._give_digits(plan, view)
            case Screen.BASKET:
                return press(Key.OK)
            case Screen.ITEM:
                return press(self.kernel.rng.choice("12"))
            case Screen.TOTAL:
                return press(Key.CANCEL) if view.entry else press(*str(plan.total_twd), Key.OK)
            case Screen.CONFIRM:
                return press(Key.OK)
            case Screen.UNKNOWN if plan.current not in plan.to_show:
                # Told to show it again to learn what became of it: some do.
                if self.kernel.rng.random() < 0.5:
                    plan.to_show.append(plan.current)
                return press(Key.OK)
            case Screen.MORE_TIME | Screen.DONE | Screen.REFUSED | Screen.UNKNOWN:
                return press(Key.OK)
            case Screen.NUMBER:
                return press(Key.CANCEL)
        return []

    def _give_digits(self, plan: Plan, view: View) -> list[Input]:
        if view.entry or plan.guesses >= GUESSES_MAX:
            return press(Key.CANCEL, Key.CANCEL)
        if plan.manner is Manner.GUESSER or self.kernel.rng.random() < 0.03:
            plan.guesses += 1
            return press(*f"{self.kernel.rng.randrange(10**ID_DIGITS_LENGTH):04d}", Key.OK)
        return press(*self.typed.get(plan.current, "0000"), Key.OK)

    def _draw_plan(self, before: Plan | None) -> Plan:
        rng = self.kernel.rng
        if before is not None and 0 < before.guesses < GUESSES_MAX and before.manner is Manner.GUESSER:
            return Plan(Manner.GUESSER, [before.current], before.total_twd, before.by_hand, guesses=before.guesses)
        manner = rng.choice(tuple(Manner)[1:]) if rng.random() < self.hostile else Manner.HONEST
        count = 1 if manner is Manner.GUESSER else rng.choice((1, 1, 2, 3))
        first = self._pick(self.numbers)
        alike = [number for number in self.numbers if number[:4] == first[:4]]
        wanted = [first, *(self._pick(alike if rng.random() < 0.8 else self.numbers) for _ in range(count - 1))]
        return Plan(manner, wanted, rng.choice(TOTALS_TWD), rng.random() < 0.2)

    def _pick(self, numbers: Sequence[str]) -> str:
        # The first ones are brought most often, so that one voucher is at two kiosks at once.
        return numbers[int(len(numbers) * self.kernel.rng.random() ** 2)]

    def _mischief(self) -> Input:
        rng = self.kernel.rng
        match rng.randrange(3):
            case 0:
                return press(rng.choice(tuple(Key)))[0]
            case 1:
                content = rng.choice((*RUBBISH, rng.choice(self.numbers).encode()))
                return lambda app: app.take_code(content)
            case _:
                language = rng.choice(("en", "ja", "xx"))
                return lambda app: app.take_language(language)


@dataclass(slots=True)
class StaffPhone:
    """Somebody with a phone, who takes the same vouchers by another door."""

    kernel: Kernel
    cloud: Cloud
    asks: Asks
    numbers: Sequence[str]
    is_open: bool = False

    def open(self) -> None:
        """Work begins."""
        self.is_open = True
        self._next()

    def close(self) -> None:
        """Work ends."""
        self.is_open = False

    def _next(self) -> None:
        self.kernel.after(self.kernel.rng.uniform(*STAFF_EVERY_S), self._act)

    def _act(self) -> None:
        if not self.is_open:
            return
        rng = self.kernel.rng
        number = self.numbers[int(len(self.numbers) * rng.random() ** 2)]
        visit = UUID(int=rng.getrandbits(128))
        wrong = {number: LEGEND[0] * ID_DIGITS_LENGTH} if rng.random() < 0.2 else {}
        ask = (
            self.asks.redeem(number, visit=visit, digits=wrong)
            if rng.random() < 0.7
            else self.asks.check(number, visit=visit, digits=wrong.get(number))
        )
        for _ in range(STAFF_TRIES_MAX):
            # A page that failed is sent again, with the same id.
            stored = self.cloud.ask_now(ask)
            if stored is not None:
                self.cloud.witness.answered_staff(ask, stored)
                break
        self._next()


def press(*keys: Key | str) -> list[Input]:
    """Keys, one after another."""

    def take(key: Key) -> Input:
        return lambda app: app.take_key(key)

    return [take(Key(key)) for key in keys]


def show(voucher_no: str) -> Callable[[App], None]:
    """Hold a bare code before the camera."""
    return lambda app: app.take_code(voucher_no.encode())


def staff_of(cloud: Cloud, shop: Shop, numbers: Sequence[str]) -> StaffPhone:
    """The phone of one merchant's member of staff."""
    return StaffPhone(cloud.kernel, cloud, Asks(cloud.world, shop, kind="staff"), numbers)
