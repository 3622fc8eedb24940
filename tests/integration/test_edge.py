"""Kiosk → Mosquitto → ingest worker → database → answer, all real. What is accepted, what is refused, and by whom."""

import queue
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select

from cloud.adapters.sql.tables import device_presence, parked_message
from cloud.services.enrol import resume_device, revoke_device, suspend_device
from protocol.envelope import encode_properties
from protocol.limits import PACKET_BYTES_MAX
from protocol.messages import CheckAccepted, DeviceState, RedeemAccepted, Refused, Released, decode_answer
from protocol.reasons import Reason
from protocol.topics import LANES, DeviceAddress, RequestKind
from tests.support.edge import DIGITS, ITEM, Edge, running_edge
from tests.support.kiosk_client import KioskClient, wait_until

pytest_plugins = ("tests.support.databases",)

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def edge(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder = tmp_path_factory.mktemp("edge")
    database = folder / "cloud.sqlite3"
    database.write_bytes(sqlite_template.read_bytes())
    with running_edge(folder, f"sqlite:///{database}") as edge:
        yield edge


@pytest.fixture
def kiosk(edge: Edge) -> Iterator[KioskClient]:
    with edge.enrol() as kiosk:
        yield kiosk


def order(kiosk: KioskClient, *numbers: str, digits: str = DIGITS, total_twd: int = 2500):  # type: ignore[no-untyped-def]
    return kiosk.redeem(numbers, [digits] * len(numbers), total_twd=total_twd, item_category=ITEM)


def test_check_redeem_and_again(edge: Edge, kiosk: KioskClient) -> None:
    (number,) = edge.issue()
    visit_id = uuid4()
    checked = kiosk.ask(kiosk.check(number, DIGITS, visit_id=visit_id))
    assert isinstance(checked, CheckAccepted)
    assert checked.face_value_twd == 1000
    assert isinstance(kiosk.ask(kiosk.release([number], visit_id)), Released)
    request = order(kiosk, number)
    answer = kiosk.ask(request)
    assert isinstance(answer, RedeemAccepted)
    assert (answer.redeemed_twd, answer.topup_twd) == (1000, 1500)
    assert edge.redemptions_of(number) == [request.event.id]
    second = kiosk.ask(order(kiosk, number))
    assert isinstance(second, Refused)
    assert second.reason is Reason.ALREADY_REDEEMED


def test_a_repeat_is_answered_with_the_same_bytes(edge: Edge, kiosk: KioskClient) -> None:
    request = order(kiosk, *edge.issue(2))
    kiosk.send(request)
    first = kiosk.answer_to(request)
    for _ in range(3):
        kiosk.send(request)
        assert kiosk.answer_to(request) == first
    assert first.body == edge.stored_answer(request.event.id)


def test_duplicates_of_one_batch_are_all_answered_and_count_once(edge: Edge, kiosk: KioskClient) -> None:
    (number,) = edge.issue()
    request = order(kiosk, number)
    for _ in range(20):
        kiosk.send_quickly(request)
    answers = [kiosk.answer_to(request) for _ in range(20)]
    assert set(answers) == {answers[0]}
    assert edge.redemptions_of(number) == [request.event.id]


def test_wrong_digits(edge: Edge, kiosk: KioskClient) -> None:
    (number,) = edge.issue()
    answer = kiosk.ask(order(kiosk, number, digits="9999"))
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.NO_MATCH
    assert edge.redemptions_of(number) == []


def parked(edge: Edge) -> list[str]:
    with edge.engine.connect() as connection:
        return list(connection.scalars(select(parked_message.c.problem).order_by(parked_message.c.parked_id)))


def assert_parked(edge: Edge, kiosk: KioskClient, before: int, problem: str) -> None:
    wait_until(lambda: len(parked(edge)) > before, what="the message to be parked")
    assert problem in parked(edge)[-1]
    # The next honest request is answered, and it is the only one that is.
    (number,) = edge.issue()
    assert isinstance(kiosk.ask(order(kiosk, number)), RedeemAccepted)
    assert kiosk.answers.empty()


def test_a_wrong_proof_is_parked_and_not_answered(edge: Edge, kiosk: KioskClient) -> None:
    before = len(parked(edge))
    good = kiosk.check(edge.issue()[0], DIGITS)
    kiosk.send(kiosk.wrap(RequestKind.CHECK, good.event.id, good.event.body, key=kiosk.keys.answer))
    assert_parked(edge, kiosk, before, "proof")


def test_another_kiosks_message_on_ones_own_topic_is_parked(edge: Edge, kiosk: KioskClient) -> None:
    before = len(parked(edge))
    with edge.enrol() as other:
        stolen = other.check(edge.issue()[0], DIGITS)
    kiosk.send(stolen)
    assert_parked(edge, kiosk, before, "proof")


def test_another_site_on_ones_own_topic_is_parked(edge: Edge, kiosk: KioskClient) -> None:
    before = len(parked(edge))
    kiosk.send(kiosk.check(edge.issue()[0], DIGITS), topic=DeviceAddress("bar", kiosk.device_id).request(RequestKind.CHECK))
    assert_parked(edge, kiosk, before, "site")


def test_ones_own_topic_on_another_lane_is_parked(edge: Edge, kiosk: KioskClient) -> None:
    before = len(parked(edge))
    right = kiosk.address.request(RequestKind.CHECK)
    wrong = next(topic for lane in LANES if (topic := f"vk/v1/{lane}{right[7:]}") != right)
    kiosk.send(kiosk.check(edge.issue()[0], DIGITS), topic=wrong)
    assert_parked(edge, kiosk, before, "lane")


def test_no_attributes_at_all_is_parked(edge: Edge, kiosk: KioskClient) -> None:
    before = len(parked(edge))
    assert not kiosk.publish(kiosk.address.request(RequestKind.CHECK), b"\xff\xfe{").is_failure
    assert_parked(edge, kiosk, before, "missing")


def test_a_kind_that_does_not_exist_is_parked(edge: Edge, kiosk: KioskClient) -> None:
    before = len(parked(edge))
    request = kiosk.check(edge.issue()[0], DIGITS)
    kiosk.send(request, topic=kiosk.address.answers_filter.replace("rep/+", "req/refund"))
    assert_parked(edge, kiosk, before, "refund")


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[" * 3000, b'{"visit_id":"x"}', b"\xff" * 10])
def test_what_is_authentic_but_not_understood_is_answered_malformed_each_time_alike(
    edge: Edge, kiosk: KioskClient, body: bytes
) -> None:
    request = kiosk.wrap(RequestKind.REDEEM, uuid4(), body)
    answer = kiosk.ask(request)
    assert isinstance(answer, Refused)
    assert (answer.reason, answer.request_id) == (Reason.MALFORMED, request.event.id)
    kiosk.send(request)
    first = kiosk.answer_to(request)
    kiosk.send(request)
    assert kiosk.answer_to(request) == first


def test_digits_sealed_for_another_voucher_are_malformed(edge: Edge, kiosk: KioskClient) -> None:
    first, second = edge.issue(2)
    request = kiosk.check(first, DIGITS)
    moved = request.event.body.replace(first.encode(), second.encode())
    answer = kiosk.ask(kiosk.wrap(RequestKind.CHECK, request.event.id, moved))
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.MALFORMED


def test_a_type_that_does_not_fit_the_topic_is_malformed(edge: Edge, kiosk: KioskClient) -> None:
    request = kiosk.check(edge.issue()[0], DIGITS)
    odd = kiosk.wrap(RequestKind.CHECK, request.event.id, request.event.body, type="voucherkiosk.redeem.requested.v1")
    answer = kiosk.ask(odd)
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.MALFORMED


def test_the_broker_refuses_other_kiosks_topics(edge: Edge, kiosk: KioskClient) -> None:
    with edge.enrol() as other:
        request = kiosk.check(edge.issue()[0], DIGITS)
        for topic in (
            other.address.request(RequestKind.CHECK),
            other.address.connection,
            other.address.answer(RequestKind.CHECK),
            kiosk.address.answer(RequestKind.CHECK),
            "vk/v1/_fleet/keys",
            "$SYS/broker/version",
        ):
            assert kiosk.send(request, topic=topic).getName() == "Not authorized", topic
        assert other.answers.empty()


def test_a_kiosk_hears_its_own_answers_only(edge: Edge, kiosk: KioskClient) -> None:
    with edge.enrol() as spy:
        spy._client.subscribe("vk/v1/#", qos=1)
        spy._client.subscribe(kiosk.address.answers_filter, qos=1)
        own = spy.check(edge.issue()[0], DIGITS)
        assert isinstance(spy.ask(own), CheckAccepted)
        assert isinstance(kiosk.ask(order(kiosk, *edge.issue())), RedeemAccepted)
        last = spy.check(edge.issue()[0], DIGITS)
        assert isinstance(spy.ask(last), CheckAccepted)
        # Overlapping subscriptions deliver its own answers more than once, and nothing else.
        assert {event.id for event in spy.answers.queue} <= {own.event.id, last.event.id}


@pytest.mark.parametrize("change", [suspend_device, revoke_device])
def test_a_live_session_is_refused_from_the_moment_its_device_is_not_active(edge: Edge, kiosk: KioskClient, change) -> None:  # type: ignore[no-untyped-def]
    first, second = edge.issue(2)
    assert isinstance(kiosk.ask(order(kiosk, first)), RedeemAccepted)
    assert change(edge.fleet, kiosk.device_id, reason="test", now=NOW)
    refused = order(kiosk, second)
    answer = kiosk.ask(refused)
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.DEVICE_NOT_ACTIVE
    assert edge.redemptions_of(second) == []
    resumed = resume_device(edge.fleet, kiosk.device_id, reason="test", now=NOW)
    assert resumed == (change is suspend_device)


def test_an_oversize_message_reaches_nobody_and_stops_nobody(edge: Edge, kiosk: KioskClient) -> None:
    big = edge.enrol()
    with big:
        big._publish(big.address.request(RequestKind.CHECK), b"x" * (PACKET_BYTES_MAX + 1), [], 1, retain=False)
        wait_until(lambda: not big.connected, what="the broker to refuse the packet")
    assert isinstance(kiosk.ask(order(kiosk, *edge.issue())), RedeemAccepted)


def test_a_body_above_its_limit_is_parked(edge: Edge, kiosk: KioskClient) -> None:
    before = len(parked(edge))
    request = kiosk.check(edge.issue()[0], DIGITS)
    kiosk.publish(kiosk.address.request(RequestKind.CHECK), b" " * 4097, encode_properties(request.event))
    assert_parked(edge, kiosk, before, "4097")


def test_qos_0_is_not_taken(edge: Edge, kiosk: KioskClient) -> None:
    (number,) = edge.issue()
    kiosk.send(order(kiosk, number), qos=0)
    kiosk.sequence, kiosk.previous = 0, "0" * 64
    assert isinstance(kiosk.ask(kiosk.check(number, DIGITS)), CheckAccepted)
    assert edge.redemptions_of(number) == []


def test_a_flood_is_answered_busy_and_others_are_served(edge: Edge, kiosk: KioskClient) -> None:
    with edge.enrol() as flooder:
        numbers = edge.issue(901)
        # Only now the worker knows whose topic that is.
        assert isinstance(flooder.ask(flooder.release([numbers.pop()], uuid4())), Released)
        flood = [flooder.release([number], uuid4()) for number in numbers]
        for request in flood:
            flooder.send_quickly(request)
        begun = time.monotonic()
        assert isinstance(kiosk.ask(order(kiosk, *edge.issue())), RedeemAccepted)
        assert time.monotonic() - begun < 10

        def is_served() -> bool:
            try:
                return isinstance(flooder.ask(flood[-1], wait_s=1), Released)
            except queue.Empty:  # above its limit, and not told again
                return False

        while not isinstance(answer := decode_answer(flooder.answers.get(timeout=20).body), Refused):
            assert isinstance(answer, Released)
        assert answer.reason is Reason.BUSY
        # Busy is not final: the same request is served as soon as the limit has filled a little.
        wait_until(is_served, what="the flow limit to fill")


def test_presence_is_kept_from_the_devices_own_topic(edge: Edge, kiosk: KioskClient) -> None:
    def presence() -> tuple[str, int] | None:
        with edge.engine.connect() as connection:
            query = select(device_presence.c.state, device_presence.c.pending).where(
                device_presence.c.device_id == kiosk.device_id
            )
            row = connection.execute(query).one_or_none()
            return None if row is None else (row.state, row.pending)

    kiosk.report(DeviceState(state="online", pending=3, version="1"))
    wait_until(lambda: presence() == ("online", 3), what="the presence")
    before = len(parked(edge))
    kiosk.publish(kiosk.address.connection, b"nonsense")
    wait_until(lambda: len(parked(edge)) > before, what="nonsense to be parked")
    assert presence() == ("online", 3)
    kiosk.report(DeviceState(state="offline"))
    wait_until(lambda: presence() == ("offline", 0), what="the presence")


def test_the_log_holds_no_digits_no_numbers_and_one_line_per_entry(edge: Edge, kiosk: KioskClient) -> None:
    (number,) = edge.issue()
    kiosk.ask(order(kiosk, number, digits="☂☃☄☇"))
    kiosk.ask(kiosk.wrap(RequestKind.REDEEM, uuid4(), b"{}"))
    text = edge.worker.log.read_text()
    assert number not in text
    assert not set("☂☃☄☇") & set(text)
    assert all(line[:4].isdigit() for line in text.splitlines()), "every line begins with its date"
