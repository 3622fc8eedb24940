"""The list of one merchant's transactions, as a page is answered, beside the bare SQL of what it shows.

A million redemptions of one merchant; half of them are confirmed and claimed. Each case is a request to the app, signed in,
with everything a page does: session, sums of all rows that match, rows, what can be undone, template. Beside it, in the same
rounds, the statements that somebody would write by hand for the same sums and rows, and nothing else.

What a list needs of the database is the index of redemptions by merchant and time, the keys, and nothing that ingest does not
have anyway: sorting by another column reads the merchant's rows and keeps ten of them.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import Engine, insert, text

from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.migrations import migrate
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import staff
from cloud.ports.reports import TransactionFilter
from cloud.services.confirm import confirm_all
from cloud.services.settle import settle_due
from tests.bench.measuring import Case, WrongAnswerError, measure
from tests.bench.progress import Progress
from tests.support.postgres import postgres_cluster
from tests.support.web import PASSWORD, PASSWORDS, Visitor, open_site
from tests.support.weeks import WEEK, fill_week, tidy

REDEMPTIONS: Final = 1_000_000
PAGE: Final = 10
MERCHANT: Final = "m-1"
SETTLED_WEEKS, WEEKS = 1, 2

_LINES: Final = """
    INSERT INTO redemption_line (voucher_no, redemption_id, line_no, face_value_twd)
    SELECT lpad(row_number() OVER ()::text, 12, '0'), redemption_id, line_no, 1000
    FROM redemption CROSS JOIN LATERAL generate_series(1, voucher_count) AS line_no
"""
_SUMS: Final = "SELECT count(*), sum(voucher_count), sum(redeemed_twd) FROM redemption r WHERE merchant_id = :merchant"
_ROWS: Final = """
    SELECT r.*, c.confirmed_at FROM redemption r LEFT JOIN confirmation c USING (redemption_id)
    WHERE r.merchant_id = :merchant
"""
_NUMBERS: Final = """
    SELECT redemption_id, voucher_no FROM redemption_line WHERE redemption_id = ANY(:ids) ORDER BY redemption_id, line_no
"""
_UNCONFIRMED: Final = " AND NOT EXISTS (SELECT FROM confirmation k WHERE k.redemption_id = r.redemption_id)"
_IN_CLAIM: Final = """
    AND EXISTS (
        SELECT FROM confirmation k JOIN settlement_range s ON k.confirmation_no <= s.through_no AND k.redeemed_at < s.ends_at
        AND (k.confirmation_no > s.after_no OR k.redeemed_at >= s.starts_at) WHERE k.redemption_id = r.redemption_id
    )
