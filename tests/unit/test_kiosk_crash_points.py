"""Reading VK_CRASH_AT; the killing itself is tried on whole kiosks."""

import os
import signal
from collections.abc import Iterator

import pytest

from kiosk.adapters.crash_points import CRASH_AT, CRASH_POINTS, read_crash_point
from kiosk.ports import CrashPoint


@pytest.fixture
def kills(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A process that survives its own SIGKILL, to tell the tale."""
    seen: list[int] = []

    def kill(pid: int, number: int) -> None:
        assert pid == os.getpid()
        seen.append(number)

    monkeypatch.setattr(os, "kill", kill)
    yield seen
    monkeypatch.undo()


def test_without_the_variable_nothing_is_told() -> None:
    assert read_crash_point({}) is None
    assert read_crash_point({CRASH_AT: ""}) is None


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_first_passing_kills(kills: list[int], point: CrashPoint) -> None:
    passing = read_crash_point({CRASH_AT: str(point)})
    assert passing is not None
    for other in CRASH_POINTS:
        if other is not point:
            passing(other)
    assert kills == []
    passing(point)
    assert kills == [signal.SIGKILL]


def test_count_chooses_the_passing(kills: list[int]) -> None:
    passing = read_crash_point({CRASH_AT: "after_save:3"})
    assert passing is not None
    for expected in ([], [], [signal.SIGKILL]):
        passing(CrashPoint.AFTER_SAVE)
        assert kills == expected


@pytest.mark.parametrize("wanted", ["nowhere", "after_save:0", "after_save:-1", "after_save:x", ":1", "AFTER_SAVE"])
def test_wrong_name_stops_the_start(wanted: str) -> None:
    with pytest.raises(ValueError, match="after_save"):
        read_crash_point({CRASH_AT: wanted})
