"""What each real failure of a database is taken for: go again, wait, or give up."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, Engine, text

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.failures import translated
from cloud.ports.ingest import ConflictError
from protocol.errors import PortError

pytest_plugins = ("tests.support.databases",)

PUT = "INSERT INTO merchant (merchant_id, name, ubn, merchant_category, state) VALUES ('{0}', 'n', '{0}', 'hotel', 'approved')"
TOUCH = "UPDATE merchant SET name = 'm' WHERE merchant_id = '{0}'"


def _run(engine: Engine, statements: Sequence[str]) -> None:
    with translated(), engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def _fail(engine: Engine, *statements: str) -> PortError:
    with pytest.raises(PortError) as caught:
        _run(engine, statements)
    return caught.value


def test_a_constraint_is_a_conflict_and_names_no_values(engine: Engine) -> None:
    with pytest.raises(ConflictError) as caught:
        _run(engine, [PUT.format("secret")] * 2)
    assert "secret" not in str(caught.value)


def test_a_missing_table_is_not_worth_waiting_for(sqlite_url: str) -> None:
    engine = make_engine(sqlite_url)
    assert not _fail(engine, "SELECT * FROM nothing").retry
    engine.dispose()


def test_a_full_sqlite_is(sqlite_url: str) -> None:
    engine = make_engine(sqlite_url)
    with engine.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))
        connection.rollback()
    fill = "INSERT INTO parked_message (parked_at, topic, problem, payload_sha256) VALUES ('2021-11-03', :x, 'p', 'p')"
    with pytest.raises(PortError, match="full") as caught, translated(), engine.begin() as connection:
        connection.execute(text(fill), {"x": "x" * 100_000})
    assert caught.value.retry
    engine.dispose()


@pytest.mark.parametrize(
    "statements",
    [
        ("SET LOCAL statement_timeout = 1", "SELECT pg_sleep(5)"),
        ("SELECT pg_terminate_backend(pg_backend_pid())",),
        ("SET TRANSACTION READ ONLY", PUT.format("x")),
    ],
)
def test_what_passes_on_postgres_is_worth_waiting_for(postgres_url: str, statements: tuple[str, ...]) -> None:
    engine = make_engine(postgres_url)
    assert _fail(engine, *statements).retry
    engine.dispose()


def test_a_lock_that_is_held_too_long_is_worth_waiting_for(postgres_url: str) -> None:
    engine = make_engine(postgres_url)
    with engine.begin() as holder:
        holder.execute(text("LOCK TABLE merchant"))
        assert _fail(engine, "SET LOCAL lock_timeout = 1", PUT.format("x")).retry
    engine.dispose()


def test_a_database_that_is_not_there_is_named(postgres_url: str) -> None:
    # The server refuses before it speaks the protocol that has a state; the driver says only that it cannot connect.
    engine = make_engine(postgres_url.replace("/vk_", "/nothing_"))
    with pytest.raises(PortError, match="does not exist"), translated():
        engine.connect()
    engine.dispose()


def test_a_deadlock_is_a_conflict(postgres_url: str) -> None:
    engine = make_engine(postgres_url)
    with engine.begin() as connection:
        for name in ("a", "b"):
            connection.execute(text(PUT.format(name)))
    outcomes = _crossing(engine, threading.Barrier(2))
    assert sorted(outcomes) == ["conflict", "done"]
    engine.dispose()


def _crossing(engine: Engine, gate: threading.Barrier) -> list[str]:
    def in_order(first: str, second: str) -> Callable[[Connection], None]:
        def run(connection: Connection) -> None:
            connection.execute(text(TOUCH.format(first)))
            gate.wait()
            connection.execute(text(TOUCH.format(second)))

        return run

    def outcome(act: Callable[[Connection], None]) -> str:
        try:
            with translated(), engine.begin() as connection:
                act(connection)
        except ConflictError:
            return "conflict"
        return "done"

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(outcome, (in_order("a", "b"), in_order("b", "a"))))
