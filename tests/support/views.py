"""Realistic views: what customers see on an ordinary day, and the hard cases of every screen.

They are shown by the kiosk's own domain, so a sample can hold nothing that a customer could not see.
"""

from dataclasses import replace

from kiosk.domain import scenes as at
from kiosk.domain.scenes import Held, IdDigits, Order, Scene, State, Visit, Why
from kiosk.domain.screen import show
from kiosk.domain.site import Site
from kiosk.domain.view import View
from protocol.enrolment import ItemCategory
from protocol.messages import RedeemAccepted
from protocol.reasons import Reason
from tests.support.kiosk import request_id

ITEMS = (
    ItemCategory(code="meal", names={"zh-Hant-TW": "餐飲", "en": "Food and drink", "ja": "飲食", "ko": "식음료"}),
    ItemCategory(code="room", names={"zh-Hant-TW": "住宿", "en": "Accommodation", "ja": "宿泊", "ko": "숙박"}),
    ItemCategory(code="entry", names={"zh-Hant-TW": "門票", "en": "Admission", "ja": "入場券", "ko": "입장권"}),
    ItemCategory(code="bath", names={"zh-Hant-TW": "泡湯", "en": "Hot spring", "ja": "温泉", "ko": "온천"}),
    ItemCategory(code="goods", names={"zh-Hant-TW": "伴手禮", "en": "Souvenirs", "ja": "お土産", "ko": "기념품"}),
    ItemCategory(code="tour", names={"zh-Hant-TW": "遊程", "en": "Guided tour", "ja": "ツアー", "ko": "투어"}),
)
SITE = Site("北投溫泉博物館　大廳 2 號機", ITEMS)
ID = request_id(1)
REFERENCE = "K7M-2QX"
_ENDINGS = (770, 253, 118, 905, 336, 641, 587, 29, 414, 862)
_LATE_S = SITE.timing.still_checking_s


def held(count: int) -> tuple[Held, ...]:
    """Vouchers of NT$1,000 each."""
    return tuple(
        Held(f"{566780776000 + 1000 * n + _ENDINGS[n % 10]:012}", IdDigits("1234"), 1000, "travel") for n in range(count)
    )


def visit(language: str, vouchers: int = 0) -> Visit:
    """A visit that holds ``vouchers``."""
    return Visit(1, language, 0, held(vouchers))


def view_of(scene: Scene, *, seconds: float = 0, online: bool = True) -> View:
    """What the kiosk shows ``seconds`` after the scene began."""
    return show(State(SITE, scene, online=online), seconds)


def redeemed(vouchers: int, total_twd: int) -> RedeemAccepted:
    """An answer from last October."""
    worth = 1000 * vouchers
    return RedeemAccepted(
        request_id=ID,
        reference=REFERENCE,
        redeemed_at="2025-10-05T06:32:10Z",
        voucher_count=vouchers,
        redeemed_twd=worth,
        order_total_twd=total_twd,
        topup_twd=max(0, total_twd - worth),
    )


def sample_views(language: str) -> dict[str, View]:
    """One language's views by name; every :class:`kiosk.domain.view.Screen` is among them at least once."""
    shown = {name: view_of(scene) for name, scene in {**_asking(language), **_telling(language)}.items()}
    late = {"checking-long": shown_late(language, "checking"), "sending-long": shown_late(language, "sending")}
    offline = {
        "attract-offline": view_of(at.Attract(language, 0), online=False),
        "unknown": view_of(at.Unknown(visit(language), 0, ID, held(3)), online=False),
        "out-of-order": view_of(at.OutOfOrder(language), online=False),
    }
    return {**shown, **late, **offline}


def shown_late(language: str, name: str) -> View:
    """A wait that takes longer than usual."""
    return view_of(_asking(language)[name], seconds=_LATE_S)


def _asking(language: str) -> dict[str, Scene]:
    none, one, three, twenty = (visit(language, vouchers) for vouchers in (0, 1, 3, 20))
    number, two, four = held(1)[0].voucher_no, IdDigits("12"), IdDigits("1234")
    wrong = Why(Reason.NO_MATCH, tries_left=3)
    return {
        "attract": at.Attract(language, 0),
        "number": at.Number(none, number[:7]),
        "number-complete": at.Number(none, number),
        "digits": at.Digits(none, number, two),
        "digits-second": at.Digits(one, number),
        "digits-no-match": at.Digits(none, number, why=wrong),
        "digits-second-no-match": at.Digits(three, number, two, wrong),
        "checking": at.Checking(none, 1, number, four, 0),
        "basket-1": at.Basket(one),
        "basket-3": at.Basket(three),
        "basket-3-again": at.Basket(three, again=True),
        "basket-20": at.Basket(twenty),
        "basket-20-again": at.Basket(twenty, again=True),
        "item": at.ChoosingItem(three),
        "total-empty": at.Total(three, "room"),
        "total": at.Total(three, "room", "5050"),
        "total-largest": at.Total(twenty, "goods", "9999999"),
        "confirm": at.Confirm(three, Order("room", 5050)),
        "confirm-no-change": at.Confirm(three, Order("meal", 2500)),
        "confirm-largest": at.Confirm(twenty, Order("goods", 9999999)),
        "sending": at.Sending(three, Order("room", 5050), ID, 0),
        "more-time": at.MoreTime(at.Total(three, "room", "5050"), 0),
    }


def _telling(language: str) -> dict[str, Scene]:
    nobody, two = visit(language), visit(language, 2)
    used = Why(Reason.ALREADY_REDEEMED, "2025-10-05T06:32:10Z", "大廳 2 號機")
    done = at.Done(nobody, ID, redeemed(3, 5050), held(3), False, 0)
    return {
        "done": done,
        "done-no-topup": replace(done, accepted=redeemed(3, 2500)),
        "done-earlier": replace(done, used=(), repeated=True),
        "done-earlier-basket": replace(done, visit=two, used=(), repeated=True),
        "refused-used": at.Refused(nobody, used, 0, REFERENCE),
        "refused-longest": at.Refused(nobody, Why(Reason.TRIES_EXHAUSTED), 0, REFERENCE),
        "refused-basket": at.Refused(two, Why(Reason.NOT_A_VOUCHER), 0),
        "refused-longest-basket": at.Refused(two, Why(Reason.TRIES_EXHAUSTED), 0, REFERENCE),
        "unknown-basket": at.Unknown(two, 0),
    }
