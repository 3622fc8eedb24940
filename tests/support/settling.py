"""Closes every week that is due in a process of its own, which can be killed: at a named point, or at any moment.

A point is ``before N`` or ``after N`` (the N-th statement of the run), ``commit N`` (about to commit for the N-th time) or
``committed N`` (the N-th time that the database has committed and nobody was told). A run that is not killed counts what it
passed, so that a caller can name every point there is.

The processes are forked from one that has imported everything, so that a kill costs milliseconds.
"""

import hashlib
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection as Pipe
from random import Random
from typing import Any, Final

from sqlalchemy import Connection, Engine, event, text

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.services.settle import settle_due
from tests.support.weeks import WEEK

AFTER: Final = WEEK.following.ends_at
"""When it is run: two weeks are due."""

WRITTEN: Final[Mapping[str, str]] = {
    "settlement": "period_starts_on",
    "settlement_range": "period_starts_on",
    "claim": "claim_id",
    "ledger_entry": "journal_id, kind, line_no",
    "set_off": "claim_id",
    "claim_line": "redemption_id",
}
"""Everything that a settlement writes, and the view that follows from it, with the order to read it in."""

_NEVER: Final = "never"
_WAIT_S: Final = 60.0


def settle(url: str) -> None:
    """Close what is due, here."""
    engine = make_engine(url)
    settle_due(SqlSettlementStore(engine), now=AFTER)
    engine.dispose()


def count_points(url: str) -> tuple[Counter[str], float]:
    """Close what is due in another process; return what it passed and how many seconds it took."""
    passed, seconds = _run(url, _NEVER)
    if passed is None:
        raise RuntimeError("a settlement that nobody killed did not end well")
    return passed, seconds


def kill_at(url: str, point: str) -> None:
    """Let a settlement kill itself at a point.

    Raises:
        RuntimeError: it did not get there.
    """
    if _run(url, point)[0] is not None:
        raise RuntimeError(f"a settlement did not pass {point}")


def kill_after(url: str, seconds: float) -> None:
    """Kill a settlement so long after it began, wherever it then is; it may have ended."""
    _run(url, _NEVER, kill_after_s=seconds)


def draw_points(passed: Mapping[str, int], random: Random, *, count: int) -> list[str]:
    """Draw points: each commit, about to be and done, and for the rest statements, about to be and done."""
    every = {name: [f"{name} {number}" for number in range(1, times + 1)] for name, times in passed.items()}
    commits = every["commit"] + every["committed"]
    statements = every["before"] + every["after"]
    return commits + random.sample(statements, min(len(statements), max(0, count - len(commits))))


def dump(connection: Connection, *, lines: bool = True) -> dict[str, str]:
    """Return a digest of every byte of what settlements have written, per table.

    Args:
        connection: to the database.
        lines: the view of the claims' lines too, which are as many as the redemptions.
    """
    digests = {}
    for name, order in WRITTEN.items():
        if name == "claim_line" and not lines:
            continue
        digest = hashlib.sha256()
        for row in connection.execute(text(f"SELECT * FROM {name} ORDER BY {order}")).yield_per(10_000):
            digest.update(f"{tuple(row)}\n".encode())
        digests[name] = digest.hexdigest()
    return digests


def _run(url: str, point: str, *, kill_after_s: float | None = None) -> tuple[Counter[str] | None, float]:
    """Return what was passed (None: it was killed) and the seconds that it took."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_settle, args=(url, point, there))
    process.start()
    there.close()
    assert here.poll(_WAIT_S), "the settlement has not begun"
    here.recv()
    began = time.monotonic()
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        process.kill()
    process.join(_WAIT_S)
    took = time.monotonic() - began
    if process.exitcode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"a settlement ended with {process.exitcode}")
    passed = Counter(here.recv()) if process.exitcode == 0 else None
    here.close()
    process.close()
    return passed, took


def _settle(url: str, point: str, pipe: Pipe) -> None:
    engine = make_engine(url)
    passed: Counter[str] = Counter()
    _trap(engine, point, passed)
    pipe.send("begun")
    settle_due(SqlSettlementStore(engine), now=AFTER)
    engine.dispose()
    pipe.send(dict(passed))


def _trap(engine: Engine, point: str, passed: Counter[str]) -> None:
    def passing(name: str) -> Callable[..., None]:
        def note(*_: Any) -> None:
            passed[name] += 1
            if f"{name} {passed[name]}" == point:
                os.kill(os.getpid(), signal.SIGKILL)

        return note

    event.listen(engine, "before_cursor_execute", passing("before"))
    event.listen(engine, "after_cursor_execute", passing("after"))
    event.listen(engine, "commit", passing("commit"))
    # A connection goes back to the pool when its transaction has ended.
    event.listen(engine, "checkin", passing("committed"))
