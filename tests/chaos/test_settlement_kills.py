"""A settlement is killed and run again: the books are those of a run that nobody killed, byte by byte.

It is killed twenty times on each database: at each of its commits, before and after, at statements drawn at random, and at
moments drawn at random. The points come from a run that is not killed, so a settlement that gets more statements gets more
points. ``make bench ONLY=settle`` does the same with as many rows as it measures.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Engine, select, text

from cloud.adapters.sql.corrections import SqlCorrectionStore
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.migrations import migrate
from cloud.adapters.sql.people import SqlPeople
from cloud.adapters.sql.tables import redemption
from cloud.services.correct import Wish, correct
from tests.support.postgres import Cluster
from tests.support.settling import count_points, draw_points, dump, kill_after, kill_at, settle
from tests.support.weeks import WEEK, confirm_week, fill_week

pytest_plugins = ("tests.support.databases",)

REDEMPTIONS, MERCHANTS, WEEKS = 480, 8, 2
POINTS, MOMENTS = 14, 6
WHOLE_WEEKS = text(
    "SELECT (SELECT count(*) FROM settlement), (SELECT count(*) FROM settlement_range), "
    "(SELECT count(*) FROM claim), (SELECT count(*) FROM ledger_entry WHERE kind = 'claim'), "
    "(SELECT count(*) FROM set_off), (SELECT count(*) FROM ledger_entry WHERE kind = 'set_off')"
)


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
    unkilled, random = fresh_url(), Random()
    passed, seconds = count_points(unkilled)
    wanted, weeks = look(unkilled)
    assert weeks == WEEKS
    for point in draw_points(passed, random, count=POINTS):
        url = fresh_url()
        kill_at(url, point)
        assert_is_whole_once_run_again(url, wanted, f"killed at {point}")
    for _ in range(MOMENTS):
        url, moment = fresh_url(), random.uniform(0, seconds)
        kill_after(url, moment)
        assert_is_whole_once_run_again(url, wanted, f"killed after {moment} s")


def assert_is_whole_once_run_again(url: str, wanted: dict[str, str], how: str) -> None:
    _, weeks = look(url)
    assert weeks <= WEEKS, how
    settle(url)
    assert look(url) == (wanted, WEEKS), how


def look(url: str) -> tuple[dict[str, str], int]:
    """Return a digest of every byte that settlements wrote, and how many weeks are closed: whole ones."""
    engine = make_engine(url)
    with engine.connect() as connection:
        weeks, *rest = connection.execute(WHOLE_WEEKS).one()
        assert rest == [weeks, weeks * MERCHANTS, 2 * weeks * MERCHANTS, weeks, 2 * weeks]
        found = dump(connection)
    engine.dispose()
    return found, weeks


def _fill(url: str) -> None:
    engine = make_engine(url)
    migrate(engine)
    fill_week(engine, redemptions=REDEMPTIONS, merchants=MERCHANTS, weeks=WEEKS)
    confirm_week(engine)
    _correct_one_of_each_week(engine)
    engine.dispose()


def _correct_one_of_each_week(engine: Engine) -> None:
    mine = select(redemption.c.redemption_id).where(redemption.c.merchant_id == "m-1").order_by(redemption.c.redeemed_at)
    with engine.connect() as connection:
        first, *_, last = connection.scalars(mine)
    for redemption_id in (first, last):
        wish = Wish(redemption_id, "the guest never came", "office-1")
        correct(SqlCorrectionStore(engine), SqlPeople(engine), wish, now=WEEK.ends_at)
