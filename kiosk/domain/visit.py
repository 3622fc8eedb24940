"""One customer after another: ``advance(state, event, now) -> Step``. Pure, total, and the only place where a scene changes.

The way of a visit, forward only::

    ATTRACT ── scan, or type 12 digits ──> DIGITS ── OK ──> CHECKING ──> BASKET ── OK ──> ITEM ──> TOTAL ──> CONFIRM
       ^                                     ^──── wrong digits ──┘        └── scan another: DIGITS            │ OK
       └──────────── key, or time ──────────── DONE · REFUSED · UNKNOWN <────────── SENDING <──── saved ───────┘

Rules kept here, and held by tests over random sequences of events:

* Nothing is irreversible before CONFIRM; from SAVING on nothing can be cancelled, and the screen says so.
* DONE is shown only for an answer that is already on the disk: the app says ``Answered`` after storing it, never before.
* UNKNOWN is neither success nor failure. Its answer, should it come while the screen stands, replaces it.
* An event that means nothing in a scene changes nothing.
* Every scene ends: by a key, by an answer, or by time. OUT_OF_ORDER ends when requests can be saved again.
* Time is what ``now`` says, in monotonic seconds. It passes before an event acts, so a key that comes after a limit meets
  the scene that the limit led to, however rarely the clock ticks.

Not here: ids, sealing, the outbox, the wire. They are effects, and the app's business.
"""

from dataclasses import replace
from typing import assert_never

from kiosk.domain.answering import take_answered, take_checked, take_known, take_save_failed, take_saved
from kiosk.domain.effects import Sound, Tune
from kiosk.domain.events import (
    Answered,
    Checked,
    CodeScanned,
    Event,
    FitnessChanged,
    KeyPressed,
    KnownRequest,
    LanguageChosen,
    LinkChanged,
    RequestSaved,
    SaveFailed,
    Ticked,
)
from kiosk.domain.pressing import press
from kiosk.domain.scenes import (
    Attract,
    Basket,
    Checking,
    ChoosingItem,
    Confirm,
    Digits,
    Done,
    MoreTime,
    Number,
    OutOfOrder,
    Refused,
    Saving,
    Scene,
    Sending,
    State,
    Total,
    Unknown,
)
from kiosk.domain.site import LANGUAGES
from kiosk.domain.steps import Step, end_visit, go, go_home, leave_result, offer, release, resume, shown_s, start_visit
from protocol.reasons import Reason
from protocol.voucher import VoucherCode


def advance(state: State, event: Event, now: float) -> Step:
    """Let time pass up to ``now``, then let the event act.

    Args:
        now: monotonic seconds, never smaller than in the call before.
    """
    passed = _pass_time(state, now)
    step = _act(passed.state, event, now)
    return step.after(*passed.effects)


def _act(state: State, event: Event, now: float) -> Step:
    match event:
        case KeyPressed(key):
            return press(state, key, now)
        case CodeScanned(code):
            return _scan(state, code, now)
        case LanguageChosen(language):
            return _choose_language(state, language, now)
        case KnownRequest():
            return take_known(state, event, now)
        case Checked():
            return take_checked(state, event, now)
        case RequestSaved():
            return take_saved(state, event, now)
        case SaveFailed():
            return take_save_failed(state, event)
        case Answered():
            return take_answered(state, event, now)
        case FitnessChanged(fit):
            return _change_fitness(state, fit, now)
        case LinkChanged(online):
            return Step(replace(state, online=online))
        case Ticked():
            return Step(state)
    assert_never(event)


def _pass_time(state: State, now: float) -> Step:
    timing = state.site.timing
    match scene := state.scene:
        case Attract():
            fallen = scene.language != state.site.language and now - scene.since >= timing.language_s
            return go_home(state, now) if fallen else Step(state)
        case Number() | Digits() | Basket() | ChoosingItem() | Total() | Confirm():
            idle = now - scene.visit.active_at >= timing.idle_s
            return go(state, MoreTime(scene, now), Sound(Tune.AGAIN)) if idle else Step(state)
        case MoreTime():
            gone = now - scene.since >= timing.more_time_s
            return end_visit(state, scene.over.visit, now) if gone else Step(state)
        case Checking() | Sending():
            return _give_up_waiting(state, scene, now) if now - scene.since >= timing.answer_wait_s else Step(state)
        case Done() | Refused() | Unknown():
            return leave_result(state, scene, now) if now - scene.since >= shown_s(timing, scene) else Step(state)
        case Saving() | OutOfOrder():
            # The disk answers Saving at once; the technician answers OutOfOrder.
            return Step(state)
    assert_never(scene)


def _give_up_waiting(state: State, scene: Checking | Sending, now: float) -> Step:
    visit = scene.visit
    if isinstance(scene, Checking):
        # The check may still be judged: what it would hold is let go, so that the customer can use it elsewhere at once.
        unknown = Unknown(visit, now)
        return go(state, unknown, Sound(Tune.AGAIN), *release(visit, (scene.voucher_no,)))
    unknown = Unknown(replace(visit, held=()), now, scene.request_id, visit.held)
    return go(state, unknown, Sound(Tune.AGAIN))


def _scan(state: State, code: VoucherCode | Reason, now: float) -> Step:
    match scene := state.scene:
        case Attract():
            state, visit = start_visit(state, scene.language, now)
            return offer(state, visit, code, now)
        case Number() | Basket() | ChoosingItem() | Total():
            return offer(state, scene.visit, code, now)
        case Digits():
            # The camera may see the voucher itself again, or a neighbour while the digits are being typed.
            other = not scene.entry and isinstance(code, VoucherCode) and code.voucher_no != scene.voucher_no
            return offer(state, scene.visit, code, now) if other else Step(state)
        case MoreTime():
            resumed, _ = resume(state, scene, now)
            return _scan(resumed, code, now)
        case Done() | Refused() | Unknown():
            left = leave_result(state, scene, now)
            return _scan(left.state, code, now).after(*left.effects)
        case Checking() | Confirm() | Saving() | Sending() | OutOfOrder():
            return Step(state)
    assert_never(scene)


def _choose_language(state: State, language: str, now: float) -> Step:
    if language not in LANGUAGES:
        return Step(state)
    scene: Scene
    match scene := state.scene:
        case Attract():
            return go(state, Attract(language, now), Sound(Tune.CLICK))
        case OutOfOrder():
            return go(state, OutOfOrder(language))
        case MoreTime():
            _, over = resume(state, scene, now)
            return go(state, replace(over, visit=replace(over.visit, language=language)), Sound(Tune.CLICK))
        case _:
            visit = replace(scene.visit, language=language, active_at=now)
            return go(state, replace(scene, visit=visit), Sound(Tune.CLICK))


def _change_fitness(state: State, fit: bool, now: float) -> Step:
    state = replace(state, fit=fit)
    match scene := state.scene:
        case OutOfOrder():
            return go_home(state, now) if fit else Step(state)
        case Attract():
            return Step(state) if fit else go(state, OutOfOrder(scene.language))
        case Saving() | Sending() | Done() | Refused() | Unknown():
            # What is under way or to be read is seen through; the next customer is not served.
            return Step(state)
        case _ if fit:
            return Step(state)
        case Checking(visit, voucher_no=voucher_no):
            return end_visit(state, visit, now).after(*release(visit, (voucher_no,)))
        case MoreTime(over):
            return end_visit(state, over.visit, now)
        case _:
            return end_visit(state, scene.visit, now)
