"""The machine's clocks."""

import time
from datetime import UTC, datetime


class SystemClock:
    """Implements :class:`kiosk.ports.Clock`."""

    def now(self) -> datetime:
        """See the port."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """See the port."""
        return time.monotonic()
