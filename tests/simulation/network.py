"""Broker and lines: loses, doubles, delays, reorders, damages, forgets everything, and lies.

What travels goes through the real encoding of properties on both ends. A broker that crashes forgets what it queued and what
was on its way; a worker's message that was not acknowledged comes again when its connection does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from cloud.ports.line import Delivery
from protocol.envelope import CLOUD_SOURCE, Event, answer_type, decode_event, encode_properties, make_event
from protocol.errors import ProtocolError
from protocol.ids import reference
from protocol.limits import BODY_BYTES_MAX
from protocol.messages import Redeem, RedeemAccepted, decode_request, encode_body
from protocol.topics import DeviceAddress, RequestKind, decode_request_topic
from tests.simulation.kernel import Kernel
from tests.simulation.witness import Witness

REMEMBERED_MAX: Final = 100
REPLAY_WITHIN_S: Final = 2 * 86_400
RECONNECT_S: Final = (0.2, 5.0)
BLACK_HOLE_S: Final = 20.0
IN_FLIGHT_MAX: Final = 64
_STRANGER: Final = b"?" * 32


@dataclass(frozen=True, slots=True)
class Packet:
    """One message on its way to the workers."""

    topic: str
    payload: bytes
    properties: tuple[tuple[str, str], ...]
    stale_at_s: float


class SimLine:
    """One worker's side of the broker: see :class:`cloud.ports.line.Line`."""

    def __init__(self, network: "Network") -> None:
        self._network = network
        self._connection = 0
        self._next_packet_id = 0
        self.on_arrival: Callable[[], None] = lambda: None
        self.queue: list[Packet] = []
        self.unacknowledged: dict[int, Packet] = {}

    def arrive(self, packet: Packet) -> None:
        """The broker has something for this worker."""
        self.queue.append(packet)
        self.on_arrival()

    def reconnect(self) -> None:
        """A new connection: what was not acknowledged comes again, first."""
        self._connection += 1
        self.queue[:0] = self.unacknowledged.values()
        self.unacknowledged.clear()

    def forget(self) -> None:
        """The broker crashed and lost its queue."""
        self._connection += 1
        self.queue.clear()
        self.unacknowledged.clear()

    def take(self, count_max: int, *, wait_s: float) -> Sequence[Delivery]:  # noqa: ARG002 - nobody waits here
        taken, self.queue = self.queue[:count_max], self.queue[count_max:]
        fresh = [packet for packet in taken if packet.stale_at_s >= self._network.now_s]
        return [self._deliver(packet) for packet in fresh]

    def take_more(self, count_max: int) -> Sequence[Delivery]:
        return self.take(count_max, wait_s=0.0)

    def publish(self, topic: str, event: Event) -> None:
        self._network.carry_answer(topic, event)

    def acknowledge(self, delivery: Delivery) -> None:
        if delivery.connection == self._connection:
            self.unacknowledged.pop(delivery.packet_id, None)

    def flush(self) -> None:
        """Everything has gone out already: a worker that dies meets more kinds of half-done rounds."""

    def _deliver(self, packet: Packet) -> Delivery:
        self._next_packet_id += 1
        self.unacknowledged[self._next_packet_id] = packet
        now_s = self._network.now_s
        return Delivery(packet.topic, packet.payload, packet.properties, False, self._connection, self._next_packet_id, now_s)


class SimLink:
    """One kiosk's side of the broker, for one run of its program: see :class:`kiosk.ports.Link`."""

    def __init__(self, network: "Network", address: DeviceAddress, wake: Callable[[], None]) -> None:
        self._network = network
        self._wake = wake
        self._on_answer: Callable[[RequestKind, Event], None] = lambda _kind, _event: None
        self._on_connection: Callable[[bool], None] = lambda _connected: None
        self._state = b""
        self.address = address
        self.is_alive = True
        self.is_connected = False
        self.is_black_hole = False
        """Connected as far as the kiosk knows; nothing goes through."""

    def start(self, on_answer: Callable[[RequestKind, Event], None], on_connection: Callable[[bool], None]) -> None:
        self._on_answer, self._on_connection = on_answer, on_connection
        self._network.reconnect_later(self)

    def publish(self, kind: RequestKind, event: Event, *, expiry_s: int | None = None) -> bool:
        if len(event.body) > BODY_BYTES_MAX:
            raise ValueError("above the limit")
        if not self.is_connected or self._network.in_flight(self.address) >= IN_FLIGHT_MAX:
            return False
        self._network.carry_request(self, kind, event, expiry_s)
        return True

    def report(self, state: bytes) -> None:
        self._state = state
        if self.is_connected:
            self._network.carry_state(self, state)

    def close(self) -> None:
        self.is_alive = False
        self.is_connected = False

    # The network's side ------------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """The broker is reached."""
        if self.is_alive and not self.is_connected:
            self.is_connected, self.is_black_hole = True, False
            self._network.carry_state(self, self._state)
            self._on_connection(True)
            self._wake()

    def disconnect(self) -> None:
        """The connection is seen to be gone."""
        if self.is_alive and self.is_connected:
            self.is_connected, self.is_black_hole = False, False
            self._on_connection(False)
            self._wake()

    def receive(self, kind: RequestKind, event: Event) -> None:
        """Something comes back."""
        self._on_answer(kind, event)
        self._wake()


