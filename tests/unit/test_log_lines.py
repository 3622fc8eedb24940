"""One entry, one line, in both formats; and nothing in it but what was said."""

import json
import logging
from datetime import datetime

import pytest

from cloud.adapters.log import JsonLine, OneLine, log_to_stderr

KEYS = ["time", "level", "logger", "message", "exception"]


def record(message: str, *args: object, raised: bool = False) -> logging.LogRecord:
    made = logging.LogRecord("cloud.ingest", logging.WARNING, __file__, 1, message, args, None)
    if raised:
        made.exc_info = (ValueError, ValueError("two\nlines\u2028or three \udc80"), None)
    made.digits = "4321"
    return made


@pytest.mark.parametrize("raised", [False, True])
def test_a_json_entry_is_one_line_of_always_the_same_keys(raised: bool) -> None:
    line = JsonLine().format(record("%d messages\nwere parked: %s", 3, "\u2028\udc80", raised=raised))
    assert len(line.splitlines()) == 1
    line.encode("ascii")
    entry = json.loads(line)
    assert list(entry) == KEYS
    assert (entry["level"], entry["logger"]) == ("WARNING", "cloud.ingest")
    assert entry["message"] == "3 messages\nwere parked: \u2028\udc80"
    assert datetime.fromisoformat(entry["time"]).utcoffset() is not None
    assert (entry["exception"] is not None) is raised
    if raised:
        assert "ValueError: two\nlines" in entry["exception"]


@pytest.mark.parametrize("formatter", [JsonLine(), OneLine("%(message)s")])
def test_what_is_merely_attached_to_a_record_is_not_written(formatter: logging.Formatter) -> None:
    line = formatter.format(record("said", raised=True))
    assert "said" in line
    assert "4321" not in line


def test_an_exception_that_is_not_there_is_null() -> None:
    entry = record("said")
    entry.exc_info = (None, None, None)
    assert json.loads(JsonLine().format(entry))["exception"] is None


def test_the_chosen_format_is_what_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        for log_format in ("json", "line"):
            log_to_stderr(log_format)
            logging.getLogger("cloud.ingest").info("listening")
    finally:
        root.handlers[:], root.level = handlers, level
    first, second = capsys.readouterr().err.splitlines()
    assert json.loads(first)["message"] == "listening"
    assert second.endswith("INFO cloud.ingest: listening")
