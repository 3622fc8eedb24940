"""Closes every week that is due, and kills its own process at a named point: ``python -m tests.support.settling URL POINT``.

A point is ``before N`` or ``after N`` (the N-th statement of the run), ``commit N`` (about to commit for the N-th time) or
``committed N`` (the N-th time the database has committed and nobody was told). ``never`` runs to the end and prints one JSON
line, which counts the statements and commits, so that a test can name every point there is.
"""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.services.settle import settle_due
from tests.support.weeks import WEEK

AFTER = WEEK.following.ends_at
"""When it is run: two weeks are due."""


def main() -> None:
    """Settle, or die."""
    url, point = sys.argv[1:]
    engine = make_engine(url)
    passed: Counter[str] = Counter()
    _trap(engine, point, passed)
    settle_due(SqlSettlementStore(engine), now=AFTER)
    sys.stdout.write(json.dumps(passed) + "\n")


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


if __name__ == "__main__":
    main()
