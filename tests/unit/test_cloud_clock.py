from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cloud.adapters.clock import CalendarClock, SystemClock
from protocol.errors import PortError

SLACK = timedelta(seconds=5)


def test_the_system_clock_is_aware_and_in_utc() -> None:
    now = SystemClock().now()
    assert now.utcoffset() == timedelta(0)
    assert abs(now - datetime.now(UTC)) < SLACK


@pytest.mark.parametrize(("content", "shift_s"), [("0", 0), ("1209600.5\n", 1_209_600), ("-3600", -3600), ("", 0)])
def test_the_calendar_adds_what_the_file_says(tmp_path: Path, content: str, shift_s: int) -> None:
    path = tmp_path / "calendar"
    path.write_text(content)
    assert abs(CalendarClock(path).now() - datetime.now(UTC) - timedelta(seconds=shift_s)) < SLACK


def test_the_calendar_is_read_every_time(tmp_path: Path) -> None:
    path = tmp_path / "calendar"
    clock = CalendarClock(path)
    before = clock.now()
    path.write_text("86400")
    assert clock.now() - before >= timedelta(days=1)


@pytest.mark.parametrize("content", ["tomorrow", "1e300", "nan", "-inf", "\xff"])
def test_a_calendar_that_is_no_number_stops_the_clock(tmp_path: Path, content: str) -> None:
    path = tmp_path / "calendar"
    path.write_text(content, "latin-1")
    with pytest.raises(PortError, match="calendar"):
        CalendarClock(path).now()
