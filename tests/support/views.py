"""Realistic views: what customers see on an ordinary day, and the hard cases of every screen."""

from typing import Any

from kiosk.domain.view import ItemView, RefusalView, Screen, View, VoucherView
from protocol.reasons import Reason

ITEMS = [
    ItemView(key="1", code="meal", names={"zh-Hant-TW": "餐飲", "en": "Food and drink", "ja": "飲食", "ko": "식음료"}),
    ItemView(key="2", code="room", names={"zh-Hant-TW": "住宿", "en": "Accommodation", "ja": "宿泊", "ko": "숙박"}),
    ItemView(key="3", code="entry", names={"zh-Hant-TW": "門票", "en": "Admission", "ja": "入場券", "ko": "입장권"}),
    ItemView(key="4", code="bath", names={"zh-Hant-TW": "泡湯", "en": "Hot spring", "ja": "温泉", "ko": "온천"}),
    ItemView(key="5", code="goods", names={"zh-Hant-TW": "伴手禮", "en": "Souvenirs", "ja": "お土産", "ko": "기념품"}),
    ItemView(key="6", code="tour", names={"zh-Hant-TW": "遊程", "en": "Guided tour", "ja": "ツアー", "ko": "투어"}),
]
SITE = "北投溫泉博物館　大廳 2 號機"
_IN_VISIT: dict[str, Any] = {"site_name": SITE, "online": True, "can_cancel": True}


def vouchers(count: int) -> list[VoucherView]:
    """Held vouchers of NT$1,000 each."""
    endings = [770, 253, 118, 905, 336, 641, 587, 29, 414, 862]
    return [VoucherView(masked_no=f"•••••••••{endings[n % 10]:03}", face_value_twd=1000) for n in range(count)]


def held(count: int, **more: Any) -> dict[str, Any]:
    """The fields of a view in which ``count`` vouchers are held."""
    return {**_IN_VISIT, "vouchers": vouchers(count), "redeemed_twd": 1000 * count, **more}


def refused(reason: Reason, language: str, **particulars: Any) -> View:
    """A refusal on an idle kiosk."""
    refusal = RefusalView(reason=reason, **particulars)
    return View(
        screen=Screen.REFUSED, language=language, site_name=SITE, online=True, step=1, refusal=refusal,
        can_ok=True, seconds_left=15, reference="K7M-2QX",
    )  # fmt: skip


def sample_views(language: str) -> dict[str, View]:
    """One language's views by name; every :class:`Screen` is among them at least once."""

    def view(screen: Screen, **fields: Any) -> View:
        return View(screen=screen, language=language, **fields)

    asking: dict[str, Any] = {"step": 3, "can_ok": True}
    bill = {"items": ITEMS, "item_code": "room", "total_twd": 5050, "topup_twd": 2050}
    small_bill = {"items": ITEMS, "item_code": "meal", "total_twd": 2500, "topup_twd": 0, "no_change": True}
    large_bill = {"items": ITEMS, "item_code": "goods", "total_twd": 9999999, "topup_twd": 9979999}
    used = {"reference": "K7M-2QX", "redeemed_at": "2025-10-05T06:32:10Z", "seconds_left": 8}
    sent = {**held(3, **bill), "can_cancel": False}
    kept = {"back_to_basket": True, "refusal": RefusalView(reason=Reason.NOT_A_VOUCHER)}
    number = {"step": 1, "entry_length": 12, "can_clear": True}
    return {
        "attract": view(Screen.ATTRACT, site_name=SITE, online=True),
        "attract-offline": view(Screen.ATTRACT, site_name=SITE, online=False),
        "number": view(Screen.NUMBER, entry="5667807", **number, **_IN_VISIT),
        "number-complete": view(Screen.NUMBER, entry="566780776770", can_ok=True, **number, **_IN_VISIT),
        "digits": view(Screen.DIGITS, step=2, entry="••", entry_length=4, can_clear=True, **_IN_VISIT),
        "digits-second": view(Screen.DIGITS, step=2, entry="", entry_length=4, **held(1)),
        "checking": view(Screen.CHECKING, step=2, **_IN_VISIT),
        "checking-long": view(Screen.CHECKING, step=2, still_checking=True, **_IN_VISIT),
        "basket-1": view(Screen.BASKET, step=2, can_ok=True, **held(1)),
        "basket-3": view(Screen.BASKET, step=2, can_ok=True, **held(3)),
        "basket-20": view(Screen.BASKET, step=2, can_ok=True, **held(20)),
        "item": view(Screen.ITEM, step=3, items=ITEMS, item_code="room", can_ok=True, **held(3)),
        "total-empty": view(Screen.TOTAL, step=3, **held(3)),
        "total": view(Screen.TOTAL, step=3, entry="5050", can_clear=True, can_ok=True, **held(3)),
        "total-largest": view(Screen.TOTAL, step=3, entry="9999999", can_clear=True, can_ok=True, **held(20)),
        "confirm": view(Screen.CONFIRM, step=3, can_ok=True, **held(3, **bill)),
        "confirm-no-change": view(Screen.CONFIRM, **asking, **held(3, **small_bill)),
        "confirm-largest": view(Screen.CONFIRM, **asking, **held(20, **large_bill)),
        "sending": view(Screen.SENDING, step=3, **sent),
        "sending-long": view(Screen.SENDING, step=3, still_checking=True, **sent),
        "done": view(Screen.DONE, **asking, **sent, **used),
        "done-no-topup": view(Screen.DONE, **asking, **{**sent, **small_bill}, **used),
        "refused-used": refused(Reason.ALREADY_REDEEMED, language, at="2025-10-05T06:32:10Z", site="大廳 2 號機"),
        "refused-digits": refused(Reason.NO_MATCH, language, tries_left=3),
        "refused-longest": refused(Reason.TRIES_EXHAUSTED, language),
        "refused-basket": view(Screen.REFUSED, step=2, can_ok=True, **kept, **held(2)),
        "unknown": view(Screen.UNKNOWN, can_ok=True, seconds_left=15, reference="K7M-2QX", site_name=SITE, online=False),
        "more-time": view(Screen.MORE_TIME, step=3, can_ok=True, seconds_left=17, **held(3)),
        "out-of-order": view(Screen.OUT_OF_ORDER, site_name=SITE, online=False),
    }
