"""At the edge: tell whether a message is what a kiosk of ours said, and turn it into a question for the judge.

In this order, and nothing later happens before all earlier steps have held: topic, known device, its proof over the whole
message, the decoding of the body, the sealed digits. What fails before the proof holds is nobody's message: it is parked and
never answered. What fails after it is an honest kiosk's mistake, and is answered ``malformed``.

The state of the device is not looked at here. It is judged inside the transaction, on every request, so that a revocation
counts from the moment it is written.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from cloud.domain.records import Ask
from cloud.ports.fleet import Fleet
from protocol.chain import link_of
from protocol.envelope import Event, decode_event, device_source, request_type
from protocol.errors import ProtocolError
from protocol.keys import DeviceKeys, Prover, agree, make_prover
from protocol.messages import Redeem, Release, decode_request
from protocol.reasons import Reason
from protocol.seal import make_box, open_digits
from protocol.topics import DeviceAddress, RequestKind, decode_request_topic

DEVICES_REMEMBERED_MAX: Final = 20_000

DigitTag = Callable[[str, str], bytes]
"""``(voucher_no, digits)``: the HMAC under the pepper."""


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A kiosk's address and the keys that it shares with the cloud, and what each of its messages would have made anew."""

    address: DeviceAddress
    keys: DeviceKeys
    source: str = field(init=False, repr=False, compare=False)
    """What it names as the source of its messages."""
    box: AESGCM = field(init=False, repr=False, compare=False)
    """Opens its sealed digits."""
    asking: Prover = field(init=False, repr=False, compare=False)
    answering: Prover = field(init=False, repr=False, compare=False)
    answer_topics: Mapping[RequestKind, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", device_source(self.address.device_id))
        object.__setattr__(self, "box", make_box(self.keys.seal))
        object.__setattr__(self, "asking", make_prover(self.keys.request))
        object.__setattr__(self, "answering", make_prover(self.keys.answer))
        object.__setattr__(self, "answer_topics", {kind: self.address.answer(kind) for kind in RequestKind})


Place = tuple[KnownDevice, RequestKind]
"""What the topic of a request says, where its kiosk is known."""


class Arrival(Struct, frozen=True):
    """A message that claims to be a request, taken apart as far as is possible without proof."""

    address: DeviceAddress
    kind: RequestKind
    event: Event


class Admitted(Struct, frozen=True):
    """A request, proved and understood."""

    device: KnownDevice
    ask: Ask
    traceparent: str | None = None
    """Goes back with the answer, as it came."""


class Malformed(Struct, frozen=True):
    """A message that a kiosk of ours did send, and that is no request of this protocol."""

    device: KnownDevice
    request_id: UUID
    kind: RequestKind
    time: str
    """The request's own time. The answer carries it again, so that a repeat is answered with the same bytes."""
    problem: str
    traceparent: str | None = None
    reason: ClassVar = Reason.MALFORMED


class Excess(Struct, frozen=True):
    """A message on the topic of a kiosk that sends more than it may: not proved, and not looked at any further."""

    device: KnownDevice
    request_id: UUID
    kind: RequestKind
    traceparent: str | None = None
    reason: ClassVar = Reason.BUSY


class Unproved(Struct, frozen=True):
    """A message of which nobody knows who sent it."""

    problem: str


class KnownDevices:
    """The kiosks' keys, agreed once and remembered: a device id never changes its key (see :mod:`cloud.services.enrol`)."""

    def __init__(self, fleet: Fleet, seal_private: bytes) -> None:
        self._fleet = fleet
        self._seal_private = seal_private
        self._known: dict[str, KnownDevice] = {}
        self._places: dict[str, Place] = {}

    @property
    def places(self) -> Mapping[str, Place]:
        """The topics on which the remembered devices ask."""
        return self._places

    def find(self, device_ids: Collection[str]) -> Mapping[str, KnownDevice]:
        """Return those that are enrolled; one query for all that were never met.

        Raises:
            PortError: the database cannot be reached.
        """
        unmet = {device_id for device_id in device_ids if device_id not in self._known}
        if unmet:
            if len(self._known) + len(unmet) > DEVICES_REMEMBERED_MAX:
                self._known.clear()
                self._places.clear()
                unmet = set(device_ids)
            for device_id, row in self._fleet.find_devices(unmet).items():
                keys = agree(self._seal_private, row.seal_public, device_id=device_id)
                device = self._known[device_id] = KnownDevice(DeviceAddress(row.site_id, device_id), keys)
                self._places.update({device.address.request(kind): (device, kind) for kind in RequestKind})
        return {device_id: self._known[device_id] for device_id in device_ids if device_id in self._known}


def read_arrival(
    topic: str, properties: Iterable[tuple[str, str]], payload: bytes, place: Place | None = None
) -> Arrival | Unproved:
    """Take topic and attributes apart; proves nothing.

    Args:
        place: what the topic says, where it need not be taken apart again.
    """
    try:
        address, kind = decode_request_topic(topic) if place is None else (place[0].address, place[1])
        return Arrival(address, kind, decode_event(properties, payload))
    except ProtocolError as problem:
        return Unproved(str(problem))


def admit(arrival: Arrival, device: KnownDevice | None, digit_tag: DigitTag) -> Admitted | Malformed | Unproved:
    """Prove a message and understand it.

    Args:
        device: what is known of the device that the topic names; None if there is no such device.
    """
    if device is None:
        return Unproved("no such device")
    # Nearly always the very same address, remembered with the topic: comparing two that are equal costs ten times as much.
    if device.address is not arrival.address and device.address != arrival.address:
        return Unproved("the topic names a site that is not the device's")
    event = arrival.event
    if not event.is_from(device.asking):
        return Unproved("the proof does not hold")
    try:
        return Admitted(device, _ask(arrival, device, digit_tag), event.traceparent)
    except ProtocolError as problem:
        return Malformed(device, event.id, arrival.kind, event.time, str(problem), event.traceparent)


def _ask(arrival: Arrival, device: KnownDevice, digit_tag: DigitTag) -> Ask:
    event, kind, device_id = arrival.event, arrival.kind, device.address.device_id
    if event.type != request_type(kind) or event.source != device.source:
        raise ProtocolError("type and source do not fit the topic")
    request = decode_request(kind, event.body)
    tags: tuple[bytes, ...] = ()
    if not isinstance(request, Release):
        numbers = request.voucher_nos
        digits = open_digits(device.box, request.sealed, device_id=device_id, request_id=event.id, voucher_nos=numbers)
        tags = tuple(map(digit_tag, numbers, digits))
    return Ask(
        request_id=event.id,
        kind=kind,
        sender_id=device_id,
        sender_kind="device",
        request=request,
        digit_tags=tags,
        body_hash=hashlib.sha256(event.type.encode() + b"\0" + event.body).digest(),
        link=link_of(event.body) if isinstance(request, Redeem) else None,
    )
