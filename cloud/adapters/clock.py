"""Two clocks: the machine's own, and the machine's own shifted by what a file says (a simulated calendar)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from protocol.errors import PortError

_SHIFT_MAX_S = 100 * 366 * 86_400


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return this instant in UTC."""
        return datetime.now(UTC)


class CalendarClock:
    """The machine's clock plus the seconds that a file holds, read anew every time: all processes jump together.

    A missing file means no shift, so that a demonstration can be started before its calendar is touched. A file that cannot
    be understood is an error: better no time than a wrong one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> datetime:
        """Return the shifted instant in UTC.

        Raises:
            PortError: the file holds no number of seconds, or a century and more.
        """
        return datetime.now(UTC) + timedelta(seconds=self._shift_s())

    def _shift_s(self) -> float:
        try:
            text = self._path.read_text(encoding="ascii").strip()
            shift_s = float(text or "0")
        except FileNotFoundError:
            return 0.0
        except (OSError, ValueError) as problem:
            raise PortError(f"the calendar file {self._path} cannot be read as seconds", retry=True) from problem
        if not abs(shift_s) <= _SHIFT_MAX_S:
            raise PortError(f"the calendar file {self._path} shifts the clock by a century or more", retry=False)
        return shift_s
