"""The locks that decide who holds a session, on a real PostgreSQL."""

import threading
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from sqlalchemy import make_url

from cloud.adapters.postgres_session_locks import PostgresSessionLocks, lock_class
from cloud.domain.shares import Standing
from protocol.errors import PortError
from tests.support.kiosk_client import wait_until

pytest_plugins = ("tests.support.databases",)

FOR_EVER_S = 600.0


def locks_of(url: str, region: str = "main") -> PostgresSessionLocks:
    parsed = make_url(url)
    return PostgresSessionLocks(
        {"host": parsed.query["host"], "user": parsed.username, "dbname": parsed.database}, region=region
    )


@pytest.fixture
def first(postgres_url: str) -> Iterator[PostgresSessionLocks]:
    with closing(locks_of(postgres_url)) as locks:
        locks.open()
        yield locks


@pytest.fixture
def second(postgres_url: str) -> Iterator[PostgresSessionLocks]:
    with closing(locks_of(postgres_url)) as locks:
        locks.open()
        yield locks


def cut(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid::bigint = %s",
            [lock_class("main") & 0xFFFFFFFF],
        )


def test_a_session_has_one_holder(first: PostgresSessionLocks, second: PostgresSessionLocks) -> None:
    assert first.standing() == Standing(2, frozenset(), frozenset())
    assert first.take(0)
    assert not second.take(0)
    assert second.take(3)
    assert first.standing() == Standing(2, frozenset({0}), frozenset({3}))
    assert second.standing() == Standing(2, frozenset({3}), frozenset({0}))
    first.give_back(0)
    assert second.take(0)
    assert first.standing() == Standing(2, frozenset(), frozenset({0, 3}))


def test_who_closes_holds_nothing_and_is_no_worker(first: PostgresSessionLocks, second: PostgresSessionLocks) -> None:
    assert first.take(0)
    first.close()
    first.close()
    wait_until(lambda: second.standing() == Standing(1, frozenset(), frozenset()), what="the server to see it")
    with pytest.raises(PortError):
        first.standing()
    first.open()
    assert first.take(0)


def test_another_region_shares_nothing(postgres_url: str, first: PostgresSessionLocks) -> None:
    assert first.take(0)
    with closing(locks_of(postgres_url, "south")) as south:
        south.open()
        assert south.standing() == Standing(1, frozenset(), frozenset())
        assert south.take(0)
    assert lock_class("south") != lock_class("main")


def test_other_advisory_locks_of_the_database_are_not_counted(postgres_url: str, first: PostgresSessionLocks) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s), pg_advisory_xact_lock(1, 0)", [lock_class("main") << 32])
        assert first.standing() == Standing(1, frozenset(), frozenset())


def test_a_cut_connection_ends_the_wait_and_is_told(postgres_url: str, first: PostgresSessionLocks) -> None:
    assert first.take(0)
    cut(postgres_url)
    first.wait(FOR_EVER_S)
    with pytest.raises(PortError) as lost:
        first.standing()
    assert lost.value.retry


def test_a_wait_is_ended_from_another_thread_even_before_it_begins(first: PostgresSessionLocks) -> None:
    first.wake()
    first.wait(FOR_EVER_S)
    waker = threading.Timer(0.05, first.wake)
    waker.start()
    first.wait(FOR_EVER_S)
    waker.join()
    for _ in range(100_000):  # more than fit anywhere
        first.wake()


def test_a_database_that_cannot_be_reached_may_be_later(postgres_url: str) -> None:
    locks = locks_of(postgres_url.replace("host=", "host=/nowhere"))
    with closing(locks), pytest.raises(PortError) as away:
        locks.open()
    assert away.value.retry
