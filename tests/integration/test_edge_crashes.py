"""The worker killed at every named point, the broker robbed of its store: nothing is lost, nothing counts twice."""

import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import select

from cloud.adapters.sql.tables import device_presence, inbox
from cloud.ingest import CRASH_POINTS
from protocol.envelope import Event
from protocol.messages import DeviceState, RedeemAccepted, Refused, decode_answer
from protocol.reasons import Reason
from tests.support.edge import DIGITS, ITEM, Edge, running_edge
from tests.support.kiosk_client import KioskClient, Sealed, wait_until

pytest_plugins = ("tests.support.databases",)

UNACKNOWLEDGED = CRASH_POINTS[: CRASH_POINTS.index("after_answers") + 1]
"""Points at which the broker still owes the worker the message."""


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def edge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder = tmp_path_factory.mktemp(f"edge-{request.param}")
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        (folder / "cloud.sqlite3").write_bytes(template.read_bytes())
        url = f"sqlite:///{folder / 'cloud.sqlite3'}"
    else:
        cluster = request.getfixturevalue("postgres")
        url = cluster.url(cluster.make_database(request.getfixturevalue("postgres_template")))
    with running_edge(folder, url, worker=False) as edge:
        yield edge


def order(kiosk: KioskClient, number: str) -> Sealed:
    return kiosk.redeem([number], [DIGITS], total_twd=1500, item_category=ITEM)


def answers_so_far(kiosk: KioskClient) -> list[Event]:
    found = []
    try:
        while True:
            found.append(kiosk.answers.get_nowait())
    except queue.Empty:
        return found


@pytest.mark.parametrize("point", [point for point in CRASH_POINTS if point != "presence"])
def test_killed_at_a_named_point(edge: Edge, point: str) -> None:
    (number,) = edge.issue()
    with edge.enrol() as kiosk:
        edge.worker.start(crash_at=point)
        request = order(kiosk, number)
        kiosk.send(request)
        edge.worker.wait_killed()
        edge.worker.start()
        if point in UNACKNOWLEDGED:
            kiosk.answer_to(request)  # the broker delivers again: nobody had to ask twice
        early = answers_so_far(kiosk)
        kiosk.send(request)
        answer = kiosk.answer_to(request)
        assert all(event == answer for event in early), "every answer that ever came is the same, byte for byte"
        assert isinstance(decode_answer(answer.body), RedeemAccepted)
        assert answer.body == edge.stored_answer(request.event.id)
        assert edge.redemptions_of(number) == [request.event.id]
        second = kiosk.ask(order(kiosk, number))
        assert isinstance(second, Refused)
        assert second.reason is Reason.ALREADY_REDEEMED
    edge.worker.stop()


def test_killed_after_noting_presence(edge: Edge) -> None:
    with edge.enrol() as kiosk:
        edge.worker.start(crash_at="presence")
        kiosk.report(DeviceState(state="online", pending=2))
        edge.worker.wait_killed()
        edge.worker.start()
        kiosk.report(DeviceState(state="online", pending=1))

        def pending() -> int | None:
            query = select(device_presence.c.pending).where(device_presence.c.device_id == kiosk.device_id)
            with edge.engine.connect() as connection:
                return connection.scalar(query)

        wait_until(lambda: pending() == 1, what="the presence")
    edge.worker.stop()


def test_killed_again_and_again_on_the_way_to_one_answer(edge: Edge) -> None:
    (number,) = edge.issue()
    with edge.enrol() as kiosk:
        edge.worker.start(crash_at="before_save")
        request = order(kiosk, number)
        kiosk.send(request)
        for crash_at in ("after_commit", "after_first_answer", "after_answers"):
            edge.worker.wait_killed()
            edge.worker.start(crash_at=crash_at)
        edge.worker.wait_killed()
        edge.worker.start()
        # A worker killed right after handing an answer to its client may die before a byte left: only the last one is sure.
        answer = kiosk.answer_to(request)
        assert {event.body for event in answers_so_far(kiosk)} <= {answer.body}
        assert answer.body == edge.stored_answer(request.event.id)
        assert edge.redemptions_of(number) == [request.event.id]
    edge.worker.stop()


def test_the_broker_is_killed_and_its_store_deleted_with_requests_open(edge: Edge) -> None:
    numbers = edge.issue(30)
    with edge.enrol() as kiosk:
        edge.worker.start()
        requests = [order(kiosk, number) for number in numbers]
        for position, request in enumerate(requests):
            kiosk.send_quickly(request)
            if position == 15:
                heard = edge.worker.listenings()
                edge.broker.kill()
                edge.broker.delete_store()
                edge.broker.start()
        edge.worker.wait_listening_again(heard)
        wait_until(lambda: kiosk.connected, what="the kiosk to be connected again")
        first: dict[object, Event] = {event.id: event for event in answers_so_far(kiosk)}
        for request in requests:  # as an outbox would, for whatever has no answer yet; here for all
            kiosk.send(request)
            answer = kiosk.answer_to(request)
            assert first.setdefault(request.event.id, answer) == answer
        assert all(isinstance(decode_answer(event.body), RedeemAccepted) for event in first.values())
        assert [edge.redemptions_of(number) for number in numbers] == [[request.event.id] for request in requests]
    edge.worker.stop()


