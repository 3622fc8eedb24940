"""Kills the program itself at a chosen moment, as a power cut would: for tests that prove that nothing is lost.

``VK_CRASH_AT=after_save`` ends it with SIGKILL when that point is passed for the first time, ``VK_CRASH_AT=after_save:3`` at
the third. The points are :class:`kiosk.ports.CrashPoint`. Without the variable nothing of this is in the program's way.
"""

import os
import signal
from collections.abc import Mapping
from typing import Final

from kiosk.ports import CrashPoint, Passing

CRASH_AT: Final = "VK_CRASH_AT"
CRASH_POINTS: Final = tuple(CrashPoint)


def read_crash_point(environment: Mapping[str, str]) -> Passing | None:
    """Return what is to be told at every crash point, or None where no crash is wanted.

    Raises:
        ValueError: the variable names no such point, or not a count from 1.
    """
    wanted = environment.get(CRASH_AT, "")
    if not wanted:
        return None
    name, _, count = wanted.partition(":")
    if name not in CRASH_POINTS or not (count or "1").isdecimal() or count == "0":
        raise ValueError(f"{CRASH_AT}={wanted} names none of {', '.join(CRASH_POINTS)}, with a count from 1 after a colon")
    return _die_at(CrashPoint(name), int(count or "1"))


def _die_at(point: CrashPoint, count: int) -> Passing:
    left = count

    def passing(passed: CrashPoint) -> None:
        nonlocal left
        if passed is point:
            left -= 1
            if left == 0:
                # Not os._exit: nothing of ours or of Python's may run after this moment.
                os.kill(os.getpid(), signal.SIGKILL)

    return passing
