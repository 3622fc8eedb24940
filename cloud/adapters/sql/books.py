"""The books in the database, for :mod:`cloud.ports.books`: totals and the first broken rule, of one moment."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise

from sqlalchemy import Connection, Engine, select

from cloud.adapters.sql.book_rules import book_rules
from cloud.adapters.sql.tables import settlement
from cloud.adapters.sql.totals import read_totals
from cloud.adapters.sql.transactions import reading
from cloud.ports.books import Breach
from cloud.ports.reports import Totals


class SqlBooks:
    """``Books`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def audit(self) -> tuple[Totals, Breach | None]:
        with reading(self._engine) as connection:
            return read_totals(connection), _first_breach(connection)


def _first_breach(connection: Connection) -> Breach | None:
    for rule in book_rules():
        row = connection.execute(rule.breaches.limit(1)).mappings().first()
        if row is not None:
            return Breach(rule.rule, rule.sentence, dict(row))
    return _gap(connection)


def _gap(connection: Connection) -> Breach | None:
    """Closed weeks follow each other. Counted here: the databases count days in different words."""
    closed: Sequence[date] = connection.scalars(
        select(settlement.c.period_starts_on).order_by(settlement.c.period_starts_on)
    ).all()
    for earlier, later in pairwise(closed):
        if later - earlier != timedelta(days=7):
            return Breach("I6", "a week between two settlements was not closed", {"after": earlier, "before": later})
    return None
