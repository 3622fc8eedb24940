"""The time, as everything in the cloud asks for it.

One port, so that two weeks can pass in a demonstration in a minute: see :mod:`cloud.adapters.clock`.
"""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return this instant, aware, in UTC.

        Raises:
            PortError: the clock cannot be read.
        """
