"""What the programs tell their meters, on a fake that remembers."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import redemption
from cloud.domain.calendar import Period
from cloud.ingest import PARKED_BURST_MAX, REQUESTS_BURST_MAX
from cloud.schedule import ScheduleParts, run_schedule
from cloud.services.sign_in import LOGIN_TRIES_MAX
from protocol.errors import PortError, ProtocolError
from protocol.messages import (
    CheckAccepted,
    RedeemAccepted,
    Refusal,
    Refused,
    Released,
    decode_answer,
    decode_reason,
    encode_body,
)
from protocol.reasons import Reason
from protocol.topics import RequestKind
from tests.fakes.cloud_retention import nobody_to_forget
from tests.fakes.edge_parts import FakeClock, FakeStop
from tests.fakes.meters import FakeMeters
from tests.support.web import Site, open_site, with_parts
from tests.unit.test_ingest_loop import World

pytest_plugins = ("tests.support.databases",)


class MeteredWorld(World):
    def __init__(self) -> None:
        super().__init__()
        self.meters = FakeMeters()
        object.__setattr__(self.worker._parts, "meters", self.meters)

    def rounds(self) -> None:
        while self.line.waiting:
            self.round()


@pytest.fixture
def world() -> MeteredWorld:
    return MeteredWorld()


def test_a_round_is_told_from_its_oldest_message_to_the_acknowledgement(world: MeteredWorld) -> None:
    for world.line.elapsed_s in (3.0, 4.0, 5.0):
        world.ask()
    world.elapsed_s = 6.0
    world.round()
    assert world.meters.told == [("took", 3, 3.0), ("committed", 0.0), ("answered",), ("finished",)]
    assert world.meters.outcomes == {(RequestKind.RELEASE, None): 3}


def test_a_commit_is_timed_from_the_first_read_and_failures_are_told_apart(world: MeteredWorld) -> None:
    world.ask()
    world.judge.failures = [PortError("away", retry=True)] * 2
    seconds = iter((10.0, 20.0, 30.0, 30.25))  # three beginnings, one commit
    object.__setattr__(world.worker._parts, "elapsed_s", lambda: next(seconds))
    world.round()
    assert world.meters.told[1:4] == [("retried",), ("retried",), ("committed", 0.25)]


def test_a_round_that_is_stopped_is_not_finished(world: MeteredWorld) -> None:
    world.ask()
    object.__setattr__(world.worker._parts, "stop", FakeStop(pauses_max=1))
    world.judge.failures = [PortError("away", retry=True)] * 9
    world.worker.run()
    assert ("finished",) not in world.meters.told
    assert world.meters.outcomes == {}


def test_answers_are_counted_by_kind_and_reason(world: MeteredWorld) -> None:
    world.meet()
    refused = world.ask()
    world.judge.answers[refused] = encode_body(Refused(request_id=refused, reason=Reason.DEVICE_NOT_ACTIVE))
    for _ in range(REQUESTS_BURST_MAX + 1):
        world.ask()
    world.rounds()
    assert world.meters.outcomes == {
        (RequestKind.RELEASE, Reason.DEVICE_NOT_ACTIVE): 1,
        (RequestKind.RELEASE, None): REQUESTS_BURST_MAX,
        (RequestKind.RELEASE, Reason.BUSY): 2,
    }


def test_a_stored_answer_that_cannot_be_read_is_parked_and_holds_nobody_up(world: MeteredWorld) -> None:
    broken, honest = world.ask(), world.ask()
    world.judge.answers[broken] = b"{"
    world.round()
    assert list(world.outcomes()) == [honest]
    assert ("parked", 1, 0) in world.meters.told


def test_parked_messages_are_counted_beyond_what_is_kept(world: MeteredWorld) -> None:
    for _ in range(PARKED_BURST_MAX + 200):
        world.line.arrive_raw("vk/v1/b/lobby/kiosk-abcdef/req/check", b"?")
    world.rounds()
    parked = [(told[1], told[2]) for told in world.meters.told if told[0] == "parked"]
    assert tuple(map(sum, zip(*parked, strict=True))) == (PARKED_BURST_MAX, 200)


def test_a_reason_is_read_as_the_whole_answer_says_it() -> None:
    request_id = uuid4()
    answers = [
        CheckAccepted(request_id=request_id, voucher_no="1" * 12, face_value_twd=1, hold_until="t", programme_id="p"),
        RedeemAccepted(
            request_id=request_id,
            reference="r",
            redeemed_at="t",
            voucher_count=1,
            redeemed_twd=1,
            order_total_twd=1,
            topup_twd=0,
        ),
        Released(request_id=request_id),
        *(Refused(request_id=request_id, reason=reason) for reason in Reason),
        Refused(
            request_id=request_id,
            reason=Reason.NO_MATCH,
            refusals=[Refusal(voucher_no="1" * 12, reason=Reason.EXPIRED)],
        ),
    ]
    for answer in answers:
        body = encode_body(answer)
        assert decode_reason(body) == getattr(decode_answer(body), "reason", None)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"reason":"nonsense"}', b"\xff", b'{"a":' + b"[" * 3000])
def test_what_is_no_answer_has_no_reason(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_reason(body)


# Schedule ---------------------------------------------------------------------------------------------------------------

SALE = datetime(2021, 11, 3, 4, 0, tzinfo=UTC)
WEEK = Period(date(2021, 11, 3))


@pytest.fixture
def sold(sqlite_url: str) -> Iterator[Engine]:
    """A database with one redemption, in the week from 3 November 2021."""
    engine = make_engine(sqlite_url)
    row = {"programme_id": "autumn", "merchant_id": "inn", "site_id": "lobby", "device_id": "kiosk-abcdef"}
    sums = {"order_total_twd": 1000, "voucher_count": 1, "redeemed_twd": 1000, "topup_twd": 0}
    with engine.begin() as connection:
        connection.execute(
            redemption.insert().values(redemption_id=uuid4(), item_category="night", redeemed_at=SALE, **row, **sums)
        )
    yield engine
    engine.dispose()


def test_the_scheduler_tells_what_it_closed_and_what_is_next(sold: Engine) -> None:
    meters = FakeMeters()
    stop = FakeStop(pauses_max=1)
    run_schedule(ScheduleParts(SqlSettlementStore(sold), FakeClock(WEEK.ends_at), stop, nobody_to_forget(), meters=meters))
    assert meters.told == [("settled", WEEK.ends_at), ("due", WEEK.following.ends_at)]


def test_a_scheduler_that_fails_keeps_the_week_due(sold: Engine) -> None:
    class Away:
        def find_open_period(self) -> None:
            raise PortError("away", retry=True)

    meters = FakeMeters()
    parts = ScheduleParts(Away(), FakeClock(WEEK.ends_at), FakeStop(pauses_max=2), nobody_to_forget(), meters=meters)  # type: ignore[arg-type]
    run_schedule(parts)
    assert meters.told == []


# Pages ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def site(sqlite_url: str) -> Iterator[Site]:
    engine = make_engine(sqlite_url)
    yield with_parts(open_site(engine), meters=FakeMeters())
    engine.dispose()


def told(site: Site) -> list[tuple[object, ...]]:
    assert isinstance(site.parts.meters, FakeMeters)
    return site.parts.meters.told


def test_requests_are_counted_by_template_and_status(site: Site) -> None:
    visitor = site.visitor()
    for path in ("/", "/v/123456789012?k=1&s=2", "/no/such/page", "/static/style.css", "/sign-in/attic"):
        visitor.get(path)
    visitor.client.open("/", method="BREW").close()
    assert told(site) == [
        ("requested", "/", 200),
        ("requested", "/v/<voucher_no>", 302),
        ("requested", None, 404),
        ("requested", "/static/<path:filename>", 200),
        ("requested", "/sign-in/<door>", 404),
        ("requested", None, 405),
    ]


def test_a_page_that_fails_is_counted_too(site: Site) -> None:
    class Broken:
        def __getattr__(self, name: str) -> None:
            raise ZeroDivisionError(name)

    broken = with_parts(site, reports=Broken())
    visitor = broken.visitor("boan-admin")
    visitor.get("/merchant/claims")
    assert told(broken)[-1] == ("requested", "/merchant/claims", 500)


def test_refused_sign_ins_are_counted_by_cause(site: Site) -> None:
    visitor = site.visitor()
    for _ in range(LOGIN_TRIES_MAX + 1):
        visitor.sign_in("lodging", "boan", "guess")
    refused = [entry[1] for entry in told(site) if entry[0] == "sign_in_refused"]
    assert refused == [False] * LOGIN_TRIES_MAX + [True]
