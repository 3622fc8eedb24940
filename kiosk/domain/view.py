"""What the screen shows, as data. The page draws it and decides nothing.

No digit of an ID and no whole voucher number is in a view, so nothing of them can reach a browser, a log or a screenshot.
"""

from enum import StrEnum, unique

from msgspec import Struct


@unique
class Screen(StrEnum):
    """Every screen there is."""

    ATTRACT = "attract"
    """Nobody here. Scan, or press a key to type the number."""
    NUMBER = "number"
    """Typing the twelve digits of a voucher."""
    DIGITS = "digits"
    """Typing the last four of the holder's ID."""
    CHECKING = "checking"
    """The check is on its way."""
    BASKET = "basket"
    """Vouchers held so far; scan another or go on."""
    ITEM = "item"
    """Choosing the item category by number."""
    TOTAL = "total"
    """Typing the order total."""
    CONFIRM = "confirm"
    """The last look, with the warning that it cannot be undone."""
    SENDING = "sending"
    """The request is saved and on its way."""
    DONE = "done"
    """Redeemed: the authentic answer is on this kiosk's disk."""
    REFUSED = "refused"
    """Refused, with a reason. Nothing happened to the vouchers."""
    UNKNOWN = "unknown"
    """No answer in time. The vouchers are safe; scanning again shows the outcome."""
    MORE_TIME = "more_time"
    """Nobody pressed anything for a while; any key goes on."""
    OUT_OF_ORDER = "out_of_order"
    """The kiosk cannot save or cannot work; staff is needed."""


class VoucherView(Struct, frozen=True, kw_only=True):
    """One held voucher."""

    masked_no: str
    """``•••••••••770``: the last three digits only."""
    face_value_twd: int


class ItemView(Struct, frozen=True, kw_only=True):
    """One item category and the key that chooses it."""

    key: str
    code: str
    names: dict[str, str]


class RefusalView(Struct, frozen=True, kw_only=True):
    """Why not."""

    reason: str
    """A :class:`protocol.reasons.Reason`; its sentences are in ``protocol.words``."""
    at: str | None = None
    """RFC 3339, UTC: when it was used, or until when it is held."""
    site: str | None = None
    tries_left: int | None = None


class View(Struct, frozen=True, kw_only=True):
    """One picture of the kiosk. Every change of it goes to the page."""

    screen: Screen
    language: str
    """``zh-Hant-TW``, ``en``, ``ja`` or ``ko``."""
    step: int | None = None
    """1 scan, 2 last four, 3 confirm; None where nothing is going forward. On DONE the last one is behind too."""
    entry: str = ""
    """What is being typed: the voucher number (NUMBER) or amount (TOTAL) in clear, dots on DIGITS."""
    entry_length: int = 0
    """How many characters are expected; 0 where the length is free."""
    vouchers: list[VoucherView] = []
    redeemed_twd: int = 0
    """Sum of face values so far."""
    total_twd: int | None = None
    """Order total, once typed."""
    topup_twd: int | None = None
    """What the customer still pays."""
    no_change: bool = False
    """The vouchers are worth more than the order: the rest is lost, and the customer must know before confirming."""
    items: list[ItemView] = []
    item_code: str | None = None
    refusal: RefusalView | None = None
    back_to_basket: bool = False
    """REFUSED, UNKNOWN and DONE: the visit goes on with the vouchers it still holds."""
    reference: str | None = None
    """Six characters for the help line, ``K7M-2QX``."""
    redeemed_at: str | None = None
    """DONE: when, RFC 3339, UTC."""
    still_checking: bool = False
    """The answer takes longer than usual."""
    seconds_left: int | None = None
    """Until this screen ends by itself, where the customer should see it."""
    site_name: str = ""
    online: bool = False
    can_cancel: bool = False
    can_clear: bool = False
    can_ok: bool = False
    already_added: bool = False
    """BASKET only: the voucher just shown is one of those held; it was not added twice."""
    repeated: bool = False
    """DONE only: the outcome of an earlier visit, redeemed at ``redeemed_at``. Nothing was redeemed just now, and the
    counter must not hand out goods for it again."""
