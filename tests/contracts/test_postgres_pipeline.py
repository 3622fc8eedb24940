"""Prepared statements in one round trip, against a real server: their order, failures, other work meanwhile, silence."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from cloud.adapters.postgres_pipeline import IDLE_MS, LOOK_MS, PipelinedConnection
from tests.support.postgres import Cluster

pytest_plugins = ("tests.support.databases",)

BEGIN, ROLLBACK = "BEGIN", "ROLLBACK"
NUMBERS = "SELECT value, value * 2 FROM generate_series(1, $1::int) AS s(value)"
ECHO = "SELECT $1::text || $2::text"
DIVIDE = "SELECT 1 / $1::int"
NAP = "SELECT 'late' FROM pg_sleep($1::float8)"


@pytest.fixture
def server(postgres: Cluster) -> Iterator[PipelinedConnection]:
    with PipelinedConnection.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.prepare([BEGIN, ROLLBACK, NUMBERS, ECHO, DIVIDE, NAP])
        yield connection


def test_every_statement_has_its_rows(server: PipelinedConnection) -> None:
    assert server.run([(NUMBERS, ["2"]), (NUMBERS, ["0"]), (ECHO, ["旅", "宿".encode()])]) == [
        [(1, 2), (2, 4)],
        [],
        [("旅宿",)],
    ]


def test_more_than_a_socket_holds_goes_both_ways(server: PipelinedConnection) -> None:
    long = "x" * 3_000_000
    assert server.run([(ECHO, [long, str(number)]) for number in range(8)]) == [[(long + str(number),)] for number in range(8)]


def test_what_stands_behind_a_failure_is_not_run_and_the_connection_stays_good(server: PipelinedConnection) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        server.run([(BEGIN, ()), (DIVIDE, ["0"]), (NUMBERS, ["1"])])
    assert server.info.transaction_status == TransactionStatus.INERROR
    server.rollback()
    assert server.run([(DIVIDE, ["1"])]) == [[(1,)]]


def test_a_statement_that_the_server_does_not_understand_is_refused_at_once(server: PipelinedConnection) -> None:
    with pytest.raises(psycopg.errors.SyntaxError):
        server.prepare(["SELEC 1"])


def test_other_work_is_done_while_the_server_is_at_work(server: PipelinedConnection) -> None:
    pieces = iter(range(5))
    asked = 0

    def meanwhile() -> bool:
        nonlocal asked
        asked += 1
        return next(pieces, None) is not None

    assert server.run([(NAP, ["0.2"])], meanwhile) == [[("late",)]]
    assert 5 < asked < 5 + 200 / IDLE_MS + 10, "as often as there was something, then now and then"


def test_the_answer_is_not_kept_waiting_by_other_work(server: PipelinedConnection) -> None:
    asked = 0

    def endless() -> bool:
        nonlocal asked
        asked += 1
        return True

    assert server.run([(NAP, ["0.05"])], endless) == [[("late",)]]
    assert asked > 5


@pytest.mark.parametrize("is_busy", [False, True])
def test_a_server_that_says_nothing_is_left(server: PipelinedConnection, is_busy: bool) -> None:
    server.answer_wait_s = LOOK_MS / 1_000
    with pytest.raises(psycopg.OperationalError, match="said nothing"):
        server.run([(NAP, ["30"])], (lambda: True) if is_busy else None)
    assert server.closed


def test_a_server_that_goes_away_is_an_error_of_the_drivers(server: PipelinedConnection, postgres: Cluster) -> None:
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as other:

        def meanwhile() -> bool:
            other.execute("SELECT pg_terminate_backend(%s)", [server.info.backend_pid])
            return False

        with pytest.raises(psycopg.OperationalError):
            server.run([(NAP, ["30"])], meanwhile)
    assert server.closed


def test_a_fault_in_the_other_work_leaves_no_half_read_connection(server: PipelinedConnection) -> None:
    with pytest.raises(ZeroDivisionError):
        server.run([(NAP, ["0.2"])], lambda: bool(1 // 0))
    assert server.closed
