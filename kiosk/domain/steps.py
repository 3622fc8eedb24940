"""Moves that several events share: going home, taking up a voucher, leaving a result.

Every one returns a :class:`Step`; none looks at a clock. The rules kept here:

* A visit that ends lets go of everything it still holds.
* A visit that goes on after a refusal, an unknown check or an old outcome goes on with the vouchers it holds.
* The screen falls back to the site's language after every customer.
"""

from dataclasses import dataclass, replace
from typing import assert_never

from kiosk.domain.effects import Effect, LookUp, NoteShown, SendRelease, Sound, Tune
from kiosk.domain.scenes import (
    Attract,
    Basket,
    ChoosingItem,
    Digits,
    Done,
    MoreTime,
    OutOfOrder,
    Refused,
    Result,
    Scene,
    State,
    Total,
    Unknown,
    Visit,
    Waiting,
    Why,
)
from kiosk.domain.site import Timing
from protocol.limits import VOUCHERS_PER_ORDER_MAX
from protocol.reasons import Reason
from protocol.voucher import VoucherCode


@dataclass(frozen=True, slots=True)
class Step:
    """The next state and what to do about it, in order."""

    state: State
    effects: tuple[Effect, ...] = ()

    def after(self, *effects: Effect) -> "Step":
        """Return the same step with these effects before its own."""
        return Step(self.state, effects + self.effects)


def go(state: State, scene: Scene, *effects: Effect) -> Step:
    """Change the scene."""
    return Step(replace(state, scene=scene), effects)


def go_home(state: State, now: float) -> Step:
    """Nobody here any more."""
    language = state.site.language
    return go(state, Attract(language, now) if state.fit else OutOfOrder(language))


def start_visit(state: State, language: str, now: float) -> tuple[State, Visit]:
    """Number a new visit."""
    serial = state.serial + 1
    return replace(state, serial=serial), Visit(serial, language, now)


def end_visit(state: State, visit: Visit, now: float) -> Step:
    """The customer left or gave up: nothing stays held, nothing stays in memory."""
    return go_home(state, now).after(*release(visit, visit.held_nos))


def release(visit: Visit, voucher_nos: tuple[str, ...]) -> tuple[Effect, ...]:
    """Let go of these vouchers, if there are any."""
    return (SendRelease(visit.serial, voucher_nos),) if voucher_nos else ()


def back_or_home(state: State, visit: Visit, now: float) -> Step:
    """Go on with what is held; with nothing held the visit is over."""
    return go(state, Basket(visit)) if visit.held else end_visit(state, visit, now)


def leave_result(state: State, scene: Result, now: float) -> Step:
    """A result was read, or its time is over."""
    step = back_or_home(state, replace(scene.visit, active_at=now), now)
    return step.after(NoteShown(scene.request_id)) if isinstance(scene, Done) else step


def shown_s(timing: Timing, scene: Result) -> float:
    """How many seconds a result is shown."""
    match scene:
        case Done(repeated=repeated):
            # An earlier outcome is looked up to be shown to somebody.
            return timing.refused_s if repeated else timing.done_s
        case Refused():
            return timing.refused_s
        case Unknown():
            return timing.unknown_s
    assert_never(scene)


def refuse(state: State, visit: Visit, why: Why, now: float, reference: str | None = None) -> Step:
    """Say why not."""
    return go(state, Refused(visit, why, now, reference), Sound(Tune.REFUSE))


def offer(state: State, visit: Visit, code: VoucherCode | Reason, now: float) -> Step:
    """Take up a voucher that was scanned or typed."""
    visit = replace(visit, active_at=now)
    if isinstance(code, Reason):
        return refuse(state, visit, Why(code), now)
    if code.voucher_no in visit.held_nos:
        return go(state, Basket(visit, again=True), Sound(Tune.AGAIN))
    if len(visit.held) >= VOUCHERS_PER_ORDER_MAX:
        return refuse(state, visit, Why(Reason.TOO_MANY_VOUCHERS), now)
    return go(state, Digits(visit, code.voucher_no), Sound(Tune.CLICK), LookUp(visit.serial, code.voucher_no))


def choose_item(state: State, visit: Visit) -> Step:
    """Ask what is bought, unless the site sells one thing only."""
    items = state.site.items
    return go(state, Total(visit, items[0].code) if len(items) == 1 else ChoosingItem(visit))


def resume(state: State, scene: MoreTime, now: float) -> tuple[State, Waiting]:
    """The customer is still there: go on where we stood."""
    over = replace(scene.over, visit=replace(scene.over.visit, active_at=now))
    return replace(state, scene=over), over
