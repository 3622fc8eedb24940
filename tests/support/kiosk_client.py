"""A kiosk reduced to its protocol: enrols, connects, asks, listens. No outbox, no screen, no retries.

It can also misbehave on purpose: wrong proofs, other kiosks' topics, oversize and undecodable messages, QoS 0.
"""

import queue
import ssl
import tempfile
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from protocol.chain import FIRST_SEQUENCE, GENESIS, link_of
from protocol.enrolment import Enrolment, EnrolmentRequest
from protocol.envelope import Event, decode_event, device_source, encode_properties, make_event, request_type
from protocol.keys import DeviceKeys, agree
from protocol.messages import Answer, Check, DeviceState, Redeem, Release, Request, decode_answer, encode_body
from protocol.seal import seal_digits
from protocol.topics import DeviceAddress, RequestKind

WAIT_S = 20.0


@dataclass(frozen=True)
class Blank:
    """A kiosk before its enrolment: two keys, made here."""

    tls_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    seal_key: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)

    def request(self, claim_code: str) -> EnrolmentRequest:
        """What it sends to be enrolled."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "whatever the kiosk says")])
        csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(self.tls_key, SHA256())
        return EnrolmentRequest(
            claim_code=claim_code,
            csr_pem=csr.public_bytes(Encoding.PEM).decode(),
            seal_public=_encode(self.seal_key.public_key().public_bytes_raw()),
            serial="test-board",
        )

    def enrolled(self, enrolment: Enrolment) -> "KioskClient":
        """The kiosk that it becomes."""
        keys = agree(self.seal_key.private_bytes_raw(), _decode(enrolment.seal_public), device_id=enrolment.device_id)
        key_pem = self.tls_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return KioskClient(enrolment, keys, tls_of(enrolment.ca_pem, enrolment.certificate_pem, key_pem))


@dataclass(frozen=True)
class Sealed:
    """One request as it goes over the line."""

    kind: RequestKind
    event: Event


class KioskClient:
    """An enrolled kiosk. A context manager: connected and subscribed inside."""

    def __init__(self, enrolment: Enrolment, keys: DeviceKeys, tls: ssl.SSLContext) -> None:
        self.enrolment = enrolment
        self.keys = keys
        self.address = DeviceAddress(enrolment.site_id, enrolment.device_id)
        self.answers: queue.Queue[Event] = queue.Queue()
        self.sequence = FIRST_SEQUENCE - 1
        self.previous = GENESIS
        self._tls = tls
        self._acknowledged: dict[int, ReasonCode] = {}
        self._ready = False
        self._client = self._make_client()

    @property
    def device_id(self) -> str:
        return self.enrolment.device_id

    def __enter__(self) -> "KioskClient":
        self._client.connect_async(self.enrolment.broker_host, self.enrolment.broker_port, 20, clean_start=True)
        self._client.loop_start()
        wait_until(lambda: self._ready, what="the kiosk to be connected and subscribed")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    # Requests ------------------------------------------------------------------------------------------------------------

    def check(self, voucher_no: str, digits: str, *, visit_id: UUID | None = None) -> Sealed:
        """Make a check request."""
        request_id = uuid4()
        sealed = self._seal(request_id, [voucher_no], [digits])
        return self.seal(
            RequestKind.CHECK, request_id, Check(visit_id=visit_id or uuid4(), voucher_no=voucher_no, sealed=sealed)
        )

    def redeem(
        self,
        vouchers: Sequence[str],
        digits: Sequence[str],
        *,
        total_twd: int,
        item_category: str,
        visit_id: UUID | None = None,
    ) -> Sealed:
        """Make the next redeem request of the chain."""
        request_id = uuid4()
        self.sequence += 1
        body = Redeem(
            visit_id=visit_id or uuid4(),
            vouchers=list(vouchers),
            sealed=self._seal(request_id, vouchers, digits),
            item_category=item_category,
            order_total_twd=total_twd,
            sequence=self.sequence,
            previous=self.previous,
        )
        made = self.seal(RequestKind.REDEEM, request_id, body)
        self.previous = link_of(made.event.body)
        return made

    def release(self, vouchers: Sequence[str], visit_id: UUID) -> Sealed:
        """Make a release request."""
        return self.seal(RequestKind.RELEASE, uuid4(), Release(visit_id=visit_id, vouchers=list(vouchers)))

    def seal(self, kind: RequestKind, request_id: UUID, request: Request) -> Sealed:
        """Wrap a request."""
        return self.wrap(kind, request_id, encode_body(request))

    def wrap(
        self, kind: RequestKind, request_id: UUID, body: bytes, *, key: bytes | None = None, type: str | None = None
    ) -> Sealed:
        """Wrap any body, with any key and type."""
        time_ = datetime.now(UTC).isoformat()
        event = make_event(
            key or self.keys.request,
            id=request_id,
            source=device_source(self.device_id),
            type=type or request_type(kind),
            time=time_,
            body=body,
        )
        return Sealed(kind, event)

    # The line ------------------------------------------------------------------------------------------------------------

    def send(self, request: Sealed, *, topic: str | None = None, qos: int = 1) -> ReasonCode:
        """Publish and return the broker's reason code."""
        return self.publish(
            topic or self.address.request(request.kind), request.event.body, encode_properties(request.event), qos=qos
        )

    def send_quickly(self, request: Sealed) -> None:
        """Publish and wait for nothing."""
        self._publish(self.address.request(request.kind), request.event.body, encode_properties(request.event), 1, retain=False)

    def publish(
        self, topic: str, payload: bytes, pairs: Sequence[tuple[str, str]] = (), *, qos: int = 1, retain: bool = False
    ) -> ReasonCode:
        """Publish anything; return the broker's reason code."""
        mid = self._publish(topic, payload, pairs, qos, retain=retain)
        wait_until(lambda: mid in self._acknowledged, what="the broker's acknowledgement")
        return self._acknowledged.pop(mid)

    def ask(self, request: Sealed, *, wait_s: float = WAIT_S) -> Answer:
        """Publish and return the authentic answer."""
        reason = self.send(request)
        assert not reason.is_failure, str(reason)
        return decode_answer(self.answer_to(request, wait_s=wait_s).body)

    def answer_to(self, request: Sealed, *, wait_s: float = WAIT_S) -> Event:
        """Wait for the next answer to this request; others that come before it are dropped."""
        end = time.monotonic() + wait_s
        while True:
            event = self.answers.get(timeout=max(0.01, end - time.monotonic()))
            if event.id == request.event.id:
                assert event.is_from(self.keys.answer), "the answer is not authentic"
                return event

    def report(self, state: DeviceState, *, qos: int = 1) -> ReasonCode:
        """Publish presence, retained."""
        return self.publish(self.address.connection, encode_body(state), qos=qos, retain=True)

    def drop_line(self) -> None:
        """Close the socket without a word; paho connects again."""
        self._ready = False
        connection = self._client.socket()
        assert connection is not None
        connection.close()

    @property
    def connected(self) -> bool:
        return self._ready

    # ---------------------------------------------------------------------------------------------------------------------

    def _seal(self, request_id: UUID, vouchers: Sequence[str], digits: Sequence[str]) -> str:
        return seal_digits(
            self.keys.seal,
            digits,
            nonce=uuid4().bytes[:12],
            device_id=self.device_id,
            request_id=request_id,
            voucher_nos=vouchers,
        )

    def _publish(self, topic: str, payload: bytes, pairs: Sequence[tuple[str, str]], qos: int, *, retain: bool) -> int:
        properties = Properties(PacketTypes.PUBLISH)
        if pairs:
            properties.UserProperty = list(pairs)
        mid: int = self._client.publish(topic, payload, qos, retain, properties).mid
        return mid

    def _make_client(self) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id=self.enrolment.device_id, protocol=MQTTProtocolVersion.MQTTv5)
        client.tls_set_context(self._tls)
        client.max_inflight_messages_set(500)
        client.reconnect_delay_set(1, 1)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        return client

    def _on_connect(self, client: Client, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if not reason.is_failure:
            client.subscribe(self.address.answers_filter, qos=1)

    def _on_subscribe(self, *_: Any) -> None:
        self._ready = True

    def _on_disconnect(self, *_: Any) -> None:
        self._ready = False

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        self.answers.put(decode_event(getattr(message.properties, "UserProperty", ()), bytes(message.payload)))

    def _on_publish(self, _client: Client, _userdata: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
        self._acknowledged[mid] = reason


def tls_of(ca_pem: str, certificate_pem: str, key_pem: str) -> ssl.SSLContext:
    """TLS settings of a client with its own certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=ca_pem)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pair.pem"
        path.write_text(certificate_pem + key_pem)
        context.load_cert_chain(path)
    return context


def wait_until(condition: Callable[[], bool], *, what: str, wait_s: float = WAIT_S) -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: it did not hold within the time.
    """
    end = time.monotonic() + wait_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {wait_s} s for {what}")
        time.sleep(0.005)  # between two looks


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
