"""Requests for the judge, as the edge would hand them over, in one line each."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from cloud.domain.records import Ask
from protocol.chain import GENESIS, link_of
from protocol.envelope import request_type
from protocol.messages import Check, Redeem, Release, Request, encode_body
from protocol.topics import RequestKind
from tests.support.worlds import Shop, World

VISIT: Final = UUID(int=0xA)
OTHER_VISIT: Final = UUID(int=0xB)


class Asks:
    """Builds requests of one sender. Ids and sequence numbers count up, so that every run has the same ones.

    Every builder takes ``id`` to repeat an id, ``visit`` to be another customer, and ``digits`` by voucher number where the
    holder's own are not to be given.
    """

    def __init__(self, world: World, shop: Shop, *, kind: str = "device", first_id: int = 1) -> None:
        self._world = world
        self._sender = shop.sender(kind).sender_id
        self._kind = kind
        self._next_id = first_id << 32 | (sum(self._sender.encode()) << 64)
        self._sequence = 0
        self._link = GENESIS

    def check(self, voucher_no: str, *, visit: UUID = VISIT, id: UUID | None = None, digits: str | None = None) -> Ask:
        """A check of one voucher."""
        tags = self._tags([voucher_no], {} if digits is None else {voucher_no: digits})
        return self._ask(RequestKind.CHECK, Check(visit_id=visit, voucher_no=voucher_no, sealed="x"), tags, id)

    def redeem(
        self,
        *voucher_nos: str,
        total: int = 5050,
        item: str = "room",
        visit: UUID = VISIT,
        id: UUID | None = None,
        digits: Mapping[str, str] | None = None,
        sequence: int | None = None,
    ) -> Ask:
        """An order. ``sequence`` takes a number out of turn and leaves the chain where it is."""
        in_turn = sequence is None
        if in_turn:
            self._sequence += 1
        order = Redeem(
            visit_id=visit,
            vouchers=list(voucher_nos),
            sealed="x",
            item_category=item,
            order_total_twd=total,
            sequence=self._sequence if sequence is None else sequence,
            previous=self._link,
        )
        if in_turn:
            self._link = link_of(encode_body(order))
        return self._ask(RequestKind.REDEEM, order, self._tags(voucher_nos, digits or {}), id)

    def release(self, *voucher_nos: str, visit: UUID = VISIT, id: UUID | None = None) -> Ask:
        """Let go of vouchers."""
        return self._ask(RequestKind.RELEASE, Release(visit_id=visit, vouchers=list(voucher_nos)), (), id)

    def _tags(self, voucher_nos: Sequence[str], digits: Mapping[str, str]) -> tuple[bytes, ...]:
        own: Mapping[str, Any] = self._world.digits
        return tuple(self._world.tag(number, digits.get(number, own.get(number, "none"))) for number in voucher_nos)

    def _ask(self, kind: RequestKind, request: Request, tags: tuple[bytes, ...], id: UUID | None) -> Ask:
        self._next_id += 1
        body = encode_body(request)
        return Ask(
            request_id=UUID(int=self._next_id) if id is None else id,
            kind=kind,
            sender_id=self._sender,
            sender_kind="device" if self._kind == "device" else "staff",
            request=request,
            digit_tags=tags,
            body_hash=sha256(request_type(kind).encode() + b"\0" + body + b"".join(tags)).digest(),
            link=link_of(body) if isinstance(request, Redeem) and self._kind == "device" else None,
        )
