"""Several ingest workers on one broker or two, on PostgreSQL: sessions move, and nothing is lost or answered in two ways."""

import os
import queue
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from cloud.adapters.postgres_session_locks import lock_class
from protocol.envelope import Event
from protocol.messages import RedeemAccepted, Refused, decode_answer
from protocol.reasons import Reason
from protocol.topics import LANES, lane_of
from tests.support.broker import running_broker
from tests.support.edge import DIGITS, ITEM, Edge, Worker, running_edge
from tests.support.kiosk_client import KioskClient, Sealed, wait_until

pytest_plugins = ("tests.support.databases",)

SESSIONS = 4
WAIT_S = 60.0
"""For things of which several happen one after the other, each with a limit of its own."""


@pytest.fixture
def edge(tmp_path: Path, postgres_url: str) -> Iterator[Edge]:
    with running_edge(tmp_path, postgres_url, worker=False, sessions=SESSIONS) as edge:
        yield edge


def order(kiosk: KioskClient, number: str) -> Sealed:
    return kiosk.redeem([number], [DIGITS], total_twd=1500, item_category=ITEM)


def wait_shared_out(*workers: Worker, sessions: int = SESSIONS) -> None:
    """Wait until the workers hold all sessions, none of them twice, none more than its share."""
    share = -(-sessions // len(workers))

    def are_shared_out() -> bool:
        held = [worker.held()[-1] if worker.held() else frozenset() for worker in workers]
        return sorted(session for some in held for session in some) == list(range(sessions)) and max(map(len, held)) <= share

    wait_until(are_shared_out, what="the sessions to be shared out", wait_s=WAIT_S)


@contextmanager
def kiosks_on_all_sessions(edge: Edge) -> Iterator[list[KioskClient]]:
    """Enrol kiosks until every session has at least two."""
    with ExitStack() as stack:
        kiosks: list[KioskClient] = []
        wanted = dict.fromkeys(range(SESSIONS), 2)
        while any(count > 0 for count in wanted.values()):
            kiosk = edge.enrol()
            session = LANES.index(lane_of(kiosk.device_id)) % SESSIONS
            if wanted[session] > 0:
                wanted[session] -= 1
                kiosks.append(stack.enter_context(kiosk))
        yield kiosks


class Asked:
    """Requests on their way, and every answer that came."""

    def __init__(self) -> None:
        self.open: dict[object, tuple[KioskClient, Sealed, str]] = {}
        self.answers: dict[object, set[bytes]] = {}

    def ask(self, kiosk: KioskClient, number: str) -> None:
        request = order(kiosk, number)
        self.open[request.event.id] = (kiosk, request, number)
        self.answers[request.event.id] = set()
        kiosk.send_quickly(request)

    def wait_answered(self, *, again_s: float = 20.0) -> None:
        """Wait for all; what has no answer for long is asked again, as an outbox would."""
        end, again_at = time.monotonic() + WAIT_S, time.monotonic() + again_s
        while missing := [one for request_id, one in self.open.items() if not self.answers[request_id]]:
            assert time.monotonic() < end, f"{len(missing)} of {len(self.open)} requests have no answer"
            if time.monotonic() > again_at:
                again_at = time.monotonic() + again_s
                for kiosk, request, _ in missing:
                    kiosk.send_quickly(request)
            self._hear()
            time.sleep(0.01)  # between two looks
        self._hear()

    def _hear(self) -> None:
        for kiosk in {kiosk.device_id: kiosk for kiosk, _, _ in self.open.values()}.values():
            for event in _heard(kiosk):
                assert event.is_from(kiosk.keys.answer)
                self.answers[event.id].add(event.body)

    def check(self, edge: Edge) -> None:
        """Every request has one answer, however often it came, and every voucher is used once."""
        for request_id, (_, request, number) in self.open.items():
            (answer,) = self.answers[request_id]
            assert isinstance(decode_answer(answer), RedeemAccepted)
            assert answer == edge.stored_answer(request.event.id)
            assert edge.redemptions_of(number) == [request_id]


def _heard(kiosk: KioskClient) -> Iterator[Event]:
    try:
        while True:
            yield kiosk.answers.get_nowait()
    except queue.Empty:
        return


def ask_all(edge: Edge, kiosks: Sequence[KioskClient], *, each: int = 1) -> Asked:
    asked = Asked()
    for number, kiosk in zip(edge.issue(each * len(kiosks)), list(kiosks) * each, strict=True):
        asked.ask(kiosk, number)
    return asked


def all_are_answered(edge: Edge, kiosks: Sequence[KioskClient]) -> None:
    asked = ask_all(edge, kiosks)
    asked.wait_answered()
    asked.check(edge)


def thrown_out(edge: Edge) -> int:
    """How often the broker threw out a worker because another connected under its name."""
    return sum("cloud-ingest" in line and "already connected" in line for line in edge.broker.log.read_text().splitlines())


def lock_connections(edge: Edge, *, of_session: int | None = None) -> list[int]:
    """Server processes that hold workers' locks: of all, or of whoever holds that session."""
    query = (
        "SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted "
        "AND classid::bigint = %s AND (%s::bigint IS NULL OR objid::bigint = %s)"
    )
    with psycopg.connect(edge.database_url) as connection:
        found = connection.execute(query, [lock_class("main") & 0xFFFFFFFF, of_session, of_session]).fetchall()
    return [pid for (pid,) in found]


def cut(edge: Edge, pids: Sequence[int]) -> None:
    with psycopg.connect(edge.database_url) as connection:
        for pid in pids:
            connection.execute("SELECT pg_terminate_backend(%s)", [pid])


def log_grows(worker: Worker, text: str) -> Callable[[], bool]:
    before = worker.text.count(text)
    return lambda: worker.text.count(text) > before


def test_a_worker_that_joins_gets_its_share_and_one_that_goes_leaves_it(edge: Edge) -> None:
    first, second = edge.worker, edge.another_worker()
    first.start()
    wait_shared_out(first)
    with kiosks_on_all_sessions(edge) as kiosks:
        all_are_answered(edge, kiosks)
        asked = ask_all(edge, kiosks, each=10)
        second.start()
        wait_shared_out(first, second)
        asked.wait_answered()
        asked.check(edge)
        all_are_answered(edge, kiosks)
        asked = ask_all(edge, kiosks, each=10)
        assert first.stop() == 0
        wait_shared_out(second)
        asked.wait_answered()
        asked.check(edge)
        all_are_answered(edge, kiosks)
    assert thrown_out(edge) == 0, "whoever gives a session back has disconnected before another takes it"
    assert second.stop() == 0


def test_one_of_two_is_killed_under_load_and_another_comes(edge: Edge) -> None:
    first, second, third = edge.worker, edge.another_worker(), edge.another_worker()
    first.start()
    second.start()
    wait_shared_out(first, second)
    with kiosks_on_all_sessions(edge) as kiosks:
        asked = ask_all(edge, kiosks, each=20)
        first.kill()
        for number, kiosk in zip(edge.issue(5 * len(kiosks)), kiosks * 5, strict=True):
            asked.ask(kiosk, number)
        wait_shared_out(second)
        third.start()
        wait_shared_out(second, third)
        asked.wait_answered()
        asked.check(edge)
        all_are_answered(edge, kiosks)
    assert second.stop() == 0
    assert third.stop() == 0


def test_who_loses_its_locks_lets_go_and_nobody_throws_the_other_out_again_and_again(edge: Edge) -> None:
    first, second = edge.worker, edge.another_worker()
    first.start()
    second.start()
    wait_shared_out(first, second)
    with kiosks_on_all_sessions(edge) as kiosks:
        all_are_answered(edge, kiosks)
        (session, *_) = first.held()[-1]
        lets_go = log_grows(first, "let go until their locks are held again")
        holds = log_grows(first, "holding sessions")
        asked = ask_all(edge, kiosks, each=10)
        cut(edge, lock_connections(edge, of_session=session))
        wait_until(lets_go, what="the worker to let go")
        wait_until(holds, what="the worker to be back")
        wait_shared_out(first, second)
        asked.wait_answered()
        asked.check(edge)
        assert thrown_out(edge) <= SESSIONS // 2, "at most once per session, by who was quicker than the farewell"
        both = log_grows(first, "holding sessions"), log_grows(second, "holding sessions")
        cut(edge, lock_connections(edge))
        wait_until(lambda: all(each() for each in both), what="both to be back")
        wait_shared_out(first, second)
        all_are_answered(edge, kiosks)
        assert thrown_out(edge) <= SESSIONS + SESSIONS // 2
    assert first.stop() == 0
    assert second.stop() == 0


def test_a_worker_that_slept_does_not_take_back_what_another_holds_now(edge: Edge) -> None:
    first, second = edge.worker, edge.another_worker()
    first.start()
    second.start()
    wait_shared_out(first, second)
    slept = first.held()[-1]
    with kiosks_on_all_sessions(edge) as kiosks:
        os.kill(first.pid, signal.SIGSTOP)
        try:
            cut(edge, lock_connections(edge, of_session=min(slept)))
            wait_shared_out(second)
            all_are_answered(edge, kiosks)
            assert thrown_out(edge) <= len(slept)
        finally:
            os.kill(first.pid, signal.SIGCONT)
        wait_shared_out(first, second)
        all_are_answered(edge, kiosks)
        assert thrown_out(edge) <= len(slept), "once per session that was taken from the sleeper, and never by the sleeper"
    assert first.stop() == 0
    assert second.stop() == 0


def test_two_regions_each_with_its_broker_feed_one_database(edge: Edge) -> None:
    with running_broker(edge.folder / "broker-south", edge.authority) as southern:
        north = edge.worker
        south = edge.another_worker(edge.write_config(broker=southern, region="south"))
        north.start()
        south.start()
        wait_shared_out(north)
        wait_shared_out(south)
        number, other = edge.issue(2)
        with edge.enrol() as here, edge.enrol("bar", broker=southern) as there:
            assert isinstance(here.ask(order(here, number)), RedeemAccepted)
            refused = there.ask(order(there, number))
            assert isinstance(refused, Refused)
            assert refused.reason is Reason.ALREADY_REDEEMED
            assert isinstance(there.ask(order(there, other)), RedeemAccepted)
            assert north.stop() == 0
            assert isinstance(there.ask(order(there, *edge.issue())), RedeemAccepted)
        assert south.held() == [frozenset(range(SESSIONS))], "a region shares nothing out with another"
        assert south.stop() == 0
