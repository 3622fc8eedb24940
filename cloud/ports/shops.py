"""Where vouchers are taken, for everybody: places of approved merchants. Queries only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ShopFilter:
    """Which places are wanted; empty: any."""

    merchant_category: str = ""
    county: str = ""
    """A code of :data:`cloud.domain.places.COUNTIES`."""
    district: str = ""
    text: str = ""
    """Stands somewhere in the name of the merchant or the place, or in its address."""


@dataclass(frozen=True, slots=True)
class ShopMark:
    """The place that a page begins behind or ends before."""

    site_id: str
    before: bool = False


@dataclass(frozen=True, slots=True)
class Shop:
    """One place of an approved merchant."""

    site_id: str
    name: str
    merchant_name: str
    merchant_category: str
    county: str
    district: str
    address: str
    phone: str


@dataclass(frozen=True, slots=True)
class ShopPage:
    """One page of them, by name."""

    shops: Sequence[Shop]
    shop_count: int
    """Of all pages."""
    has_previous: bool
    has_next: bool


class Shops(Protocol):
    """Read side of the search."""

    def find_shops(self, wanted: ShopFilter, *, page_size: int, mark: ShopMark | None = None) -> ShopPage:
        """One page. A mark that names no place (any more) is the first page."""

    def districts(self, county: str) -> Sequence[str]:
        """Townships and districts of a county in which there is a place."""
