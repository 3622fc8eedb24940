"""What the customers of the demo do: a list of orders, the same for the same seed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, unique

from protocol.reasons import Reason


@unique
class Story(StrEnum):
    """What is special about an order."""

    PLAIN = "plain"
    SEVERAL = "several vouchers"
    TYPED = "number typed instead of scanned"
    SLIP = "wrong digits once, then the right ones"
    BELOW = "order total below the vouchers"
    REPEATED = "worker killed after its commit: the request comes again"
    RESENT = "broker killed with its store while the answer is awaited: the kiosk resends"
    WRONG_DIGITS = "wrong digits"
    USED = "voucher used before"
    UNKNOWN = "number that was never issued"
    FORGED = "forged signature"
    EXPIRED = "expired voucher"


REFUSAL: dict[Story, Reason] = {
    Story.WRONG_DIGITS: Reason.NO_MATCH,
    Story.USED: Reason.ALREADY_REDEEMED,
    Story.UNKNOWN: Reason.NO_MATCH,
    Story.FORGED: Reason.FORGED,
    Story.EXPIRED: Reason.EXPIRED,
}

_SPECIAL = [
    Story.SEVERAL,
    Story.USED,
    Story.WRONG_DIGITS,
    Story.REPEATED,
    Story.FORGED,
    Story.TYPED,
    Story.EXPIRED,
    Story.BELOW,
    Story.RESENT,
    Story.UNKNOWN,
    Story.SLIP,
]
BLOCK = 20
"""In every block of this many orders each special story comes once, so that the shortest demo shows all of them."""


@dataclass(frozen=True, slots=True)
class Voucher:
    """One printed voucher in a customer's hand."""

    voucher_no: str
    digits: str
    picture: bytes
    """PNG of the printed voucher, cut from its sheet."""

    def __repr__(self) -> str:
        return f"Voucher(…{self.voucher_no[-3:]})"


@dataclass(frozen=True, slots=True)
class Order:
    """One customer's visit."""

    number: int
    story: Story
    vouchers: Sequence[Voucher]
    total_twd: int
    item: int
    """Which item category is chosen, counted from zero."""

    @property
    def refusal(self) -> Reason | None:
        """The reason it must be refused for, or None if it must be accepted."""
        return REFUSAL.get(self.story)


@dataclass(slots=True)
class Hand:
    """Vouchers that nobody has used yet, dealt out one after the other."""

    fresh: Iterator[Voucher]
    expired: Iterator[Voucher]
    face_value_twd: int
    used: list[Voucher] = field(default_factory=list)


def count_of(story: Story, rng: random.Random) -> int:
    """How many vouchers an order of this story brings."""
    if story is Story.SEVERAL:
        return rng.choice((3, 4, 5))
    return rng.choice((1, 1, 2)) if story not in REFUSAL else 1


def stories(orders: int, rng: random.Random) -> list[Story]:
    """Spread the special stories over the orders; the first of each block is plain, so that a used voucher exists."""
    told: list[Story] = []
    while len(told) < orders:
        special = _SPECIAL[:]
        rng.shuffle(special)
        rest = [Story.PLAIN] * (BLOCK - 1 - len(special)) + special
        rng.shuffle(rest)
        told += [Story.PLAIN, *rest]
    return told[:orders]


def make_order(number: int, story: Story, hand: Hand, rng: random.Random) -> Order:
    """Deal vouchers and choose a total for one order."""
    count = count_of(story, rng)
    if story is Story.USED:
        vouchers = [rng.choice(hand.used)]
    elif story is Story.EXPIRED:
        vouchers = [next(hand.expired)]
    else:
        vouchers = [next(hand.fresh) for _ in range(count)]
    worth = hand.face_value_twd * count
    total = worth - rng.randrange(50, 500) if story is Story.BELOW else worth + rng.randrange(0, 5_000)
    if story not in REFUSAL:
        hand.used += vouchers
    return Order(number, story, vouchers, total, rng.randrange(3))
