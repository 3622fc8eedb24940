"""How a programme is used: what was redeemed by day, by what was bought, by county. Queries only, over all merchants."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from cloud.ports.reports import DayAmount, ProgrammeUse


@dataclass(frozen=True, slots=True)
class ItemAmount:
    """What was redeemed for one item category."""

    merchant_category: str
    item_category: str
    name_zh: str
    name_en: str
    name_ja: str
    name_ko: str
    redemption_count: int
    voucher_count: int
    redeemed_twd: int


@dataclass(frozen=True, slots=True)
class CountyAmount:
    """What was redeemed in one county."""

    county: str | None
    """Code of :mod:`cloud.domain.counties`; None: the place has none."""
    redemption_count: int
    voucher_count: int
    redeemed_twd: int


class ProgrammeUses(Protocol):
    """Read side. Every method is one pass over the programme's redemptions, and raises PortError where the database fails."""

    def find_use(self, programme_id: str) -> ProgrammeUse | None: ...

    def days(self, programme_id: str, *, first_day: date, last_day: date) -> Sequence[DayAmount]:
        """One row per Asia/Taipei day, both ends included, days without a redemption too."""

    def items(self, programme_id: str) -> Sequence[ItemAmount]:
        """Largest amount first."""

    def counties(self, programme_id: str) -> Sequence[CountyAmount]:
        """Largest amount first."""
