"""The limit of the database leg: the same rows, written by the database alone from tables that already hold the decisions.

Nobody reads, judges, sends columns or serialises guesses here. Per batch there is one ``INSERT … SELECT`` for each table (the
vouchers are looked up, and must be unused) and a commit: what the ingest store can come near and never reach.
"""

import time
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Column, Engine, Integer, Select, Table, bindparam, insert, select

from cloud.adapters.ingest_rows import APPENDED, Spelling, Target
from cloud.adapters.sql.tables import metadata, redemption_line, voucher
from cloud.domain.records import Decisions

_BATCH_NO: Final = "batch_no"
_AS_IT_IS: Final = Spelling(id=lambda value: value, instant=lambda value: value)


class SetSql:
    """Decisions that wait in the database to be written by it."""

    def __init__(self, engine: Engine, batches: Sequence[Decisions]) -> None:
        self._engine = engine
        self._next = 0
        targets = [target for target in APPENDED if target.rows(batches[0], _AS_IT_IS)]
        waiting = [(target, _waiting_table(metadata.tables[target.table])) for target in targets]
        with engine.begin() as connection:
            for target, table in waiting:
                table.create(connection)
                rows = [
                    _row(target, row, place) for place, batch in enumerate(batches) for row in target.rows(batch, _AS_IT_IS)
                ]
                connection.execute(insert(table), rows)
                connection.exec_driver_sql(f"ANALYZE {table.name}")
        self._selects = [(metadata.tables[target.table], _chosen(table)) for target, table in waiting]

    def write(self, batches: int) -> float:
        """Write the next batches, each in a transaction of its own; return the seconds it took."""
        began = time.perf_counter()
        for place in range(self._next, self._next + batches):
            with self._engine.begin() as connection:
                for table, chosen in self._selects:
                    columns = [column.name for column in table.columns]
                    connection.execute(insert(table).from_select(columns, chosen), {_BATCH_NO: place})
        self._next += batches
        return time.perf_counter() - began


def _waiting_table(table: Table) -> Table:
    columns = [Column(column.name, column.type) for column in table.columns]
    # Not in the schema's own metadata: it must not look as if it belonged there.
    return Table(f"waiting_{table.name}", type(metadata)(), Column(_BATCH_NO, Integer, index=True), *columns)


def _chosen(waiting: Table) -> Select[Any]:
    table = metadata.tables[waiting.name.removeprefix("waiting_")]
    batch_no = waiting.c[_BATCH_NO]
    chosen = select(*(waiting.c[column.name] for column in table.columns)).where(batch_no == bindparam(_BATCH_NO))
    if table is redemption_line:
        used = redemption_line.alias("used")
        joined = waiting.join(voucher, voucher.c.voucher_no == waiting.c.voucher_no).outerjoin(
            used, used.c.voucher_no == waiting.c.voucher_no
        )
        chosen = chosen.select_from(joined).where(used.c.voucher_no.is_(None))
    return chosen


def _row(target: Target, row: Sequence[Any], batch_no: int) -> dict[str, Any]:
    return {_BATCH_NO: batch_no} | dict(zip(target.columns, row, strict=True))
