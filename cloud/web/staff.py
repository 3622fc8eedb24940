"""The staff scan page (掃票作業, V-S4 to V-S8): scan or type, last four, more vouchers, item, total, confirm, next customer.

One question per page. It works without JavaScript; every step is a form, and ``static/desk.js`` sends the same forms over a
weak line. The phone's camera (``static/camera.js``) only fills in the field that can be typed into. What has been gathered
travels in the page (:mod:`cloud.web.order`), what is asked goes to the same judge as a kiosk's requests
(:mod:`cloud.web.asking`). Three outcomes exist for everything: done, refused with a reason, and not known yet; the last one
offers to ask the same request again.

The address on a voucher, ``/v/<number>`` (V-E4), opens this page with that voucher. Strangers are led through the scan door and
back to it, number and signature still in it; nothing of a voucher is shown to them.
"""

from collections.abc import Callable
from dataclasses import replace

from flask import Blueprint, abort, current_app, request

from cloud.ports.people import SCAN_DOOR
from cloud.web.access import allow
from cloud.web.asking import Asking, Purchase
from cloud.web.order import Order, OrderBox, OrderLine
from cloud.web.parts import WebParts
from cloud.web.scan_input import read_code, read_digits, read_landing, read_total
from cloud.web.scan_pages import ScanPages, notice, notices_of, plain_notice
from cloud.web.security import let_camera
from cloud.web.session import merchant_of, signed_in
from protocol.errors import PortError, ProtocolError
from protocol.limits import ORDER_TOTAL_MAX_TWD, VOUCHERS_PER_ORDER_MAX
from protocol.messages import Answer, CheckAccepted, RedeemAccepted, Refused
from protocol.reasons import Reason
from protocol.voucher import VoucherCode, is_voucher_no

CHECKS_MAX = 120
"""Checks of one member of staff within the throttle's window (a quarter of an hour): more than any desk serves, and few enough
that nobody tries digits over a list of numbers. The five tries per voucher count beside it."""

_CHECKOUT_REASONS = frozenset({Reason.ITEM_NOT_ALLOWED, Reason.TOTAL_NOT_ALLOWED})
"""After these the same order is asked for item and total again."""


def make_staff(parts: WebParts) -> Blueprint:
    """Build the blueprint."""
    staff = Blueprint("staff", __name__)
    scanners = allow("scan_staff", tenant="merchant", door=SCAN_DOOR)

    @staff.get("/scan")
    @scanners
    def start() -> str:
        desk = _Desk(parts)
        return desk.pages.gather(desk.box.start())

    @staff.get("/v/<voucher_no>")
    @scanners
    def landing(voucher_no: str) -> str:
        code = read_landing(voucher_no, request.args.get("k"), request.args.get("s"), parts.scan.voucher_keys())
        desk = _Desk(parts)
        return desk.add(desk.box.start(), code)

    for name, step in _STEPS.items():
        staff.add_url_rule(f"/scan/{name}", name, scanners(_view(parts, step)), methods=["POST"])
    return staff


class _Desk:
    """One request of one member of staff, with everything it needs."""

    def __init__(self, parts: WebParts) -> None:
        # Every page of the desk: the script puts one in the place of the other, and the first one's policy stays.
        let_camera()
        self.parts = parts
        self.person = signed_in()
        self.box = OrderBox(
            web_secret=parts.web_secret, seal_key=parts.scan.seal_key, clock=parts.wall_clock, randomness=parts.randomness
        )
        self.pages = ScanPages(parts, self.box, self.person)
        self.asking = Asking(parts.scan, parts.clock, self.person.staff_id)

    def order(self) -> Order:
        """The order that the form carries; 400 where it carries none of this person."""
        try:
            return self.box.read(request.form.get("order", ""), self.person.staff_id)
        except ProtocolError:
            abort(400)

    def again(self, order: Order) -> Order:
        """The same order, about to ask something new."""
        return replace(order, request_id=self.box.mint())

    def add(self, order: Order, code: VoucherCode | Reason) -> str:
        """Go on from a code that was scanned or typed."""
        if isinstance(code, Reason):
            return self.pages.gather(order, notice(code))
        if code.voucher_no in order.voucher_nos:
            return self.pages.gather(order, plain_notice("twice"))
        if len(order.lines) >= VOUCHERS_PER_ORDER_MAX:
            return self.pages.gather(order, notice(Reason.TOO_MANY_VOUCHERS))
        return self.pages.digits(order, code.voucher_no)


Step = Callable[[_Desk, Order], str]


def _view(parts: WebParts, step: Step) -> Callable[[], str]:
    def view() -> str:
        desk = _Desk(parts)
        return step(desk, desk.order())

    return view


def _voucher(desk: _Desk, order: Order) -> str:
    return desk.add(order, read_code(request.form.get("code", ""), desk.parts.scan.voucher_keys()))


def _check(desk: _Desk, order: Order) -> str:
    voucher_no = request.form.get("voucher_no", "")
    if not is_voucher_no(voucher_no) or voucher_no in order.voucher_nos:
        abort(400)
    digits = read_digits(request.form.get("digits", ""))
    if digits is None:
        return desk.pages.digits(order, voucher_no, plain_notice("digits"))
    throttle, now = desk.parts.throttle, desk.parts.wall_clock.now()
    if throttle.admit(f"check {desk.person.staff_id}", tries_max=CHECKS_MAX, now=now):
        return desk.pages.digits(order, voucher_no, notice(Reason.BUSY))
    try:
        return _checked(desk, order, voucher_no, digits)
    except PortError:
        return desk.pages.digits(order, voucher_no, plain_notice("unknown"), same=True)


