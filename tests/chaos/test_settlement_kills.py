"""A settlement is killed and run again: the books are those of a run that nobody killed, row by row.

It is killed at each of its commits, before and after, and at statements drawn at random. The points come from a run that is
not killed, so a settlement that gets more statements gets more points.
"""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import sample
from typing import Any

import pytest
from sqlalchemy import text

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.migrations import migrate
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.services.settle import settle_due
from tests.support.postgres import Cluster
from tests.support.settling import AFTER
from tests.support.weeks import confirm_week, fill_week

pytest_plugins = ("tests.support.databases",)

REDEMPTIONS, MERCHANTS, WEEKS = 480, 8, 2
KEYS = {
    "settlement": "period_starts_on",
    "settlement_range": "period_starts_on",
    "claim": "claim_id",
    "claim_line": "redemption_id",
    "ledger_entry": "journal_id, kind, line_no",
}
STATEMENTS = 8
"""Statements to be killed at, of all that there are."""


@pytest.fixture(params=("sqlite", "postgres"))
def fresh_url(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Makes URLs of databases in which the same two weeks wait to be closed."""
    fresh: Callable[[], str] = request.getfixturevalue(f"fresh_{request.param}")
    return fresh


@pytest.fixture
def fresh_sqlite(tmp_path: Path) -> Callable[[], str]:
    template, made = tmp_path / "template.sqlite3", iter(range(1_000))
    _fill(f"sqlite:///{template}")

    def fresh() -> str:
        path = tmp_path / f"{next(made)}.sqlite3"
        shutil.copyfile(template, path)
        return f"sqlite:///{path}"

    return fresh


@pytest.fixture
def fresh_postgres(postgres: Cluster) -> Callable[[], str]:
    template = postgres.make_database()
    _fill(postgres.url(template))
    return lambda: postgres.url(postgres.make_database(template))


def test_killed_anywhere_and_run_again_is_the_same(fresh_url: Callable[[], str]) -> None:
    unkilled = fresh_url()
    passed: dict[str, int] = json.loads(kill_settlement(unkilled, "never").stdout)
    wanted = rows(unkilled)
    assert [len(wanted[table]) for table in ("settlement", "claim", "claim_line")] == [2, 2 * MERCHANTS, REDEMPTIONS]
    points = draw_points(passed)
    assert len(points) >= 10
    for point in points:
        url = fresh_url()
        killed = kill_settlement(url, point)
        assert killed.returncode == -signal.SIGKILL, (point, killed.stderr)
        settle(url)
        assert rows(url) == wanted, f"killed at {point}"


def draw_points(passed: dict[str, int]) -> list[str]:
    """Each commit, about to be and done, and some of the statements."""
    every = {name: [f"{name} {number}" for number in range(1, count + 1)] for name, count in passed.items()}
    return every["commit"] + every["committed"] + sample(every["before"] + every["after"], STATEMENTS)


def kill_settlement(url: str, point: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.support.settling", url, point]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def settle(url: str) -> None:
    engine = make_engine(url)
    settle_due(SqlSettlementStore(engine), now=AFTER)
    engine.dispose()


def rows(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that a settlement writes, in one order."""
    engine = make_engine(url)
    with engine.connect() as connection:
        found = {
            table: [tuple(row) for row in connection.execute(text(f"SELECT * FROM {table} ORDER BY {key}"))]
            for table, key in KEYS.items()
        }
    engine.dispose()
    return found


def _fill(url: str) -> None:
    engine = make_engine(url)
    migrate(engine)
    fill_week(engine, redemptions=REDEMPTIONS, merchants=MERCHANTS, weeks=WEEKS)
    confirm_week(engine)
    engine.dispose()
