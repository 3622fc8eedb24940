"""Fakes of the edge's ports, in memory, with the behaviour that matters: a broker that sends again what is not acknowledged."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from cloud.ports.fleet import EnrolledDevice, Presence
from cloud.ports.line import Delivery
from cloud.ports.parking import ParkedMessage
from protocol.envelope import Event, encode_properties
from protocol.errors import PortError

NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)


class FakeClock:
    """Stands still until it is set."""

    def __init__(self, now: datetime = NOW) -> None:
        self.moment = now

    def now(self) -> datetime:
        return self.moment


class FakeLine:
    """Delivers in order, again after a reconnect until acknowledged."""

    def __init__(self) -> None:
        self.waiting: deque[Delivery] = deque()
        self.unacknowledged: dict[int, Delivery] = {}
        self.published: list[tuple[str, Event]] = []
        self.acknowledged: list[int] = []
        self.elapsed_s = 0.0
        self.flushed = (0, 0)
        """How many answers and acknowledgements the last flush found."""
        self._connection = 0
        self._next_id = 0

    def arrive(self, topic: str, event: Event) -> Delivery:
        """Let a message arrive."""
        return self.arrive_raw(topic, event.body, tuple(encode_properties(event)))

    def arrive_raw(
        self, topic: str, payload: bytes, properties: tuple[tuple[str, str], ...] = (), *, retained: bool = False
    ) -> Delivery:
        self._next_id += 1
        delivery = Delivery(topic, payload, properties, retained, self._connection, self._next_id, self.elapsed_s)
        self.waiting.append(delivery)
        return delivery

    def reconnect(self) -> None:
        """Lose the connection and get another: what was not acknowledged comes again."""
        self._connection += 1
        again = [*self.unacknowledged.values(), *self.waiting]
        self.unacknowledged.clear()
        self.waiting.clear()
        for delivery in again:
            self.arrive_raw(delivery.topic, delivery.payload, delivery.properties)

    def take(self, count_max: int, *, wait_s: float) -> Sequence[Delivery]:  # noqa: ARG002 - never waits
        taken = [self.waiting.popleft() for _ in range(min(count_max, len(self.waiting)))]
        self.unacknowledged.update({delivery.packet_id: delivery for delivery in taken})
        return taken

    def take_more(self, count_max: int) -> Sequence[Delivery]:
        return self.take(count_max, wait_s=0.0)

    def publish(self, topic: str, event: Event) -> None:
        self.published.append((topic, event))

    def acknowledge(self, delivery: Delivery) -> None:
        if delivery.connection == self._connection:
            self.acknowledged.append(delivery.packet_id)
            del self.unacknowledged[delivery.packet_id]

    def flush(self) -> None:
        self.flushed = (len(self.published), len(self.acknowledged))


class FakeFleet:
    """Devices by id, as far as the ingest worker asks; ``failures`` come first."""

    def __init__(self, devices: Iterable[EnrolledDevice] = ()) -> None:
        self.devices = {device.device_id: device for device in devices}
        self.presences: list[Presence] = []
        self.queries = 0
        self.failures: list[PortError] = []

    def find_devices(self, device_ids: Collection[str]) -> Mapping[str, EnrolledDevice]:
        self.queries += 1
        self._fail()
        return {device_id: self.devices[device_id] for device_id in device_ids if device_id in self.devices}

    def record_presence(self, presences: Iterable[Presence]) -> None:
        self._fail()
        self.presences.extend(presences)

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


class FakeParking:
    """Keeps what is parked."""

    def __init__(self) -> None:
        self.parked: list[ParkedMessage] = []

    def park(self, messages: Sequence[ParkedMessage]) -> None:
        self.parked.extend(messages)

    def count(self) -> int:
        return len(self.parked)


class FakeStop:
    """Counts the pauses instead of waiting; stops after so many of them, or of looks."""

    def __init__(self, *, pauses_max: int = 100) -> None:
        self.pauses_s: list[float] = []
        self.stopped = False
        self._pauses_max = pauses_max

    def is_set(self) -> bool:
        return self.stopped

    def wait(self, timeout: float) -> bool:
        self.pauses_s.append(timeout)
        self.stopped = self.stopped or len(self.pauses_s) >= self._pauses_max
        return self.stopped
