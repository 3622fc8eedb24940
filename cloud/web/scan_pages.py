"""What the staff scan page shows: one function per picture, and the words of a refusal.

Every page that leads on carries the order with a freshly minted request id, except the one that asks again about a request
whose outcome is not known: that one carries the request itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from flask import render_template

from cloud.ports.choices import ItemChoice
from cloud.ports.people import Person
from cloud.ports.reports import TransactionRow
from cloud.web.asking import Purchase
from cloud.web.formats import item_name
from cloud.web.language import catalogues, choose_language, say
from cloud.web.order import Order, OrderBox
from cloud.web.parts import WebParts
from protocol.ids import reference
from protocol.messages import RedeemAccepted, Refusal, Refused
from protocol.reasons import Reason


@dataclass(frozen=True, slots=True)
class Notice:
    """What happened, what to do now, and which voucher it is about."""

    what: str
    next: str
    code: str
    """The reason's name, to read to the help line."""
    voucher_no: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The figures of an accepted order."""

    reference: str
    redeemed_at: datetime
    voucher_nos: Sequence[str]
    redeemed_twd: int
    order_total_twd: int
    topup_twd: int
    item_name: str
    was_before: bool
    """It had been accepted before this form came, which asked for something else."""


class ScanPages:
    """Renders the pages of one member of staff."""

    def __init__(self, parts: WebParts, box: OrderBox, person: Person) -> None:
        self._parts = parts
        self._box = box
        self._person = person

    def gather(self, order: Order, *notices: Notice) -> str:
        """The order so far and the field for the next voucher (V-S4, V-S6)."""
        return render_template("scan_gather.html", order=order, box=self._fresh(order), notices=notices, typed="")

    def digits(self, order: Order, voucher_no: str, *notices: Notice) -> str:
        """The last four characters of one voucher's holder (V-S5)."""
        return render_template("scan_digits.html", order=order, box=self._fresh(order), voucher_no=voucher_no, notices=notices)

    def checkout(self, order: Order, *notices: Notice, typed: Purchase | None = None, no_change: bool = False) -> str:
        """Item, total and the warning (V-S7). ``no_change``: the vouchers exceed the total, and that was said."""
        return render_template(
            "scan_checkout.html",
            order=order,
            box=self._fresh(order),
            items=self._items(),
            notices=notices,
            typed=typed,
            no_change=no_change,
        )

    def unknown(self, order: Order, purchase: Purchase) -> str:
        """Not confirmed yet; asks the same request again."""
        same = self._box.write(order, self._person.staff_id)
        return render_template("scan_unknown.html", order=order, box=same, purchase=purchase)

    def done(self, order: Order, purchase: Purchase, accepted: RedeemAccepted) -> str:
        """The outcome, with what the customer still pays (V-S8)."""
        return self._done(
            Done(
                accepted.reference,
                datetime.fromisoformat(accepted.redeemed_at),
                order.voucher_nos,
                accepted.redeemed_twd,
                accepted.order_total_twd,
                accepted.topup_twd,
                next((item.names[choose_language()] for item in self._items() if item.code == purchase.item_category), ""),
                was_before=False,
            )
        )

    def done_before(self, row: TransactionRow) -> str:
        """The outcome of an order that was accepted before, from what is stored of it."""
        return self._done(
            Done(
                reference(row.redemption_id),
                row.redeemed_at,
                row.voucher_nos,
                row.redeemed_twd,
                row.order_total_twd,
                row.topup_twd,
                item_name(row),
                was_before=True,
            )
        )

    def _done(self, done: Done) -> str:
        return render_template("scan_done.html", done=done)

    def _fresh(self, order: Order) -> str:
        return self._box.write(replace(order, request_id=self._box.mint()), self._person.staff_id)

    def _items(self) -> Sequence[ItemChoice]:
        return self._parts.choices.item_categories(self._person.merchant_category)


def notices_of(refused: Refused) -> list[Notice]:
    """Say why not: once per voucher where the answer names vouchers, else once."""
    named = [_notice(refusal.reason, refusal) for refusal in refused.refusals]
    return named or [_notice(refused.reason)]


def notice(reason: Reason) -> Notice:
    """Say one reason that was found without asking the judge."""
    return _notice(reason)


def plain_notice(name: str) -> Notice:
    """Something that is no refusal: a field left empty, a voucher that is in the order already."""
    return Notice(say(f"scan.notice.{name}.what"), say(f"scan.notice.{name}.next"), "")


def _notice(reason: Reason, about: Refusal | None = None) -> Notice:
    reasons, language = catalogues().reasons, choose_language()
    if about is None:
        sentence = reasons.sentence(reason, language)
        return Notice(sentence.what, sentence.next, reason)
    sentence = reasons.sentence(reason, language, at=about.at, site=about.site, tries_left=about.tries_left)
    return Notice(sentence.what, sentence.next, reason, about.voucher_no)
