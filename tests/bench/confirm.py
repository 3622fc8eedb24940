"""One click that confirms everything a merchant has waiting, on SQLite and on PostgreSQL.

Beside it, in the same rounds, the bare ``INSERT … SELECT`` of the same rows into a table of the same columns and indexes: no
look for what is confirmed already, no lock, no sum.
"""

import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sqlalchemy import text

from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.migrations import migrate
from cloud.services.confirm import confirm_all
from tests.bench.measuring import Case, WrongAnswerError, measure
from tests.support.postgres import Cluster, postgres_cluster
from tests.support.weeks import WEEK, fill_week, tidy

REDEMPTIONS: Final = 100_000

_CLICK: Final = "confirm"
_BARE: Final = "bare INSERT … SELECT"
_COLUMNS: Final = (
    "redemption_id, merchant_id, staff_id, confirmed_at, confirmation_no, programme_id, voucher_count, amount_twd, redeemed_at"
)
_INSERT: Final = (
    f"INSERT INTO bare ({_COLUMNS}) SELECT redemption_id, merchant_id, 'amy', redeemed_at, "
    "row_number() OVER (ORDER BY redemption_id), programme_id, voucher_count, redeemed_twd, redeemed_at "
    "FROM redemption WHERE merchant_id = 'm-1' ORDER BY redemption_id"
)


def run_confirm(*, redemptions: int = REDEMPTIONS) -> dict[str, Any]:
    """Measure.

    Raises:
        WrongAnswerError: something was not confirmed.
    """
    with TemporaryDirectory(prefix="vk-bench-", dir="/var/tmp") as folder, postgres_cluster(durable=True) as cluster:
        makers = {
            "sqlite": _sqlite(Path(folder), redemptions),
            "postgresql": _postgres(cluster, redemptions),
        }
        cases: dict[str, Case] = {}
        for name, fresh in makers.items():
            cases[f"{name}: {_CLICK}"] = partial(_click, fresh, redemptions)
            cases[f"{name}: {_BARE}"] = partial(_insert, fresh)
        figures = measure(cases)
    seconds = {name: figure.seconds for name, figure in figures.items()}
    return {
        "redemptions": redemptions,
        "seconds": {name: round(taken, 3) for name, taken in seconds.items()},
        "spread": {name: round(figure.spread, 2) for name, figure in figures.items()},
        "ratio": {name: round(seconds[f"{name}: {_CLICK}"] / seconds[f"{name}: {_BARE}"], 2) for name in makers},
    }


def _click(fresh: Callable[[], str], redemptions: int) -> float:
    engine = make_engine(fresh())
    with engine.connect() as connection:
        connection.execute(text("SELECT sum(redeemed_twd) FROM redemption")).all()
    began = time.perf_counter()
    done = confirm_all(SqlConfirmationStore(engine), merchant_id="m-1", staff_id="amy", now=WEEK.ends_at)
    took = time.perf_counter() - began
    with engine.connect() as connection:
        wanted = connection.execute(text("SELECT count(*), sum(voucher_count), sum(redeemed_twd) FROM redemption")).one()
    engine.dispose()
    if (done.redemption_count, done.voucher_count, done.amount_twd) != tuple(wanted) or done.redemption_count != redemptions:
        raise WrongAnswerError("not everything was confirmed")
    return took


def _insert(fresh: Callable[[], str]) -> float:
    engine = make_engine(fresh())
    with engine.begin() as connection:
        connection.execute(text("SELECT sum(redeemed_twd) FROM redemption")).all()
        types = ["TEXT", "TEXT", "TEXT", "TEXT", "BIGINT", "TEXT", "SMALLINT", "INTEGER", "TEXT"]
        if engine.dialect.name == "postgresql":
            types[0], types[3], types[8] = "uuid", "timestamptz", "timestamptz"
        columns = ", ".join(f"{name} {kind} NOT NULL" for name, kind in zip(_COLUMNS.split(", "), types, strict=True))
        connection.execute(text(f"CREATE TABLE bare ({columns}, PRIMARY KEY (redemption_id), UNIQUE (confirmation_no))"))
        connection.execute(text("CREATE INDEX ix_bare ON bare (merchant_id, confirmation_no)"))
    began = time.perf_counter()
    with engine.begin() as connection:
        connection.execute(text(_INSERT))
    took = time.perf_counter() - began
    engine.dispose()
    return took


def _postgres(cluster: Cluster, redemptions: int) -> Callable[[], str]:
    template = cluster.make_database()
    _fill(cluster.url(template), redemptions)
    return lambda: cluster.url(cluster.make_database(template))


def _sqlite(folder: Path, redemptions: int) -> Callable[[], str]:
    template, numbers = folder / "template.sqlite3", iter(range(1_000))
    _fill(f"sqlite:///{template}", redemptions)

    def fresh() -> str:
        path = folder / f"{next(numbers)}.sqlite3"
        shutil.copyfile(template, path)
        return f"sqlite:///{path}"

    return fresh


def _fill(url: str, redemptions: int) -> None:
    engine = make_engine(url)
    migrate(engine)
    fill_week(engine, redemptions=redemptions, merchants=1)
    tidy(engine)
    engine.dispose()
