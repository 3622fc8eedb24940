"""What authentication and sealed digits cost at the edge, per order of three vouchers, in CPU time.

From topic, properties and payload to a question for the judge (:mod:`cloud.services.admit`), whole and step by step, against
msgspec decoding the same body into the same struct: what it would cost to believe everybody.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec

from cloud.domain.digits import digit_tagger
from cloud.services.admit import Admitted, Arrival, KnownDevice, admit, read_arrival
from protocol.chain import GENESIS
from protocol.envelope import Event, device_source, encode_properties, make_event, request_type
from protocol.ids import uuid7
from protocol.keys import DeviceKeys
from protocol.messages import Redeem, decode_request, encode_body
from protocol.seal import open_digits, seal_digits
from protocol.topics import DeviceAddress, RequestKind
from tests.bench.measuring import Case, Figure, WrongAnswerError, measure

ORDERS: Final = 1_000
VOUCHERS_PER_ORDER: Final = 3
PEPPER: Final = bytes(range(32))
DEVICE: Final = KnownDevice(
    DeviceAddress("alishan", "kiosk-0001"), DeviceKeys(seal=b"s" * 32, request=b"r" * 32, answer=b"a" * 32)
)
_DIGITS: Final = ("4821", "0937", "5566")
_TOPIC: Final = DEVICE.address.request(RequestKind.REDEEM)
_PLACE: Final = (DEVICE, RequestKind.REDEEM)
"""As the worker remembers it."""

_tag = digit_tagger(PEPPER)


@dataclass(frozen=True, slots=True)
class Sent:
    """One order on the wire."""

    event: Event
    properties: tuple[tuple[str, str], ...]
    voucher_nos: tuple[str, ...]
    sealed: str


def run_codec(*, orders: int = ORDERS) -> dict[str, Any]:
    """Measure.

    Raises:
        WrongAnswerError: an order was not admitted, or with other tags.
    """
    sent = [make_sent(number) for number in range(orders)]
    _check(sent)
    figures = measure(_cases(sent))
    bare = figures["bare decode"]
    return {
        "orders": orders,
        "vouchers_per_order": VOUCHERS_PER_ORDER,
        "body_bytes": len(sent[0].event.body),
        "us_per_order": {name: round(figure.us, 2) for name, figure in figures.items()},
        "times_bare_decode": {name: _times(figure, bare) for name, figure in figures.items()},
        "spread": {name: round(figure.spread, 2) for name, figure in figures.items()},
    }


def _cases(sent: Sequence[Sent]) -> dict[str, Case]:
    decoder = msgspec.json.Decoder(Redeem)
    device_id = DEVICE.address.device_id

    def open_one(one: Sent) -> object:
        return open_digits(DEVICE.box, one.sealed, device_id=device_id, request_id=one.event.id, voucher_nos=one.voucher_nos)

    steps: dict[str, Callable[[Sent], object]] = {
        "bare decode": lambda one: decoder.decode(one.event.body),
        "whole edge": _admit,
        "topic and properties": lambda one: read_arrival(_TOPIC, one.properties, one.event.body, _PLACE),
        "proof": lambda one: one.event.is_from(DEVICE.asking),
        "decode and check": lambda one: decode_request(RequestKind.REDEEM, one.event.body),
        "open digits": open_one,
        "digit tags": lambda one: tuple(map(_tag, one.voucher_nos, _DIGITS)),
    }
    return {name: partial(_time, step, sent) for name, step in steps.items()}


def _time(step: Callable[[Sent], object], sent: Sequence[Sent]) -> float:
    # CPU time: what other programs do on this machine is no part of it.
    began = time.process_time_ns()
    for one in sent:
        step(one)
    return (time.process_time_ns() - began) / 1e9 / len(sent)


def _admit(one: Sent) -> object:
    arrival = read_arrival(_TOPIC, one.properties, one.event.body, _PLACE)
    assert isinstance(arrival, Arrival)
    return admit(arrival, DEVICE, _tag)


def _check(sent: Sequence[Sent]) -> None:
    for one in sent:
        outcome = _admit(one)
        if not isinstance(outcome, Admitted):
            raise WrongAnswerError(f"an order was not admitted: {outcome}")
        if outcome.ask.digit_tags != tuple(map(_tag, one.voucher_nos, _DIGITS)):
            raise WrongAnswerError("an order was admitted with other digits than it was sent with")


def make_sent(number: int) -> Sent:
    """Make one order as its kiosk would send it."""
    request_id = uuid7(1_791_181_920_000 + number, number.to_bytes(10, "big"))
    numbers = tuple(f"{number * VOUCHERS_PER_ORDER + place:012d}" for place in range(VOUCHERS_PER_ORDER))
    device_id = DEVICE.address.device_id
    sealed = seal_digits(
        DEVICE.keys.seal,
        _DIGITS,
        nonce=number.to_bytes(12, "big"),
        device_id=device_id,
        request_id=request_id,
        voucher_nos=numbers,
    )
    body = Redeem(
        visit_id=request_id,
        vouchers=list(numbers),
        sealed=sealed,
        item_category="room",
        order_total_twd=5_050,
        sequence=number + 1,
        previous=GENESIS,
    )
    event = make_event(
        DEVICE.keys.request,
        id=request_id,
        source=device_source(device_id),
        type=request_type(RequestKind.REDEEM),
        time="2026-11-20T04:00:00.000Z",
        body=encode_body(body),
    )
    return Sent(event, tuple(encode_properties(event)), numbers, sealed)


def _times(figure: Figure, peer: Figure) -> float:
    return round(figure.seconds / peer.seconds, 2)
