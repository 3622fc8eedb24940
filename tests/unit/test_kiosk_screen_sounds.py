"""Which change sounds how."""

import pytest

from kiosk.adapters.screen.sounds import Sound, louder, sound_of
from kiosk.domain.view import RefusalView, Screen, View
from protocol.reasons import Reason
from tests.support.views import sample_views

VIEWS = sample_views("en")
CASES = [
    ("attract", "digits", Sound.CLICK),
    ("digits", "checking", None),
    ("checking", "basket-1", Sound.ACCEPT),
    ("basket-3", "basket-3-again", Sound.AGAIN),
    ("number", "basket-3-again", Sound.AGAIN),
    ("basket-3-again", "item", Sound.CLICK),
    ("checking", "digits-no-match", Sound.AGAIN),
    ("digits", "done-earlier", Sound.AGAIN),
    ("digits", "done-earlier-basket", Sound.AGAIN),
    ("done-earlier-basket", "basket-3", Sound.CLICK),
    ("unknown-basket", "basket-3", Sound.CLICK),
    ("total-empty", "total", Sound.CLICK),
    ("confirm", "sending", None),
    ("sending", "done", Sound.ACCEPT),
    ("checking", "refused-used", Sound.REFUSE),
    ("checking", "refused-basket", Sound.AGAIN),
    ("sending", "unknown", Sound.AGAIN),
    ("total", "more-time", Sound.AGAIN),
    ("attract", "out-of-order", Sound.REFUSE),
    ("done", "attract", None),
]


@pytest.mark.parametrize(("before", "after", "sound"), CASES)
def test_sound_of_a_change(before: str, after: str, sound: Sound | None) -> None:
    assert sound_of(VIEWS[before], VIEWS[after]) is sound


def test_a_countdown_is_silent() -> None:
    fields = {"screen": Screen.MORE_TIME, "language": "en"}
    assert sound_of(View(seconds_left=20, **fields), View(seconds_left=19, **fields)) is None


def test_a_second_refusal_on_the_same_screen_is_heard() -> None:
    def refused(reason: Reason) -> View:
        return View(screen=Screen.REFUSED, language="en", refusal=RefusalView(reason=reason))

    assert sound_of(refused(Reason.NO_MATCH), refused(Reason.EXPIRED)) is Sound.REFUSE


def test_going_on_after_a_visit_with_more_vouchers_is_no_success() -> None:
    assert sound_of(VIEWS["done-earlier-basket"], VIEWS["basket-3"]) is Sound.CLICK
    assert sound_of(VIEWS["checking"], VIEWS["refused-basket"]) is Sound.AGAIN


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        (None, None, None),
        (Sound.CLICK, None, Sound.CLICK),
        (Sound.REFUSE, Sound.CLICK, Sound.REFUSE),
        (Sound.AGAIN, Sound.ACCEPT, Sound.ACCEPT),
    ],
)
def test_the_more_important_sound_survives(first: Sound | None, second: Sound | None, winner: Sound | None) -> None:
    assert louder(first, second) is winner
