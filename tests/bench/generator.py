"""The load generator: a process of its own that stands for all kiosks, over few raw MQTT connections.

``python -m tests.bench.generator``: one JSON object per line on stdin says what to do, one on stdout what came of it.

``hello``  ``port``, ``kiosks``, ``seal_public`` (hex), ``connections``: whom it plays; nothing is connected yet
``make``   ``deck``, ``kind``, ``sends``, ``first_voucher``, ``kiosk``: make so many more requests, before any clock starts
``run``    ``deck``, ``sends`` and either ``window`` (closed loop: so many unanswered) or ``rate`` (open loop: so many a second,
           whatever happens); ``check`` (true: read the answers), ``flood``: ``{"deck", "rate"}`` of one kiosk beside it

Latency is counted from the moment a request was *due*, not from when it left: a generator that falls behind does not flatter.
Every answer is matched with its request; of a sample, and of everything that was sent twice, the proof is checked; every
outcome is compared with what must be.
"""

import contextlib
import gc
import json
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from protocol.envelope import CLOUD_SOURCE, answer_type, decode_event
from protocol.errors import ProtocolError
from protocol.messages import CheckAccepted, RedeemAccepted, Refused, decode_answer
from protocol.reasons import Reason
from protocol.topics import RequestKind
from tests.bench.deck import FACE_VALUE_TWD, TOTAL_TWD, Card, Deck
from tests.bench.fleet import Kiosk, make_fleet
from tests.bench.wire import (
    CONNACK,
    CORRELATION,
    PUBACK,
    PUBLISH,
    SUBACK,
    pack_connect,
    pack_subscribe,
    packets_of,
    read_publish,
)

HOST: Final = "127.0.0.1"
STILL_S_MAX: Final = 30.0
"""A run in which nothing comes back for so long has failed."""

ASK_AGAIN_S: Final = 2.0
"""When nothing has come for so long, what is unanswered is asked again, as every kiosk does after its first pause."""

SAMPLE_EVERY: Final = 50
READ_BYTES: Final = 1 << 18
_FILTERS_AT_ONCE: Final = 50


class WrongError(Exception):
    """Something came back that must not; the message is one sentence."""


