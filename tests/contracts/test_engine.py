"""The database keeps the settings that the money depends on, or is refused."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from cloud.adapters.sql.engine import BUSY_WAIT_MS, for_reading, make_engine
from protocol.errors import PortError
from tests.support.postgres import Cluster

pytest_plugins = ("tests.support.databases",)

PARK = text(
    "INSERT INTO parked_message (parked_at, topic, problem, payload_sha256) VALUES ('2021-11-03 00:00:00', 't', 'p', 'x')"
)
COUNT = text("SELECT count(*) FROM parked_message")


def _pragma(engine: Engine, name: str) -> Any:
    with engine.connect() as connection:
        return connection.execute(text(f"PRAGMA {name}")).scalar()


def test_sqlite_keeps_what_it_is_told(sqlite_url: str) -> None:
    engine = make_engine(sqlite_url)
    found = {name: _pragma(engine, name) for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")}
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": BUSY_WAIT_MS}
    engine.dispose()


def test_sqlite_that_cannot_keep_it_is_refused(tmp_path: Path) -> None:
    # Without shared memory, as on many network shares, there is no WAL; the pragma says so and raises nothing.
    engine = make_engine(f"sqlite:///file:{tmp_path}/x?vfs=unix-none&uri=true")
    with pytest.raises(PortError, match="journal_mode") as caught:
        engine.connect()
    assert not caught.value.retry
    engine.dispose()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://u@h/d"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="sqlite"):
        make_engine(url)


def test_postgres_that_may_forget_is_refused(postgres: Cluster, postgres_url: str) -> None:
    admin = make_engine(postgres_url)
    with admin.begin() as connection:
        connection.execute(
            text("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$")
        )
    admin.dispose()
    engine = make_engine(postgres_url)
    with pytest.raises(PortError, match="synchronous_commit") as caught:
        engine.connect()
    assert not caught.value.retry
    engine.dispose()


def test_a_reader_neither_waits_for_the_writer_nor_sees_its_work(engine: Engine) -> None:
    with engine.begin() as writer, for_reading(engine).connect() as reader:
        writer.execute(PARK)
        assert reader.execute(COUNT).scalar() == 0
    with for_reading(engine).connect() as reader:
        assert reader.execute(COUNT).scalar() == 1


def test_a_reader_cannot_write_and_its_connection_can_again_afterwards(engine: Engine) -> None:
    with pytest.raises(DBAPIError, match=r"read-?only"), for_reading(engine).begin() as reader:
        reader.execute(PARK)
    with engine.begin() as writer:
        writer.execute(PARK)
    with engine.connect() as connection:
        assert connection.execute(COUNT).scalar() == 1


def test_a_sqlite_writer_has_the_lock_before_its_first_read(sqlite_url: str) -> None:
    first, second = make_engine(sqlite_url), make_engine(sqlite_url)
    with second.connect() as other:
        other.execute(text("PRAGMA busy_timeout = 1"))
        other.rollback()
        with first.connect() as one:
            one.execute(COUNT)
            with pytest.raises(OperationalError, match="locked"):
                other.execute(COUNT)
    first.dispose()
    second.dispose()
