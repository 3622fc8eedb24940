"""What a fail-over does to a commit: cut before, cut after, silence, no standby. It runs again; nobody guesses."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import psycopg
import pytest
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import DBAPIError

from cloud.adapters.ingest_stores import ClosingIngestStore, make_ingest_store
from cloud.adapters.limited_wait import LimitedConnection
from cloud.adapters.postgres_ingest import PostgresIngestStore
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.migrations import migrate
from cloud.adapters.sql.transactions import reading, writing
from cloud.domain.records import Ask, StoredAnswer
from cloud.services.answer import answer_batch
from protocol.errors import PortError
from protocol.messages import RedeemAccepted, decode_answer
from tests.support.asks import Asks
from tests.support.broker import free_port
from tests.support.ingest_stores import SqlFacts
from tests.support.kiosk_client import wait_until
from tests.support.postgres import Cluster, postgres_cluster
from tests.support.wire_proxy import Cut, WireProxy, wire_proxy
from tests.support.worlds import NOW, World, insert_world, make_world

pytest_plugins = ("tests.support.databases",)

SILENT_S = 0.2
"""How long to wait on, once a line has gone silent."""

PARK = text(
    "INSERT INTO parked_message (parked_at, topic, problem, payload_sha256) VALUES ('2021-11-03 00:00:00', 't', 'p', 'x')"
)
PARKED = text("SELECT count(*) FROM parked_message")
READ_ONLY = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


class Bench:
    """A world behind an engine, and a store on it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.world: World = insert_world(engine, make_world())
        self.store: ClosingIngestStore = make_ingest_store(engine)
        self.facts = SqlFacts(engine)
        self.orders = Asks(self.world, self.world.shops[0])

    def order(self) -> Ask:
        return self.orders.redeem(self.world.numbers()[0])

    def answer(self, *asks: Ask, days: int = 0) -> list[StoredAnswer]:
        return answer_batch(self.store, asks, now=NOW + timedelta(days=days))


def _is_accepted(answers: Sequence[StoredAnswer]) -> bool:
    return all(isinstance(decode_answer(answer.answer), RedeemAccepted) for answer in answers)


# Cut at the commit ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def proxy(postgres: Cluster) -> Iterator[WireProxy]:
    with wire_proxy(postgres) as opened:
        yield opened


@pytest.fixture
def cut(proxy: WireProxy, postgres_url: str) -> Iterator[Bench]:
    """A world behind the proxy."""
    engine = make_engine(proxy.url(str(make_url(postgres_url).database)), answer_wait_s=60)
    yield Bench(engine)
    engine.dispose()


@pytest.mark.parametrize("where", Cut)
def test_a_commit_that_is_cut_is_not_known_and_the_batch_runs_again(cut: Bench, proxy: WireProxy, where: Cut) -> None:
    order = cut.order()
    with cut.store.begin() as transaction:
        transaction.load([order])
    assert isinstance(cut.store, PostgresIngestStore)
    with cut.store._connections.borrow() as connection:
        proxy.at_silence = partial(setattr, connection, "answer_wait_s", SILENT_S)
    proxy.cut_next_commit(where)
    with pytest.raises(PortError) as caught:
        cut.answer(order)
    assert caught.value.retry
    stored = cut.facts.answers()
    assert set(stored) == (set() if where is Cut.BEFORE else {order.request_id})
    again = cut.answer(order, days=1)
    assert _is_accepted(again)
    assert stored.get(order.request_id, again[0].answer) == again[0].answer
    assert cut.facts.redemptions() == {order.request_id}
    assert cut.facts.unbalanced_journals() == 0


@pytest.mark.parametrize("where", Cut)
def test_other_transactions_that_are_cut_are_not_known_and_the_next_one_works(cut: Bench, proxy: WireProxy, where: Cut) -> None:
    with cut.engine.connect() as connection:
        drivers = connection.connection.driver_connection
        assert isinstance(drivers, LimitedConnection)
        proxy.at_silence = partial(setattr, drivers, "answer_wait_s", SILENT_S)
    proxy.cut_next_commit(where)
    with pytest.raises(PortError) as caught, writing(cut.engine) as connection:
        connection.execute(PARK)
    assert caught.value.retry
    with reading(cut.engine) as connection:
        assert connection.execute(PARKED).scalar() == (where is not Cut.BEFORE)


def test_a_server_that_vanishes_is_noticed(cut: Bench) -> None:
    """The kernel is told to notice it; that is all that can be seen of it on one machine."""
    cut.answer(cut.order())
    assert isinstance(cut.store, PostgresIngestStore)
    with cut.store._connections.borrow() as ingest, cut.engine.connect() as other:
        drivers = other.connection.driver_connection
        assert isinstance(drivers, psycopg.Connection)
        for connection in (ingest, drivers):
            with socket.socket(fileno=socket.dup(connection.fileno())) as line:
                assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
                assert 0 < line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 15_000
                assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) < 10


# Several hosts ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hosts",
    [
        "postgresql://postgres@127.0.0.1:{dead},127.0.0.1:{alive}/{name}",
        "postgresql://postgres@/{name}?host=127.0.0.1,127.0.0.1&port={dead},{alive}",
        "postgresql://postgres@/{name}?host=127.0.0.1:{dead}&host=127.0.0.1:{alive}&target_session_attrs=read-write",
    ],
)
def test_the_host_that_lives_is_found(proxy: WireProxy, postgres_url: str, hosts: str) -> None:
    url = hosts.format(dead=free_port(), alive=proxy.port, name=make_url(postgres_url).database)
    engine = make_engine(url)
    bench = Bench(engine)
    assert _is_accepted(bench.answer(bench.order()))
    assert bench.facts.answers()
    assert proxy.connections >= 2
    engine.dispose()


