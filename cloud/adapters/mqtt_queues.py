"""What waits between the network thread and the worker: deliveries inwards, answers outwards. Both bounded."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from cloud.adapters.mqtt_wire import pack_again
from cloud.ports.line import Delivery


class Arrivals:
    """Deliveries that nobody has taken yet. One lock for a whole block of them, on either side."""

    def __init__(self, count_max: int) -> None:
        """Empty.

        Args:
            count_max: with so many there is no room; what was received before that was known still goes in.
        """
        self._count_max = count_max
        self._waiting: deque[Delivery] = deque()
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._waiting)

    def has_room(self, wait_s: float) -> bool:
        """Tell whether there is room; wait so long for it."""
        if len(self._waiting) < self._count_max:
            return True
        with self._changed:
            return self._changed.wait_for(lambda: len(self._waiting) < self._count_max, wait_s)

    def put(self, deliveries: Sequence[Delivery]) -> None:
        """Add them in their order."""
        with self._changed:
            self._waiting.extend(deliveries)
            self._changed.notify_all()

    def take(self, count_max: int) -> list[Delivery]:
        """Take what is there, at most so many."""
        if not self._waiting:
            return []
        with self._changed:
            taken = [self._waiting.popleft() for _ in range(min(count_max, len(self._waiting)))]
            self._changed.notify_all()
            return taken

    def forget(self, connection: int) -> None:
        """Forget what a connection brought."""
        with self._changed:
            kept = [delivery for delivery in self._waiting if delivery.connection != connection]
            self._waiting.clear()
            self._waiting.extend(kept)
            self._changed.notify_all()

    def waiting_by(self, key: Callable[[Delivery], int]) -> dict[int, tuple[int, float]]:
        """Return, for every key, how many wait and when the oldest of them arrived."""
        with self._changed:
            waiting = list(self._waiting)
        found: dict[int, tuple[int, float]] = {}
        for delivery in waiting:
            number, oldest_at_s = found.get(key(delivery), (0, delivery.arrived_at_s))
            found[key(delivery)] = (number + 1, oldest_at_s)
        return found


class Answers:
    """Packed QoS 1 publishes until the broker has acknowledged them. Not locked: its owner is."""

    def __init__(self, *, in_flight_max: int, count_max: int) -> None:
        """Empty.

        Args:
            in_flight_max: sent and not yet acknowledged.
            count_max: those and the ones that wait.
        """
        self._in_flight_max = in_flight_max
        self._count_max = count_max
        self._in_flight: dict[int, bytes] = {}
        self._waiting: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self._in_flight) + len(self._waiting)

    def __contains__(self, packet_id: object) -> bool:
        return packet_id in self._in_flight or packet_id in self._waiting

    @property
    def is_full(self) -> bool:
        """Whether nothing more fits."""
        return len(self) >= self._count_max

    def add(self, packet_id: int, packet: bytes) -> None:
        """Add one at the end."""
        self._waiting[packet_id] = packet

    def take_due(self) -> list[bytes]:
        """Return what may be sent now; from here on it is in flight."""
        room = self._in_flight_max - len(self._in_flight)
        if room >= len(self._waiting):
            due, self._waiting = self._waiting, {}
        else:
            due = {packet_id: self._waiting.pop(packet_id) for packet_id in list(islice(self._waiting, max(room, 0)))}
        self._in_flight |= due
        return list(due.values())

    def take_again(self) -> list[bytes]:
        """Return what was in flight on a connection that broke, marked as sent before, in its order."""
        return [pack_again(packet) for packet in self._in_flight.values()]

    def done(self, packet_id: int) -> None:
        """The broker has it."""
        self._in_flight.pop(packet_id, None)
