"""Which change sounds how."""

import pytest

from kiosk.adapters.screen.sounds import Sound, louder, sound_of
from kiosk.domain.view import RefusalView, Screen, View
from protocol.reasons import Reason
from tests.support.views import held, sample_views, vouchers

VIEWS = sample_views("en")
CASES = [
    ("attract", "digits", Sound.CLICK),
    ("digits", "checking", None),
    ("checking", "basket-1", Sound.ACCEPT),
    ("basket-1", "basket-3", Sound.ACCEPT),
    ("total-empty", "total", Sound.CLICK),
    ("confirm", "sending", None),
    ("sending", "done", Sound.ACCEPT),
    ("checking", "refused-used", Sound.REFUSE),
    ("checking", "refused-digits", Sound.AGAIN),
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
    ended = View(screen=Screen.DONE, language="en", **held(3))
    assert sound_of(ended, View(screen=Screen.ATTRACT, language="en")) is None
    assert len(vouchers(3)) == 3


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
