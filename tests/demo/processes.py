"""Child processes that never outlive us, start by a condition and end in order."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

START_WAIT_S = 30.0
STOP_WAIT_S = 10.0
_PR_SET_PDEATHSIG = 1


class DemoError(Exception):
    """Something a person can mend; the message is the one sentence to show."""


def wait_for(
    condition: Callable[[], bool], *, what: str, seconds: float = START_WAIT_S, alive: "Process | None" = None
) -> None:
    """Wait until the condition holds.

    Raises:
        DemoError: it did not within the time, or the process that should bring it about has ended.
    """
    end = time.monotonic() + seconds
    while not condition():
        if alive is not None and not alive.is_running:
            raise DemoError(f"{alive.name} ended before {what}: {alive.last_words()}")
        if time.monotonic() > end:
            raise DemoError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.01)


def is_open(host: str, port: int) -> bool:
    """Tell whether somebody listens there."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def free_port() -> int:
    """Return a loopback port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def require_free(port: int, *, what: str, option: str) -> None:
    """Refuse to start on a port that somebody else uses."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise DemoError(
                f"Port {port} ({what}) is in use; stop that program or choose another port: make demo {option}=<port>"
            ) from None


class Process:
    """One child: its own session (Ctrl-C reaches only us), its own log file, killed by the kernel should we die.

    The kernel watches the *thread* that starts it, so start children in a thread that lives as long as they shall.
    """

    def __init__(self, name: str, command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self.environment = dict(environment or {})
        self._child: subprocess.Popen[bytes] | None = None
        self._out: IO[bytes] | None = None
        self.environment_of_start: dict[str, str] = {}

    def start(self, **extra: str) -> None:
        """Start it; ``extra`` goes into this one start's environment."""
        assert not self.is_running, f"{self.name} runs already"
        self._out = self.log.open("ab")
        self.environment_of_start = extra
        self._child = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self.environment, **extra},
            start_new_session=True,
            preexec_fn=die_with_parent,
        )

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def returncode(self) -> int | None:
        return None if self._child is None else self._child.poll()

    def stop(self) -> None:
        """Ask it to end; after ten seconds insist."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def wait_ended(self, seconds: float) -> bool:
        """Wait until it has ended by itself; False if it has not."""
        if self._child is None:
            return True
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def last_words(self) -> str:
        """Last line of its log."""
        lines = self.log.read_text("utf-8", "replace").strip().splitlines() if self.log.exists() else []
        return lines[-1][:400] if lines else "it said nothing"

    def _end(self, how: signal.Signals) -> None:
        child, self._child = self._child, None
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(how)
            try:
                child.wait(STOP_WAIT_S)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        if self._out is not None:
            self._out.close()
            self._out = None


def run_once(
    command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None, text: str | None = None
) -> str:
    """Run a command to its end and return what it printed.

    Raises:
        DemoError: it failed; the message is its last line.
    """
    ended = subprocess.run(
        list(command), input=text, capture_output=True, text=True, env={**os.environ, **(environment or {})}, check=False
    )
    with log.open("a") as out:
        out.write(f"$ {' '.join(command)}\n{ended.stdout}{ended.stderr}")
    if ended.returncode != 0:
        words = (ended.stderr or ended.stdout).strip().splitlines()
        raise DemoError(words[-1] if words else f"{command[0]} failed with {ended.returncode}")
    return ended.stdout


def python(*arguments: str) -> list[str]:
    """Command line of one of our own modules."""
    return [sys.executable, *arguments]


_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies; for ``preexec_fn``."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
