"""The MQTT line against a real Mosquitto, and who Mosquitto lets in with the files that we write."""

import logging
import math
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from cloud.adapters.certificates import FleetAuthority, KeyPair, make_ca, session_name
from cloud.adapters.clock import SystemClock
from cloud.adapters.mqtt import MqttLine, worker_tls
from cloud.adapters.mqtt_queues import Arrivals
from cloud.adapters.mqtt_session import ANSWERS_IN_FLIGHT_MAX, ANSWERS_QUEUED_MAX, BrokerAddress, MqttSession
from cloud.ports.line import Delivery
from protocol.enrolment import Enrolment
from protocol.envelope import Event, make_event
from protocol.errors import PortError
from protocol.keys import DeviceKeys
from protocol.topics import LANES, DeviceAddress, RequestKind, lane_of
from tests.support.broker import HOST, Broker, running_broker
from tests.support.kiosk_client import Blank, KioskClient, tls_of, wait_until


@pytest.fixture(scope="module")
def authority() -> FleetAuthority:
    return FleetAuthority(*make_ca(SystemClock().now()), clock=SystemClock())


@pytest.fixture
def broker(tmp_path: Path, authority: FleetAuthority) -> Iterator[Broker]:
    with running_broker(tmp_path / "broker", authority) as broker:
        yield broker


@pytest.fixture
def line(broker: Broker, authority: FleetAuthority) -> Iterator[MqttLine]:
    with line_of(authority, broker, sessions=1) as line:
        line.confirm(math.inf)
        line.hold(0)
        yield line


def line_of(authority: FleetAuthority, broker: Broker, *, sessions: int) -> MqttLine:
    def tls(session: int) -> ssl.SSLContext:
        return worker_tls(authority.certificate_pem, authority.worker_certificate(session))

    return MqttLine(BrokerAddress(HOST, broker.port), tls, sessions=sessions)


def session_of(line: MqttLine, number: int = 0) -> MqttSession:
    session = line._held[number]
    assert session is not None
    return session


def kiosk_of(authority: FleetAuthority, broker: Broker, device_id: str = "kiosk-abcdef") -> KioskClient:
    blank = Blank()
    issued = authority.device_certificate(blank.request("").csr_pem, device_id)
    enrolment = Enrolment(
        device_id=device_id,
        site_id="lobby",
        site_name="",
        certificate_pem=issued.pem,
        ca_pem=authority.certificate_pem,
        seal_public="",
        broker_host=HOST,
        broker_port=broker.port,
        voucher_keys=[],
        item_categories=[],
    )
    key_pem = blank.tls_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return KioskClient(enrolment, DeviceKeys(b"", b"", b""), tls_of(authority.certificate_pem, issued.pem, key_pem))


def delivered(line: MqttLine, kiosk: KioskClient, payload: bytes) -> Delivery:
    """Publish until the worker's subscription stands, and return the delivery."""
    got: list[Delivery] = []

    def arrived() -> bool:
        if not got:
            kiosk.publish(kiosk.address.request(RequestKind.CHECK), payload)
        got.extend(one for one in line.take(400, wait_s=0.2) if one.payload == payload)
        return bool(got)

    wait_until(arrived, what="the first delivery")
    return got[0]


def test_what_is_not_acknowledged_comes_again_and_old_acknowledgements_do_nothing(
    broker: Broker, authority: FleetAuthority, line: MqttLine
) -> None:
    with kiosk_of(authority, broker) as kiosk:
        first = delivered(line, kiosk, b"first")
        line.acknowledge(first)
        kiosk.publish(kiosk.address.request(RequestKind.CHECK), b"second")
        (second,) = _take_until(line, b"second")
        broker.stop()  # orderly: it keeps its sessions
        broker.start()
        (again,) = _take_until(line, b"second")
        assert again.connection > second.connection
        line.acknowledge(second)
        line.acknowledge(again)
        line.flush()
        kiosk_ready(kiosk)
        kiosk.publish(kiosk.address.request(RequestKind.CHECK), b"third")
        (third,) = _take_until(line, b"third")
        # Had the late acknowledgement gone out, it could have hit this packet id on the new connection.
        broker.stop()
        broker.start()
        seen = _take_until(line, b"third")
        assert [one.payload for one in seen] == [b"third"], "acknowledged ones do not come again"
        assert seen[0].connection > third.connection


