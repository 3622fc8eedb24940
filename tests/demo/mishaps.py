"""What goes wrong around some orders, on purpose, at the worst moment.

A mishap is told every point that a visit passes, in the customer's words: ``attract digits checking basket item total
confirm sending done left``. ``checking`` and ``sending`` are passed right after the key that leads there was pressed.
"""

from typing import Final, Protocol

from tests.demo.orders import Story
from tests.demo.processes import DemoError, wait_for
from tests.demo.world import Kiosk, World

POINTS: Final = ("attract", "digits", "checking", "basket", "item", "total", "confirm", "sending", "done", "left")
CRASH_WAIT_S = 20.0


class Mishap(Protocol):
    """Something that may break at a point of a visit."""

    def at(self, point: str, kiosk: Kiosk) -> None:
        """The visit passes this point of :data:`POINTS`."""


class NoMishap:
    """All goes well."""

    def at(self, point: str, kiosk: Kiosk) -> None: ...


class WorkerDiesAfterCommit:
    """The worker commits the order and is killed before it answers; the broker gives the request to the next worker again."""

    def __init__(self, world: World) -> None:
        self._world = world

    def at(self, point: str, kiosk: Kiosk) -> None:  # noqa: ARG002
        if point == "confirm":
            self._world.ingest.stop()
            self._world.ingest.start(VK_CRASH_AT="after_commit")
        elif point == "sending":
            if not self._world.ingest.wait_ended(CRASH_WAIT_S):
                raise DemoError("the worker was to be killed after its commit and was not")
            self._world.ingest.stop()
            self._world.ingest.start()


class BrokerDiesWithItsStore:
    """The request is published and nobody has taken it; then the broker is gone, and everything it held with it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def at(self, point: str, kiosk: Kiosk) -> None:
        if point == "confirm":
            self._world.ingest.stop()
        elif point == "sending":
            wait_for(lambda: kiosk.view()["screen"] in ("sending", "unknown"), what="the kiosk to send")
            self._world.kill_broker()
            self._world.start_broker()
            self._world.ingest.start()


def mishap_of(story: Story, world: World) -> Mishap:
    """Return what breaks in this story."""
    match story:
        case Story.REPEATED:
            return WorkerDiesAfterCommit(world)
        case Story.RESENT:
            return BrokerDiesWithItsStore(world)
        case _:
            return NoMishap()
