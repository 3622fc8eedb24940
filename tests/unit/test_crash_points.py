import os
import signal
import subprocess
import sys

import pytest

from cloud.adapters.crash_points import VARIABLE, CrashPoints

KNOWN = ("here", "there")
PROGRAM = f"""
import os
from cloud.adapters.crash_points import CrashPoints
points = CrashPoints.from_environment(os.environ, known={KNOWN!r})
for point in ("here", "there", "here", "there", "here"):
    points.reach(point)
    print(point, flush=True)
"""


@pytest.mark.parametrize(
    ("wanted", "passed"),
    [("there", ["here"]), ("here:2", ["here", "there"]), ("here:3", ["here", "there", "here", "there"])],
)
def test_the_process_is_killed_at_the_nth_passing(wanted: str, passed: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**os.environ, VARIABLE: wanted}, capture_output=True, text=True
    )
    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout.split() == passed


@pytest.mark.parametrize("environment", [{}, {VARIABLE: ""}, {VARIABLE: "here:9"}])
def test_without_the_variable_or_before_its_turn_nothing_happens(environment: dict[str, str]) -> None:
    points = CrashPoints.from_environment(environment, known=KNOWN)
    for _ in range(8):
        points.reach("here")
        points.reach("elsewhere")


@pytest.mark.parametrize("wanted", ["nowhere", "here:0", "here:x", "here:-1"])
def test_a_wrong_setting_stops_the_start(wanted: str) -> None:
    with pytest.raises(ValueError, match=VARIABLE):
        CrashPoints.from_environment({VARIABLE: wanted}, known=KNOWN)