@dataclass(slots=True)
class Network:
    """Broker, lines and links."""

    kernel: Kernel
    witness: Witness
    lines: list[SimLine] = field(default_factory=list)
    links: dict[str, SimLink] = field(default_factory=dict)
    """By device; the newest run of its program."""
    _epoch: int = 0
    _turn: int = 0
    _flying: dict[str, int] = field(default_factory=dict)
    _remembered: list[Packet] = field(default_factory=list)
    _cut: dict[str, float] = field(default_factory=dict)
    """Partitioned devices, and until when."""

    @property
    def now_s(self) -> float:
        """Virtual time."""
        return self.kernel.now_s

    def in_flight(self, address: DeviceAddress) -> int:
        """Messages of a kiosk that have not reached the broker."""
        return self._flying.get(address.device_id, 0)

    # Faults ------------------------------------------------------------------------------------------------------------

    def partition(self, device_id: str, seconds: float) -> None:
        """Cut one kiosk off. At first it may not notice."""
        self.kernel.struck["partition"] += 1
        self._cut[device_id] = self.now_s + seconds
        link = self.links.get(device_id)
        if link is None:
            return
        if self.kernel.rng.random() < 0.5:
            link.is_black_hole = True
            self.kernel.after(min(seconds, BLACK_HOLE_S), lambda: self._drop(link))
        else:
            self._drop(link)

    def crash_broker(self) -> None:
        """Everything queued and everything on its way is lost, whatever was acknowledged."""
        self.kernel.struck["broker crash"] += 1
        self.kernel.note("broker crash")
        self._epoch += 1
        self._flying.clear()
        for line in self.lines:
            line.forget()
        for link in list(self.links.values()):
            self._drop(link)

    def heal(self) -> None:
        """No partition lasts any longer."""
        self._cut.clear()
        for link in self.links.values():
            link.is_black_hole = False
            self.reconnect_later(link)

    def reconnect_later(self, link: SimLink) -> None:
        """The link tries by itself, as the real one does."""
        cut_s = max(0.0, self._cut.get(link.address.device_id, 0.0) - self.now_s)
        self.kernel.after(cut_s + self.kernel.rng.uniform(*RECONNECT_S), lambda: self._reconnect(link))

    def _drop(self, link: SimLink) -> None:
        link.disconnect()
        self.reconnect_later(link)

    def _reconnect(self, link: SimLink) -> None:
        if not link.is_alive or (link.is_connected and not link.is_black_hole):
            return
        if self._cut.get(link.address.device_id, 0.0) > self.now_s:
            self.reconnect_later(link)
            return
        link.disconnect()
        link.connect()

    # Requests ----------------------------------------------------------------------------------------------------------

    def carry_request(self, link: SimLink, kind: RequestKind, event: Event, expiry_s: int | None) -> None:
        """Take a message from a kiosk."""
        self.witness.published(link.address.device_id, kind, event)
        stale_at_s = float("inf") if expiry_s is None else self.now_s + expiry_s
        packet = Packet(link.address.request(kind), event.body, tuple(encode_properties(event)), stale_at_s)
        self._remembered = [*self._remembered[1 - REMEMBERED_MAX :], packet]
        if not link.is_black_hole:
            self._send(packet)
        if self.kernel.strikes(self.kernel.weather.replaying, "replay"):
            self._replay()
        if kind is RequestKind.REDEEM and self.kernel.strikes(self.kernel.weather.forging, "forged answer"):
            self._forge(link, event)

    def _send(self, packet: Packet) -> None:
        epoch, (address, _) = self._epoch, decode_request_topic(packet.topic)
        for _ in range(self._copies()):
            self._flying[address.device_id] = self._flying.get(address.device_id, 0) + 1
            self.kernel.after(
                self.kernel.delay_s(self.kernel.weather.delay_mean_s), lambda: self._arrive(packet, epoch, address.device_id)
            )

    def carry_state(self, link: SimLink, state: bytes) -> None:
        """Take a kiosk's presence. It is of no consequence, and comes among the requests."""
        packet = Packet(link.address.connection, state, (), float("inf"))
        if not link.is_black_hole:
            self.kernel.after(self.kernel.delay_s(self.kernel.weather.delay_mean_s), lambda: self._hand_to_worker(packet))

    def _arrive(self, packet: Packet, epoch: int, device_id: str) -> None:
        if epoch != self._epoch:
            return
        self._flying[device_id] -= 1
        if packet.payload and self.kernel.strikes(self.kernel.weather.corruption, "damaged request"):
            packet = replace(packet, payload=self._damage(packet.payload))
        self._hand_to_worker(packet)

    def _hand_to_worker(self, packet: Packet) -> None:
        self._turn += 1
        self.lines[self._turn % len(self.lines)].arrive(packet)

    def _replay(self) -> None:
        rng = self.kernel.rng
        packet = rng.choice(self._remembered)
        if rng.random() < 0.3:
            # In the name of whoever comes first: the proof must not hold there.
            packet = replace(packet, topic=rng.choice(self._remembered).topic)
        packet = replace(packet, stale_at_s=float("inf"))
        late_s = rng.choice((1.0, 60.0, REPLAY_WITHIN_S)) * rng.random()
        self.kernel.after(late_s, lambda: self._send(packet))

    # Answers -----------------------------------------------------------------------------------------------------------

    def carry_answer(self, topic: str, event: Event) -> None:
        """Take an answer from a worker."""
        self.witness.answered(topic, event)
        epoch = self._epoch
        for _ in range(self._copies()):
            self.kernel.after(
                self.kernel.delay_s(self.kernel.weather.delay_mean_s), lambda: self._hand_over(topic, event, epoch)
            )

    def _hand_over(self, topic: str, event: Event, epoch: int) -> None:
        if epoch != self._epoch:
            return
        for link in list(self.links.values()):
            for kind in RequestKind:
                if link.address.answer(kind) == topic and link.is_connected and not link.is_black_hole:
                    self._deliver(link, kind, event)

    def _deliver(self, link: SimLink, kind: RequestKind, event: Event) -> None:
        body = event.body
        if self.kernel.strikes(self.kernel.weather.corruption, "damaged answer"):
            body = self._damage(body)
        try:
            arrived = decode_event(encode_properties(event), body)
        except ProtocolError:
            return
        link.receive(kind, arrived)

    def _forge(self, link: SimLink, event: Event) -> None:
        asked = decode_request(RequestKind.REDEEM, event.body)
        assert isinstance(asked, Redeem)
        worth = 1000 * len(asked.vouchers)
        body = RedeemAccepted(
            request_id=event.id,
            reference=reference(event.id),
            redeemed_at="2021-11-03T04:30:00.000000Z",
            voucher_count=len(asked.vouchers),
            redeemed_twd=worth,
            order_total_twd=asked.order_total_twd,
            topup_twd=max(0, asked.order_total_twd - worth),
        )
        kind = RequestKind.REDEEM
        forged = make_event(
            _STRANGER, id=event.id, source=CLOUD_SOURCE, type=answer_type(kind), time=event.time, body=encode_body(body)
        )
        self.kernel.after(0.01, lambda: link.receive(kind, forged) if link.is_connected else None)

    # -------------------------------------------------------------------------------------------------------------------

    def _copies(self) -> int:
        weather = self.kernel.weather
        if self.kernel.strikes(weather.loss, "lost message"):
            return 0
        return 2 if self.kernel.strikes(weather.doubling, "doubled message") else 1

    def _damage(self, payload: bytes) -> bytes:
        place = self.kernel.rng.randrange(len(payload))
        return payload[:place] + bytes([payload[place] ^ (1 << self.kernel.rng.randrange(8))]) + payload[place + 1 :]
