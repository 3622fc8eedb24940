"""The worker's loop on fakes: what real parts cannot be made to do at will."""

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from cloud import ingest
from cloud.domain.records import Ask, StoredAnswer
from cloud.ingest import (
    AHEAD_AT_ONCE,
    BUSY_BURST_MAX,
    BUSY_PER_S_MAX,
    CRASH_POINTS,
    PARKED_BURST_MAX,
    REQUESTS_BURST_MAX,
    REQUESTS_PER_S_MAX,
    RETRY_MAX_S,
    TRIES_MAX,
    Ingest,
    IngestParts,
)
from cloud.ports.fleet import EnrolledDevice
from cloud.ports.ingest import Meanwhile
from cloud.ports.line import Delivery
from cloud.services.admit import KnownDevices
from protocol.envelope import device_source, make_event, request_type
from protocol.errors import PortError
from protocol.keys import agree
from protocol.messages import DeviceState, Refused, Release, Released, decode_answer, encode_body
from protocol.reasons import Reason
from protocol.topics import DeviceAddress, RequestKind
from tests.fakes.edge_parts import NOW, FakeClock, FakeFleet, FakeLine, FakeParking, FakeStop

ADDRESS = DeviceAddress("lobby", "kiosk-abcdef")
CLOUD, DEVICE = X25519PrivateKey.generate(), X25519PrivateKey.generate()
KEYS = agree(DEVICE.private_bytes_raw(), CLOUD.public_key().public_bytes_raw(), device_id=ADDRESS.device_id)


class Judge:
    """Releases everything; fails for chosen requests, or as often as told."""

    def __init__(self) -> None:
        self.batches: list[list[UUID]] = []
        self.poison: set[UUID] = set()
        self.failures: list[Exception] = []
        self.answers: dict[UUID, bytes] = {}
        self.at_work: Callable[[Meanwhile], object] = lambda _meanwhile: None

    def __call__(self, asks: Sequence[Ask], *, now: datetime, meanwhile: Meanwhile) -> Sequence[StoredAnswer]:
        self.batches.append([ask.request_id for ask in asks])
        self.at_work(meanwhile)
        if self.failures:
            raise self.failures.pop(0)
        if self.poison & {ask.request_id for ask in asks}:
            raise ZeroDivisionError("a fault of ours")
        return [
            StoredAnswer(
                ask.request_id,
                ask.sender_id,
                ask.kind,
                ask.body_hash,
                self.answers.get(ask.request_id) or encode_body(Released(request_id=ask.request_id)),
                now,
            )
            for ask in asks
        ]


class World:
    def __init__(self) -> None:
        self.line, self.judge, self.parking, self.stop = FakeLine(), Judge(), FakeParking(), FakeStop()
        self.fleet = FakeFleet([EnrolledDevice(ADDRESS.device_id, ADDRESS.site_id, DEVICE.public_key().public_bytes_raw())])
        self.clock, self.elapsed_s, self.passed = FakeClock(), 0.0, []  # type: ignore[var-annotated]
        self.worker = Ingest(
            IngestParts(
                line=self.line,
                judge=self.judge,
                fleet=self.fleet,
                parking=self.parking,
                devices=KnownDevices(self.fleet, CLOUD.private_bytes_raw()),
                digit_tag=lambda _number, _digits: os.urandom(32),
                clock=self.clock,
                elapsed_s=lambda: self.elapsed_s,
                reach=self.passed.append,
                stop=self.stop,
            )
        )

    def ask(self) -> UUID:
        request_id = uuid4()
        body = encode_body(Release(visit_id=uuid4(), vouchers=["123456789012"]))
        kind = RequestKind.RELEASE
        event = make_event(
            KEYS.request, id=request_id, source=device_source(ADDRESS.device_id), type=request_type(kind), time="t", body=body
        )
        self.line.arrive(ADDRESS.request(kind), event)
        return request_id

    def meet(self) -> None:
        """Let the worker come to know the kiosk: only then it knows whose topic that is."""
        self.ask()
        self.round()
        self.elapsed_s += 1.0

    def round(self) -> None:
        self.worker.work(self.line.take(ingest.BATCH_MAX - len(self.worker._next.deliveries), wait_s=0))

    def outcomes(self) -> dict[UUID, Reason | str]:
        found: dict[UUID, Reason | str] = {}
        for topic, event in self.line.published:
            assert topic == ADDRESS.answer(RequestKind.RELEASE)
            assert event.is_from(KEYS.answer)
            answer = decode_answer(event.body)
            found[event.id] = answer.reason if isinstance(answer, Refused) else "released"
        return found


