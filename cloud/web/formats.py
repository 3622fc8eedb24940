"""How amounts, moments and weeks are written on a page. Moments are shown in Asia/Taipei, whatever the server's zone."""

from datetime import date, datetime

from markupsafe import Markup

from cloud.domain.calendar import TAIPEI, Period
from cloud.ports.choices import ProgrammeChoice
from cloud.ports.reports import ClaimRow, IssueRow, TransactionRow
from cloud.web.language import choose_language

_WEEKDAYS = "一二三四五六日"


def money(amount_twd: int) -> str:
    """``1,000 元`` in Chinese, ``NT$1,000`` elsewhere; never both on one page."""
    return f"{amount_twd:,}\u2009元" if _chinese() else f"NT${amount_twd:,}"


def number(count: int) -> str:
    """A count with thousands separators."""
    return f"{count:,}"


def moment(instant: datetime) -> Markup:
    """A ``<time>`` that reads ``2021/10/5 14:32`` and holds the exact instant for machines."""
    local = instant.astimezone(TAIPEI)
    text = f"{local.year}/{local.month}/{local.day} {local:%H:%M}" if _chinese() else f"{local.day} {local:%b %Y %H:%M}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        local.isoformat(timespec="seconds"), f"{local:%Y-%m-%d %H:%M:%S} Asia/Taipei", text
    )


def day(when: date) -> str:
    """``2021/9/22（三）`` or ``Wed 22 Sep 2021``."""
    if _chinese():
        return f"{when.year}/{when.month}/{when.day}（{_WEEKDAYS[when.weekday()]}）"
    return f"{when:%a} {when.day} {when:%b %Y}"


def week(period: Period) -> str:
    """One settlement week, Wednesday to Tuesday (V-R14)."""
    first, last = period.starts_on, period.ends_on
    if first.year != last.year:
        return f"{day(first)}{_to()}{day(last)}"
    # The year is said once: after the day in English, before it in Chinese.
    if _chinese():
        return f"{day(first)}{_to()}{day(last).removeprefix(f'{last.year}/')}"
    return f"{day(first).removesuffix(f' {first.year}')}{_to()}{day(last)}"


def exact_week(period: Period) -> str:
    """The same to the second, as the title of the claim list has it (V-S10)."""
    gap = "" if _chinese() else " "
    return f"{day(period.starts_on)}{gap}00:00:00{_to()}{day(period.ends_on)}{gap}23:59:59"


def local_name(choice: ProgrammeChoice) -> str:
    """A programme's name in the language of this request."""
    return choice.name_zh if _chinese() else choice.name_en


def programme_name(row: ClaimRow | IssueRow) -> str:
    """The same, of a row that names its programme."""
    return row.programme_name_zh if _chinese() else row.programme_name_en


def item_name(row: TransactionRow) -> str:
    """What was bought, in the language of this request."""
    return row.item_name_zh if _chinese() else row.item_name_en


def _to() -> str:
    return "～" if _chinese() else " – "


def _chinese() -> bool:
    return choose_language() == "zh-Hant-TW"


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
