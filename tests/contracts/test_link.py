"""What every link must keep: the fake one, and the one on paho with a real Mosquitto."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.envelope import Event
from protocol.limits import BODY_BYTES_MAX
from protocol.messages import DeviceState, encode_body
from protocol.reasons import Reason
from protocol.topics import RequestKind
from tests.support.kiosk import accepted, answer_event, make_redeem, refused, request_id
from tests.support.kiosk_line import FakeLine, Line, mqtt_line

STATE = encode_body(DeviceState(state="online", boot_id="boot", version="1", pending=2))


@pytest.fixture(params=["fake", "mqtt"])
def line(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Line]:
    if request.param == "fake":
        yield FakeLine()
    else:
        with mqtt_line(tmp_path) as made:
            yield made


def event_of(number: int) -> Event:
    return make_redeem(number)(1, "0" * 64)


def test_request_arrives_as_it_was_published(line: Line) -> None:
    line.open()
    for number, kind in enumerate(RequestKind):
        assert line.link.publish(kind, event_of(number), expiry_s=10 if number else None)
        assert line.next_request() == (kind, event_of(number))


def test_answer_comes_back_as_it_was_published(line: Line) -> None:
    line.open()
    first = answer_event(RequestKind.REDEEM, accepted(request_id(1)))
    second = answer_event(RequestKind.CHECK, refused(request_id(2), Reason.NO_MATCH))
    line.answer(RequestKind.REDEEM, first)
    line.answer(RequestKind.CHECK, second)
    assert line.answers == [(RequestKind.REDEEM, first), (RequestKind.CHECK, second)]


def test_nothing_is_taken_before_the_connection_and_after_its_end(line: Line) -> None:
    assert not line.link.publish(RequestKind.REDEEM, event_of(1))
    line.open()
    line.cut()
    assert not line.link.publish(RequestKind.REDEEM, event_of(2))
    line.mend()
    assert line.connections == [True, False, True]
    assert line.link.publish(RequestKind.REDEEM, event_of(3))
    assert line.next_request() == (RequestKind.REDEEM, event_of(3))


def test_answers_come_after_a_reconnect_too(line: Line) -> None:
    line.open()
    line.cut()
    line.mend()
    answer = answer_event(RequestKind.REDEEM, accepted(request_id(1)))
    line.answer(RequestKind.REDEEM, answer)
    assert line.answers == [(RequestKind.REDEEM, answer)]


def test_oversize_request_is_refused_here(line: Line) -> None:
    small = event_of(1)
    large = Event(small.id, small.source, small.type, small.time, b"x" * (BODY_BYTES_MAX + 1), small.auth)
    line.open()
    with pytest.raises(ValueError, match="limit"):
        line.link.publish(RequestKind.REDEEM, large)
    assert line.link.publish(RequestKind.REDEEM, small)
    assert line.next_request() == (RequestKind.REDEEM, small)


def test_flood_ends_in_no_and_blocks_nobody(line: Line) -> None:
    line.open()
    taken = [line.link.publish(RequestKind.REDEEM, event_of(number)) for number in range(2_000)]
    assert False in taken, "there is a limit"
    assert line.next_request()[0] is RequestKind.REDEEM


def test_presence_is_kept_and_comes_again_with_every_connection(line: Line) -> None:
    line.link.report(STATE)
    line.open()
    assert line.presence() == STATE
    line.cut()
    line.mend()
    assert line.presence() == STATE


def test_close_may_come_twice_and_before_the_start(line: Line) -> None:
    line.link.close()
    line.link.close()
    assert not line.link.publish(RequestKind.REDEEM, event_of(1))