"""
_NEWEST: Final = " ORDER BY r.redeemed_at DESC, r.redemption_id DESC LIMIT 10"
_BEHIND: Final = " AND (r.redeemed_at, r.redemption_id) < (:at, :id)"


@dataclass(frozen=True, slots=True)
class List:
    """One way to look at the list."""

    query: str
    where: str = ""
    only_rows: str = ""
    order: str = _NEWEST
    share: float = 1.0
    """Of all redemptions, how many it matches."""


_LISTS: Final = {
    "first page": List(""),
    "middle page": List("after={mark}&row=500001", only_rows=_BEHIND),
    "unconfirmed": List("state=unconfirmed", where=_UNCONFIRMED, share=0.5),
    "claimed": List("state=claimed", where=_IN_CLAIM, share=0.5),
    "one day": List(
        "from=2026-11-05&to=2026-11-05", where=" AND r.redeemed_at >= :day AND r.redeemed_at < :next", share=1 / 14
    ),
    "sorted by total": List("sort=-order_total", order=" ORDER BY r.order_total_twd DESC, r.redemption_id DESC LIMIT 10"),
}


def run_lists(*, redemptions: int = REDEMPTIONS) -> dict[str, Any]:
    """Measure.

    Raises:
        WrongAnswerError: a page does not show what is there.
    """
    progress = Progress("lists", 2)
    with ExitStack() as stack:
        cluster = stack.enter_context(postgres_cluster(durable=True))
        engine = make_engine(cluster.url(cluster.make_database()))
        stack.callback(engine.dispose)
        progress.step(f"{redemptions:,} redemptions")
        _fill(engine, redemptions)
        progress.step("pages and statements")
        visitor, facts = _sign_in(engine), _facts(engine, redemptions)
        cases: dict[str, Case] = {}
        for name, one in _LISTS.items():
            cases[f"{name}: page"] = partial(_page, visitor, one, facts, redemptions)
            cases[f"{name}: bare SQL"] = partial(_bare, engine, one, facts)
        figures = measure(cases)
        progress.end()
    seconds = {name: figure.seconds for name, figure in figures.items()}
    return {
        "redemptions": redemptions,
        "milliseconds": {name: round(taken * 1000, 1) for name, taken in seconds.items()},
        "spread": {name: round(figure.spread, 2) for name, figure in figures.items()},
        "ratios": {f"{name} / bare SQL": round(seconds[f"{name}: page"] / seconds[f"{name}: bare SQL"], 2) for name in _LISTS},
    }


def _fill(engine: Engine, redemptions: int) -> None:
    migrate(engine)
    fill_week(engine, redemptions=redemptions, merchants=1, weeks=WEEKS)
    with engine.begin() as connection:
        connection.execute(text(_LINES))
    looked_at = TransactionFilter(MERCHANT, last_day=WEEK.ends_on)
    confirm_all(SqlConfirmationStore(engine), merchant_id=MERCHANT, staff_id="bench", now=WEEK.ends_at, among=looked_at)
    settle_due(SqlSettlementStore(engine), now=WEEK.ends_at)
    tidy(engine)


def _sign_in(engine: Engine) -> Visitor:
    site = open_site(engine, now=WEEK.ends_at + timedelta(days=8))
    person = {
        "staff_id": "bench", "merchant_id": MERCHANT, "door": "lodging", "login": "bench", "name": "Bench",
        "role": "merchant_admin", "password_hash": PASSWORDS.hash(PASSWORD), "active": True,
    }  # fmt: skip
    with engine.begin() as connection:
        connection.execute(insert(staff).values(**person))
    visitor = Visitor(site.app)
    visitor.sign_in("lodging", "bench")
    return visitor


def _facts(engine: Engine, redemptions: int) -> dict[str, Any]:
    """The row in the middle of the list, and a day."""
    middle = text("SELECT redeemed_at, redemption_id FROM redemption ORDER BY redeemed_at DESC OFFSET :half LIMIT 1")
    with engine.connect() as connection:
        at, redemption_id = connection.execute(middle, {"half": redemptions // 2 - 1}).one()
    day = WEEK.starts_at + timedelta(days=1)
    return {"merchant": MERCHANT, "at": at, "id": redemption_id, "day": day, "next": day + timedelta(days=1)}


def _page(visitor: Visitor, one: List, facts: dict[str, Any], redemptions: int) -> float:
    mark = f"{round(facts['at'].timestamp() * 1_000_000)}-{facts['id'].hex}"
    path = f"/merchant/transactions?{one.query.format(mark=mark)}"

    def ask() -> None:
        answer = visitor.client.get(path)
        shown = answer.get_data(as_text=True)
        if answer.status_code != 200 or shown.count('class="num serial"') != PAGE:
            raise WrongAnswerError(f"{path} does not show {PAGE} rows")
        if one.share == 1.0 and f"共 {redemptions:,} 筆，" not in shown:
            raise WrongAnswerError(f"{path} does not count what is there")

    return _timed(ask)


def _bare(engine: Engine, one: List, facts: dict[str, Any]) -> float:
    def ask() -> None:
        with engine.connect() as connection:
            connection.execute(text(_SUMS + one.where), facts).one()
            rows = connection.execute(text(_ROWS + one.where + one.only_rows + one.order), facts).all()
            connection.execute(text(_NUMBERS), {"ids": [row.redemption_id for row in rows]}).all()
        if len(rows) != PAGE:
            raise WrongAnswerError("the bare statement does not find its rows")

    return _timed(ask)


def _timed(ask: Callable[[], None]) -> float:
    ask()  # to have the rows in memory
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began
