"""Closing one week: every confirmed redemption into its merchant's claim, with journals, committed; and the exponent.

Beside it, in the same rounds and over the same rows, the bare ``GROUP BY`` that sums them per merchant and programme, in
parallel: what no settlement can be faster than. It is measured over the redemptions and over their confirmations.

Then the largest week is settled by processes that are killed, at points and moments drawn at random, and settled again: every
byte must be that of a run that nobody killed.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import Any, Final

from sqlalchemy import Engine, text

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.migrations import migrate
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.services.settle import settle_due
from tests.bench.measuring import Case, Figure, WrongAnswerError, exponent, measure
from tests.bench.progress import Progress
from tests.support.postgres import Cluster, postgres_cluster
from tests.support.settling import count_points, draw_points, dump, kill_after, kill_at, settle
from tests.support.weeks import WEEK, close_week_before, confirm_week, fill_week, tidy

REDEMPTIONS: Final = 200_000
REDEMPTIONS_PER_MERCHANT: Final = 240
"""As in the programme that this copies: 2.4 million over 10,000 merchants."""

DOUBLINGS: Final = 6
KILLS: Final = 20

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


def run_settle(*, redemptions: int = REDEMPTIONS, kills: int = KILLS) -> dict[str, Any]:
    """Measure.

    Args:
        redemptions: of the largest week; the series halves it :data:`DOUBLINGS` times.
        kills: of the largest week's settlement, half of them at points and half at moments.

    Raises:
        WrongAnswerError: the claims or the ledger are not what was redeemed, or not what they are where nobody is killed.
    """
    sizes = [max(1, redemptions >> halvings) for halvings in range(DOUBLINGS, -1, -1)]
    progress = Progress("settle", len(sizes) + kills)
    figures: dict[int, dict[str, Figure]] = {}
    with postgres_cluster(durable=True) as cluster:
        for size in sizes:
            progress.step(f"{size:,} redemptions")
            template = _fill(cluster, size)
            figures[size] = _measure(cluster, template)
        unlike = _kill(cluster, template, kills, progress)
    progress.end()
    if unlike:
        raise WrongAnswerError(f"a settlement that was killed is not the same when it is run again: {', '.join(unlike)}")
    largest = figures[sizes[-1]]
    settle = largest[_SETTLE]
    return {
        "redemptions": redemptions,
        "merchants": _merchants(redemptions),
        "killed and the same": kills,
        "seconds": {name: round(figure.seconds, 3) for name, figure in largest.items()},
        "spread": {name: round(figure.spread, 2) for name, figure in largest.items()},
        **{f"settle / {name}": round(settle.seconds / largest[name].seconds, 2) for name in _GROUP_BY},
        "settle_seconds_by_size": {str(size): round(found[_SETTLE].seconds, 3) for size, found in figures.items()},
        "exponent": round(exponent(sizes, [figures[size][_SETTLE].seconds for size in sizes]), 2),
    }


def _fill(cluster: Cluster, redemptions: int) -> str:
    """Make a database with a week that waits to be closed, and one before it; return its name."""
    template = cluster.make_database()
    with _opened(cluster, template) as engine:
        migrate(engine)
        fill_week(engine, redemptions=redemptions, merchants=_merchants(redemptions))
        close_week_before(engine)
        confirm_week(engine)
        tidy(engine)
    return template


def _measure(cluster: Cluster, template: str) -> dict[str, Figure]:
    standing = cluster.make_database(template)
    with _opened(cluster, standing) as engine:
        cases: dict[str, Case] = {name: partial(_group, engine, query) for name, query in _GROUP_BY.items()}
        found = measure(cases | {_SETTLE: partial(_settle, cluster, template)})
    cluster.drop_database(standing)
    return found


def _kill(cluster: Cluster, template: str, kills: int, progress: Progress) -> list[str]:
    """Kill that many settlements, run each again, and return how those were killed that are not the same then."""
    random = Random()
    name = cluster.make_database(template)
    passed, seconds = count_points(cluster.url(name))
    wanted = _look(cluster, name)
    cluster.drop_database(name)
    moments = [random.uniform(0, seconds) for _ in range(kills // 2)]
    points = random.sample(draw_points(passed, random, count=sum(passed.values())), kills - len(moments))
    unlike: list[str] = []
    for how in [*points, *moments]:
        progress.step(f"killed {how if isinstance(how, str) else f'after {how:.2f} s'}")
        name = cluster.make_database(template)
        if isinstance(how, str):
            kill_at(cluster.url(name), how)
        else:
            kill_after(cluster.url(name), how)
        settle(cluster.url(name))
        if _look(cluster, name) != wanted:
            unlike.append(str(how))
        cluster.drop_database(name)
    return unlike


def _look(cluster: Cluster, name: str) -> Any:
    """Every byte that was written; of the lines, which are a view over as many rows as there are redemptions, the sums."""
    lines = "SELECT count(*), sum(hashtextextended(claim_line::text, 0)) FROM claim_line"
    with _opened(cluster, name) as engine, engine.connect() as connection:
        return dump(connection, lines=False), tuple(connection.execute(text(lines)).one())


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
