"""Working days of Taiwan's public offices, and deadlines that are counted in them.

A working day is a Monday to Friday that is no public holiday, or a Saturday on which offices make up for one (補班). Which days
those are is decided anew every year, so they are data (:mod:`cloud.adapters.taiwan_calendar`), not rules. Of a year that the
data does not know, only Saturdays and Sundays count as free: a deadline is then a little earlier than it should be, which is
why it is fixed and told to whoever has to keep it on the day it begins.

Typhoon days are in no list: whoever decides on a deadline may give a later one.
"""

from dataclasses import dataclass
from datetime import date, timedelta

_SATURDAY = 5
_ONE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """The exceptions from Monday to Friday."""

    free: frozenset[date] = frozenset()
    """Weekdays on which offices are closed."""
    made_up: frozenset[date] = frozenset()
    """Saturdays and Sundays on which they are open."""

    def has(self, day: date) -> bool:
        """Tell whether offices are open on that day."""
        if day in self.made_up:
            return True
        return day.weekday() < _SATURDAY and day not in self.free

    def after(self, day: date, count: int) -> date:
        """Return the ``count``-th working day after ``day``: the day after it is the first, if it is one (DOMAIN X-7).

        Raises:
            ValueError: ``count`` is less than one.
        """
        if count < 1:
            raise ValueError("a deadline is at least one working day away")
        while count:
            day += _ONE
            count -= self.has(day)
        return day
