"""What ``make ha`` is made of, as far as it needs no cluster: settings, load, rules, table. The kills run on demand."""

import json
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from msgspec import structs
from sqlalchemy import Engine

from cloud.adapters.ingest_stores import make_ingest_store
from cloud.adapters.sql.engine import make_engine
from cloud.domain.records import StoredAnswer
from cloud.services.answer import answer_batch
from kiosk.domain.outbox import Pending
from protocol.envelope import Event
from protocol.messages import Refused, encode_body
from protocol.reasons import Reason
from protocol.topics import RequestKind
from tests.ha.cluster import PORTS, free_ports
from tests.ha.load import Order
from tests.ha.rules import breaches
from tests.ha.settings import DYNAMIC, NodePlan, database_url, etcd_command, patroni_settings
from tests.ha.table import BACK_S_MAX, Kill, summary, table
from tests.support.asks import Asks
from tests.support.kiosk_client import Sealed
from tests.support.worlds import NOW, insert_world, make_world

pytest_plugins = ("tests.support.databases",)

KILL = Kill(1, "node1", "node2", 7, 20.5, 19.0, 33.0, 1000, 950, 200)


def _plans(folder: Path) -> list[NodePlan]:
    return [NodePlan(f"node{number}", folder / f"node{number}", 20_000 + number, 21_000 + number) for number in (1, 2, 3)]


def _event(id: UUID, body: bytes) -> Event:
    return Event(id=id, source="/cloud", type="answer", time="2021-11-03T00:00:00Z", body=body, auth="")


def _order(id: UUID, vouchers: list[str]) -> Order:
    return Order(Sealed(RequestKind.REDEEM, _event(id, b"")), vouchers, 0.0, Pending(0.0))


def test_the_cluster_loses_no_order_and_the_lock_outlives_a_slow_round(tmp_path: Path) -> None:
    assert DYNAMIC["synchronous_mode"]
    assert DYNAMIC["synchronous_mode_strict"]
    assert DYNAMIC["loop_wait"] + 2 * DYNAMIC["retry_timeout"] <= DYNAMIC["ttl"] < BACK_S_MAX
    first, *_ = _plans(tmp_path)
    told = json.loads(patroni_settings(first, etcd_port=2379, binaries=Path("/pg/bin")))
    assert told["bootstrap"]["dcs"]["primary_start_timeout"] == 0
    assert told["postgresql"]["listen"] == "127.0.0.1:20001"
    assert told["postgresql"]["data_dir"] == str(first.database)
    assert all(str(tmp_path) in word or "127.0.0.1" in word for word in etcd_command(tmp_path, port=1, peer_port=2)[2:-1])


def test_the_cloud_is_told_of_every_node(tmp_path: Path) -> None:
    engine = make_engine(database_url(_plans(tmp_path)))
    _, parameters = engine.dialect.create_connect_args(engine.url)
    assert parameters["port"] == "20001,20002,20003"
    assert parameters["host"] == "127.0.0.1,127.0.0.1,127.0.0.1"
    assert parameters["target_session_attrs"] == "read-write"


def test_nodes_get_ports_of_their_own() -> None:
    ports = free_ports(8)
    assert len(set(ports)) == 8
    assert set(ports) <= set(PORTS)


def test_busy_is_no_answer_and_two_answers_are_noticed() -> None:
    order = _order(uuid4(), ["1"])
    busy, used = (encode_body(Refused(request_id=order.id, reason=reason)) for reason in (Reason.BUSY, Reason.ALREADY_REDEEMED))
    order.take(_event(order.id, busy), 1.0)
    assert order.answer is None
    for _ in range(2):
        order.take(_event(order.id, used), 2.0)
    assert (order.heard, order.answered_at, order.other) == (2, 2.0, [])
    order.take(_event(order.id, used + b" "), 3.0)
    assert len(order.other) == 1


@pytest.fixture
def played(sqlite_url: str) -> tuple[Engine, list[Order]]:
    """Two accepted orders and a refused one, and what their kiosks heard."""
    engine = make_engine(sqlite_url)
    world = insert_world(engine, make_world())
    maker, (one, two, *_) = Asks(world, world.shops[0]), world.numbers("stay-2021")
    wanted = [[one], [two], [one]]
    stored = answer_batch(make_ingest_store(engine), [maker.redeem(*numbers) for numbers in wanted], now=NOW)
    return engine, [_heard(answer, numbers) for answer, numbers in zip(stored, wanted, strict=True)]


def _heard(answer: StoredAnswer, vouchers: list[str]) -> Order:
    order = _order(answer.request_id, vouchers)
    order.take(_event(answer.request_id, answer.answer), 1.0)
    return order


def test_what_is_right_breaks_no_rule(played: tuple[Engine, list[Order]]) -> None:
    engine, orders = played
    assert [order.is_accepted for order in orders] == [True, True, False]
    assert breaches(orders, engine) == []
    engine.dispose()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (lambda orders: [*orders, _order(uuid4(), ["9"])], "without an answer"),
        (lambda orders: orders[1:], "no kiosk was told of"),
        (lambda orders: [replace(orders[0], other=[orders[1].answer]), *orders[1:]], "two different answers"),
        (lambda orders: [replace(orders[0], vouchers=["9"]), *orders[1:]], "not redeemed by them"),
        (lambda orders: [replace(orders[0], vouchers=orders[1].vouchers), *orders[1:]], "accepted twice"),
        (
            lambda orders: [replace(orders[0], request=_order(uuid4(), []).request), *orders[1:]],
            "the database does not know",
        ),
        (
            lambda orders: [replace(orders[0], answer=structs.replace(orders[0].answer, body=orders[0].answer.body + b" "))],
            "stored one",
        ),
    ],
)
def test_each_breach_is_named(played: tuple[Engine, list[Order]], wrong: object, named: str) -> None:
    engine, orders = played
    assert callable(wrong)
    assert named in " ".join(breaches(wrong(orders), engine))
    engine.dispose()


def test_the_table_has_a_line_per_kill_and_names_what_is_late() -> None:
    late = replace(KILL, number=2, back_s=BACK_S_MAX + 1, breaches=["1 vouchers accepted twice"])
    head, *lines = table([KILL, late]).splitlines()
    assert len(lines) == 3
    assert lines[0].index("node1 → node2") == head.index("primary")
    assert KILL.faults() == []
    assert late.faults() == ["kill 2: 1 vouchers accepted twice", "kill 2: orders after 26.0 s"]
    told = summary([KILL, late], late.faults(), seed=1)
    assert told["back_s"] == {"median": 23.25, "max": 26.0, "limit": 25.0}
    assert (told["orders"], told["accepted"], told["asked_again"], len(told["faults"])) == (2000, 1900, 400, 2)
    assert json.loads(json.dumps(summary([], ["x"], seed=1)))["back_s"] is None