def kiosk_ready(kiosk: KioskClient) -> None:
    wait_until(lambda: kiosk.connected, what="the kiosk to be connected again")


def _take_until(line: MqttLine, payload: bytes) -> list[Delivery]:
    taken: list[Delivery] = []

    def found() -> bool:
        taken.extend(line.take(400, wait_s=0.2))
        return any(one.payload == payload for one in taken)

    wait_until(found, what=f"{payload!r} to arrive")
    return taken


class Full(Arrivals):
    """Takes nothing."""

    def put(self, deliveries: Sequence[Delivery]) -> None:  # noqa: ARG002 - the port's signature
        raise MemoryError


def test_an_exception_in_a_callback_does_not_end_the_network_thread(
    broker: Broker, authority: FleetAuthority, line: MqttLine, caplog: pytest.LogCaptureFixture
) -> None:
    with kiosk_of(authority, broker) as kiosk:
        line.acknowledge(delivered(line, kiosk, b"before"))
        session = session_of(line)
        whole, session._arrived = session._arrived, Full(1)
        kiosk.publish(kiosk.address.request(RequestKind.CHECK), b"one too many")
        wait_until(lambda: "callback" in caplog.text, what="the callback to fail")
        session._arrived = whole
        kiosk.publish(kiosk.address.request(RequestKind.CHECK), b"after")
        assert _take_until(line, b"after")


def test_a_dead_network_thread_is_no_silence(line: MqttLine) -> None:
    session_of(line)._client.loop_stop()
    with pytest.raises(PortError, match="died") as dead:
        line.take(1, wait_s=0)
    assert not dead.value.retry


def test_a_worker_that_stands_still_loses_nothing_and_holds_the_broker_back(
    broker: Broker, authority: FleetAuthority, line: MqttLine
) -> None:
    # Mosquitto 2.0.11 sends its whole queue after the first acknowledgements, whatever the receive maximum says.
    with kiosk_of(authority, broker) as kiosk:
        line.acknowledge(delivered(line, kiosk, b"connected"))
        line._arrived._count_max = 50
        for number in range(1_500):
            kiosk._publish(kiosk.address.request(RequestKind.CHECK), b"%d" % number, [], 1, retain=False)
        seen: list[int] = []
        most = 0

        def all_seen() -> bool:
            nonlocal most
            most = max(most, len(line._arrived._waiting))
            for delivery in line.take(400, wait_s=0.2):
                if delivery.payload.isdigit():
                    seen.append(int(delivery.payload))
                line.acknowledge(delivery)
            return len(seen) >= 1_500

        wait_until(all_seen, what="all of them", wait_s=60)
        assert seen == list(range(1_500)), "once each, in their order"
        assert most < 50 + 1_000
        assert line.state().reconnects == 0


def test_a_crowd_is_worked_off_in_rounds_without_a_stall(broker: Broker, authority: FleetAuthority, line: MqttLine) -> None:
    """More wait than the session takes in and than the broker sends ahead, and all of them are answered."""
    crowd = 3_500
    with kiosk_of(authority, broker) as kiosk:
        line.acknowledge(delivered(line, kiosk, b"connected"))
        for number in range(crowd):
            kiosk._publish(kiosk.address.request(RequestKind.CHECK), b"%d" % number, [], 1, retain=False)
        # Now the broker's acknowledgements of answers will come behind all of these.
        wait_until(lambda: len(kiosk._acknowledged) >= crowd, what="the broker to have them all", wait_s=60)
        seen: list[int] = []

        def all_seen() -> bool:
            taken = [one for one in line.take(400, wait_s=0.2) if one.payload.isdigit()]
            for delivery in taken:
                line.publish(kiosk.address.answer(RequestKind.CHECK), answer(int(delivery.payload)))
            line.flush()
            for delivery in taken:
                line.acknowledge(delivery)
            seen.extend(int(delivery.payload) for delivery in taken)
            return len(seen) >= crowd

        wait_until(all_seen, what="all of them", wait_s=60)
        assert seen == list(range(crowd)), "once each, in their order, and nobody had to ask again"
        answered = [int(kiosk.answers.get(timeout=20).body) for _ in range(crowd)]
        assert answered == seen
        assert line.state().reconnects == 0