@pytest.fixture
def world() -> World:
    return World()


def test_one_round_is_one_batch_answered_and_acknowledged(world: World) -> None:
    asked = [world.ask() for _ in range(7)]
    world.round()
    assert world.judge.batches == [asked]
    assert world.outcomes() == dict.fromkeys(asked, "released")
    assert world.line.unacknowledged == {}
    within = [point for point in CRASH_POINTS if point not in ("before_load", "before_save", "presence")]
    assert world.passed == within, "the two in the middle belong to the store"


def test_what_comes_while_the_database_is_at_work_is_proved_and_judged_in_the_next_round(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.meet()
    proved: list[object] = []
    honest = ingest.admit
    monkeypatch.setattr(ingest, "admit", lambda *given: proved.append(given) or honest(*given))
    later: list[UUID] = []
    at: list[tuple[int, int]] = []

    def at_work(meanwhile: Meanwhile) -> None:
        if not later:
            later.extend(world.ask() for _ in range(AHEAD_AT_ONCE + 1))
            assert [meanwhile(), meanwhile(), meanwhile()] == [True, True, False]
            at.append((len(proved), len(world.line.published)))

    world.judge.at_work = at_work
    first = world.ask()
    world.round()
    assert at == [(1 + AHEAD_AT_ONCE + 1, 1)], "proved, and nothing answered yet but the meeting"
    assert set(world.outcomes()) >= {first}
    assert not set(later) & set(world.outcomes())
    assert len(world.line.unacknowledged) == len(later)
    world.round()
    assert world.judge.batches[-2:] == [[first], later]
    assert set(world.outcomes()) >= set(later)
    assert world.line.unacknowledged == {}
    assert len(proved) == 1 + len(later), "once each"


def test_no_more_is_read_ahead_than_one_round_takes(world: World) -> None:
    world.meet()

    def at_work(meanwhile: Meanwhile) -> None:
        while meanwhile():
            pass

    world.judge.at_work = at_work
    for _ in range(3 * ingest.BATCH_MAX):
        world.ask()
    world.round()
    assert len(world.line.waiting) == ingest.BATCH_MAX


def test_a_kiosk_that_is_not_known_is_looked_up_in_its_own_round(world: World) -> None:
    world.meet()

    def at_work(meanwhile: Meanwhile) -> None:
        world.line.arrive_raw("vk/v1/b/lobby/kiosk-zzzzzz/req/release", b"?")
        assert meanwhile()

    world.judge.at_work = at_work
    world.ask()
    world.round()
    assert world.parking.parked == []
    world.worker.work([])
    assert len(world.parking.parked) == 1
    assert world.line.unacknowledged == {}


def test_what_was_read_ahead_waits_for_no_more(world: World) -> None:
    waits: list[tuple[int, float]] = []
    take = world.line.take

    def noted(count_max: int, *, wait_s: float) -> Sequence[Delivery]:
        waits.append((count_max, wait_s))
        if len(waits) == 3:
            world.stop.stopped = True
        return take(1, wait_s=wait_s)

    world.meet()
    asked = [world.ask() for _ in range(3)]
    world.judge.at_work = lambda meanwhile: meanwhile()
    object.__setattr__(world.line, "take", noted)
    object.__setattr__(world.line, "take_more", lambda count_max: take(count_max, wait_s=0))
    world.worker.run()
    assert set(world.outcomes()) >= set(asked)
    assert waits == [(ingest.BATCH_MAX, ingest.WAIT_S), (ingest.BATCH_MAX - 2, 0.0), (ingest.BATCH_MAX, ingest.WAIT_S)]


def test_nothing_is_acknowledged_before_everything_is_answered(world: World) -> None:
    for _ in range(3):
        world.ask()
    at: dict[str, tuple[int, int]] = {}
    reach: Callable[[str], None] = lambda point: at.update(  # noqa: E731
        {point: (len(world.line.published), len(world.line.acknowledged))}
    )
    object.__setattr__(world.worker._parts, "reach", reach)
    world.round()
    assert at["after_commit"] == (0, 0)
    assert at["after_first_answer"] == (1, 0)
    assert at["after_answers"] == (3, 0)
    assert at["after_first_ack"] == (3, 1)
    assert at["after_acks"] == (3, 3)


def test_a_database_that_is_away_is_waited_for_with_growing_pauses(world: World) -> None:
    asked = world.ask()
    world.judge.failures = [PortError("away", retry=True)] * 12
    world.round()
    assert world.outcomes() == {asked: "released"}
    assert world.stop.pauses_s == sorted(world.stop.pauses_s)
    assert len(world.stop.pauses_s) == 12
    assert world.stop.pauses_s[-1] == RETRY_MAX_S


def test_stopping_while_the_database_is_away_leaves_everything_unacknowledged(world: World) -> None:
    asked = world.ask()
    world.stop = FakeStop(pauses_max=3)
    object.__setattr__(world.worker._parts, "stop", world.stop)
    world.judge.failures = [PortError("away", retry=True)] * 9
    world.worker.run()
    assert world.line.published == []
    assert len(world.line.unacknowledged) == 1
    world.judge.failures.clear()
    world.line.reconnect()
    world.round()
    assert world.outcomes() == {asked: "released"}


def test_a_failure_that_waiting_does_not_heal_ends_the_worker(world: World) -> None:
    world.ask()
    world.judge.failures = [PortError("wrong schema", retry=False)]
    with pytest.raises(PortError, match="wrong schema"):
        world.worker.run()
    assert world.line.acknowledged == []


def test_a_poisonous_request_is_tried_three_times_parked_and_holds_nobody_up(world: World) -> None:
    asked = [world.ask() for _ in range(5)]
    world.judge.poison = {asked[2]}
    world.round()
    assert world.outcomes() == dict.fromkeys([*asked[:2], *asked[3:]], "released")
    assert sum(asked[2] in batch for batch in world.judge.batches) == TRIES_MAX
    (message,) = world.parking.parked
    assert message.topic == ADDRESS.request(RequestKind.RELEASE)
    assert str(TRIES_MAX) in message.problem
    assert world.line.unacknowledged == {}


def test_the_database_going_away_in_the_middle_of_single_tries_repeats_the_round(world: World) -> None:
    asked = [world.ask() for _ in range(2)]
    world.judge.failures = [ZeroDivisionError(), PortError("away", retry=True)]
    world.round()
    assert world.outcomes() == dict.fromkeys(asked, "released")
    assert world.parking.parked == []


def test_an_answer_that_is_too_long_is_parked_not_sent_and_not_repeated_for_ever(world: World) -> None:
    asked, honest = world.ask(), world.ask()
    world.judge.answers[asked] = b"x" * 5000
    world.round()
    assert world.outcomes() == {honest: "released"}
    assert len(world.parking.parked) == 1
    assert world.line.unacknowledged == {}


def test_a_message_that_brings_the_reader_down_is_parked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def burst(*_: object) -> None:
        raise MemoryError("a fault of ours")

    honest = world.ask()
    world.round()
    monkeypatch.setattr(ingest, "admit", burst)
    world.ask()
    world.round()
    assert list(world.outcomes()) == [honest]
    assert "reader" in world.parking.parked[0].problem
    assert world.line.unacknowledged == {}


def test_above_the_flow_limit_the_answer_is_busy_until_time_has_passed(world: World) -> None:
    world.meet()
    asked = [world.ask() for _ in range(REQUESTS_BURST_MAX + 3)]
    while world.line.waiting:
        world.round()
    outcomes = world.outcomes()
    assert [outcomes[one] for one in asked] == ["released"] * REQUESTS_BURST_MAX + [Reason.BUSY] * 3
    world.elapsed_s += 1.0
    later = world.ask()
    world.round()
    assert world.outcomes()[later] == "released"


def test_who_floods_is_told_a_few_times_and_everything_is_acknowledged(world: World) -> None:
    world.meet()
    for _ in range(REQUESTS_BURST_MAX + BUSY_BURST_MAX + 500):
        world.ask()
    while world.line.waiting:
        world.round()
    outcomes = list(world.outcomes().values())
    assert (outcomes.count("released"), outcomes.count(Reason.BUSY)) == (REQUESTS_BURST_MAX + 1, BUSY_BURST_MAX)
    assert world.line.unacknowledged == {}
    world.elapsed_s += 1.0
    for _ in range(int(REQUESTS_PER_S_MAX) + 100):
        world.ask()
    world.round()
    assert len(world.outcomes()) == len(outcomes) + int(REQUESTS_PER_S_MAX) + int(BUSY_PER_S_MAX)


def test_above_the_flow_limit_nothing_is_proved(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.meet()
    proved: list[object] = []
    honest = ingest.admit
    monkeypatch.setattr(ingest, "admit", lambda *given: proved.append(given) or honest(*given))
    for _ in range(REQUESTS_BURST_MAX + 50):
        world.ask()
    while world.line.waiting:
        world.round()
    assert len(proved) == REQUESTS_BURST_MAX


def test_messages_that_nobody_can_prove_use_up_no_other_kiosks_allowance(world: World) -> None:
    world.meet()
    for _ in range(REQUESTS_BURST_MAX * 2):
        world.line.arrive_raw("vk/v1/b/lobby/kiosk-zzzzzz/req/release", b"?")
        world.line.arrive_raw("vk/v1/b/elsewhere/kiosk-abcdef/req/release", b"?")
    asked = world.ask()
    while world.line.waiting:
        world.round()
    assert world.outcomes()[asked] == "released"


def test_rubbish_is_written_up_to_a_limit_and_then_only_counted(world: World) -> None:
    for _ in range(PARKED_BURST_MAX + 200):
        world.line.arrive_raw("vk/v1/b/lobby/kiosk-abcdef/req/check", b"?")
    while world.line.waiting:
        world.round()
    assert len(world.parking.parked) == PARKED_BURST_MAX
    assert world.line.unacknowledged == {}
    assert world.line.published == []


def test_a_device_is_looked_up_once(world: World) -> None:
    for _ in range(4):
        world.ask()
        world.round()
    assert world.fleet.queries == 1


def test_a_device_that_is_enrolled_later_is_found(world: World) -> None:
    device = world.fleet.devices.pop(ADDRESS.device_id)
    world.ask()
    world.round()
    assert "no such device" in world.parking.parked[0].problem
    world.fleet.devices[ADDRESS.device_id] = device
    asked = world.ask()
    world.round()
    assert world.outcomes() == {asked: "released"}


def test_presence_is_noted_with_the_clouds_time_and_old_news_is_marked(world: World) -> None:
    body = encode_body(DeviceState(state="lost", pending=4))
    world.line.arrive_raw(ADDRESS.connection, body)
    world.line.arrive_raw(ADDRESS.connection, body, retained=True)
    world.line.arrive_raw(ADDRESS.connection, b"{")
    world.round()
    assert [(one.state, one.pending, one.seen_at, one.remembered) for one in world.fleet.presences] == [
        ("lost", 4, NOW, False),
        ("lost", 4, NOW, True),
    ]
    assert len(world.parking.parked) == 1
    assert world.passed == ["presence"], "a round without requests passes no other point"
    assert world.line.unacknowledged == {}


def test_answers_leave_before_presence_is_noted_and_nothing_stays_behind(world: World) -> None:
    world.ask()
    world.line.arrive_raw(ADDRESS.connection, encode_body(DeviceState(state="online")))
    at: dict[str, tuple[int, int]] = {}

    def reach(point: str) -> None:
        at[point] = world.line.flushed

    object.__setattr__(world.worker._parts, "reach", reach)
    world.round()
    assert at["after_commit"] == (0, 0)
    assert at["after_answers"] == at["presence"] == (1, 0)
    assert at["after_acks"] == (1, 2)


def test_nothing_is_acknowledged_on_another_connection(world: World) -> None:
    world.ask()
    taken = world.line.take(10, wait_s=0)
    world.line.reconnect()
    world.worker.work(taken)
    assert world.line.acknowledged == []
    world.round()
    assert len(world.line.acknowledged) == 1
    assert len(set(world.line.published)) == 1, "asked twice, answered twice, the same"
