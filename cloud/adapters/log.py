"""One line per entry on stderr, whatever happened: a stack trace is folded into its line, so that a log is a list.

What goes into a log is decided where it is written: never digits, never names, never a voucher number beside digits. Values
do not come in by exceptions either: :mod:`cloud.wiring.parts` tells SQLAlchemy to hide parameters.

The line is made for people (``line``) or for programs (``json``, one object with always the same keys). Both say the same: of
a record nothing is taken but its time, level, logger, sentence and stack trace, so no value that was merely attached gets out.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final, Literal

LogFormat = Literal["line", "json"]

_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class OneLine(logging.Formatter):
    """Folds line breaks."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the entry as one line."""
        return " | ".join(filter(None, (line.rstrip() for line in super().format(record).splitlines())))


class JsonLine(logging.Formatter):
    """Writes one JSON object; ``exception`` is null where nothing was raised."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the entry as one line."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "exception": self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else None,
        }
        # Escaped to ASCII, so that no line separator of Unicode breaks the line and no half of a surrogate pair the output.
        return json.dumps(entry)


def log_to_stderr(log_format: LogFormat = "line", *, requests: bool = False) -> None:
    """Send everything from INFO up to stderr; with ``requests`` a line for every answer of the ingest worker too."""
    stderr = logging.StreamHandler(sys.stderr)
    stderr.setFormatter(JsonLine() if log_format == "json" else OneLine(_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[stderr], force=True)
    # Its own logger only: what libraries say at DEBUG has values in it.
    logging.getLogger("cloud.ingest").setLevel(logging.DEBUG if requests else logging.NOTSET)
    # Alembic tells its plumbing at INFO; our own sentence says what was done.
    logging.getLogger("alembic").setLevel(logging.WARNING)
