"""How amounts, moments and weeks are written on a page. Moments are shown in Asia/Taipei, whatever the server's zone."""

from datetime import date, datetime

from markupsafe import Markup

from cloud.domain.calendar import TAIPEI, Period
from cloud.domain.setup import ProgrammeSetup
from cloud.ports.choices import ProgrammeChoice
from cloud.ports.reports import ClaimRow, IssueRow, ProgrammeUse, TransactionRow
from cloud.ports.signals import SignalRow
from cloud.web.language import choose_language

_WEEKDAYS = {"zh-Hant-TW": "一二三四五六日", "ja": "月火水木金土日", "ko": "월화수목금토일"}
"""Monday first."""


def money(amount_twd: int) -> str:
    """``1,000 元`` in Chinese, ``NT$1,000`` elsewhere; never both on one page."""
    return f"{amount_twd:,}\u2009元" if choose_language() == "zh-Hant-TW" else f"NT${amount_twd:,}"


def number(count: int) -> str:
    """A count with thousands separators."""
    return f"{count:,}"


def share(part: int, whole: int) -> str:
    """``37 %``; what is not nothing is never said to be."""
    if part == 0 or whole == 0:
        return "0\u2009%"
    return "<1\u2009%" if part * 100 < whole else f"{part * 100 // whole}\u2009%"


def moment(instant: datetime) -> Markup:
    """A ``<time>`` that reads ``2021/10/5 14:32`` and holds the exact instant for machines."""
    local = instant.astimezone(TAIPEI)
    return Markup('<time datetime="{}" title="{}">{} {}</time>').format(
        local.isoformat(timespec="seconds"), f"{local:%Y-%m-%d %H:%M:%S} Asia/Taipei", _date(local), f"{local:%H:%M}"
    )


def day(when: date) -> str:
    """``2021/9/22（三）``, ``Wed 22 Sep 2021``, ``2021. 9. 22.(수)``."""
    match choose_language():
        case "en":
            return f"{when:%a} {_date(when)}"
        case "ko":
            return f"{_date(when)}({_WEEKDAYS['ko'][when.weekday()]})"
        case language:
            return f"{_date(when)}（{_WEEKDAYS[language][when.weekday()]}）"


def near_day(when: date) -> str:
    """A day of these weeks, in a sentence: ``9/22（三）``, ``Wed 22 Sep``."""
    match choose_language():
        case "en":
            return day(when).removesuffix(f" {when.year}")
        case "ko":
            return day(when).removeprefix(f"{when.year}. ")
        case _:
            return day(when).removeprefix(f"{when.year}/")


def short_day(when: date) -> str:
    """A day of these weeks, under a column of a chart: ``9/22``, ``22 Sep``."""
    return f"{when.day} {when:%b}" if choose_language() == "en" else f"{when.month}/{when.day}"


def week(period: Period) -> str:
    """One settlement week, Wednesday to Tuesday (V-R14)."""
    first, last = period.starts_on, period.ends_on
    to = _to()
    if first.year != last.year:
        return f"{day(first)}{to}{day(last)}"
    # The year is said once: after the day in English, before it elsewhere.
    match choose_language():
        case "en":
            return f"{near_day(first)}{to}{day(last)}"
        case _:
            return f"{day(first)}{to}{near_day(last)}"


def exact_week(period: Period) -> str:
    """The same to the second, as the title of the claim list has it (V-S10)."""
    gap = " " if choose_language() in ("en", "ko") else ""
    return f"{day(period.starts_on)}{gap}00:00:00{_to()}{day(period.ends_on)}{gap}23:59:59"


def local_name(named: ProgrammeChoice | ProgrammeUse | ProgrammeSetup) -> str:
    """A programme's name in the language of this request. It has two: Japanese readers know the one that is printed."""
    return named.name_zh if _reads_han() else named.name_en


def programme_name(row: ClaimRow | IssueRow) -> str:
    """The same, of a row that names its programme."""
    return row.programme_name_zh if _reads_han() else row.programme_name_en


def item_name(row: TransactionRow | SignalRow) -> str:
    """What was bought, in the language of this request."""
    names = {"zh-Hant-TW": row.item_name_zh, "en": row.item_name_en, "ja": row.item_name_ja, "ko": row.item_name_ko}
    return names[choose_language()]


def _date(when: date) -> str:
    match choose_language():
        case "en":
            return f"{when.day} {when:%b %Y}"
        case "ko":
            return f"{when.year}. {when.month}. {when.day}."
        case _:
            return f"{when.year}/{when.month}/{when.day}"


def _to() -> str:
    return {"en": " – ", "ko": " ~ "}.get(choose_language(), "～")


def _reads_han() -> bool:
    return choose_language() in ("zh-Hant-TW", "ja")


_BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
"""Marks in what a browser calls itself, the telling ones first: nearly all say Mozilla, and most say Safari."""


def browser(agent: str) -> str:
    """Name a browser and its system as people do; what is not known is shown as it calls itself."""
    found = [next((name for mark, name in names if mark in agent), "") for names in (_BROWSERS, _SYSTEMS)]
    return " · ".join(name for name in found if name) or agent
