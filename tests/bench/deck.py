"""Requests made before the clock starts: real ones, with proof and sealed digits, ready to be written to a socket.

A deck is dealt out over a few connections, kiosk after kiosk. In a deck of orders every hundredth or so is sent a second time
(the kiosk missed the answer) and every hundredth names the vouchers of another kiosk's order: of such a pair exactly one may be
accepted, whichever the cloud meets first.
"""

import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, cycle
from typing import Final, Literal
from uuid import UUID

from protocol.chain import link_of
from protocol.envelope import Event, device_source, make_event, request_type
from protocol.ids import uuid7
from protocol.messages import Check, Redeem, Request, encode_body
from protocol.seal import NONCE_BYTES, seal_digits
from protocol.topics import RequestKind
from protocol.trace import make_traceparent
from tests.bench.fleet import Kiosk, digits_of
from tests.bench.wire import pack_request

DeckKind = Literal["redeem", "check", "visit"]

ITEM: Final = "room"
TOTAL_TWD: Final = 5_050
FACE_VALUE_TWD: Final = 1_000
EXPIRY_S: Final = 60
VOUCHERS_OF_ORDER: Final = (1, 2, 3, 4)
"""In turn: 2.5 on average."""

REPEATS: Final = 0.01
DOUBLES: Final = 0.01
_BACK_MAX: Final = 1_000
"""How far back the order may lie that is repeated, or whose vouchers are spent again."""

_PACKET_IDS: Final = 65_535


@dataclass(slots=True)
class Card:
    """One request; it may be sent twice."""

    kiosk: int
    kind: RequestKind
    request_id: bytes
    voucher_nos: tuple[str, ...]
    packet: tuple[bytes, bytes]
    """Before and after the packet id."""
    twin: int | None = None
    """For a double spend: the card whose vouchers it names."""


