"""The handle on the load generator's process (:mod:`tests.bench.generator`)."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from tests.bench.deck import DeckKind
from tests.bench.fleet import KIOSKS
from tests.bench.measuring import WrongAnswerError

CONNECTIONS: Final = 4
WINDOW: Final = 800
"""Requests without an answer in closed loop: two rounds of the worker, and fewer than it lets the broker send ahead."""

CROWD: Final = 3_000
"""The same where far more wait than the worker takes in: a peak, or the hour after an outage."""


class Load:
    """A generator that plays the kiosks of one broker."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def hello(self, *, port: int, seal_public: bytes, kiosks: int = KIOSKS, connections: int = CONNECTIONS) -> None:
        """Say whom it plays."""
        self._do("hello", port=port, seal_public=seal_public.hex(), kiosks=kiosks, connections=connections)

    def make(self, deck: str, kind: DeckKind, sends: int, *, first_voucher: int, kiosk: int | None = None) -> Mapping[str, Any]:
        """Make so many more requests; return how many vouchers the deck has used so far, and the size of a packet."""
        return self._do("make", deck=deck, kind=kind, sends=sends, first_voucher=first_voucher, kiosk=kiosk)

    def run(self, deck: str, sends: int, **how: Any) -> dict[str, Any]:
        """Run.

        Raises:
            WrongAnswerError: an answer is missing, not authentic, or not what it must be.
        """
        return self._do("run", deck=deck, sends=sends, **how)

    def _do(self, what: str, **how: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": what, **how}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise WrongAnswerError("the load generator ended")
        found: dict[str, Any] = json.loads(line)
        if "wrong" in found:
            raise WrongAnswerError(found["wrong"])
        return found


@contextmanager
def running_load() -> Iterator[Load]:
    """Start a generator; it has ended on leaving."""
    command = [sys.executable, "-m", "tests.bench.generator"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Load(process)
        finally:
            process.kill()
