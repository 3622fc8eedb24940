"""What the staff scan page shows: one function per picture, and the words of a refusal.

Where something new will be asked, the page carries the order with a freshly minted request id. The pages from item to
confirmation carry one and the same, and so does a page that asks again about a request whose outcome is not known.
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
        """The order so far, the camera, and the field for the next voucher (V-S4, V-S6)."""
        return render_template("scan_gather.html", order=order, box=self._fresh(order), notices=notices)

    def digits(self, order: Order, voucher_no: str, *notices: Notice, same: bool = False) -> str:
        """The last four characters of one voucher's holder (V-S5). ``same``: the same check is asked again."""
        box = self._same(order) if same else self._fresh(order)
        return render_template("scan_digits.html", order=order, box=box, voucher_no=voucher_no, notices=notices)

    def item(self, order: Order, *notices: Notice, chosen: str = "") -> str:
        """What is bought. From here on the order carries the id of the one request that will redeem it."""
        return render_template(
            "scan_item.html", order=order, box=self._fresh(order), items=self.items(), notices=notices, chosen=chosen
        )

    def total(self, order: Order, item: ItemChoice, *notices: Notice, typed: int | None = None) -> str:
        """What it costs."""
        return render_template("scan_total.html", order=order, box=self._same(order), item=item, notices=notices, typed=typed)

    def review(self, order: Order, item: ItemChoice, total_twd: int, *notices: Notice) -> str:
        """All of it, the warning, and the one button that cannot be taken back (V-S7)."""
        return render_template(
            "scan_review.html",
            order=order,
            box=self._same(order),
            item=item,
            total=total_twd,
            topup=order.topup_twd(total_twd),
            notices=notices,
        )

    def unknown(self, order: Order, purchase: Purchase) -> str:
        """Not confirmed yet; asks the same request again."""
        return render_template("scan_unknown.html", order=order, box=self._same(order), purchase=purchase)

    def items(self) -> Sequence[ItemChoice]:
        """What this person's merchant sells."""
        return self._parts.choices.item_categories(self._person.merchant_category)

    def find_item(self, code: str) -> ItemChoice | None:
        """One of them."""
        return next((item for item in self.items() if item.code == code), None)

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
                next((item.names[choose_language()] for item in self.items() if item.code == purchase.item_category), ""),
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
        return self._same(replace(order, request_id=self._box.mint()))

    def _same(self, order: Order) -> str:
        return self._box.write(order, self._person.staff_id)


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
