"""What the pages offer to choose from: programmes, sites and item categories. Queries only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    merchant_name: str


@dataclass(frozen=True, slots=True)
class ItemChoice:
    """One item category (消費品項) of a merchant category."""

    code: str
    names: Mapping[str, str]
    """By language tag: zh-Hant-TW, en, ja, ko."""


class Choices(Protocol):
    """Read side of the lists."""

    def programmes(self) -> Sequence[ProgrammeChoice]: ...

    def sites(self) -> Sequence[SiteChoice]: ...

    def item_categories(self, merchant_category: str) -> Sequence[ItemChoice]:
        """In the order that the programme office gave them."""
