"""Closing one week: every confirmed redemption into its merchant's claim, with journals, committed; and the exponent.

Beside it, in the same rounds and over the same rows, the bare ``GROUP BY`` that sums them per merchant and programme, in
parallel: what no settlement can be faster than. It is measured over the redemptions and over their confirmations.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from sqlalchemy import Engine, text

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.migrations import migrate
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.services.settle import settle_due
from tests.bench.measuring import Case, Figure, WrongAnswerError, exponent, measure
from tests.support.postgres import Cluster, postgres_cluster
from tests.support.weeks import WEEK, close_week_before, confirm_week, fill_week, tidy

REDEMPTIONS: Final = 200_000
REDEMPTIONS_PER_MERCHANT: Final = 240
"""As in the programme that this copies: 2.4 million over 10,000 merchants."""

DOUBLINGS: Final = 3

_SETTLE: Final = "settle"
_BARE: Final = "GROUP BY over redemptions"
_BARE_CONFIRMED: Final = "GROUP BY over confirmations"
_GROUP_BY: Final = {
    _BARE: (
        "SELECT merchant_id, programme_id, count(*), sum(voucher_count), sum(redeemed_twd) FROM redemption "
        "GROUP BY merchant_id, programme_id"
    ),
    _BARE_CONFIRMED: (
        "SELECT merchant_id, programme_id, count(*), sum(voucher_count), sum(amount_twd) FROM confirmation "
        "GROUP BY merchant_id, programme_id"
    ),
}
_SUMS: Final = """
    SELECT (SELECT count(*) FROM redemption) = (SELECT sum(redemption_count) FROM claim)
       AND (SELECT sum(redeemed_twd) FROM redemption) = (SELECT sum(amount_twd) FROM claim)
       AND (SELECT sum(amount_twd) FROM ledger_entry WHERE kind = 'claim') = 0
       AND (SELECT sum(amount_twd) FROM ledger_entry WHERE kind = 'claim' AND amount_twd > 0)
         = (SELECT sum(claimed_twd) FROM settlement)
"""


def run_settle(*, redemptions: int = REDEMPTIONS) -> dict[str, Any]:
    """Measure.

    Args:
        redemptions: of the largest week; the series halves it :data:`DOUBLINGS` times.

    Raises:
        WrongAnswerError: the claims or the ledger are not what was redeemed.
    """
    sizes = [max(1, redemptions >> halvings) for halvings in range(DOUBLINGS, -1, -1)]
    with postgres_cluster(durable=True) as cluster:
        figures = {size: _measure(cluster, size) for size in sizes}
    largest = figures[sizes[-1]]
    settle = largest[_SETTLE]
    return {
        "redemptions": redemptions,
        "merchants": _merchants(redemptions),
        "seconds": {name: round(figure.seconds, 3) for name, figure in largest.items()},
        "spread": {name: round(figure.spread, 2) for name, figure in largest.items()},
        **{f"settle / {name}": round(settle.seconds / largest[name].seconds, 2) for name in _GROUP_BY},
        "settle_seconds_by_size": {str(size): round(found[_SETTLE].seconds, 3) for size, found in figures.items()},
        "exponent": round(exponent(sizes, [figures[size][_SETTLE].seconds for size in sizes]), 2),
    }


def _measure(cluster: Cluster, redemptions: int) -> dict[str, Figure]:
    template = cluster.make_database()
    with _opened(cluster, template) as engine:
        migrate(engine)
        fill_week(engine, redemptions=redemptions, merchants=_merchants(redemptions))
        close_week_before(engine)
        confirm_week(engine)
        tidy(engine)
    standing = cluster.make_database(template)
    with _opened(cluster, standing) as engine:
        cases: dict[str, Case] = {name: partial(_group, engine, query) for name, query in _GROUP_BY.items()}
        return measure(cases | {_SETTLE: partial(_settle, cluster, template)})


def _group(engine: Engine, query: str) -> float:
    with engine.connect() as connection:
        connection.execute(text(query)).all()  # to have the rows in memory, as the settlement has
        began = time.perf_counter()
        connection.execute(text(query)).all()
        return time.perf_counter() - began


def _settle(cluster: Cluster, template: str) -> float:
    name = cluster.make_database(template)
    with _opened(cluster, name) as engine:
        for query in _GROUP_BY.values():
            _group(engine, query)
        began = time.perf_counter()
        closed = settle_due(SqlSettlementStore(engine), now=WEEK.ends_at)
        took = time.perf_counter() - began
        with engine.connect() as connection:
            if len(closed) != 1 or not connection.scalar(text(_SUMS)):
                raise WrongAnswerError("the claims are not what was redeemed")
    cluster.drop_database(name)
    return took


def _merchants(redemptions: int) -> int:
    return max(1, redemptions // REDEMPTIONS_PER_MERCHANT)


@contextmanager
def _opened(cluster: Cluster, name: str) -> Iterator[Engine]:
    engine = make_engine(cluster.url(name))
    try:
        yield engine
    finally:
        engine.dispose()
