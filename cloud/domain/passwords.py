"""Which passwords are too easy to guess.

What makes a password good is that nobody else has it and that it is long; rules about kinds of characters only make people
write it down. So: long enough, not on the list of the most used ones (also when dressed up with digits and look-alikes), not
the login or the name, not one character or a short piece over and over.
"""

from collections.abc import Callable, Collection
from typing import Literal

PASSWORD_LENGTH_MIN = 10
PASSWORD_LENGTH_MAX = 256

Weakness = Literal["short", "long", "common", "personal", "repeating"]

_LOOK_ALIKES = str.maketrans("013457@$!", "oleastasi")
_PIECE_LENGTH_MAX = 4
_RUNS = (
    "0123456789" * 3,
    "9876543210" * 3,
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "zyxwvutsrqponmlkjihgfedcba",
)

IsCommon = Callable[[str], bool]


def weakness_of(password: str, *, personal: Collection[str], is_common: IsCommon) -> Weakness | None:
    """Say what is wrong with a password somebody wants, or None.

    Args:
        personal: login, name and other things that a colleague knows.
        is_common: tells whether a text, in lower case, is on the list of common passwords.
    """
    if len(password) < PASSWORD_LENGTH_MIN:
        return "short"
    if len(password) > PASSWORD_LENGTH_MAX:
        return "long"
    plain = password.casefold()
    if _repeats(plain) or any(plain in run for run in _RUNS):
        return "repeating"
    if any(is_common(form) for form in _forms(plain)):
        return "common"
    known = {one.casefold() for one in personal if len(one) >= 3}
    if any(_core(plain) == one or plain == one * 2 for one in known):
        return "personal"
    return None


def _forms(plain: str) -> set[str]:
    """The password as it is, without what people add to a word, and with look-alikes turned back into letters."""
    core = _core(plain)
    return {plain, core, plain.translate(_LOOK_ALIKES), core.translate(_LOOK_ALIKES), _core(plain.translate(_LOOK_ALIKES))}


def _core(plain: str) -> str:
    return plain.strip("0123456789 !@#$%^&*()-_=+.,?~") or plain


def _repeats(plain: str) -> bool:
    return any(
        plain == (plain[:length] * (len(plain) // length + 1))[: len(plain)] for length in range(1, _PIECE_LENGTH_MAX + 1)
    )