class Connection:
    """One raw connection that stands for many kiosks."""

    def __init__(self, port: int, name: str, kiosks: Sequence[Kiosk]) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=STILL_S_MAX)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self._acks: list[bytes] = []
        self.acknowledged = 0
        self._heard: Counter[int] = Counter()
        self._socket.sendall(pack_connect(name))
        self._wait_for(CONNACK, 1)
        filters = [kiosk.address.answers_filter for kiosk in kiosks]
        for start in range(0, len(filters), _FILTERS_AT_ONCE):
            self._socket.sendall(pack_subscribe(1, filters[start : start + _FILTERS_AT_ONCE]))
            self._wait_for(SUBACK, start // _FILTERS_AT_ONCE + 1)

    def fileno(self) -> int:
        """For ``select``."""
        return self._socket.fileno()

    def send(self, packets: Sequence[bytes]) -> None:
        """Send requests, and what is to be acknowledged, as one write."""
        block = b"".join(self._acks + list(packets)) if self._acks else b"".join(packets)
        self._acks.clear()
        if block:
            self._socket.sendall(block)

    def hear(self) -> list[bytes]:
        """Return the bodies of the answers that came; they are acknowledged with the next :meth:`send`."""
        read = self._socket.recv(READ_BYTES)
        if not read:
            raise WrongError("the broker closed a connection")
        block = self._rest + read
        answers: list[bytes] = []
        done = 0
        for kind, start, end in packets_of(block):
            if kind == PUBLISH:
                body = block[start:end]
                topic_end = 2 + (body[0] << 8 | body[1])
                self._acks.append(b"\x40\x02" + body[topic_end : topic_end + 2])
                answers.append(body)
            elif kind == PUBACK:
                self.acknowledged += 1
            else:
                self._heard[kind] += 1
            done = end
        self._rest = block[done:]
        return answers

    def close(self) -> None:
        """Say goodbye."""
        with contextlib.suppress(OSError):
            self.send([b"\xe0\x00"])
        self._socket.close()

    def _wait_for(self, kind: int, times: int) -> None:
        while self._heard[kind] < times:
            self.hear()


@dataclass(slots=True)
class Pile:
    """What one connection sends in one run."""

    connection: Connection
    packets: list[bytes]
    first_slot: int
    rate: float = 0.0
    """Open loop: of this connection alone."""
    begins_s: float = 0.0
    sent: int = 0
    answered: int = 0

    def due(self, now_s: float) -> int:
        """How many more are due."""
        if now_s < self.begins_s:
            return 0
        return min(len(self.packets), int((now_s - self.begins_s) * self.rate) + 1) - self.sent

    def next_at_s(self) -> float:
        """When the next one is due."""
        return self.begins_s + self.sent / self.rate if self.sent < len(self.packets) else float("inf")


@dataclass(slots=True)
class Tally:
    """What came back, slot by slot: a slot is one send."""

    cards: list[Card]
    sent_at_s: list[float]
    heard_at_s: list[float]
    bodies: list[bytes | None]
    slots: dict[bytes, int] = field(default_factory=dict)
    again: dict[bytes, int] = field(default_factory=dict)
    asked_again: int = 0
    extra: int = 0
    """Answers beyond one per send: at least once is what the protocol promises."""

    def take(self, body: bytes, now_s: float) -> int | None:
        """Note an answer; return its slot."""
        at = body.find(CORRELATION)
        key = body[at + 3 : at + 19]
        slot = self.slots.pop(key, None)
        if slot is None:
            slot = self.again.pop(key, None)
        if slot is None:
            self.extra += 1
            return None
        self.heard_at_s[slot] = now_s
        self.bodies[slot] = body
        return slot


class Generator:
    """Plays the fleet."""

    def __init__(self, port: int, kiosks: int, seal_public: bytes, connections: int) -> None:
        self._port = port
        self._fleet = make_fleet(kiosks, seal_public)
        self._connections = connections
        self._decks: dict[str, Deck] = {}
        self._next: dict[str, list[int]] = {}
        self._spent: dict[str, bytes] = {}
        """Which request redeemed a voucher, over all runs."""

    def make(self, deck: str, kind: Any, sends: int, first_voucher: int, kiosk: int | None = None) -> dict[str, Any]:
        """Make requests; the deck's first call says where its vouchers begin."""
        if deck not in self._decks:
            self._decks[deck] = Deck(self._fleet, self._connections, first_voucher)
            self._next[deck] = [0] * self._connections
        mine = self._decks[deck]
        mine.deal(kind, sends, kiosk=kiosk)
        packets = [packet for hand in mine.hands for packet, _ in hand[-100:]]
        return {"sends": mine.sends, "vouchers": mine.spent, "packet_bytes": round(sum(map(len, packets)) / len(packets))}

    def run(
        self,
        deck: str,
        sends: int,
        *,
        window: int = 0,
        rate: float = 0.0,
        check: bool = True,
        answers: bool = True,
        flood: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Send and hear; say what came of it.

        Args:
            answers: False where the worker only acknowledges; the run ends with the broker's own acknowledgements.
        """
        lines = [Connection(self._port, f"bench-{number}", self._mine(number)) for number in range(self._connections)]
        try:
            piles, tally = self._deal(deck, sends, lines)
            if flood is not None:
                lines.append(Connection(self._port, "bench-flood", []))
                piles.append(self._flood(flood, lines[-1]))
            gc.collect()
            gc.freeze()
            gc.disable()
            cpu_s = time.process_time()
            began_s = time.perf_counter()
            if not answers:
                _run_unanswered(piles, window)
            elif rate:
                _run_open(piles, tally, rate, len(lines) - (flood is not None))
            else:
                _run_closed(piles, tally, window)
            ended_s = time.perf_counter()
            cpu_s = time.process_time() - cpu_s
        finally:
            gc.enable()
            gc.unfreeze()
            for line in lines:
                line.close()
        found = {"sends": sends, "seconds": ended_s - began_s, "cpu_s": cpu_s}
        return found | (self._read(tally, check=check) if answers else {})

    def _mine(self, connection: int) -> list[Kiosk]:
        return [kiosk for number, kiosk in enumerate(self._fleet) if number % self._connections == connection]

    def _deal(self, deck: str, sends: int, lines: Sequence[Connection]) -> tuple[list[Pile], Tally]:
        mine, nexts = self._decks[deck], self._next[deck]
        piles: list[Pile] = []
        cards: list[Card] = []
        slots: dict[bytes, int] = {}
        again: dict[bytes, int] = {}
        for number, line in enumerate(lines):
            share = sends // len(lines) + (number < sends % len(lines))
            chosen = mine.hands[number][nexts[number] : nexts[number] + share]
            if len(chosen) < share:
                raise WrongError("not enough requests were made")
            nexts[number] += share
            piles.append(Pile(line, [packet for packet, _ in chosen], len(cards)))
            for _, card in chosen:
                request_id = mine.cards[card].request_id
                (again if request_id in slots else slots)[request_id] = len(cards)
                cards.append(mine.cards[card])
        return piles, Tally(cards, [0.0] * len(cards), [0.0] * len(cards), [None] * len(cards), slots, again)

    def _flood(self, flood: Mapping[str, Any], line: Connection) -> Pile:
        mine, nexts = self._decks[flood["deck"]], self._next[flood["deck"]]
        (number,) = [place for place, hand in enumerate(mine.hands) if hand]
        chosen = mine.hands[number][nexts[number] : nexts[number] + flood["sends"]]
        nexts[number] += len(chosen)
        return Pile(line, [packet for packet, _ in chosen], -1, rate=flood["rate"])

    # What came back ------------------------------------------------------------------------------------------------------

    def _read(self, tally: Tally, *, check: bool) -> dict[str, Any]:
        took = sorted(heard - sent for heard, sent in zip(tally.heard_at_s, tally.sent_at_s, strict=True) if heard)
        latency = {name: _at(took, share) for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))}
        found: dict[str, Any] = {"latency_ms": latency, "extra": tally.extra, "asked_again": tally.asked_again}
        return found | (self._check(tally) if check else {})

    def _check(self, tally: Tally) -> dict[str, Any]:
        outcomes: Counter[str] = Counter()
        answers: dict[bytes, bytes] = {}
        spent_before, proved = len(self._spent), 0
        for slot, (card, body) in enumerate(zip(tally.cards, tally.bodies, strict=True)):
            if body is None:
                raise WrongError("a request was not answered")
            payload = read_publish(body).payload
            seen = answers.setdefault(card.request_id, payload)
            repeated = seen is not payload
            if seen != payload:
                raise WrongError("a repeated request was answered with other bytes")
            if repeated or slot % SAMPLE_EVERY == 0:
                self._prove(card, body)
                proved += 1
            outcome = "repeated" if repeated else _outcome(card, payload)
            outcomes[f"{card.kind}: {outcome}"] += 1
            if outcome == "accepted" and card.kind is RequestKind.REDEEM:
                self._spend(card)
        if unspent := {number for card in tally.cards if card.kind is RequestKind.REDEEM for number in card.voucher_nos} - set(
            self._spent
        ):
            raise WrongError(f"{len(unspent)} vouchers were refused to everybody")
        return {
            "outcomes": dict(outcomes),
            "vouchers": len(self._spent) - spent_before,
            "proved": proved,
            "orders_ever": len(set(self._spent.values())),
            "vouchers_ever": len(self._spent),
        }

    def _spend(self, card: Card) -> None:
        for number in card.voucher_nos:
            if self._spent.setdefault(number, card.request_id) != card.request_id:
                raise WrongError("two orders with the same voucher were accepted")

    def _prove(self, card: Card, body: bytes) -> None:
        published, kiosk = read_publish(body), self._fleet[card.kiosk]
        try:
            event = decode_event(published.pairs, published.payload)
        except ProtocolError as problem:
            raise WrongError(f"an answer cannot be read: {problem}") from problem
        if (
            published.topic != kiosk.address.answer(card.kind)
            or event.id.bytes != card.request_id
            or (event.source, event.type) != (CLOUD_SOURCE, answer_type(card.kind))
            or not event.is_from(kiosk.keys.answer)
        ):
            raise WrongError("an answer is not authentic")


def _outcome(card: Card, payload: bytes) -> str:
    answer = decode_answer(payload)
    if answer.request_id != UUID(bytes=card.request_id):
        raise WrongError("an answer is to another request")
    match answer:
        case RedeemAccepted():
            worth = len(card.voucher_nos) * FACE_VALUE_TWD
            if (answer.redeemed_twd, answer.topup_twd) != (worth, max(0, TOTAL_TWD - worth)):
                raise WrongError("an order was accepted with other amounts")
            return "accepted"
        case CheckAccepted():
            return "accepted"
        case Refused(reason=Reason.ALREADY_REDEEMED) if card.kind is RequestKind.REDEEM:
            return Reason.ALREADY_REDEEMED.value
        case Refused(reason=reason):
            raise WrongError(f"a {card.kind} was refused: {reason}")
        case _:
            raise WrongError("an answer of another kind")


def _at(ordered: Sequence[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3, 3) if ordered else 0.0


# The three ways to run -----------------------------------------------------------------------------------------------------


def _run_closed(piles: Sequence[Pile], tally: Tally, window: int) -> None:
    each = max(1, window // len(piles))
    _hear_all(piles, tally, fill=lambda pile, _now: each - (pile.sent - pile.answered), until=lambda: 1.0)


def _run_open(piles: Sequence[Pile], tally: Tally, rate: float, steady: int) -> None:
    begins_s = time.perf_counter() + 0.01
    for number, pile in enumerate(piles):
        pile.rate = pile.rate or rate / steady
        pile.begins_s = begins_s + number / rate
    _hear_all(
        piles,
        tally,
        fill=lambda pile, now: pile.due(now),
        until=lambda: max(0.0, min(pile.next_at_s() for pile in piles) - time.perf_counter()),
    )


def _hear_all(piles: Sequence[Pile], tally: Tally, *, fill: Any, until: Any) -> None:
    """Send what ``fill`` allows and hear, until everything that counts is answered."""
    by_number = {pile.connection.fileno(): pile for pile in piles}
    lines = [pile.connection for pile in piles]
    open_sends = sum(len(pile.packets) for pile in piles if pile.first_slot >= 0)
    last_s = asked_s = time.perf_counter()
    while open_sends:
        now_s = time.perf_counter()
        for pile in piles:
            room = min(fill(pile, now_s), len(pile.packets) - pile.sent)
            if room > 0:
                if pile.first_slot >= 0:
                    _note_sent(pile, tally, room, now_s)
                pile.connection.send(pile.packets[pile.sent : pile.sent + room])
                pile.sent += room
        readable, _, _ = select.select(lines, [], [], min(1.0, until()))
        now_s = time.perf_counter()
        for line in readable:
            pile = by_number[line.fileno()]
            for body in line.hear():
                if tally.take(body, time.perf_counter() if len(readable) > 1 else now_s) is not None:
                    pile.answered += 1
                    open_sends -= 1
            last_s = now_s
        for line in readable:
            line.send([])
        if now_s - max(last_s, asked_s) > ASK_AGAIN_S:
            asked_s = now_s
            tally.asked_again += sum(_ask_again(pile, tally) for pile in piles if pile.first_slot >= 0)
        if now_s - last_s > STILL_S_MAX:
            raise WrongError(f"{open_sends} requests were not answered")


def _ask_again(pile: Pile, tally: Tally) -> int:
    mine = range(pile.first_slot, pile.first_slot + pile.sent)
    packets = [pile.packets[slot - pile.first_slot] for slot in mine if not tally.heard_at_s[slot]]
    pile.connection.send(packets)
    return len(packets)


def _note_sent(pile: Pile, tally: Tally, room: int, now_s: float) -> None:
    for place in range(pile.sent, pile.sent + room):
        tally.sent_at_s[pile.first_slot + place] = pile.begins_s + place / pile.rate if pile.rate else now_s


def _run_unanswered(piles: Sequence[Pile], window: int) -> None:
    each = max(1, window // len(piles))
    lines = [pile.connection for pile in piles]
    last_s = time.perf_counter()
    while any(pile.connection.acknowledged < len(pile.packets) for pile in piles):
        for pile in piles:
            room = min(each - (pile.sent - pile.connection.acknowledged), len(pile.packets) - pile.sent)
            if room > 0:
                pile.connection.send(pile.packets[pile.sent : pile.sent + room])
                pile.sent += room
        readable, _, _ = select.select(lines, [], [], 1.0)
        for line in readable:
            line.hear()
            last_s = time.perf_counter()
        if time.perf_counter() - last_s > STILL_S_MAX:
            raise WrongError("the broker takes nothing any more")


def main() -> None:
    """Do what stdin says until it ends."""
    generator: Generator | None = None
    for line in sys.stdin:
        wanted = json.loads(line)
        what = wanted.pop("do")
        try:
            match what:
                case "hello":
                    seal_public = bytes.fromhex(wanted.pop("seal_public"))
                    generator = Generator(seal_public=seal_public, **wanted)
                    found: dict[str, Any] = {}
                case "make":
                    assert generator is not None
                    found = generator.make(**wanted)
                case _:
                    assert generator is not None
                    found = generator.run(**wanted)
        except WrongError as problem:
            found = {"wrong": str(problem)}
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
