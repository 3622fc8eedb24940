"""The books in the database, for :mod:`cloud.ports.books`: totals and the first broken rule, of one moment."""

from datetime import datetime

from sqlalchemy import Engine, text

from cloud.adapters.sql.book_rules import find_breach
from cloud.adapters.sql.programme_counts import read_programme_counts
from cloud.adapters.sql.totals import read_totals
from cloud.adapters.sql.transactions import reading
from cloud.ports.books import Audit

_FOR_WHOLE_TABLES = ("SET LOCAL jit = off", "SET LOCAL work_mem = '128MB'", "SET LOCAL enable_nestloop = off")
"""These queries join and group whole tables and find nothing. PostgreSQL is set for many small ones, and where it is asked for
the first row only, it chooses what would find one soon: row by row, which takes hours when there is none."""


class SqlBooks:
    """``Books`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def audit(self, now: datetime) -> Audit:
        with reading(self._engine) as connection:
            if connection.dialect.name == "postgresql":
                for setting in _FOR_WHOLE_TABLES:
                    connection.execute(text(setting))
            return Audit(read_totals(connection), read_programme_counts(connection, now), find_breach(connection))
