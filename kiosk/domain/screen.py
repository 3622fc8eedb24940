"""What the screen shows of a state: a total function, and the only way from a visit to the page.

No digit of an ID leaves here, only dots; of a voucher number the last three digits, except for what the customer is typing.
"""

from math import ceil
from typing import assert_never

from msgspec.structs import replace

from kiosk.domain.scenes import (
    Attract,
    Basket,
    Checking,
    ChoosingItem,
    Confirm,
    Digits,
    Done,
    Held,
    MoreTime,
    Number,
    Order,
    OutOfOrder,
    Refused,
    Result,
    Saving,
    Scene,
    Sending,
    State,
    Total,
    Unknown,
    Visit,
    Waiting,
    Why,
)
from kiosk.domain.site import ITEM_KEYS, Site
from kiosk.domain.steps import shown_s
from kiosk.domain.view import ItemView, RefusalView, Screen, View, VoucherView
from protocol.ids import reference
from protocol.limits import ID_DIGITS_LENGTH, VOUCHER_NO_LENGTH

_DOT = "•"
_SHOWN_DIGITS = 3


def show(state: State, now: float) -> View:
    """Draw the state as it stands at ``now`` (monotonic seconds)."""
    view = _show_scene(state.site, state.scene, now)
    return replace(view, site_name=state.site.name, online=state.online)


def _show_scene(site: Site, scene: Scene, now: float) -> View:
    match scene:
        case Attract(language):
            return View(screen=Screen.ATTRACT, language=language, can_ok=True)
        case OutOfOrder(language):
            return View(screen=Screen.OUT_OF_ORDER, language=language)
        case MoreTime(over, since):
            left = max(0, ceil(site.timing.more_time_s - (now - since)))
            under = _show_waiting(site, over)
            return replace(under, screen=Screen.MORE_TIME, seconds_left=left, can_cancel=False, can_clear=False, can_ok=True)
        case Number() | Digits() | Basket() | ChoosingItem() | Total() | Confirm():
            return _show_waiting(site, scene)
        case Checking(visit):
            late = now - scene.since >= site.timing.still_checking_s
            return replace(_of(visit), screen=Screen.CHECKING, step=2, still_checking=late, can_cancel=True)
        case Saving(visit, order):
            return _show_sending(site, visit, order)
        case Sending(visit, order):
            late = now - scene.since >= site.timing.still_checking_s
            return replace(_show_sending(site, visit, order), still_checking=late, reference=reference(scene.request_id))
        case Done() | Refused() | Unknown():
            left = max(0, ceil(shown_s(site.timing, scene) - (now - scene.since)))
            return replace(_show_result(scene), seconds_left=left)
    assert_never(scene)


def _show_waiting(site: Site, scene: Waiting) -> View:
    view = _of(scene.visit)
    match scene:
        case Number(_, entry):
            complete = len(entry) == VOUCHER_NO_LENGTH
            view = replace(view, screen=Screen.NUMBER, step=1, entry=entry, entry_length=VOUCHER_NO_LENGTH, can_ok=complete)
            return replace(view, can_clear=bool(entry))
        case Digits(_, _, entry, why):
            dots, complete = _DOT * len(entry), len(entry) == ID_DIGITS_LENGTH
            view = replace(view, screen=Screen.DIGITS, step=2, entry=dots, entry_length=ID_DIGITS_LENGTH, can_ok=complete)
            return replace(view, can_clear=bool(entry), refusal=_refusal(why))
        case Basket(_, again):
            return replace(view, screen=Screen.BASKET, step=1, already_added=again, can_ok=True)
        case ChoosingItem():
            return replace(view, screen=Screen.ITEM, step=3, items=_items(site), can_clear=True)
        case Total(_, item_code, entry):
            view = replace(view, screen=Screen.TOTAL, step=3, entry=entry, item_code=item_code)
            return replace(view, can_clear=True, can_ok=bool(entry))
        case Confirm(visit, order):
            view = replace(_with_order(view, site, visit, order), screen=Screen.CONFIRM, step=3)
            return replace(view, can_clear=True, can_ok=True)
    assert_never(scene)


def _show_sending(site: Site, visit: Visit, order: Order) -> View:
    return replace(_with_order(_of(visit), site, visit, order), screen=Screen.SENDING, step=3, can_cancel=False)


def _show_result(scene: Result) -> View:
    view = replace(_of(scene.visit), can_ok=True, can_cancel=False, back_to_basket=bool(scene.visit.held))
    match scene:
        case Done(_, _, accepted, used):
            step = None if scene.repeated else 3
            view = replace(view, screen=Screen.DONE, step=step, vouchers=_vouchers(used), reference=accepted.reference)
            view = replace(view, redeemed_twd=accepted.redeemed_twd, total_twd=accepted.order_total_twd)
            return replace(view, topup_twd=accepted.topup_twd, redeemed_at=accepted.redeemed_at, repeated=scene.repeated)
        case Refused(_, why):
            return replace(view, screen=Screen.REFUSED, refusal=_refusal(why), reference=scene.reference)
        case Unknown(_, _, request_id, asked):
            code = reference(request_id) if request_id else None
            return replace(view, screen=Screen.UNKNOWN, vouchers=_vouchers(asked or scene.visit.held), reference=code)
    assert_never(scene)


def _of(visit: Visit) -> View:
    """What every screen of a visit has in common; the screen itself is set by the caller."""
    return View(
        screen=Screen.BASKET,
        language=visit.language,
        vouchers=_vouchers(visit.held),
        redeemed_twd=visit.held_twd,
        can_cancel=True,
    )


def _with_order(view: View, site: Site, visit: Visit, order: Order) -> View:
    worth, total = visit.held_twd, order.total_twd
    view = replace(view, items=_items(site), item_code=order.item_code)
    return replace(view, total_twd=total, topup_twd=max(0, total - worth), no_change=worth > total)


def _vouchers(held: tuple[Held, ...]) -> list[VoucherView]:
    return [VoucherView(masked_no=_masked(voucher.voucher_no), face_value_twd=voucher.face_value_twd) for voucher in held]


def _masked(voucher_no: str) -> str:
    return _DOT * (len(voucher_no) - _SHOWN_DIGITS) + voucher_no[-_SHOWN_DIGITS:]


def _items(site: Site) -> list[ItemView]:
    return [ItemView(key=key, code=item.code, names=item.names) for key, item in zip(ITEM_KEYS, site.items, strict=False)]


def _refusal(why: Why | None) -> RefusalView | None:
    if why is None:
        return None
    return RefusalView(reason=why.reason.value, at=why.at, site=why.site, tries_left=why.tries_left)
