"""Everybody who looks at the screen, and the one view they see.

A page only ever needs the newest view, so each spectator has room for exactly one: a newer view takes the place of one not
fetched yet (its sound is kept if it matters more). A slow page therefore costs no memory and never holds up the kiosk.
:meth:`Audience.show` never blocks on a spectator.
"""

import threading
from dataclasses import dataclass
from typing import Final

from kiosk.adapters.screen.sounds import Sound, louder, sound_of
from kiosk.domain.view import View

SPECTATORS_MAX: Final = 8
"""The kiosk's own page, a technician's, the bench and room for reloads. Each one keeps a thread of the server."""


class FullHouse(Exception):  # noqa: N818 - an outcome at a named limit, answered with 503
    """All places are taken."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A view and the sound that goes with its appearing."""

    number: int
    """How many views were shown up to this one."""
    view: View
    sound: Sound | None


class Spectator:
    """One page's place."""

    def __init__(self, audience: "Audience", scene: Scene) -> None:
        self._audience = audience
        self._changed = audience.changed
        self._scene: Scene | None = scene

    def put(self, scene: Scene) -> None:
        """Replace what was not fetched yet. Called by the audience, under its lock."""
        missed = self._scene.sound if self._scene is not None else None
        self._scene = Scene(scene.number, scene.view, louder(missed, scene.sound))

    def wait(self, timeout_s: float) -> Scene | None:
        """Return the newest scene not seen yet; None after ``timeout_s`` without one, or when the audience was closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._scene is not None or self._audience.is_closed, timeout_s)
            scene, self._scene = self._scene, None
            return scene

    def leave(self) -> None:
        """Give up the place. May be called twice."""
        self._audience.forget(self)


class Audience:
    """Holds the current view and the places."""

    def __init__(self, first: View, *, spectators_max: int = SPECTATORS_MAX) -> None:
        self.changed = threading.Condition()
        self._view = first
        self._number = 0
        self._spectators: set[Spectator] = set()
        self._spectators_max = spectators_max
        self._is_closed = False

    @property
    def view(self) -> View:
        """What is on the screen."""
        return self._view

    @property
    def number(self) -> int:
        """How many views were shown."""
        return self._number

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def show(self, view: View) -> None:
        """Show a view to everybody. A view equal to the current one is not sent again."""
        with self.changed:
            if view == self._view:
                return
            self._number += 1
            scene = Scene(self._number, view, sound_of(self._view, view))
            self._view = view
            for spectator in self._spectators:
                spectator.put(scene)
            self.changed.notify_all()

    def join(self) -> Spectator:
        """Take a place; the first :meth:`Spectator.wait` returns the current view at once, without a sound.

        Raises:
            FullHouse: :data:`SPECTATORS_MAX` places are taken.
        """
        with self.changed:
            if len(self._spectators) >= self._spectators_max:
                raise FullHouse
            spectator = Spectator(self, Scene(self._number, self._view, None))
            self._spectators.add(spectator)
            return spectator

    def forget(self, spectator: Spectator) -> None:
        """Free the spectator's place."""
        with self.changed:
            self._spectators.discard(spectator)

    def close(self) -> None:
        """Wake everybody, for the last time."""
        with self.changed:
            self._is_closed = True
            self.changed.notify_all()
