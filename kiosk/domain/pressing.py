"""What each key does in each scene.

OK goes on. CLEAR takes back one character or one step. CANCEL takes back what was typed; with nothing typed it gives up the
voucher being added, or the whole visit. It is safe everywhere: before the request is on the disk nothing has happened, and
after that it does nothing, and the screen says so. The key that cannot be undone is deaf for a moment after any other key.
"""

from dataclasses import replace
from typing import assert_never

from kiosk.domain.effects import SaveRequest, SendCheck, Sound, Tune
from kiosk.domain.keys import Key
from kiosk.domain.scenes import (
    Attract,
    Basket,
    Checking,
    ChoosingItem,
    Confirm,
    Digits,
    Done,
    IdDigits,
    MoreTime,
    Number,
    Order,
    OutOfOrder,
    Refused,
    Saving,
    Sending,
    State,
    Total,
    Unknown,
    Waiting,
)
from kiosk.domain.steps import Step, back_or_home, choose_item, end_visit, go, leave_result, offer, release, resume, start_visit
from protocol.limits import ID_DIGITS_LENGTH, ORDER_TOTAL_MAX_TWD, VOUCHER_NO_LENGTH
from protocol.voucher import VoucherCode

_CLICK = Sound(Tune.CLICK)


def press(state: State, key: Key, now: float) -> Step:
    """Let one key act on the scene. A key that means nothing there changes nothing."""
    match scene := state.scene:
        case Attract():
            return _press_attract(state, scene, key, now)
        case Confirm(visit=visit) if key is Key.OK and now - visit.active_at < state.site.timing.confirm_guard_s:
            return Step(state)
        case Number() | Digits() | Basket() | ChoosingItem() | Total() | Confirm():
            return _press_waiting(state, scene, key, now)
        case Checking():
            return _press_checking(state, scene, key, now)
        case MoreTime():
            state, _ = resume(state, scene, now)
            return Step(state, (_CLICK,))
        case Done() | Refused() | Unknown():
            guarded = now - scene.since < state.site.timing.result_guard_s
            return Step(state) if guarded else leave_result(state, scene, now).after(_CLICK)
        case Saving() | Sending() | OutOfOrder():
            return Step(state)
    assert_never(scene)


def _press_attract(state: State, scene: Attract, key: Key, now: float) -> Step:
    if key.digit is None and key is not Key.OK:
        return Step(state)
    state, visit = start_visit(state, scene.language, now)
    return go(state, Number(visit, key.digit or ""), _CLICK)


def _press_checking(state: State, scene: Checking, key: Key, now: float) -> Step:
    if key is not Key.CANCEL:
        return Step(state)
    # The check may be judged after all; what it would hold is let go with the rest.
    visit = replace(scene.visit, active_at=now)
    return back_or_home(state, visit, now).after(_CLICK, *release(visit, (scene.voucher_no,)))


def _press_waiting(state: State, scene: Waiting, key: Key, now: float) -> Step:
    scene = replace(scene, visit=replace(scene.visit, active_at=now))
    match scene:
        case Number():
            step = _press_number(state, scene, key, now)
        case Digits():
            step = _press_digits(state, scene, key, now)
        case Basket():
            step = _press_basket(state, scene, key, now)
        case ChoosingItem():
            step = _press_item(state, scene, key, now)
        case Total():
            step = _press_total(state, scene, key, now)
        case Confirm():
            step = _press_confirm(state, scene, key, now)
        case _:
            assert_never(scene)
    return step.after(_CLICK)


def _press_number(state: State, scene: Number, key: Key, now: float) -> Step:
    if key is Key.CANCEL and not scene.entry:
        return back_or_home(state, scene.visit, now)
    if key is Key.OK and len(scene.entry) == VOUCHER_NO_LENGTH:
        return offer(state, scene.visit, VoucherCode(scene.entry), now)
    return go(state, replace(scene, entry=_typed(scene.entry, key, VOUCHER_NO_LENGTH)))


def _press_digits(state: State, scene: Digits, key: Key, now: float) -> Step:
    if key is Key.CANCEL and not scene.entry:
        return back_or_home(state, scene.visit, now)
    if key is Key.OK and len(scene.entry) == ID_DIGITS_LENGTH:
        ask = state.serial + 1
        check = SendCheck(scene.visit.serial, ask, scene.voucher_no, scene.entry)
        checking = Checking(scene.visit, ask, scene.voucher_no, scene.entry, now)
        return go(replace(state, serial=ask), checking, check)
    return go(state, replace(scene, entry=IdDigits(_typed(scene.entry.typed, key, ID_DIGITS_LENGTH))))


def _press_basket(state: State, scene: Basket, key: Key, now: float) -> Step:
    if key is Key.CANCEL:
        return end_visit(state, scene.visit, now)
    if key is Key.OK:
        return choose_item(state, scene.visit)
    return go(state, Number(scene.visit, key.digit) if key.digit else Basket(scene.visit))


def _press_item(state: State, scene: ChoosingItem, key: Key, now: float) -> Step:
    if key is Key.CANCEL:
        return end_visit(state, scene.visit, now)
    if key is Key.CLEAR:
        return go(state, Basket(scene.visit))
    item = state.site.find_item(key.digit) if key.digit else None
    return go(state, Total(scene.visit, item.code) if item else scene)


def _press_total(state: State, scene: Total, key: Key, now: float) -> Step:
    if not scene.entry and key is Key.CANCEL:
        return end_visit(state, scene.visit, now)
    if not scene.entry and key is Key.CLEAR:
        return go(state, ChoosingItem(scene.visit) if len(state.site.items) > 1 else Basket(scene.visit))
    if scene.entry and key is Key.OK:
        return go(state, Confirm(scene.visit, Order(scene.item_code, int(scene.entry))))
    # A leading zero is dropped: the shortest total is 1.
    return go(state, replace(scene, entry=_typed(scene.entry, key, len(str(ORDER_TOTAL_MAX_TWD))).lstrip("0")))


def _press_confirm(state: State, scene: Confirm, key: Key, now: float) -> Step:
    if key is Key.CANCEL:
        return end_visit(state, scene.visit, now)
    if key is Key.OK:
        ask = state.serial + 1
        save = SaveRequest(scene.visit.serial, ask, scene.visit.held, scene.order)
        return go(replace(state, serial=ask), Saving(scene.visit, scene.order, ask), save)
    # CLEAR, or a digit where the board has no CLEAR: the total is typed anew.
    return go(state, Total(scene.visit, scene.order.item_code, (key.digit or "").lstrip("0")))


def _typed(entry: str, key: Key, length_max: int) -> str:
    if key.digit is not None:
        return (entry + key.digit)[:length_max]
    if key is Key.CLEAR:
        return entry[:-1]
    return "" if key is Key.CANCEL else entry