def test_of_several_hosts_only_one_that_takes_writes_is_used(postgres: Cluster, postgres_url: str) -> None:
    name = make_url(postgres_url).database
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    engine = make_engine(f"postgresql://postgres@/{name}?host={postgres.folder},{postgres.folder}")
    with pytest.raises(DBAPIError, match="read-only"):
        engine.connect()
    store = make_ingest_store(engine)
    with pytest.raises(PortError, match="read-only") as caught, store.begin():
        pass
    assert caught.value.retry
    engine.dispose()


@pytest.mark.parametrize("url", ["postgresql://h:x,g:1/d", "postgresql://u@/d?host=a,b,c&port=1,2", "nothing"])
def test_hosts_that_cannot_be_read_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"host|URL"):
        make_engine(url)


def test_a_server_that_has_become_read_only_is_left(postgres_url: str) -> None:
    engine = make_engine(postgres_url)
    bench = Bench(engine)
    order = bench.order()
    bench.answer(bench.orders.check(bench.world.numbers()[1]))
    with engine.connect() as connection:
        connection.exec_driver_sql(READ_ONLY)
        connection.commit()
    with pytest.raises(PortError) as caught, writing(engine) as connection:
        connection.execute(PARK)
    assert caught.value.retry
    with writing(engine) as connection:
        connection.execute(PARK)
    assert isinstance(bench.store, PostgresIngestStore)
    with bench.store._connections.borrow() as ingest:
        ingest.execute(READ_ONLY)
        ingest.commit()
    with pytest.raises(PortError) as caught:
        bench.answer(order)
    assert caught.value.retry
    assert _is_accepted(bench.answer(order))
    engine.dispose()


# No standby -------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def replicating() -> Iterator[Cluster]:
    """A server that can have standbys."""
    with postgres_cluster(settings={"max_wal_senders": "4", "wal_level": "replica"}) as cluster:
        yield cluster


class Standby:
    """Somebody to wait for."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def leave(self) -> None:
        """From now on every commit waits."""
        self._await("nobody")

        def commit() -> None:
            with self.ask() as connection:
                connection.execute("SELECT pg_logical_emit_message(true, 'test', '')")

        # The server takes a changed setting over in its own time.
        probes = [threading.Thread(target=commit)]
        probes[0].start()

        def waits() -> bool:
            if not probes[-1].is_alive() and not self.waiting():
                probes.append(threading.Thread(target=commit))
                probes[-1].start()
            return bool(self.waiting())

        wait_until(waits, what="commits to wait for a standby")
        self.end_waiting("pg_cancel_backend")
        for probe in probes:
            probe.join(20)

    def come_back(self) -> None:
        """No commit waits any more."""
        self._await("")

    def waiting(self) -> list[int]:
        """Server processes whose commits wait."""
        with self.ask() as connection:
            return [row[0] for row in connection.execute(WAITING)]

    def end_waiting(self, how: str) -> None:
        """Disturb those that wait, until none does."""
        with self.ask() as connection:
            for pid in self.waiting():
                connection.execute(f"SELECT {how}(%s)", [pid])
        wait_until(lambda: not self.waiting(), what="the waiting to end")

    def ask(self) -> "psycopg.Connection[tuple[int]]":
        return psycopg.connect(self._cluster.url("postgres"), autocommit=True)

    def _await(self, name: str) -> None:
        with self.ask() as connection:
            connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
            connection.execute("SELECT pg_reload_conf()")


@pytest.fixture
def standby(replicating: Cluster) -> Iterator[Standby]:
    found = Standby(replicating)
    yield found
    found.come_back()


@pytest.fixture
def alone(replicating: Cluster, standby: Standby) -> Iterator[Bench]:
    """A world on a primary whose only standby has gone."""
    engine = make_engine(replicating.url(replicating.make_database()))
    migrate(engine)
    bench = Bench(engine)
    bench.answer(bench.orders.check(bench.world.numbers()[1]))
    standby.leave()
    yield bench
    standby.come_back()
    engine.dispose()


@contextmanager
def _waiting(standby: Standby, act: Callable[[], list[StoredAnswer]]) -> Iterator["Future[list[StoredAnswer]]"]:
    """Run ``act`` beside; inside, its commit waits for the standby."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(act)
        try:
            wait_until(lambda: bool(standby.waiting()) or running.done(), what="the commit to wait")
            assert not running.done(), "it did not wait"
            yield running
        finally:
            standby.come_back()


@pytest.mark.parametrize("how", ["pg_cancel_backend", "pg_terminate_backend"])
def test_an_answer_that_no_standby_has_is_never_given(alone: Bench, standby: Standby, how: str) -> None:
    order = alone.order()
    with _waiting(standby, lambda: alone.answer(order)) as first:
        standby.end_waiting(how)
        with pytest.raises(PortError) as caught:
            first.result(20)
        assert caught.value.retry
        stored = alone.facts.answers()
        assert order.request_id in stored, "the primary alone has it, and a fail-over would forget it"
        # Asked again it is found, and still not given before a standby has it.
        with _waiting(standby, lambda: alone.answer(order, days=1)) as second:
            standby.come_back()
            (again,) = second.result(20)
    assert again.answer == stored[order.request_id]
    assert alone.facts.redemptions() == {order.request_id}


def test_other_commits_that_no_standby_has_are_not_known(alone: Bench, standby: Standby) -> None:
    def park() -> list[StoredAnswer]:
        with writing(alone.engine) as connection:
            connection.execute(PARK)
        return []

    with _waiting(standby, park) as running:
        standby.end_waiting("pg_cancel_backend")
        with pytest.raises(PortError, match="standby") as caught:
            running.result(20)
    assert caught.value.retry
    assert park() == []
