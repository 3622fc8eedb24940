"""One real kiosk on an idle system: its own outbox, courier and link, over mutual TLS; every hop of one order on the clock.

It is enrolled the real way, publishes what its outbox holds, proves the answer and stores it, as :mod:`kiosk.app` does; camera,
keypad and screen are left out.
"""

import os
import queue
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from cloud.adapters.sql.fleet import SqlFleet
from cloud.services.enrol import CloudTerms, enrol, make_claim_code
from kiosk.adapters.clock import SystemClock
from kiosk.adapters.identity import Identity, prepare_keys, save_enrolment
from kiosk.adapters.link_mqtt import LinkSettings, MqttLink, make_tls
from kiosk.adapters.outbox_sqlite import SqliteOutbox
from kiosk.app.answers import read_answer
from kiosk.app.courier import Courier
from kiosk.app.parts import pass_by
from kiosk.app.requests import PLAIN_LEGEND, Device, RequestMaker
from kiosk.domain.outbox import BackOff
from kiosk.domain.scenes import Held, IdDigits, Order
from protocol.enrolment import Enrolment, EnrolmentRequest
from protocol.envelope import Event, device_source
from protocol.messages import CheckAccepted, DeviceState, RedeemAccepted, encode_body
from protocol.topics import RequestKind
from tests.bench.deck import FACE_VALUE_TWD, ITEM, TOTAL_TWD
from tests.bench.fleet import digits_of, site_of
from tests.bench.measuring import WrongAnswerError
from tests.bench.stage import Stage
from tests.bench.stock import PROGRAMME
from tests.support.broker import HOST

WAIT_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Hops:
    """One order, in seconds."""

    save: float
    """Into the outbox, on the disk. Before the publish, so not part of :attr:`total`."""
    publish: float
    """Out of the outbox and handed to the link."""
    away: float
    """From there to the link's callback: broker, worker, commit, and back."""
    wake: float
    """From the link's thread to the kiosk's loop."""
    store: float
    """The answer proved, and on the kiosk's disk."""

    @property
    def total(self) -> float:
        """From the kiosk's publish to its stored answer."""
        return self.publish + self.away + self.wake + self.store


