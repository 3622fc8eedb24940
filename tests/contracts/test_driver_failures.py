"""What each real failure is taken for where the drivers are called directly: go again, wait, or give up."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cloud.adapters.driver_failures import meaning_of, translated
from cloud.adapters.idle_connections import IdleConnections
from cloud.ports.ingest import ConflictError
from protocol.errors import PortError

pytest_plugins = ("tests.support.databases",)

TRY = "INSERT INTO digit_try (voucher_no, try_no, request_id, tried_at) VALUES ('secret', {}, '{:032x}', '2021-11-03')"


@pytest.fixture
def server(postgres_url: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    with psycopg.connect(postgres_url) as connection:
        yield connection


@pytest.fixture
def file(sqlite_url: str) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    yield connection
    connection.close()


def _run(connection: Any, statements: Sequence[str]) -> None:
    with translated():
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize("kind", ["server", "file"])
@pytest.mark.parametrize("try_no", [1, 6])
def test_a_constraint_is_a_conflict_and_names_no_values(request: pytest.FixtureRequest, kind: str, try_no: int) -> None:
    connection = request.getfixturevalue(kind)
    with pytest.raises(ConflictError) as caught:
        _run(connection, [TRY.format(try_no, place) for place in range(2)])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "statements",
    [
        ("SET LOCAL statement_timeout = 1", "SELECT pg_sleep(5)"),
        ("SELECT pg_terminate_backend(pg_backend_pid())",),
        ("SET TRANSACTION READ ONLY", TRY.format(1, 1)),
    ],
)
def test_what_passes_is_worth_waiting_for(postgres_url: str, statements: tuple[str, ...]) -> None:
    with psycopg.connect(postgres_url) as connection:
        with pytest.raises(PortError) as caught:
            _run(connection, statements)
        assert caught.value.retry
        connection.close()


def test_a_server_that_is_not_there_is_worth_waiting_for(tmp_path: Path) -> None:
    with pytest.raises(PortError) as caught, translated():
        psycopg.connect(host=str(tmp_path), user="nobody")
    assert caught.value.retry


def test_a_missing_table_is_not_worth_waiting_for(file: sqlite3.Connection) -> None:
    with pytest.raises(PortError) as caught, translated():
        file.execute("SELECT * FROM nothing")
    assert not caught.value.retry


def test_a_fault_of_ours_stays_what_it_is(server: "psycopg.Connection[tuple[object, ...]]") -> None:
    with pytest.raises(psycopg.errors.UndefinedTable), translated():
        server.execute("SELECT * FROM nothing")
    assert meaning_of(psycopg.DataError()) is None


def test_a_deadlock_and_a_serialization_failure_are_conflicts() -> None:
    assert isinstance(meaning_of(psycopg.errors.DeadlockDetected()), ConflictError)
    assert isinstance(meaning_of(psycopg.errors.SerializationFailure()), ConflictError)


class Line:
    """Something to lend."""

    fit, closed = True, False

    def close(self) -> None:
        self.closed = True


def test_what_was_lent_last_is_lent_next_and_what_is_unfit_is_closed() -> None:
    pool = IdleConnections(Line, is_fit=lambda line: line.fit)
    with pool.borrow() as first, pool.borrow() as second:
        assert first is not second
    with pool.borrow() as again:
        assert again is first
        again.fit = False
    assert again.closed
    second.fit = False
    with pool.borrow() as third:
        assert second.closed
        assert third is not second
    pool.close()
    assert third.closed
