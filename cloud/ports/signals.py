"""Signals of collusion, and the redemptions behind each. Queries only, over all merchants; of people a masked name."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from cloud.domain.signals import Thresholds


@dataclass(frozen=True, slots=True)
class TillSignal:
    """Something about one till: a kiosk, or a member of staff who scans."""

    merchant_id: str
    merchant_name: str
    site_name: str
    till: str
    """Id of the kiosk or of the member of staff."""
    till_name: str
    """What people call it: the kiosk's id, or the name."""
    first_day: date
    last_day: date
    """Asia/Taipei, of the rows behind it."""
    most: int
    """The strongest that there was: redemptions within the minutes of a burst, or in all nights together."""
    redemption_count: int
    redeemed_twd: int
    """Of the rows that made the signal."""


@dataclass(frozen=True, slots=True)
class PairSignal:
    """One person who came back to one merchant again and again."""

    merchant_id: str
    merchant_name: str
    holder_tag: bytes
    holder_name_masked: str
    order_count: int
    voucher_count: int
    redeemed_twd: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Signals:
    """All of one moment, the strongest first, :data:`cloud.domain.signals.SHOWN_MAX` of each at most."""

    bursts: Sequence[TillSignal]
    nights: Sequence[TillSignal]
    pairs: Sequence[PairSignal]


@dataclass(frozen=True, slots=True)
class SignalRows:
    """Which redemptions are wanted."""

    merchant_id: str
    first_day: date
    last_day: date
    till: str | None = None
    at_night: bool = False
    holder_tag: bytes | None = None


@dataclass(frozen=True, slots=True)
class SignalRow:
    """One redemption behind a signal."""

    redemption_id: UUID
    redeemed_at: datetime
    programme_id: str
    site_name: str
    till_name: str
    item_name_zh: str
    item_name_en: str
    item_name_ja: str
    item_name_ko: str
    voucher_count: int
    order_total_twd: int
    redeemed_twd: int


class SignalReports(Protocol):
    """Read side. Raises PortError where the database fails."""

    def find_signals(self, thresholds: Thresholds, *, today: date) -> Signals: ...

    def find_rows(self, wanted: SignalRows, *, limit: int) -> tuple[str, int, Sequence[SignalRow]]:
        """The merchant's name (empty: there is none), how many rows there are, and the newest of them."""
