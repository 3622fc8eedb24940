"""The audience: newest view only, a limit of places, nobody waits for anybody."""

import queue
import threading

import pytest

from kiosk.adapters.screen.audience import Audience, FullHouse, Scene
from kiosk.adapters.screen.sounds import Sound
from kiosk.domain.view import Screen, View
from tests.support.views import sample_views

VIEWS = sample_views("en")
FIRST = View(screen=Screen.OUT_OF_ORDER, language="en")


def test_a_newcomer_sees_the_current_view_at_once_and_without_a_sound() -> None:
    audience = Audience(FIRST)
    audience.show(VIEWS["done"])
    scene = audience.join().wait(0)
    assert scene is not None
    assert (scene.number, scene.view, scene.sound) == (1, VIEWS["done"], None)


def test_only_the_newest_view_waits_and_the_missed_sound_is_kept() -> None:
    audience = Audience(FIRST)
    spectator = audience.join()
    spectator.wait(0)
    for name in ("sending", "done", "attract"):
        audience.show(VIEWS[name])
    scene = spectator.wait(0)
    assert scene is not None
    assert (scene.view, scene.sound) == (VIEWS["attract"], Sound.ACCEPT)
    assert spectator.wait(0) is None


def test_an_equal_view_is_not_sent_again() -> None:
    audience = Audience(FIRST)
    spectator = audience.join()
    spectator.wait(0)
    audience.show(View(screen=Screen.OUT_OF_ORDER, language="en"))
    assert spectator.wait(0) is None
    assert audience.number == 0


def test_places_are_limited_and_given_back() -> None:
    audience = Audience(FIRST, spectators_max=2)
    first, _ = audience.join(), audience.join()
    with pytest.raises(FullHouse):
        audience.join()
    first.leave()
    first.leave()
    audience.join()


def test_a_view_wakes_a_waiting_spectator_and_closing_wakes_all() -> None:
    audience = Audience(FIRST)
    spectator = audience.join()
    spectator.wait(0)
    seen: queue.Queue[Scene | None] = queue.Queue()

    def watch() -> None:
        seen.put(spectator.wait(30))
        seen.put(spectator.wait(30))

    waiting = threading.Thread(target=watch)
    waiting.start()
    audience.show(VIEWS["done"])
    woken = seen.get(timeout=10)
    assert woken is not None
    assert woken.view == VIEWS["done"]
    audience.close()
    assert seen.get(timeout=10) is None
    waiting.join(10)
