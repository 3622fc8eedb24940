"""What the outbox and the cloud say, and what a visit makes of it.

An answer acts only on the very question it belongs to. A late one changes no later visit; if it holds a voucher that nobody
wants any more, that voucher is let go.
"""

from dataclasses import replace

from kiosk.domain.effects import SendRelease, Sound, Tune
from kiosk.domain.events import Answered, Checked, KnownRequest, RequestSaved, SaveFailed
from kiosk.domain.scenes import (
    Basket,
    Checking,
    Digits,
    Done,
    Held,
    OutOfOrder,
    Saving,
    Sending,
    State,
    Unknown,
    Visit,
    Why,
    visit_of,
)
from kiosk.domain.steps import Step, go, refuse, release
from protocol import messages
from protocol.ids import reference
from protocol.reasons import Reason

_ENDS_VISIT = frozenset(
    {
        Reason.MALFORMED,
        Reason.DEVICE_NOT_ACTIVE,
        Reason.MERCHANT_NOT_ACTIVE,
        Reason.REQUEST_CONFLICT,
        Reason.SEQUENCE_CONFLICT,
    }
)
"""Refusals of the kiosk itself: trying again with the same vouchers would be refused again."""


def take_known(state: State, event: KnownRequest, now: float) -> Step:
    """The voucher just taken up is part of a request whose outcome the customer does not know."""
    scene = state.scene
    if not isinstance(scene, Digits) or (scene.visit.serial, scene.voucher_no) != (event.visit, event.voucher_no):
        return Step(state)
    if event.accepted is None:
        return go(state, Unknown(scene.visit, now, event.request_id), Sound(Tune.AGAIN))
    return go(state, Done(scene.visit, event.request_id, event.accepted, (), True, now), Sound(Tune.AGAIN))


def take_checked(state: State, event: Checked, now: float) -> Step:
    """A check was answered."""
    scene = state.scene
    if not isinstance(scene, Checking) or scene.ask != event.ask:
        return _take_late_check(state, event)
    visit = replace(scene.visit, active_at=now)
    if isinstance(event.answer, messages.CheckAccepted):
        return _take_held(state, replace(scene, visit=visit), event.answer, now)
    why = _why(event.answer, scene.voucher_no)
    if why.reason is Reason.NO_MATCH and why.tries_left != 0:
        return go(state, Digits(visit, scene.voucher_no, why=why), Sound(Tune.REFUSE))
    return refuse(state, visit, why, now)


def take_saved(state: State, event: RequestSaved, now: float) -> Step:
    """From here on there is no way back: the request is on the disk and will be sent until it is answered."""
    scene = state.scene
    if not isinstance(scene, Saving) or scene.ask != event.ask:
        return Step(state)
    return go(state, Sending(scene.visit, scene.order, event.request_id, now))


def take_save_failed(state: State, event: SaveFailed) -> Step:
    """The disk does not take it. Nothing was sent; the vouchers stay unused."""
    scene = state.scene
    if not isinstance(scene, Saving) or scene.ask != event.ask:
        return Step(state)
    return go(replace(state, fit=False), OutOfOrder(scene.visit.language), *release(scene.visit, scene.visit.held_nos))


def take_answered(state: State, event: Answered, now: float) -> Step:
    """A redeem request got its final answer."""
    match state.scene:
        case Sending(visit=visit, request_id=request_id) if request_id == event.request_id:
            return _take_final(state, event, replace(visit, held=()), visit.held, now)
        case Unknown(visit=visit, request_id=request_id, asked=asked) if request_id == event.request_id:
            return _take_final(state, event, visit, asked, now)
    return Step(state)


def _take_held(state: State, scene: Checking, answer: messages.CheckAccepted, now: float) -> Step:
    visit = scene.visit
    if any(voucher.programme_id != answer.programme_id for voucher in visit.held):
        # The order would be refused as a whole: say it now, about this voucher, and keep the others.
        step = refuse(state, visit, Why(Reason.MIXED_PROGRAMMES), now)
        return step.after(*release(visit, (scene.voucher_no,)))
    voucher = Held(scene.voucher_no, scene.digits, answer.face_value_twd, answer.programme_id)
    return go(state, Basket(replace(visit, held=(*visit.held, voucher))), Sound(Tune.ACCEPT))


def _take_late_check(state: State, event: Checked) -> Step:
    if not isinstance(event.answer, messages.CheckAccepted):
        return Step(state)
    visit = visit_of(state.scene)
    if visit is not None and visit.serial == event.visit and event.voucher_no in _wanted(state, visit):
        return Step(state)
    return Step(state, (SendRelease(event.visit, (event.voucher_no,)),))


def _wanted(state: State, visit: Visit) -> tuple[str, ...]:
    scene = state.scene
    asked = (scene.voucher_no,) if isinstance(scene, Checking | Digits) else ()
    return (*visit.held_nos, *asked)


def _take_final(state: State, event: Answered, visit: Visit, asked: tuple[Held, ...], now: float) -> Step:
    answer = event.answer
    visit = replace(visit, active_at=now)
    if isinstance(answer, messages.RedeemAccepted):
        own = bool(asked)
        done = Done(visit, event.request_id, answer, asked, not own, now)
        return go(state, done, Sound(Tune.ACCEPT if own else Tune.AGAIN))
    kept = _kept(asked, answer)
    dropped = tuple(voucher.voucher_no for voucher in asked if voucher not in kept)
    step = refuse(state, replace(visit, held=visit.held + kept), _why(answer), now, reference(event.request_id))
    return step.after(*release(visit, dropped))


def _kept(asked: tuple[Held, ...], answer: messages.Refused) -> tuple[Held, ...]:
    """The vouchers of a refused order that may be tried again: those that nothing was said against."""
    if answer.reason in _ENDS_VISIT:
        return ()
    named = {refusal.voucher_no for refusal in answer.refusals}
    return tuple(voucher for voucher in asked if voucher.voucher_no not in named)


def _why(answer: messages.Refused, voucher_no: str | None = None) -> Why:
    for refusal in answer.refusals:
        if refusal.reason is answer.reason and voucher_no in {None, refusal.voucher_no}:
            return Why(refusal.reason, refusal.at, refusal.site, refusal.tries_left)
    return Why(answer.reason)
