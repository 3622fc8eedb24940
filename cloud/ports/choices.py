"""What the pages offer to choose from: programmes, sites and item categories. Queries only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ProgrammeChoice:
    """One programme that vouchers can be issued for."""

    programme_id: str
    name_zh: str
    name_en: str
    face_value_twd: int


@dataclass(frozen=True, slots=True)
class SiteChoice:
    """One site that a kiosk can be enrolled at."""

    site_id: str
    name: str
    merchant_id: str
    merchant_name: str
    merchant_category: str


@dataclass(frozen=True, slots=True)
class DoorDates:
    """From when until when a door of the public home is open; None: no limit."""

    door: str
    opens_on: date | None
    closes_on: date | None

    def is_open(self, day: date) -> bool:
        """Tell whether the door is open on that day in Taipei."""
        return (self.opens_on is None or self.opens_on <= day) and (self.closes_on is None or day <= self.closes_on)


@dataclass(frozen=True, slots=True)
class ItemChoice:
    """One item category (消費品項) of a merchant category."""

    code: str
    names: Mapping[str, str]
    """By language tag: zh-Hant-TW, en, ja, ko."""


class Choices(Protocol):
    """Read side of the lists."""

    def programmes(self) -> Sequence[ProgrammeChoice]: ...

    def sites(self, merchant_id: str | None = None) -> Sequence[SiteChoice]:
        """All sites, or those of one merchant."""

    def doors(self) -> Sequence[DoorDates]:
        """Doors with dates; one that is not named is open."""

    def item_categories(self, merchant_category: str) -> Sequence[ItemChoice]:
        """In the order that the programme office gave them."""
