"""Looking at all books: how long ``reconcile`` takes where nothing is wrong, which is when it has to look at everything.

Beside it, in the same rounds, one pass over every table that it reads: what no look at all of them can be faster than.
"""

import time
from functools import partial
from typing import Any, Final

from sqlalchemy import Engine, text

from cloud.adapters.sql.books import SqlBooks
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.migrations import migrate
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.services.reconcile import reconcile
from cloud.services.settle import settle_due
from tests.bench.measuring import WrongAnswerError, measure
from tests.bench.settle import REDEMPTIONS_PER_MERCHANT
from tests.support.postgres import postgres_cluster
from tests.support.weeks import WEEK, complete_books, confirm_week, fill_week, tidy

REDEMPTIONS: Final = 200_000

_RECONCILE: Final = "reconcile"
_ONE_PASS: Final = "one pass over the tables"
_TABLES: Final = ("voucher", "redemption", "redemption_line", "confirmation", "claim", "ledger_entry", "inbox")


def run_reconcile(*, redemptions: int = REDEMPTIONS) -> dict[str, Any]:
    """Measure.

    Raises:
        WrongAnswerError: books that are sound are said to be broken.
    """
    with postgres_cluster(durable=True) as cluster:
        engine = make_engine(cluster.url(cluster.make_database()))
        try:
            _fill(engine, redemptions)
            figures = measure({_ONE_PASS: partial(_pass, engine), _RECONCILE: partial(_reconcile, engine, redemptions)})
        finally:
            engine.dispose()
    seconds = {name: figure.seconds for name, figure in figures.items()}
    return {
        "redemptions": redemptions,
        "seconds": {name: round(taken, 2) for name, taken in seconds.items()},
        "spread": {name: round(figure.spread, 2) for name, figure in figures.items()},
        f"reconcile / {_ONE_PASS}": round(seconds[_RECONCILE] / seconds[_ONE_PASS], 2),
    }


def _fill(engine: Engine, redemptions: int) -> None:
    migrate(engine)
    fill_week(engine, redemptions=redemptions, merchants=max(1, redemptions // REDEMPTIONS_PER_MERCHANT))
    complete_books(engine)
    confirm_week(engine)
    settle_due(SqlSettlementStore(engine), now=WEEK.ends_at)
    tidy(engine)


def _pass(engine: Engine) -> float:
    began = time.perf_counter()
    with engine.connect() as connection:
        for table in _TABLES:
            connection.execute(text(f"SELECT count(*), max({table}::text) FROM {table}")).all()
    return time.perf_counter() - began


def _reconcile(engine: Engine, redemptions: int) -> float:
    began = time.perf_counter()
    found = reconcile(SqlBooks(engine), now=WEEK.ends_at)
    took = time.perf_counter() - began
    if found.breach is not None or found.totals.redemptions != redemptions:
        raise WrongAnswerError(f"sound books are said to be broken: {found.breach}")
    return took
