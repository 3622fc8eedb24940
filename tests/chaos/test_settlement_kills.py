"""A settlement is killed at every point it has, and run again: the books are those of a run that nobody killed, row by row."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.migrations import migrate
from tests.support.postgres import Cluster
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
POINTS_MIN = 10


@pytest.fixture(params=("sqlite", "postgres"))
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Makes URLs of databases in which the same two weeks wait to be closed."""
    fresh = request.getfixturevalue(f"fresh_{request.param}")
    return fresh  # type: ignore[no-any-return]


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
    points = [
        f"{name} {number}"
        for name, passed in json.loads(settle(unkilled, "never").stdout).items()
        for number in range(1, passed + 1)
    ]
    assert len(points) >= POINTS_MIN
    wanted = rows(unkilled)
    assert [len(wanted[table]) for table in ("settlement", "claim", "claim_line")] == [2, 2 * MERCHANTS, REDEMPTIONS]
    found: dict[str, Any] = {}
    for point in points:
        url = fresh_url()
        assert settle(url, point).returncode == -signal.SIGKILL, point
        assert settle(url, "never").returncode == 0, point
        found[point] = rows(url)
    assert [point for point in points if found[point] != wanted] == []


def settle(url: str, point: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.support.settling", url, point]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


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
