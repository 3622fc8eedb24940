"""The calendar of Taiwan's public offices, read from the list beside this module or from a newer one."""

import re
import tomllib
from collections.abc import Iterator
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

from cloud.domain.working_days import WorkingDays

_DAY = re.compile(r"([0-9]{2})-([0-9]{2})")


class CalendarFileError(ValueError):
    """The list cannot be used; the message is one sentence that says where."""


def read_working_days(path: Path | None = None) -> WorkingDays:
    """Read the list.

    Args:
        path: another list than the one that is shipped.

    Raises:
        CalendarFileError: it is missing, is not TOML, or a line in it is no day of its year.
    """
    try:
        source = path if path is not None else resources.files("cloud.adapters") / "taiwan_holidays.toml"
        years = tomllib.loads(source.read_text("utf-8"))
        return WorkingDays(frozenset(_days(years, "free")), frozenset(_days(years, "made_up")))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise CalendarFileError(f"The list of holidays {path} cannot be read: {problem}.") from problem


def _days(years: dict[str, Any], kind: str) -> Iterator[date]:
    for year, lists in years.items():
        known = lists.get(kind, []) if isinstance(lists, dict) else None
        if not isinstance(known, list):
            raise CalendarFileError(f"The list of holidays says of {year} something else than lists of days.")
        for text in known:
            yield _day(year, str(text))


def _day(year: str, text: str) -> date:
    found = _DAY.fullmatch(text)
    try:
        if found is not None:
            return date(int(year), int(found[1]), int(found[2]))
    except ValueError:
        pass  # said below, in one sentence for both
    raise CalendarFileError(f"The list of holidays has {text!r} under {year}, which is no day of a year.")