class Customer:
    """A kiosk and whoever stands before it. A context manager: connected inside."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        identity = _enrol(stage, folder)
        device = Device(identity.address, identity.keys, PLAIN_LEGEND)
        self._keys = identity.keys
        self._clock = SystemClock()
        self._maker = RequestMaker(device, self._clock, os.urandom)
        self._outbox = SqliteOutbox(folder / "outbox.sqlite3", source=device_source(identity.address.device_id))
        self._link = _make_link(identity, stage.broker.port)
        self._courier = Courier(self._outbox, self._link, back_off=BackOff(), passing=pass_by)
        self._heard: queue.Queue[tuple[RequestKind, Event, float]] = queue.Queue()
        self._connected: queue.Queue[bool] = queue.Queue()

    def __enter__(self) -> "Customer":
        self._link.start(self._hear, self._connected.put)
        if not self._connected.get(timeout=WAIT_S):
            raise WrongAnswerError("the kiosk could not connect")
        return self

    def __exit__(self, *_: object) -> None:
        self._link.close()
        self._outbox.close()

    def redeem(self, voucher_nos: Sequence[str], visit_id: UUID | None = None) -> Hops:
        """Save, publish, wait, prove, store."""
        make = self._maker.redeem(visit_id or self._maker.new_id(), list(map(_held, voucher_nos)), Order(ITEM, TOTAL_TWD))
        begun = time.perf_counter()
        row = self._courier.save(make, voucher_nos=voucher_nos, saved_at=self._clock.now(), now=self._clock.monotonic())
        saved = time.perf_counter()
        self._courier.publish_due(self._clock.monotonic())
        published = time.perf_counter()
        event, heard = self._answer(RequestKind.REDEEM, row.request.id)
        woken = time.perf_counter()
        answer = read_answer(RequestKind.REDEEM, event, self._keys.answer)
        if not isinstance(answer, RedeemAccepted) or self._courier.take(event, answer) is None:
            raise WrongAnswerError(f"an order alone was not redeemed: {answer}")
        return Hops(saved - begun, published - saved, heard - published, woken - heard, time.perf_counter() - woken)

    def check(self, voucher_no: str, visit_id: UUID | None = None) -> float:
        """Ask about one voucher; seconds from the publish to the proved answer."""
        event = self._maker.check(visit_id or self._maker.new_id(), voucher_no, IdDigits(digits_of(voucher_no)))
        begun = time.perf_counter()
        self._publish(RequestKind.CHECK, event)
        found, _ = self._answer(RequestKind.CHECK, event.id)
        if not isinstance(read_answer(RequestKind.CHECK, found, self._keys.answer), CheckAccepted):
            raise WrongAnswerError("a check alone was refused")
        return time.perf_counter() - begun

    def visit(self, voucher_nos: Sequence[str]) -> float:
        """Check every voucher, one after the other, then redeem them; the machine's seconds, not the customer's."""
        visit_id = self._maker.new_id()
        checked = sum(self.check(number, visit_id) for number in voucher_nos)
        hops = self.redeem(voucher_nos, visit_id)
        return checked + hops.save + hops.total

    def echo(self, voucher_no: str) -> float:
        """Publish and hear any answer at all: the way there and back. For a worker that judges nothing."""
        event = self._maker.check(self._maker.new_id(), voucher_no, IdDigits("0000"))
        begun = time.perf_counter()
        self._publish(RequestKind.CHECK, event)
        _, heard = self._answer(RequestKind.CHECK, event.id)
        return heard - begun

    def _publish(self, kind: RequestKind, event: Event) -> None:
        if not self._link.publish(kind, event):
            raise WrongAnswerError("the kiosk's link took nothing")

    def _answer(self, kind: RequestKind, request_id: UUID) -> tuple[Event, float]:
        end = time.monotonic() + WAIT_S
        while (left := end - time.monotonic()) > 0:
            try:
                found, event, heard = self._heard.get(timeout=left)
            except queue.Empty:
                break
            if (found, event.id) == (kind, request_id):
                return event, heard
        raise WrongAnswerError("a kiosk alone got no answer")

    def _hear(self, kind: RequestKind, event: Event) -> None:
        self._heard.put((kind, event, time.perf_counter()))


def _held(voucher_no: str) -> Held:
    return Held(voucher_no, IdDigits(digits_of(voucher_no)), FACE_VALUE_TWD, PROGRAMME)


def _enrol(stage: Stage, folder: Path) -> Identity:
    keys, fleet, now = prepare_keys(folder), SqlFleet(stage.engine), datetime.now(UTC)
    code = make_claim_code(fleet, site_of(0), made_by="bench", now=now, randomness=os.urandom)
    assert code is not None
    wanted = EnrolmentRequest(claim_code=code, csr_pem=keys.csr_pem(), seal_public=keys.seal_public, serial="bench")
    terms = CloudTerms(stage.vault.seal_public, HOST, stage.broker.port, [])
    answer = enrol(fleet, stage.authority, terms, wanted, now=now, randomness=os.urandom)
    if not isinstance(answer, Enrolment):
        raise WrongAnswerError(f"a kiosk was not enrolled: {answer}")
    return save_enrolment(folder, answer)


def _make_link(identity: Identity, port: int) -> MqttLink:
    enrolled = identity.enrolment
    tls = make_tls(ca_pem=enrolled.ca_pem, certificate_file=str(identity.certificate_file), key_file=str(identity.key_file))
    settings = LinkSettings(
        host=HOST,
        port=port,
        address=identity.address,
        will=encode_body(DeviceState(state="lost")),
        farewell=encode_body(DeviceState(state="offline")),
    )
    return MqttLink(settings, tls, jitter=lambda: 0.1)