def answer(number: int) -> Event:
    return make_event(b"k" * 32, id=UUID(int=number), source="/cloud", type="t", time="2026", body=b"%d" % number)


def test_answers_of_a_round_leave_in_one_piece_and_all_of_them_arrive(
    broker: Broker, authority: FleetAuthority, line: MqttLine
) -> None:
    with kiosk_of(authority, broker) as kiosk:
        line.acknowledge(delivered(line, kiosk, b"connected"))
        line.flush()
        for number in range(ANSWERS_IN_FLIGHT_MAX + 300):
            line.publish(kiosk.address.answer(RequestKind.CHECK), answer(number))
        assert kiosk.answers.empty(), "nothing leaves before the flush"
        line.flush()
        arrived = [kiosk.answers.get(timeout=20).id.int for _ in range(ANSWERS_IN_FLIGHT_MAX + 300)]
        assert arrived == list(range(ANSWERS_IN_FLIGHT_MAX + 300))
        wait_until(lambda: len(session_of(line)._answers) == 0, what="the broker to acknowledge them")


def test_answers_that_find_no_broker_wait_up_to_a_limit_and_leave_with_the_next_connection(
    broker: Broker, authority: FleetAuthority, line: MqttLine, caplog: pytest.LogCaptureFixture
) -> None:
    with kiosk_of(authority, broker) as kiosk:
        line.acknowledge(delivered(line, kiosk, b"connected"))
        line.flush()
        broker.stop()
        wait_until(lambda: line.state().reconnects > 0, what="the line to notice")
        for number in range(ANSWERS_QUEUED_MAX + 5):
            line.publish(kiosk.address.answer(RequestKind.CHECK), answer(number))
            line.flush()
        assert caplog.text.count("will ask again") == 5
        broker.start()
        wait_until(lambda: len(session_of(line)._answers) == 0, what="the broker to acknowledge them", wait_s=30)


def test_an_answer_that_the_broker_refuses_is_told(broker: Broker, line: MqttLine, caplog: pytest.LogCaptureFixture) -> None:
    wait_until(lambda: session_of(line)._is_online, what="the line to be connected")
    line.publish(DeviceAddress("lobby", "kiosk-abcdef").request(RequestKind.CHECK), answer(1))
    line.flush()
    wait_until(lambda: "refused an answer" in caplog.text, what="the refusal")
    assert "0x87" in caplog.text
    assert len(session_of(line)._answers) == 0


