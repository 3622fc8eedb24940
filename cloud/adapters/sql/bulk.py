"""Whole sets in one statement: membership and insertion, in the way that is quick on each database.

PostgreSQL gets one array per column, so that the statement is the same text for one row and for a thousand, and one round
trip. SQLite has no network to cross: the driver's own loop over a prepared statement is its quickest way.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, any_, bindparam, func, insert, select
from sqlalchemy.dialects.postgresql import ARRAY


def among(connection: Connection, column: Column[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """Return the condition that the column has one of these values."""
    if connection.dialect.name == "postgresql":
        return column == any_(bindparam(None, list(values), type_=ARRAY(column.type)))
    return column.in_(values)


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows in the order given; none is fine. All rows name the same columns.

    Two writers whose rows come in the same order cannot deadlock over them: sort by the primary key.
    """
    if not rows:
        return
    if connection.dialect.name != "postgresql":
        connection.execute(insert(table), rows)
        return
    names = list(rows[0])
    arrays = [bindparam(None, [row[name] for row in rows], type_=ARRAY(table.c[name].type)) for name in names]
    source = func.unnest(*arrays).table_valued(*names).render_derived()
    connection.execute(insert(table).from_select(names, select(*(source.c[name] for name in names))))
