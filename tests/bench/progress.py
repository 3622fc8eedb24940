"""A bar on stderr that says what is being measured and how long it will take; one line per step where nobody watches."""

import sys
import time
from typing import Final

WIDTH: Final = 24


class Progress:
    """Steps of known number."""

    def __init__(self, title: str, steps: int) -> None:
        self._title = title
        self._steps = max(1, steps)
        self._done = 0
        self._began_s = time.monotonic()
        self._watched = sys.stderr.isatty()

    def step(self, what: str) -> None:
        """Begin the next step."""
        share = min(1.0, self._done / self._steps)
        spent_s = time.monotonic() - self._began_s
        left = f"{spent_s / share - spent_s:4.0f} s left" if share > 0.1 else "          "
        bar = "█" * round(share * WIDTH) + "░" * (WIDTH - round(share * WIDTH))
        line = f"{self._title:9} {bar} {share:4.0%} {left}  {what}"
        print(f"\r\x1b[K{line}" if self._watched else line, file=sys.stderr, end="" if self._watched else "\n", flush=True)
        self._done += 1

    def end(self) -> None:
        """Leave the line."""
        print(
            f"\r\x1b[K{self._title:9} done in {time.monotonic() - self._began_s:.0f} s"
            if self._watched
            else f"{self._title:9} done in {time.monotonic() - self._began_s:.0f} s",
            file=sys.stderr,
        )
