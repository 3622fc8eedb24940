"""One line per entry on stderr, whatever happened: a stack trace is folded into its line, so that a log is a list.

What goes into a log is decided where it is written: never digits, never names, never a voucher number beside digits. Values
do not come in by exceptions either: :mod:`cloud.wiring.parts` tells SQLAlchemy to hide parameters.
"""

import logging
import sys
from typing import Final

_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class OneLine(logging.Formatter):
    """Folds line breaks."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the entry as one line."""
        return " | ".join(filter(None, (line.rstrip() for line in super().format(record).splitlines())))


def log_to_stderr() -> None:
    """Send everything from INFO up to stderr."""
    stderr = logging.StreamHandler(sys.stderr)
    stderr.setFormatter(OneLine(_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[stderr], force=True)
    # Alembic tells its plumbing at INFO; our own sentence says what was done.
    logging.getLogger("alembic").setLevel(logging.WARNING)
