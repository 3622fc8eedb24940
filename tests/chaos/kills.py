"""Who is killed, and when.

Worker and kiosk kill themselves at a named point of their own (``VK_CRASH_AT``), so the moment is exact. The broker is killed
from outside at a point of the customer's visit, and loses its store with it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum, unique

from cloud.ingest import CRASH_POINTS
from kiosk.ports import CrashPoint
from tests.demo.mishaps import POINTS
from tests.demo.world import Kiosk, World


@unique
class Victim(StrEnum):
    """What is killed."""

    WORKER = "worker"
    BROKER = "broker"
    KIOSK = "kiosk"


DEATH_WAIT_S = 4.0
"""The worker's traps spring with the first message after they are laid; a message has to wait until the worker is up."""

POINTS_OF: dict[Victim, Sequence[str]] = {
    Victim.WORKER: CRASH_POINTS,
    Victim.BROKER: POINTS,
    Victim.KIOSK: tuple(str(point) for point in CrashPoint),
}


@dataclass(slots=True)
class Kill:
    """One planned kill; a :class:`tests.demo.mishaps.Mishap`."""

    world: World
    victim: Victim
    point: str
    struck: bool = False

    def at(self, point: str, kiosk: Kiosk) -> None:
        """Lay the trap when the customer comes; kill the broker at its point; start a dead worker again, as systemd would."""
        if point == "attract":
            self._lay_trap(kiosk)
        if self.victim is Victim.BROKER and point == self.point:
            self.world.kill_broker()
            self.world.start_broker()
            self.struck = True
        if self.victim is Victim.WORKER and point in ("checking", "sending") and not self.struck:
            self.struck = self.world.ingest.wait_ended(DEATH_WAIT_S)
            if self.struck:
                self.world.ingest.stop()
                self.world.ingest.start()

    @property
    def needs_cancel(self) -> bool:
        """Only a customer who gives up passes this point."""
        return self.point == CrashPoint.RELEASE_SENT

    def _lay_trap(self, kiosk: Kiosk) -> None:
        match self.victim:
            case Victim.WORKER:
                self.world.ingest.stop()
                self.world.ingest.start(VK_CRASH_AT=self.point)
            case Victim.KIOSK:
                kiosk.process.stop()
                self.world.start_kiosk(kiosk, VK_CRASH_AT=self.point)
            case Victim.BROKER:
                pass


def every_point(world: World) -> list[Kill]:
    """Each named point of each victim once."""
    return [Kill(world, victim, point) for victim, points in POINTS_OF.items() for point in points]


def at_random(world: World, count: int, rng: random.Random) -> list[Kill]:
    """So many kills, drawn anew."""
    plans = every_point(world)
    return [rng.choice(plans) for _ in range(count)]
