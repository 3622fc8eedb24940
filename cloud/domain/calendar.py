"""Days, voucher weeks and ROC dates, as the programme's people count them: in Asia/Taipei.

Rules kept here:

* A voucher week runs from Wednesday 00:00 to the next Wednesday 00:00, half open (DOMAIN V-R14, X-2). A redemption at
  23:59:59.999999 on Tuesday is in the week that ends; one at 00:00 on Wednesday starts the next.
* A day is a Taipei day. Its bounds are handed out as UTC instants, because that is what is stored.
* A ROC year is the common year minus 1911 (X-1).

Not done here: public holidays. No list knows the typhoon days, and the payer may name a value date instead.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

TAIPEI = ZoneInfo("Asia/Taipei")
"""Where a voucher week starts at midnight."""

ROC_YEAR_OFFSET = 1911
_WEDNESDAY = 2
_SATURDAY = 5
_WEEK = timedelta(days=7)
_ROC_DATE = re.compile(
    r"(?:中華民國|民國)?\s*(?P<year>\d{1,3})\s*(?:年|[./-])\s*(?P<month>\d{1,2})\s*(?:月|[./-])\s*(?P<day>\d{1,2})\s*日?"
)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """One voucher week, named by its first day."""

    starts_on: date
    """A Wednesday."""

    def __post_init__(self) -> None:
        if self.starts_on.weekday() != _WEDNESDAY:
            raise ValueError(f"a voucher week starts on a Wednesday, not on {self.starts_on:%A %Y-%m-%d}")

    @property
    def ends_on(self) -> date:
        """Its last day, a Tuesday."""
        return self.starts_on + _WEEK - timedelta(days=1)

    @property
    def starts_at(self) -> datetime:
        """Its first instant, UTC."""
        return _midnight(self.starts_on)

    @property
    def ends_at(self) -> datetime:
        """The first instant that is *not* in it any more, UTC."""
        return _midnight(self.starts_on + _WEEK)

    @property
    def following(self) -> "Period":
        """The week after."""
        return Period(self.starts_on + _WEEK)


def day_of(instant: datetime) -> date:
    """Tell which Taipei day an instant is in.

    Raises:
        ValueError: the time has no zone.
    """
    if instant.tzinfo is None:
        raise ValueError("a time without a zone is not an instant")
    return instant.astimezone(TAIPEI).date()


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """Return the first instant of a Taipei day and the first one after it, UTC."""
    return _midnight(day), _midnight(day + timedelta(days=1))


def period_of(instant: datetime) -> Period:
    """Return the voucher week that an instant is in."""
    return period_of_day(day_of(instant))


def period_of_day(day: date) -> Period:
    """Return the voucher week that a Taipei day is in."""
    return Period(day - timedelta(days=(day.weekday() - _WEDNESDAY) % 7))


def next_weekday(day: date) -> date:
    """Return the first day after ``day`` that is neither Saturday nor Sunday; public holidays are not known here."""
    following = day + timedelta(days=1)
    while following.weekday() >= _SATURDAY:
        following += timedelta(days=1)
    return following


def encode_roc(day: date) -> str:
    """Write a date as ``109.06.15``.

    Raises:
        ValueError: the day is before the first ROC year, 1912.
    """
    return f"{_roc_year(day)}.{day:%m.%d}"


def encode_roc_compact(day: date) -> str:
    """Write a date in eight digits as bank files do: 2021-10-05 is ``01101005``."""
    return f"{_roc_year(day):04d}{day:%m%d}"


def decode_roc_compact(text: str) -> date:
    """Read what :func:`encode_roc_compact` wrote.

    Raises:
        ValueError: not eight ASCII digits, or no such day.
    """
    if re.fullmatch(r"[0-9]{8}", text) is None:
        raise ValueError("a ROC date is eight digits")
    return date(int(text[:4]) + ROC_YEAR_OFFSET, int(text[4:6]), int(text[6:]))


def decode_roc(text: str) -> date:
    """Read a ROC date in any of the forms in use: ``109.06.15``, ``109 年 6 月 10 日``, ``92/5/1``, ``民國109年6月1日``.

    Raises:
        ValueError: it is none of them, or no such day.
    """
    match = _ROC_DATE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not a ROC date: {text!r}")
    return date(int(match["year"]) + ROC_YEAR_OFFSET, int(match["month"]), int(match["day"]))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), TAIPEI).astimezone(UTC)


def _roc_year(day: date) -> int:
    if day.year <= ROC_YEAR_OFFSET:
        raise ValueError(f"{day} is before the first ROC year")
    return day.year - ROC_YEAR_OFFSET
