"""A kiosk's link with somebody at the other end: the fake one and the real one on Mosquitto, behind one face for tests."""

import queue
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cloud.adapters.certificates import FleetAuthority, make_ca
from kiosk.adapters.link_mqtt import LinkSettings, MqttLink, make_tls
from kiosk.ports import Link
from protocol.envelope import Event
from protocol.messages import DeviceState, encode_body
from protocol.topics import RequestKind
from tests.fakes.kiosk_link import FakeLink
from tests.support.broker import Broker, running_broker
from tests.support.kiosk import ADDRESS
from tests.support.kiosk_client import Blank, wait_until
from tests.support.kiosk_cloud_end import CloudEnd

LOST = encode_body(DeviceState(state="lost", boot_id="boot"))
OFFLINE = encode_body(DeviceState(state="offline", boot_id="boot"))


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class Line(Protocol):
    """What a test does with either line."""

    link: Link
    answers: list[tuple[RequestKind, Event]]
    connections: list[bool]

    def open(self) -> None:
        """Start the link and wait until it says that it is connected."""

    def cut(self) -> None:
        """Cut the line, and wait until the link has noticed."""

    def mend(self) -> None:
        """Make the line whole, and wait until the link is connected again."""

    def next_request(self) -> tuple[RequestKind, Event]: ...

    def answer(self, kind: RequestKind, event: Event) -> None: ...

    def presence(self) -> bytes | None:
        """What the broker keeps as the kiosk's presence."""


class Ears:
    """Keeps what the link calls back with."""

    def __init__(self) -> None:
        self.answers: list[tuple[RequestKind, Event]] = []
        self.connections: list[bool] = []

    def on_answer(self, kind: RequestKind, event: Event) -> None:
        self.answers.append((kind, event))

    def on_connection(self, connected: bool) -> None:
        self.connections.append(connected)


class FakeLine(Ears):
    def __init__(self) -> None:
        super().__init__()
        self.link: Link
        self.link = self._fake = FakeLink()
        self._arrived: list[tuple[RequestKind, Event]] = []

    def open(self) -> None:
        self.link.start(self.on_answer, self.on_connection)
        self._fake.connect()

    def cut(self) -> None:
        self._fake.disconnect()

    def mend(self) -> None:
        self._fake.connect()

    def next_request(self) -> tuple[RequestKind, Event]:
        self._arrived += self._fake.take_sent()
        return self._arrived.pop(0)

    def answer(self, kind: RequestKind, event: Event) -> None:
        self._fake.answer(kind, event)

    def presence(self) -> bytes | None:
        return self._fake.retained


class MqttLine(Ears):
    """The real link, a real Mosquitto with the product's own settings, and a client at the cloud's end."""

    def __init__(self, broker: Broker, authority: FleetAuthority, tls: ssl.SSLContext) -> None:
        super().__init__()
        self.broker = broker
        self.authority = authority
        self.link: Link
        self.link = self.mqtt = MqttLink(settings_of(broker.port), tls, jitter=lambda: 0.5)
        self.cloud = CloudEnd(broker.port, authority)

    def open(self) -> None:
        self.cloud.__enter__()
        self.link.start(self.on_answer, self.on_connection)
        wait_until(lambda: self.connections == [True], what="the link to be connected")

    def cut(self) -> None:
        self.cloud.__exit__()
        self.broker.kill()
        wait_until(lambda: self.connections[-1] is False, what="the link to notice")

    def mend(self) -> None:
        self.broker.delete_store()
        self.broker.start()
        self.cloud = CloudEnd(self.broker.port, self.authority).__enter__()
        wait_until(lambda: self.connections[-1] is True, what="the link to be connected again")

    def next_request(self) -> tuple[RequestKind, Event]:
        try:
            return self.cloud.requests.get(timeout=10)
        except queue.Empty:
            raise AssertionError("no request came") from None

    def answer(self, kind: RequestKind, event: Event) -> None:
        before = len(self.answers)
        self.cloud.answer(ADDRESS, kind, event)
        wait_until(lambda: len(self.answers) > before, what="the answer to come")

    def presence(self) -> bytes | None:
        with_retained = CloudEnd(self.broker.port, self.authority)
        self.cloud.__exit__()
        self.cloud = with_retained.__enter__()
        wait_until(lambda: bool(with_retained.presence), what="the presence that the broker keeps")
        return with_retained.presence[0][0]

    def close(self) -> None:
        self.link.close()
        self.cloud.__exit__()


def settings_of(port: int, *, host: str = "127.0.0.1", will_delay_s: int = 1) -> LinkSettings:
    """Settings with short waits."""
    return LinkSettings(
        host=host,
        port=port,
        address=ADDRESS,
        will=LOST,
        farewell=OFFLINE,
        will_delay_s=will_delay_s,
        reconnect_first_s=0.1,
        reconnect_longest_s=0.5,
    )


def device_tls(folder: Path, authority: FleetAuthority, *, device_id: str = ADDRESS.device_id) -> ssl.SSLContext:
    """A device's own TLS settings, made as an enrolled kiosk makes them."""
    blank = Blank()
    issued = authority.device_certificate(blank.request("code").csr_pem, device_id)
    certificate, key = folder / f"{device_id}.crt", folder / f"{device_id}.key"
    certificate.write_text(issued.pem)
    key.write_bytes(blank.tls_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return make_tls(ca_pem=authority.certificate_pem, certificate_file=str(certificate), key_file=str(key))


@contextmanager
def mqtt_line(folder: Path) -> Iterator[MqttLine]:
    """A real line; everything has ended on leaving."""
    authority = FleetAuthority(*make_ca(datetime.now(UTC)), clock=RealClock())
    with running_broker(folder / "broker", authority) as broker:
        line = MqttLine(broker, authority, device_tls(folder, authority))
        try:
            yield line
        finally:
            line.close()
