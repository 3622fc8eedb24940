"""Parked messages in the database, for :mod:`cloud.ports.parking`."""

from collections.abc import Sequence

from sqlalchemy import Engine, func, insert, select
from sqlalchemy.exc import DBAPIError

from cloud.adapters.sql.engine import for_reading
from cloud.adapters.sql.tables import parked_message
from cloud.ports.parking import ParkedMessage
from protocol.errors import PortError

_TOPIC_LENGTH_MAX = 256
_PROBLEM_LENGTH_MAX = 256


class SqlParking:
    """``Parking`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def park(self, messages: Sequence[ParkedMessage]) -> None:
        if not messages:
            return
        rows = [
            {
                "parked_at": message.parked_at,
                "topic": _storable(message.topic, _TOPIC_LENGTH_MAX),
                "problem": _storable(message.problem, _PROBLEM_LENGTH_MAX),
                "payload_sha256": message.payload_sha256,
            }
            for message in messages
        ]
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(parked_message), rows)
        except DBAPIError as problem:
            raise PortError(f"the database failed: {type(problem.orig).__name__}", retry=True) from problem

    def count(self) -> int:
        try:
            with for_reading(self._engine).connect() as connection:
                return connection.scalar(select(func.count()).select_from(parked_message)) or 0
        except DBAPIError as problem:
            raise PortError(f"the database failed: {type(problem.orig).__name__}", retry=True) from problem


def _storable(text: str, length_max: int) -> str:
    # A topic comes from outside: no NUL (PostgreSQL refuses it), no lone surrogates, no novel.
    return text[:length_max].replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
