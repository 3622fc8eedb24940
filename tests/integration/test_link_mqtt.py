"""What only a real Mosquitto can show: properties on the wire, the will, refusals, hostile messages, a client that fails."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk.adapters.link_mqtt import MqttLink
from protocol.envelope import CONTENT_TYPE, encode_properties
from protocol.messages import DeviceState, encode_body
from protocol.topics import RequestKind
from protocol.trace import make_traceparent
from tests.support.broker import free_port
from tests.support.kiosk import ADDRESS, accepted, answer_event, make_redeem, request_id
from tests.support.kiosk_client import wait_until
from tests.support.kiosk_line import LOST, OFFLINE, Ears, MqttLine, device_tls, mqtt_line, settings_of

STATE = encode_body(DeviceState(state="online", boot_id="boot"))


@pytest.fixture
def line(tmp_path: Path) -> Iterator[MqttLine]:
    with mqtt_line(tmp_path) as made:
        yield made


def test_message_carries_what_the_binding_asks_for(line: MqttLine) -> None:
    line.open()
    event = make_redeem(1)(1, "0" * 64)
    line.link.publish(RequestKind.REDEEM, event, expiry_s=60)
    line.next_request()
    (message,) = line.cloud.messages
    properties: Any = message.properties
    assert message.topic == ADDRESS.request(RequestKind.REDEEM)
    assert properties.ContentType == CONTENT_TYPE
    assert properties.PayloadFormatIndicator == 1
    assert properties.ResponseTopic == ADDRESS.answer(RequestKind.REDEEM)
    assert properties.CorrelationData == event.id.bytes
    assert 0 < properties.MessageExpiryInterval <= 60
    assert message.qos == 1


def test_a_redeem_carries_the_same_trace_at_every_publish_and_other_requests_none(line: MqttLine) -> None:
    line.open()
    event = make_redeem(1)(1, "0" * 64)
    for kind in (RequestKind.REDEEM, RequestKind.REDEEM, RequestKind.CHECK):
        line.link.publish(kind, event)
        line.next_request()
    pairs = [dict(message.properties.UserProperty) for message in line.cloud.messages]  # type: ignore[union-attr]
    made = make_traceparent(event.id)
    assert [found.get("traceparent") for found in pairs] == [made, made, None]


def test_nagle_is_off(line: MqttLine) -> None:
    line.open()
    client = line.mqtt._online
    assert client is not None
    connection = client.socket()
    assert isinstance(connection, socket.socket)
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_orderly_end_says_offline_and_a_cut_line_says_lost(line: MqttLine) -> None:
    line.link.report(STATE)
    line.open()
    wait_until(lambda: (STATE, False) in line.cloud.presence, what="presence")
    line.link.close()
    wait_until(lambda: line.cloud.presence[-1][0] == OFFLINE, what="the farewell")
    again = MqttLink(settings_of(line.broker.port), line.mqtt._tls, jitter=lambda: 0.5)
    again.report(STATE)
    again.start(Ears().on_answer, Ears().on_connection)
    wait_until(lambda: line.cloud.presence[-1][0] == STATE, what="presence")
    # As after a power cut: no word of farewell.
    again._closing.set()
    client = again._online
    assert client is not None
    connection = client.socket()
    assert isinstance(connection, socket.socket)
    connection.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: line.cloud.presence[-1][0] == LOST, what="the will")
    again.close()


def test_refused_publish_is_counted_and_never_taken_as_delivered(line: MqttLine, tmp_path: Path) -> None:
    """The certificate is another kiosk's: the broker acknowledges what it publishes on our branch with a failure."""
    line.open()
    ears = Ears()
    intruder = MqttLink(
        settings_of(line.broker.port), device_tls(tmp_path, line.authority, device_id="kiosk-2"), jitter=lambda: 0.5
    )
    intruder.start(ears.on_answer, ears.on_connection)
    wait_until(lambda: ears.connections == [True], what="the connection")
    intruder.publish(RequestKind.REDEEM, make_redeem(1)(1, "0" * 64))
    wait_until(lambda: intruder.refused_publishes > 0, what="the refusal")
    intruder.close()
    assert line.cloud.requests.empty()


def test_hostile_messages_on_the_answers_topic_are_dropped_and_the_next_one_is_heard(line: MqttLine) -> None:
    line.open()
    answer = answer_event(RequestKind.REDEEM, accepted(request_id(1)))
    pairs = encode_properties(answer)
    topic = ADDRESS.answer(RequestKind.REDEEM)
    for hostile in ([], pairs[:-1], [*pairs, pairs[0]], [("id", "x"), *pairs[:1], *pairs[2:]]):
        line.cloud.publish(topic, answer.body, hostile)
    line.cloud.publish(ADDRESS.answer(RequestKind.CHECK).replace("/rep/check", "/rep/unheard-of"), answer.body, pairs)
    line.answer(RequestKind.REDEEM, answer)
    assert line.answers == [(RequestKind.REDEEM, answer)]
    assert line.mqtt.undecodable == 5


def test_callback_that_breaks_its_promise_does_not_deafen_the_kiosk(line: MqttLine) -> None:
    heard: list[RequestKind] = []

    def break_first(kind: RequestKind, _event: object) -> None:
        heard.append(kind)
        if len(heard) == 1:
            raise RuntimeError("broken")

    line.cloud.__enter__()
    ears = Ears()
    line.link.start(break_first, ears.on_connection)
    wait_until(lambda: ears.connections == [True], what="the connection")
    answer = answer_event(RequestKind.REDEEM, accepted(request_id(1)))
    line.cloud.answer(ADDRESS, RequestKind.REDEEM, answer)
    line.cloud.answer(ADDRESS, RequestKind.REDEEM, answer)
    wait_until(lambda: len(heard) == 2, what="the second answer")
    assert line.link.publish(RequestKind.REDEEM, make_redeem(1)(1, "0" * 64))


def test_client_library_that_fails_is_replaced(line: MqttLine, monkeypatch: pytest.MonkeyPatch) -> None:
    line.open()
    client = line.mqtt._online
    assert client is not None

    def fail(*_: object) -> None:
        raise AssertionError("a bug in the library")

    monkeypatch.setattr(client, "loop_misc", fail)
    wait_until(lambda: line.connections == [True, False, True], what="a new connection")
    assert line.link.publish(RequestKind.REDEEM, make_redeem(1)(1, "0" * 64))
    assert line.next_request()[0] is RequestKind.REDEEM


# paho leaves the socket of a failed handshake to the garbage collector, which closes it and says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_broker_under_another_name_is_not_trusted(line: MqttLine, tmp_path: Path) -> None:
    ears = Ears()
    link = MqttLink(settings_of(line.broker.port, host="localhost"), line.mqtt._tls, jitter=lambda: 0.5)
    link.start(ears.on_answer, ears.on_connection)
    line.open()
    link.close()
    assert ears.connections == []


def test_no_broker_is_waited_for(tmp_path: Path, line: MqttLine) -> None:
    ears = Ears()
    link = MqttLink(settings_of(free_port()), line.mqtt._tls, jitter=lambda: 0.5)
    link.start(ears.on_answer, ears.on_connection)
    line.open()
    assert not link.publish(RequestKind.REDEEM, make_redeem(1)(1, "0" * 64))
    link.close()
    assert ears.connections == []
