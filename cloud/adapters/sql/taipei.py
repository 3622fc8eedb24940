"""Days, hours and seconds of an instant as the database computes them, in Asia/Taipei: eight hours ahead all year."""

from datetime import date
from typing import Any

from sqlalchemy import BigInteger, Connection, Date, Integer, String, cast, func, literal_column
from sqlalchemy.sql import ColumnElement

_ZONE = "Asia/Taipei"
_AHEAD = "+8 hours"


def day_in_taipei(connection: Connection, instant: Any) -> ColumnElement[Any]:
    """The day, as a date (PostgreSQL) or as ISO text (SQLite); :func:`read_day` reads both."""
    if connection.dialect.name == "postgresql":
        return cast(func.timezone(literal_column(f"'{_ZONE}'"), instant), Date)
    return func.date(cast(instant, String), literal_column(f"'{_AHEAD}'"))


def read_day(value: date | str) -> date:
    """What a database gave back for a day."""
    return date.fromisoformat(value) if isinstance(value, str) else value


def hour_in_taipei(connection: Connection, instant: Any) -> ColumnElement[int]:
    """The hour, 0 to 23."""
    if connection.dialect.name == "postgresql":
        return cast(func.extract("hour", func.timezone(literal_column(f"'{_ZONE}'"), instant)), Integer)
    return cast(func.strftime(literal_column("'%H'"), cast(instant, String), literal_column(f"'{_AHEAD}'")), Integer)


def epoch_s(connection: Connection, instant: Any) -> ColumnElement[int]:
    """Whole seconds since 1970."""
    if connection.dialect.name == "postgresql":
        return cast(func.floor(func.extract("epoch", instant)), BigInteger)
    return cast(func.strftime(literal_column("'%s'"), cast(instant, String)), BigInteger)