def _checked(desk: _Desk, order: Order, voucher_no: str, digits: str) -> str:
    answer = desk.asking.check(order, voucher_no, digits)
    if _is_conflict(answer):
        # The browser went back and the digits were corrected: a new try, and counted as one.
        answer = desk.asking.check(desk.again(order), voucher_no, digits)
    match answer:
        case CheckAccepted():
            return desk.pages.gather(order.with_voucher(OrderLine(voucher_no, answer.face_value_twd), digits))
        case Refused(reason=Reason.BUSY):
            return desk.pages.digits(order, voucher_no, *notices_of(answer), same=True)
        case Refused(reason=Reason.NO_MATCH) if not _is_exhausted(answer):
            return desk.pages.digits(order, voucher_no, *notices_of(answer))
        case Refused():
            return desk.pages.gather(order, *notices_of(answer))
    raise AssertionError("a check is answered with checked or refused")


def _remove(desk: _Desk, order: Order) -> str:
    voucher_no = request.form.get("voucher_no", "")
    if voucher_no in order.voucher_nos:
        _release(desk, order, [voucher_no])
    return desk.pages.gather(order.without([voucher_no]))


def _cancel(desk: _Desk, order: Order) -> str:
    if order.lines:
        _release(desk, order, order.voucher_nos)
    return desk.pages.gather(desk.box.start())


def _release(desk: _Desk, order: Order, voucher_nos: list[str]) -> None:
    try:
        desk.asking.release(order, voucher_nos)
    except PortError as problem:
        # Letting go is a courtesy: the hold ends by itself within minutes, and the customer need not wait for it.
        current_app.logger.warning("vouchers were not let go: %s", problem)


def _checkout(desk: _Desk, order: Order) -> str:
    if not order.lines:
        return desk.pages.gather(order, plain_notice("empty"))
    items = desk.pages.items()
    if len(items) == 1 and "choose" not in request.form:
        return desk.pages.total(desk.again(order), items[0])
    return desk.pages.item(order)


def _total(desk: _Desk, order: Order) -> str:
    item = desk.pages.find_item(request.form.get("item", ""))
    if not order.lines or item is None:
        return _incomplete(desk, order)
    return desk.pages.total(order, item, typed=read_total(request.form.get("typed", "")))


def _review(desk: _Desk, order: Order) -> str:
    item = desk.pages.find_item(request.form.get("item", ""))
    if not order.lines or item is None:
        return _incomplete(desk, order)
    total = read_total(request.form.get("total", ""))
    if total is None:
        return desk.pages.total(order, item, plain_notice("total"))
    if not 1 <= total <= ORDER_TOTAL_MAX_TWD:
        return desk.pages.total(order, item, notice(Reason.TOTAL_NOT_ALLOWED), typed=total)
    return desk.pages.review(order, item, total)


def _incomplete(desk: _Desk, order: Order) -> str:
    return desk.pages.item(order, plain_notice("item")) if order.lines else desk.pages.gather(order, plain_notice("empty"))


def _redeem(desk: _Desk, order: Order) -> str:
    total, item = read_total(request.form.get("total", "")), request.form.get("item", "")
    if not order.lines or not item or total is None:
        return _incomplete(desk, order)
    known = desk.pages.find_item(item)
    if known is not None and total < order.sum_twd and "no_change" not in request.form:
        return desk.pages.review(order, known, total)
    purchase = Purchase(item, total)
    try:
        return _redeemed(desk, order, purchase)
    except PortError:
        return desk.pages.unknown(order, purchase)


def _redeemed(desk: _Desk, order: Order, purchase: Purchase) -> str:
    answer = desk.asking.redeem(order, purchase)
    if _is_conflict(answer):
        before = desk.parts.reports.find_transaction(order.request_id, merchant_id=merchant_of(desk.person))
        if before is not None:
            return desk.pages.done_before(before)
        # What was sent first was refused, and for good; this is another request.
        order = desk.again(order)
        answer = desk.asking.redeem(order, purchase)
    match answer:
        case RedeemAccepted():
            return desk.pages.done(order, purchase, answer)
        case Refused(reason=Reason.BUSY):
            return desk.pages.unknown(order, purchase)
        case Refused() if answer.reason in _CHECKOUT_REASONS:
            return _buy_again(desk, desk.again(order), purchase, answer)
        case Refused():
            return desk.pages.gather(order.without([refusal.voucher_no for refusal in answer.refusals]), *notices_of(answer))
    raise AssertionError("a redeem is answered with redeemed or refused")


def _buy_again(desk: _Desk, order: Order, purchase: Purchase, refused: Refused) -> str:
    """Ask for what was refused of the purchase once more."""
    item = desk.pages.find_item(purchase.item_category)
    if refused.reason is Reason.TOTAL_NOT_ALLOWED and item is not None:
        return desk.pages.total(order, item, *notices_of(refused), typed=purchase.order_total_twd)
    return desk.pages.item(order, *notices_of(refused))


def _is_conflict(answer: Answer) -> bool:
    return isinstance(answer, Refused) and answer.reason is Reason.REQUEST_CONFLICT


def _is_exhausted(refused: Refused) -> bool:
    return any(refusal.tries_left == 0 for refusal in refused.refusals)


_STEPS: dict[str, Step] = {
    "gather": lambda desk, order: desk.pages.gather(order),
    "voucher": _voucher,
    "check": _check,
    "remove": _remove,
    "cancel": _cancel,
    "checkout": _checkout,
    "total": _total,
    "review": _review,
    "redeem": _redeem,
}