def test_small_packets_are_sent_at_once(broker: Broker, authority: FleetAuthority, line: MqttLine) -> None:
    with kiosk_of(authority, broker) as kiosk:
        delivered(line, kiosk, b"connected")
        connection = session_of(line)._client.socket()
        assert connection is not None
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_a_rounds_answers_leave_without_the_network_thread(
    broker: Broker, authority: FleetAuthority, line: MqttLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kiosk_of(authority, broker) as kiosk:
        line.acknowledge(delivered(line, kiosk, b"connected"))
        line.flush()
        monkeypatch.setattr(session_of(line)._client, "loop_write", lambda: 0)
        line.publish(kiosk.address.answer(RequestKind.CHECK), answer(1))
        line.flush()
        assert kiosk.answers.get(timeout=20).id == answer(1).id


def test_what_the_socket_does_not_take_at_once_is_sent_by_the_network_thread(
    broker: Broker, authority: FleetAuthority, line: MqttLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kiosk_of(authority, broker) as kiosk:
        line.acknowledge(delivered(line, kiosk, b"connected"))
        line.flush()
        client = session_of(line)._client
        send = client._sock_send

        def none_of_it(_packet: bytes) -> int:
            monkeypatch.setattr(client, "_sock_send", send)
            raise BlockingIOError

        monkeypatch.setattr(client, "_sock_send", none_of_it)
        for number in range(3):
            line.publish(kiosk.address.answer(RequestKind.CHECK), answer(number))
        line.flush()
        assert [kiosk.answers.get(timeout=20).id for _ in range(3)] == [answer(number).id for number in range(3)]


# Who is let in --------------------------------------------------------------------------------------------------------


def connects(broker: Broker, tls: ssl.SSLContext | None, **settings: Any) -> bool:
    """Tell whether an MQTT session comes about."""
    outcomes: queue.Queue[bool] = queue.Queue()
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, reconnect_on_failure=False, **settings)
    if tls is not None:
        client.tls_set_context(tls)

    def on_connect(_client: Client, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        outcomes.put(not reason.is_failure)

    client.on_connect = on_connect
    client.on_disconnect = lambda *_: outcomes.put(False)
    try:
        client.connect(HOST, broker.port)
    except OSError:
        return False
    client.loop_start()
    try:
        return outcomes.get(timeout=10)
    finally:
        client.disconnect()
        client.loop_stop()


def pair_tls(authority: FleetAuthority, pair: KeyPair) -> ssl.SSLContext:
    return tls_of(authority.certificate_pem, pair.certificate_pem, pair.key_pem)


def test_a_certificate_of_ours_is_let_in(broker: Broker, authority: FleetAuthority) -> None:
    assert connects(broker, pair_tls(authority, authority.worker_certificate()))


def test_without_tls_without_a_certificate_or_with_a_foreign_one_nobody_is(broker: Broker, authority: FleetAuthority) -> None:
    assert not connects(broker, None)
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.load_verify_locations(cadata=authority.certificate_pem)
    assert not connects(broker, bare)
    foreign = FleetAuthority(*make_ca(SystemClock().now()), clock=SystemClock())
    assert not connects(broker, pair_tls(authority, foreign.worker_certificate()))


def test_old_tls_is_refused(broker: Broker, authority: FleetAuthority) -> None:
    tls = pair_tls(authority, authority.worker_certificate())
    tls.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        tls.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="deprecated"):
        tls.maximum_version = ssl.TLSVersion.TLSv1_1
    # Without paho, which leaves the socket of a failed handshake open.
    with socket.create_connection((HOST, broker.port), timeout=10) as plain, pytest.raises(ssl.SSLError):
        tls.wrap_socket(plain, server_hostname=HOST)


def test_a_client_cannot_choose_its_own_id(broker: Broker, authority: FleetAuthority, line: MqttLine) -> None:
    with kiosk_of(authority, broker) as kiosk:
        delivered(line, kiosk, b"connected")
        connection = session_of(line).connection
        # A kiosk that calls itself like the worker would throw it off the broker, were the id its own to choose.
        intruder = kiosk_of(authority, broker, "kiosk-intruder")
        intruder._client._client_id = session_name(0).encode()
        with intruder:
            kiosk.publish(kiosk.address.request(RequestKind.CHECK), b"still here")
            (delivery,) = (one for one in _take_until(line, b"still here") if one.payload == b"still here")
            assert (delivery.connection, line.state().reconnects) == (connection, 0)


def test_a_revoked_certificate_is_refused_after_the_list_is_read_again(broker: Broker, authority: FleetAuthority) -> None:
    with kiosk_of(authority, broker) as kiosk:
        pem = kiosk.enrolment.certificate_pem
    serial = f"{x509.load_pem_x509_certificate(pem.encode()).serial_number:x}"
    broker.write_files(revoked=[serial])
    broker.reload()
    wait_until(lambda: not connects(broker, kiosk._tls), what="the broker to refuse it")
    assert connects(broker, pair_tls(authority, authority.worker_certificate()))


def test_the_settings_hold_what_they_must(broker: Broker) -> None:
    lines = (broker.folder / "mosquitto.conf").read_text().splitlines()
    for wanted in (
        "allow_anonymous false",
        "require_certificate true",
        "use_identity_as_username true",
        "use_username_as_clientid true",
        "set_tcp_nodelay true",
        "tls_version tlsv1.2",
        "max_packet_size 8192",
        f"user {Path(broker.folder).owner()}",
    ):
        assert wanted in lines
    assert sum(line.startswith("listener ") for line in lines) == 1
    for path in broker.folder.iterdir():
        if path.name != "mosquitto.log":
            assert path.stat().st_mode & 0o077 == 0, path
    assert broker.folder.stat().st_mode & 0o077 == 0


def test_a_path_that_mosquitto_cannot_read_is_refused(tmp_path: Path, authority: FleetAuthority) -> None:
    with pytest.raises(PortError, match="blanks"):
        Broker(tmp_path / "my broker", 1883, authority).write_files()


# Several sessions -----------------------------------------------------------------------------------------------------


@pytest.fixture
def kiosks(authority: FleetAuthority, broker: Broker) -> Iterator[list[KioskClient]]:
    """Four kiosks, of the sessions 0 to 3 of four."""
    named: dict[int, str] = {}
    for number in range(1_000):
        device_id = f"kiosk-{number:04}"
        named.setdefault(LANES.index(lane_of(device_id)) % 4, device_id)
    with ExitStack() as stack:
        yield [stack.enter_context(kiosk_of(authority, broker, named[session])) for session in range(4)]


def listen(line: MqttLine, *sessions: int) -> None:
    for session in sessions:
        line.hold(session)
    wait_until(lambda: all(session_of(line, session)._is_online for session in sessions), what="the sessions to be connected")


def ask(kiosk: KioskClient, payload: bytes) -> None:
    assert not kiosk.publish(kiosk.address.request(RequestKind.CHECK), payload).is_failure


def take_all(line: MqttLine, count: int) -> list[Delivery]:
    taken: list[Delivery] = []

    def found() -> bool:
        taken.extend(line.take(400, wait_s=0.2))
        return len(taken) >= count

    wait_until(found, what=f"{count} deliveries")
    return taken


def wait_subscribed(kiosks: Sequence[KioskClient], line: MqttLine) -> None:
    """Ask until every kiosk is heard, and take it all."""
    for kiosk in kiosks:
        seen = delivered(line, kiosk, b"are you there?")
        line.acknowledge(seen)
    while rest := line.take(400, wait_s=0.3):
        for one in rest:
            line.acknowledge(one)
    line.flush()


def test_sessions_are_taken_from_as_one_and_answered_each_on_its_own(
    authority: FleetAuthority, broker: Broker, kiosks: list[KioskClient]
) -> None:
    with line_of(authority, broker, sessions=4) as line:
        line.confirm(math.inf)
        listen(line, 0, 1, 2, 3)
        wait_subscribed(kiosks, line)
        for number, kiosk in enumerate(kiosks):
            ask(kiosk, b"%d" % number)
        taken = take_all(line, 4)
        assert sorted(one.payload for one in taken) == [b"0", b"1", b"2", b"3"]
        assert len({one.connection for one in taken}) == 4
        for one in taken:
            line.publish(one.topic.replace("/req/", "/rep/"), answer(int(one.payload)))
            line.acknowledge(one)
        line.flush()
        for number, kiosk in enumerate(kiosks):
            assert kiosk.answers.get(timeout=20).id == answer(number).id


def test_a_session_that_is_left_takes_what_is_open_to_its_next_holder(
    authority: FleetAuthority, broker: Broker, kiosks: list[KioskClient]
) -> None:
    with line_of(authority, broker, sessions=4) as line, line_of(authority, broker, sessions=4) as other:
        line.confirm(math.inf)
        other.confirm(math.inf)
        listen(line, 0, 1, 2, 3)
        wait_subscribed(kiosks, line)
        for kiosk in kiosks:
            ask(kiosk, b"acknowledged" if kiosk is kiosks[1] else b"open")
        taken = take_all(line, 4)
        leaving = threading.Thread(target=line.leave, args=([1, 2],), kwargs={"wait_s": 600.0})
        leaving.start()
        (done,) = (one for one in taken if one.payload == b"acknowledged")
        line.acknowledge(done)
        assert line.take(400, wait_s=0.0) == []  # the round is over
        leaving.join(20)
        assert not leaving.is_alive()
        ask(kiosks[2], b"while nobody listened")
        for one in taken:  # what the line no longer holds is neither answered nor acknowledged, and harms nobody
            line.publish(one.topic.replace("/req/", "/rep/"), answer(7))
            line.acknowledge(one)
        line.flush()
        assert kiosks[0].answers.get(timeout=20).id == kiosks[3].answers.get(timeout=20).id == answer(7).id
        listen(other, 1, 2)
        assert [one.payload for one in take_all(other, 2)] == [b"open", b"while nobody listened"]
        assert kiosks[1].answers.empty()
        assert kiosks[2].answers.empty()
        assert [session.connected for session in line.state().sessions] == [True, False, False, True]
        assert line.state().reconnects == 0


def test_a_session_is_left_though_the_round_at_hand_does_not_end(broker: Broker, authority: FleetAuthority) -> None:
    with line_of(authority, broker, sessions=2) as line:
        line.confirm(math.inf)
        listen(line, 0, 1)
        line.leave([1], wait_s=0.05)
        assert line._held[1] is None
        listen(line, 1)
        line.take(400, wait_s=0.0)  # who asked to leave then has left long ago
        assert line._held[1] is not None


def test_a_session_forgets_lanes_that_were_its_own_when_there_were_fewer(
    authority: FleetAuthority, broker: Broker, kiosks: list[KioskClient]
) -> None:
    with line_of(authority, broker, sessions=1) as line:
        line.confirm(math.inf)
        listen(line, 0)
        wait_subscribed(kiosks, line)
    with line_of(authority, broker, sessions=4) as line:
        line.confirm(math.inf)
        listen(line, 0)
        wait_subscribed(kiosks[:1], line)
        for kiosk in reversed(kiosks):
            ask(kiosk, kiosk.device_id.encode())
        (taken,) = take_all(line, 1)
        assert taken.payload == kiosks[0].device_id.encode()


def test_who_is_thrown_out_stays_away_until_its_locks_were_seen_again(
    authority: FleetAuthority, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with line_of(authority, broker, sessions=1) as line, line_of(authority, broker, sessions=1) as other:
        line.confirm(time.monotonic())
        listen(line, 0)
        other.confirm(math.inf)
        listen(other, 0)
        wait_until(lambda: line.state().reconnects == 1, what="the first one to be thrown out")
        wait_until(lambda: "before its lock is seen" in caplog.text, what="it to ask whether it may connect")
        assert other.state().reconnects == 0
        other.drop_all()
        line.confirm(time.monotonic() + 600.0)
        wait_until(lambda: session_of(line)._is_online, what="it to be back")
        assert line.state().reconnects == 1


def test_nothing_connects_before_the_locks_were_seen(authority: FleetAuthority, broker: Broker) -> None:
    with line_of(authority, broker, sessions=1) as line:
        line.confirm(time.monotonic() - 600.0)
        line.hold(0)
        wait_until(lambda: session_of(line)._client._reconnect_delay is not None, what="a first try")
        assert not line.state().sessions[0].connected
        assert "cloud-ingest" not in broker.log.read_text()


@pytest.mark.parametrize("problem", [PortError("no locks", retry=False), ZeroDivisionError()])
def test_a_failed_keeper_is_no_silence(authority: FleetAuthority, broker: Broker, problem: Exception) -> None:
    with line_of(authority, broker, sessions=1) as line:
        line.fail(problem)
        with pytest.raises(PortError) as raised:
            line.take(400, wait_s=0.0)
        assert not raised.value.retry
