"""Parked messages in the database, for :mod:`cloud.ports.parking`."""

from collections.abc import Sequence

from sqlalchemy import Engine, func, insert, select

from cloud.adapters.sql.engine import for_reading
from cloud.adapters.sql.failures import translated
from cloud.adapters.sql.tables import parked_message
from cloud.ports.parking import ParkedMessage

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
        with translated(), self._engine.begin() as connection:
            connection.execute(insert(parked_message), rows)

    def count(self) -> int:
        with translated(), for_reading(self._engine).begin() as connection:
            return connection.scalar(select(func.count()).select_from(parked_message)) or 0


def _storable(text: str, length_max: int) -> str:
    # A topic comes from outside: no NUL (PostgreSQL refuses it), no lone surrogates, no novel.
    return text[:length_max].replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
