"""CPU time of other processes, from ``/proc``: the figure that a busy machine does not spoil.

A process counts with everything that it started. The kernel counts in ticks of 10 ms, so a run should take seconds.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.bench.measuring import WrongAnswerError

START_S_MAX: Final = 30.0
_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_UTIME, _PARENT = 11, 1
"""Places in ``/proc/PID/stat`` after the name in brackets: state, parent, …, utime, stime, cutime, cstime."""


def cpu_s(pid: int) -> float:
    """CPU seconds of a process, of all its living descendants, and of those it has buried."""
    stats = _all_stats()
    children: dict[int, list[int]] = {}
    for number, fields in stats.items():
        children.setdefault(int(fields[_PARENT]), []).append(number)
    total, waiting = 0, [pid]
    while waiting:
        number = waiting.pop()
        total += sum(map(int, stats[number][_UTIME : _UTIME + 4])) if number in stats else 0
        waiting += children.get(number, [])
    return total * _TICK_S


def children_of(pid: int) -> Mapping[int, str]:
    """The living children of a process, with what each calls itself."""
    found: dict[int, str] = {}
    for number, fields in _all_stats().items():
        if int(fields[_PARENT]) == pid:
            with suppress(FileNotFoundError, ProcessLookupError):
                found[number] = Path(f"/proc/{number}/cmdline").read_text("utf-8", "replace")
    return found


def cpu_ns(pids: Iterable[int]) -> int:
    """CPU nanoseconds of living processes of one thread each, without ticks: for short work. The dead count nothing."""
    total = 0
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            total += int(Path(f"/proc/{pid}/schedstat").read_text("ascii").split()[0])
    return total


class CpuClock:
    """CPU seconds of several processes since :meth:`start`."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._began = dict.fromkeys(pids, 0.0)

    def start(self) -> None:
        """Begin anew."""
        self._began = {name: cpu_s(pid) for name, pid in self._pids.items()}

    def read(self) -> dict[str, float]:
        """Return the seconds by name."""
        return {name: cpu_s(pid) - self._began[name] for name, pid in self._pids.items()}


class Peer:
    """A program of ours, started as a module, that is measured."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_for(self, said: Callable[[str], bool], *, what: str, wait_s: float = START_S_MAX) -> None:
        """Wait until its log satisfies a condition."""
        end = time.monotonic() + wait_s
        while not said(text := self._log.read_text("utf-8")):
            if self._process.poll() is not None or time.monotonic() > end:
                raise WrongAnswerError(f"{what} did not come: {text[-1_000:]}")
            time.sleep(0.01)  # between two looks


@contextmanager
def running_peer(module: str, arguments: Sequence[str], log: Path) -> Iterator[Peer]:
    """Start ``python -m module``, everything that it says going to ``log``; it has ended on leaving."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out, text=True
        )
    try:
        yield Peer(process, log)
    finally:
        process.kill()
        process.wait()


def _all_stats() -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text("utf-8", "replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            found[int(folder.name)] = text.rpartition(")")[2].split()
    return found