@dataclass(slots=True)
class Deck:
    """Cards, and the order in which each connection sends them."""

    fleet: Sequence[Kiosk]
    connections: int
    first_voucher: int
    cards: list[Card] = field(default_factory=list)
    hands: list[list[tuple[bytes, int]]] = field(default_factory=list)
    """Per connection: packet and card, in the order of sending."""
    spent: int = 0
    """Vouchers that were named by orders or checks."""

    def __post_init__(self) -> None:
        self.hands = [[] for _ in range(self.connections)]
        self._packet_ids = [cycle(range(1, _PACKET_IDS + 1)) for _ in range(self.connections)]
        # The last kiosk is kept for whoever floods.
        self._turns = cycle(range(max(2, len(self.fleet) - 1)))
        self._sizes = cycle(VOUCHERS_OF_ORDER)
        self._random = random.Random(self.first_voucher)
        self._numbers = (f"{number:012d}" for number in count(self.first_voucher))
        self._orders: list[int] = []

    _packet_ids: list[Iterator[int]] = field(init=False)
    _turns: Iterator[int] = field(init=False)
    _sizes: Iterator[int] = field(init=False)
    _random: random.Random = field(init=False)
    _numbers: Iterator[str] = field(init=False)
    _orders: list[int] = field(init=False)

    def deal(self, kind: DeckKind, sends: int, *, kiosk: int | None = None) -> None:
        """Add cards until so many more sends are ready, and a few more: every connection has its share of them.

        Args:
            kiosk: all of them from this one.
        """
        share = -(-sends // self.connections) if kiosk is None else 0
        wanted, shares = self.sends + sends, [len(hand) + share for hand in self.hands]
        while self.sends < wanted or any(len(hand) < mine for hand, mine in zip(self.hands, shares, strict=True)):
            turn = next(self._turns) if kiosk is None else kiosk
            match kind:
                case "redeem":
                    self._deal_order(turn)
                case "check":
                    self._send(self._make_check(turn, self._take(1)[0], self._new_id()))
                case "visit":
                    self._deal_visit(turn)

    @property
    def sends(self) -> int:
        """How many packets are ready."""
        return sum(map(len, self.hands))

    def _deal_order(self, kiosk: int) -> None:
        chance = self._random.random()
        if self._orders and chance < REPEATS:
            self._send(self._orders.pop(-self._random.randint(1, min(_BACK_MAX, len(self._orders)))))
        elif self._orders and chance < REPEATS + DOUBLES:
            twin = self._random.choice(self._orders[-_BACK_MAX:])
            while self.cards[twin].kiosk == kiosk:
                kiosk = next(self._turns)
            self._send(self._make_order(kiosk, self.cards[twin].voucher_nos, self._new_id(), twin))
        else:
            made = self._make_order(kiosk, self._take(next(self._sizes)), self._new_id())
            self._orders.append(made)
            self._send(made)

    def _deal_visit(self, kiosk: int) -> None:
        visit_id, numbers = self._new_id(), self._take(next(self._sizes))
        for number in numbers:
            self._send(self._make_check(kiosk, number, visit_id))
        self._send(self._make_order(kiosk, numbers, visit_id))

    def _take(self, number: int) -> tuple[str, ...]:
        self.spent += number
        return tuple(next(self._numbers) for _ in range(number))

    def _send(self, card: int) -> None:
        connection = self.cards[card].kiosk % self.connections
        head, tail = self.cards[card].packet
        self.hands[connection].append((head + next(self._packet_ids[connection]).to_bytes(2, "big") + tail, card))

    def _make_order(self, number: int, voucher_nos: tuple[str, ...], visit_id: UUID, twin: int | None = None) -> int:
        kiosk, request_id = self.fleet[number], self._new_id()
        kiosk.sequence += 1
        body = Redeem(
            visit_id=visit_id,
            vouchers=list(voucher_nos),
            sealed=_seal(kiosk, request_id, voucher_nos),
            item_category=ITEM,
            order_total_twd=TOTAL_TWD,
            sequence=kiosk.sequence,
            previous=kiosk.previous,
        )
        event = _wrap(kiosk, RequestKind.REDEEM, request_id, body)
        kiosk.previous = link_of(event.body)
        return self._add(number, RequestKind.REDEEM, event, voucher_nos, twin)

    def _make_check(self, number: int, voucher_no: str, visit_id: UUID) -> int:
        kiosk, request_id = self.fleet[number], self._new_id()
        body = Check(visit_id=visit_id, voucher_no=voucher_no, sealed=_seal(kiosk, request_id, [voucher_no]))
        return self._add(number, RequestKind.CHECK, _wrap(kiosk, RequestKind.CHECK, request_id, body), (voucher_no,))

    def _add(self, number: int, kind: RequestKind, event: Event, voucher_nos: tuple[str, ...], twin: int | None = None) -> int:
        address = self.fleet[number].address
        expiry_s = EXPIRY_S if kind is RequestKind.REDEEM else None
        packet = pack_request(address.request(kind), event, response_topic=address.answer(kind), expiry_s=expiry_s)
        self.cards.append(Card(number, kind, event.id.bytes, voucher_nos, packet, twin))
        return len(self.cards) - 1

    def _new_id(self) -> UUID:
        return uuid7(time.time_ns() // 1_000_000, os.urandom(10))


def _seal(kiosk: Kiosk, request_id: UUID, voucher_nos: Sequence[str]) -> str:
    return seal_digits(
        kiosk.keys.seal,
        [digits_of(number) for number in voucher_nos],
        nonce=os.urandom(NONCE_BYTES),
        device_id=kiosk.address.device_id,
        request_id=request_id,
        voucher_nos=voucher_nos,
    )


def _wrap(kiosk: Kiosk, kind: RequestKind, request_id: UUID, body: Request) -> Event:
    # A redeem request carries a trace, as the kiosk's link gives it.
    traceparent = make_traceparent(request_id) if kind is RequestKind.REDEEM else None
    return make_event(
        kiosk.keys.request,
        id=request_id,
        source=device_source(kiosk.address.device_id),
        type=request_type(kind),
        time=time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
        body=encode_body(body),
        traceparent=traceparent,
    )