def test_a_request_that_came_while_no_worker_ran_is_answered_by_the_next(edge: Edge) -> None:
    (number,) = edge.issue()
    edge.worker.start()
    assert edge.worker.stop() == 0
    with edge.enrol() as kiosk:
        request = order(kiosk, number)
        assert not kiosk.send(request).is_failure
        edge.worker.start()
        assert isinstance(decode_answer(kiosk.answer_to(request).body), RedeemAccepted)
    edge.worker.stop()


def test_a_stop_in_the_middle_of_a_burst_loses_nothing(edge: Edge) -> None:
    with ExitStack() as stack:
        # Each stays below its own limit, all together fill a worker's rounds.
        kiosks = [stack.enter_context(edge.enrol()) for _ in range(4)]
        edge.worker.start()
        sent = [(kiosk, order(kiosk, number)) for kiosk in kiosks for number in edge.issue(50)]
        for kiosk, request in sent:
            kiosk.send_quickly(request)
        first, asked_first = sent[0]
        first.answer_to(asked_first)
        assert edge.worker.stop() == 0
        edge.worker.start()
        seen = {asked_first.event.id}
        end = time.monotonic() + 20
        for kiosk in kiosks:
            own = {request.event.id for sender, request in sent if sender is kiosk}
            while not own <= seen:
                seen.add(kiosk.answers.get(timeout=max(0.01, end - time.monotonic())).id)
    edge.worker.stop()


def test_the_database_goes_away_for_a_while(edge: Edge) -> None:
    (number,) = edge.issue()
    edge.worker.start()
    with edge.enrol() as kiosk:
        assert isinstance(kiosk.ask(order(kiosk, *edge.issue())), RedeemAccepted)
        before = edge.count(inbox)
        with _blocked(edge):
            request = order(kiosk, number)
            kiosk.send(request)
            wait_until(lambda: "trying again" in edge.worker.log.read_text(), what="the worker to notice", wait_s=40)
            assert kiosk.answers.empty()
        assert isinstance(decode_answer(kiosk.answer_to(request, wait_s=40).body), RedeemAccepted)
        assert edge.count(inbox) == before + 1
    edge.worker.stop()


class _blocked:  # noqa: N801 - reads as a verb
    """The database refuses to work: its tables are locked by somebody else for longer than anyone waits."""

    def __init__(self, edge: Edge) -> None:
        self._connection = edge.engine.connect()

    def __enter__(self) -> None:
        self._connection.begin()  # on SQLite this is BEGIN IMMEDIATE: nobody else writes
        if self._connection.dialect.name == "postgresql":
            self._connection.exec_driver_sql("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")

    def __exit__(self, *_: object) -> None:
        self._connection.rollback()
        self._connection.close()


@pytest.mark.parametrize("edge", ["sqlite"], indirect=True)
def test_a_stop_while_the_database_is_away_ends_in_time(edge: Edge) -> None:
    edge.worker.start()
    with edge.enrol() as kiosk:
        kiosk.ask(order(kiosk, *edge.issue()))
        heard = edge.worker.log.read_text().count("trying again")
        request = order(kiosk, *edge.issue())
        with _blocked(edge):
            kiosk.send(request)
            wait_until(lambda: edge.worker.log.read_text().count("trying again") > heard, what="a retry", wait_s=40)
            begun = time.monotonic()
            stopping = threading.Thread(target=edge.worker.stop)
            stopping.start()
            stopping.join(18)
            assert not stopping.is_alive()
            assert time.monotonic() - begun < 18
        edge.worker.start()
        assert isinstance(decode_answer(kiosk.answer_to(request).body), RedeemAccepted)
    assert edge.worker.stop() in (0, -signal.SIGTERM)


@pytest.mark.parametrize("edge", ["sqlite"], indirect=True)
def test_sqlite_takes_one_worker(edge: Edge) -> None:
    edge.worker.start()
    second = subprocess.run(
        [sys.executable, "-m", "cloud", "--config", str(edge.folder / "cloud.toml"), "ingest"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert second.stderr.decode().splitlines()[-1].startswith("another ingest worker works on ")
    edge.worker.kill()
    edge.worker.start()  # a killed one leaves nothing behind
    assert edge.worker.stop() == 0
