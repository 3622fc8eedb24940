"""What goes wrong around some orders, on purpose, at the worst moment."""

from typing import Protocol

from tests.demo.orders import Story
from tests.demo.processes import DemoError, wait_for
from tests.demo.world import Kiosk, World

CRASH_WAIT_S = 20.0


class Mishap(Protocol):
    """Two moments at which something may break."""

    def before_confirm(self) -> None:
        """The customer is about to press the confirm key."""

    def after_confirm(self, kiosk: Kiosk) -> None:
        """The key is pressed; the result is not on the screen yet."""


class NoMishap:
    """All goes well."""

    def before_confirm(self) -> None: ...

    def after_confirm(self, kiosk: Kiosk) -> None: ...


class WorkerDiesAfterCommit:
    """The worker commits the order and is killed before it answers; the broker gives the request to the next worker again."""

    def __init__(self, world: World) -> None:
        self._world = world

    def before_confirm(self) -> None:
        self._world.ingest.stop()
        self._world.ingest.start(VK_CRASH_AT="after_commit")

    def after_confirm(self, kiosk: Kiosk) -> None:  # noqa: ARG002
        if not self._world.ingest.wait_ended(CRASH_WAIT_S):
            raise DemoError("the worker was to be killed after its commit and was not")
        self._world.ingest.stop()
        self._world.ingest.start()


class BrokerDiesWithItsStore:
    """The request is published and nobody has taken it; then the broker is gone, and everything it held with it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def before_confirm(self) -> None:
        self._world.ingest.stop()

    def after_confirm(self, kiosk: Kiosk) -> None:
        wait_for(lambda: self._world.view(kiosk)["screen"] in ("sending", "unknown"), what="the kiosk to send")
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
