"""Which sound goes with a change of the screen. Pure.

Four sounds, so that every outcome can be told with closed eyes: ``accept`` two rising notes, ``refuse`` one low one,
``again`` two equal ones for "please once more", ``click`` for a key that was taken. The page plays them; how they sound is
written there.
"""

from enum import StrEnum, unique
from typing import Final

from kiosk.domain.view import Screen, View
from protocol.reasons import Reason


@unique
class Sound(StrEnum):
    """From the least to the most important."""

    CLICK = "click"
    AGAIN = "again"
    REFUSE = "refuse"
    ACCEPT = "accept"


_ONCE_MORE: Final = frozenset({Reason.NO_MATCH, Reason.BUSY, Reason.NOT_A_VOUCHER, Reason.TOTAL_NOT_ALLOWED})
"""Refusals after which the customer simply tries again."""


def sound_of(before: View, after: View) -> Sound | None:
    """Choose the sound of the change from ``before`` to ``after``; None where nothing is to be heard."""
    if before.screen is Screen.CHECKING and after.screen is Screen.BASKET and len(after.vouchers) > len(before.vouchers):
        return Sound.ACCEPT
    if after.already_added and not before.already_added:
        return Sound.AGAIN
    if after.screen is not before.screen:
        return _sound_of_arrival(after)
    if after.refusal != before.refusal and after.refusal is not None:
        return _sound_of_arrival(after)
    typed = after.entry != before.entry or after.item_code != before.item_code
    return Sound.CLICK if typed else None


def _sound_of_arrival(view: View) -> Sound | None:
    match view.screen:
        case Screen.DONE:
            return Sound.AGAIN if view.repeated else Sound.ACCEPT
        case Screen.REFUSED:
            is_mild = view.refusal is not None and view.refusal.reason in _ONCE_MORE
            return Sound.AGAIN if is_mild else Sound.REFUSE
        case Screen.DIGITS if view.refusal is not None:
            return Sound.AGAIN
        case Screen.UNKNOWN | Screen.MORE_TIME:
            return Sound.AGAIN
        case Screen.OUT_OF_ORDER:
            return Sound.REFUSE
        case Screen.ATTRACT | Screen.CHECKING | Screen.SENDING:
            # Going home and waiting are silent; the key that led there has clicked under the finger.
            return None
        case _:
            return Sound.CLICK


def louder(first: Sound | None, second: Sound | None) -> Sound | None:
    """The more important of two sounds, for a page that missed a view in between."""
    rank = list(Sound)
    return max((sound for sound in (first, second) if sound is not None), key=rank.index, default=None)
