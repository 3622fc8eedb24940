"""The hot path's store for whichever database an engine is of: one adapter each, behind one port and one contract suite."""

from typing import Protocol

from sqlalchemy import Engine, event

from cloud.adapters.postgres_ingest import PostgresIngestStore
from cloud.adapters.sqlite_ingest import SqliteIngestStore
from cloud.ports.ingest import IngestStore


class ClosingIngestStore(IngestStore, Protocol):
    """One with connections of its own."""

    def close(self) -> None:
        """Close the connections that nobody uses."""


def make_ingest_store(engine: Engine) -> ClosingIngestStore:
    """Make the store. Nothing is connected before the first use; ``engine.dispose()`` closes its idle connections too.

    Args:
        engine: of :func:`cloud.adapters.sql.engine.make_engine`: says where the database is. Its own connections are not used.
    """
    positional, parameters = engine.dialect.create_connect_args(engine.url)
    if engine.dialect.name == "postgresql":
        # The rest is how SQLAlchemy wants values adapted.
        parameters.pop("context", None)
        store: ClosingIngestStore = PostgresIngestStore(parameters)
    else:
        store = SqliteIngestStore(positional[0], parameters)
    event.listen(engine, "engine_disposed", lambda _: store.close())
    return store
