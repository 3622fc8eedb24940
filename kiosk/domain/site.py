"""What a visit takes as given: where the kiosk stands, what can be bought there, and how long everything may last."""

from dataclasses import dataclass, field
from typing import Final

from protocol.enrolment import ItemCategory
from protocol.limits import ANSWER_WAIT_S, STILL_CHECKING_S

LANGUAGES: Final = ("zh-Hant-TW", "en", "ja", "ko")
"""Language tags of the screen; the first is the one it falls back to."""

ITEM_KEYS: Final = "1234567890"
"""Item categories are chosen by these keys, in this order; so there can be ten at most."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Every wait of a visit, in seconds, measured with a clock that never goes back."""

    idle_s: float = 30
    """Without a key or a scan for this long the kiosk asks whether more time is needed."""
    more_time_s: float = 20
    """How long it waits for that answer before it wipes the visit (WCAG 2.2.1 asks for at least 20)."""
    still_checking_s: float = STILL_CHECKING_S
    answer_wait_s: float = ANSWER_WAIT_S
    done_s: float = 8
    refused_s: float = 15
    unknown_s: float = 15
    result_guard_s: float = 0.5
    """A result does not end by a key within this time: the answer often comes faster than the second tap of an impatient
    finger, and would be gone unseen."""
    confirm_guard_s: float = 0.5
    """The confirm key does nothing within this time after any other key: the second tap of a finger that trembles on OK must
    not redeem what nobody has read yet."""
    language_s: float = 30
    """A language chosen while nobody is served falls back after this."""


@dataclass(frozen=True, slots=True)
class Site:
    """One site, as enrolment and configuration describe it.

    Raises:
        ValueError: there is no item category, or there are more than keys; or the language is not one of ours.
    """

    name: str
    items: tuple[ItemCategory, ...]
    language: str = LANGUAGES[0]
    timing: Timing = field(default_factory=Timing)

    def __post_init__(self) -> None:
        if not 1 <= len(self.items) <= len(ITEM_KEYS):
            raise ValueError(f"a site has 1 to {len(ITEM_KEYS)} item categories, not {len(self.items)}")
        if self.language not in LANGUAGES:
            raise ValueError(f"the screen speaks {', '.join(LANGUAGES)}, not {self.language!r}")

    def find_item(self, digit: str) -> ItemCategory | None:
        """Return the category that a digit key chooses."""
        index = ITEM_KEYS.index(digit)
        return self.items[index] if index < len(self.items) else None
