"""The ingest worker: takes what kiosks sent, has it judged, answers, and only then acknowledges.

One round handles everything that queued while the last one was at work, without waiting for more::

    take → prove → judge and commit → answer → park and note presence → acknowledge

While the database is at work on one round, what has come since is taken and proved for the next: a proof needs nothing but
keys. It is judged in its own round, on what the database knows then.

A crash anywhere in a round loses nothing. Before the commit nothing has happened, and the broker or the kiosk sends again.
After it the request meets its stored answer, byte for byte. Where the database fails the round is repeated with growing
pauses and nothing is acknowledged meanwhile.

A message that brings the judge down (a fault of ours) is tried :data:`TRIES_MAX` times, the last ones alone, then parked, so
that it cannot block the others.

What comes from a kiosk's topic above its flow limit is not looked at any further: it is answered ``busy``, now and then, and
acknowledged. That is decided by the topic alone, before any proof, because a proof costs more than what the limit saves. The
broker lets a kiosk write to its own topics only, and one that did not could do worse than use up an allowance: it could keep
the kiosk's messages to itself. Nothing is ever *accepted* on the broker's word.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, TypeVar

from cloud.domain.flow import FlowLimit
from cloud.domain.records import Ask, StoredAnswer
from cloud.ports.clock import Clock
from cloud.ports.fleet import Fleet, Presence
from cloud.ports.ingest import Meanwhile
from cloud.ports.line import Delivery, Line
from cloud.ports.meters import IngestMeters, Outcome, Unmetered
from cloud.ports.parking import ParkedMessage, Parking
from cloud.services.admit import (
    Admitted,
    Arrival,
    DigitTag,
    Excess,
    KnownDevice,
    KnownDevices,
    Malformed,
    Place,
    Unproved,
    admit,
    read_arrival,
)
from cloud.services.reply import Reply, final_reply, unjudged_reply
from protocol.envelope import Event
from protocol.errors import PortError, ProtocolError
from protocol.messages import decode_reason, decode_state
from protocol.reasons import Reason
from protocol.topics import decode_connection_topic
from protocol.trace import trace_id_of

BATCH_MAX: Final = 400
"""Most messages of one round: larger batches gained nothing when measured."""

AHEAD_AT_ONCE: Final = 4
"""Messages of the next round that are proved before it is seen whether the database has answered; some 40 µs each."""

WAIT_S: Final = 0.5
"""Longest wait for a message; also how soon a request to stop is noticed."""

TRIES_MAX: Final = 3
RETRY_FIRST_S: Final = 0.1
RETRY_MAX_S: Final = 1.0
"""Longest pause before the database is tried again. A fail-over is over at a moment that nobody announces."""

REQUESTS_PER_S_MAX: Final = 50.0
REQUESTS_BURST_MAX: Final = 100
"""Per kiosk. One with a customer sends a few a minute; one that was away for days publishes its outbox twenty at a time, and
asks again what it is not answered."""

BUSY_PER_S_MAX: Final = 5.0
BUSY_BURST_MAX: Final = 20
"""Answers that say ``busy``, per kiosk. Whoever does not listen to the first ones need not be told a thousand times."""

PARKED_PER_S_MAX: Final = 5.0
PARKED_BURST_MAX: Final = 500
"""Over all senders: more than this is counted in the log and not written, so that rubbish does not fill the disk."""

CRASH_POINTS: Final = (
    "batch_taken",
    "authenticated",
    "before_load",
    "before_save",
    "after_commit",
    "after_first_answer",
    "after_answers",
    "presence",
    "after_first_ack",
    "after_acks",
)
"""Where a test may kill this process, in the order of a round. Rounds without a request pass ``presence`` only."""

_POISON: Final = f"the judge failed {TRIES_MAX} times"
_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Judging(Protocol):
    """The use case that judges one batch in one transaction; one answer per ask, in their order."""

    def __call__(self, asks: Sequence[Ask], *, now: datetime, meanwhile: Meanwhile) -> Sequence[StoredAnswer]: ...


class Stop(Protocol):
    """Tells when to end. ``threading.Event`` is one."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> bool: ...


@dataclass(frozen=True, slots=True)
class IngestParts:
    """What the worker needs, given by the composition root."""

    line: Line
    judge: Judging
    fleet: Fleet
    parking: Parking
    devices: KnownDevices
    digit_tag: DigitTag
    clock: Clock
    elapsed_s: Callable[[], float]
    """Seconds on a clock that never runs backwards."""
    reach: Callable[[str], None]
    """Passes one of :data:`CRASH_POINTS`."""
    stop: Stop
    meters: IngestMeters = field(default_factory=Unmetered)


@dataclass(slots=True)
class _Round:
    """What one round found out about its deliveries."""

    deliveries: list[Delivery] = field(default_factory=list)
    presences: list[Delivery] = field(default_factory=list)
    strangers: list[Delivery] = field(default_factory=list)
    """Requests on topics of which nobody knows yet whose they are."""
    admitted: list[Admitted] = field(default_factory=list)
    refused: list[Malformed | Excess] = field(default_factory=list)
    parked: list[ParkedMessage] = field(default_factory=list)
    noted: list[Presence] = field(default_factory=list)
    answers: list[tuple[str, Event]] = field(default_factory=list)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    """Of the answers, counted."""


class _StoppedError(Exception):
    """Asked to stop while waiting for the database; the round stays unacknowledged."""


class Ingest:
    """The worker's loop."""

    def __init__(self, parts: IngestParts) -> None:
        self._parts = parts
        self._flow = FlowLimit(per_s=REQUESTS_PER_S_MAX, burst=REQUESTS_BURST_MAX)
        self._busy_flow = FlowLimit(per_s=BUSY_PER_S_MAX, burst=BUSY_BURST_MAX)
        self._parking_flow = FlowLimit(per_s=PARKED_PER_S_MAX, burst=PARKED_BURST_MAX)
        self._next = _Round()

    def run(self) -> None:
        """Work until asked to stop; the round at hand is finished first.

        Raises:
            PortError: the world broke in a way that waiting does not heal.
        """
        try:
            while not self._parts.stop.is_set():
                ahead = len(self._next.deliveries)
                deliveries = self._parts.line.take(BATCH_MAX - ahead, wait_s=0.0 if ahead else WAIT_S)
                if ahead or deliveries:
                    self.work(deliveries)
        except _StoppedError:
            _log.warning("stopped while the database was away; what was open will be sent again")

    def work(self, deliveries: Sequence[Delivery]) -> None:
        """Do one round: what was read ahead, and these."""
        found, self._next = self._next, _Round()
        found.deliveries += deliveries
        self._parts.meters.took(len(found.deliveries), oldest_at_s=min(one.arrived_at_s for one in found.deliveries))
        reach = _pass if all(map(_is_presence, found.deliveries)) else self._parts.reach
        reach("batch_taken")
        for delivery in deliveries:
            self._sort(delivery, found)
        if found.strangers:
            self._until_done(lambda: self._meet(found))
        reach("authenticated")
        self._judge(found)
        reach("after_commit")
        tells = _log.isEnabledFor(logging.DEBUG)
        for number, (topic, event) in enumerate(found.answers):
            self._parts.line.publish(topic, event)
            if tells:
                _log.debug("answered request %s, trace %s: %s", event.id, _trace_of(event.traceparent), event.type)
            if number == 0:
                reach("after_first_answer")
        self._parts.line.flush()
        reach("after_answers")
        self._parts.meters.answered(found.outcomes)
        self._note(found)
        self._acknowledge(found.deliveries, reach)
        self._parts.meters.finished()

    def _read_ahead(self) -> bool:
        """Take and prove a few messages of the next round, if any have come."""
        room = BATCH_MAX - len(self._next.deliveries)
        deliveries = self._parts.line.take_more(min(AHEAD_AT_ONCE, room)) if room else ()
        self._next.deliveries += deliveries
        for delivery in deliveries:
            self._sort(delivery, self._next)
        return bool(deliveries)

    def _sort(self, delivery: Delivery, found: _Round) -> None:
        """Find out what a message is, as far as that takes no database."""
        if _is_presence(delivery):
            found.presences.append(delivery)
            return
        place = self._parts.devices.places.get(delivery.topic)
        if place is None:
            found.strangers.append(delivery)
            return
        device, _ = place
        device_id, at_s = device.address.device_id, self._parts.elapsed_s()
        if self._flow.admit(device_id, at_s=at_s):
            self._place(found, delivery, self._proved(_read(delivery, place), device))
        elif self._busy_flow.admit(device_id, at_s=at_s):
            self._place(found, delivery, _turned_away(_read(delivery, place), device))

    def _meet(self, found: _Round) -> None:
        arrivals = [(delivery, _read(delivery, None)) for delivery in found.strangers]
        names = {arrival.address.device_id for _, arrival in arrivals if isinstance(arrival, Arrival)}
        devices = self._parts.devices.find(names)
        for delivery, arrival in arrivals:
            device = devices.get(arrival.address.device_id) if isinstance(arrival, Arrival) else None
            self._place(found, delivery, self._proved(arrival, device))

    def _proved(self, arrival: Arrival | Unproved, device: KnownDevice | None) -> Admitted | Malformed | Unproved:
        return arrival if isinstance(arrival, Unproved) else _guarded(admit, arrival, device, self._parts.digit_tag)

    def _place(self, found: _Round, delivery: Delivery, outcome: Admitted | Malformed | Excess | Unproved) -> None:
        match outcome:
            case Admitted():
                found.admitted.append(outcome)
            case Excess():
                found.refused.append(outcome)
            case Unproved(problem):
                found.parked.append(self._parked(delivery, problem))
            case Malformed(device=device, problem=problem):
                trace = _trace_of(outcome.traceparent)
                _log.warning(
                    "%s sent a malformed %s: request %s, trace %s",
                    device.address.device_id,
                    outcome.kind,
                    outcome.request_id,
                    trace,
                )
                found.refused.append(outcome)

    def _judge(self, found: _Round) -> None:
        for outcome in found.refused:
            found.answers.append(unjudged_reply(outcome, now=self._parts.clock.now()))
            found.outcomes[outcome.kind, outcome.reason] += 1
        if found.admitted:
            stored = self._until_done(lambda: self._stored(found.admitted))
            for one, answer in zip(found.admitted, stored, strict=True):
                final = Unproved(_POISON) if answer is None else _guarded(_final, one, answer)
                if isinstance(final, Unproved):
                    found.parked.append(self._parked_ask(one, final.problem))
                else:
                    found.answers.append(final[0])
                    found.outcomes[one.ask.kind, final[1]] += 1

    def _stored(self, admitted: Sequence[Admitted]) -> Sequence[StoredAnswer | None]:
        try:
            return self._commit([one.ask for one in admitted])
        except PortError:
            raise
        except Exception:  # noqa: BLE001 - a fault of ours in one message must not stop the others
            _log.exception("a batch of %d requests could not be judged; each is tried alone", len(admitted))
            return [self._stored_alone(one) for one in admitted]

    def _stored_alone(self, one: Admitted) -> StoredAnswer | None:
        for _ in range(TRIES_MAX - 1):
            try:
                (answer,) = self._commit([one.ask])
            except PortError:
                raise
            except Exception:  # noqa: BLE001 - see above
                _log.exception("request %s, trace %s could not be judged", one.ask.request_id, _trace_of(one.traceparent))
            else:
                return answer
        return None

    def _commit(self, asks: Sequence[Ask]) -> Sequence[StoredAnswer]:
        begun_s = self._parts.elapsed_s()
        stored = self._parts.judge(asks, now=self._parts.clock.now(), meanwhile=self._read_ahead)
        self._parts.meters.committed(self._parts.elapsed_s() - begun_s)
        return stored

    def _note(self, found: _Round) -> None:
        for delivery in found.presences:
            self._read_presence(delivery, found)
        if found.noted:
            self._until_done(lambda: self._parts.fleet.record_presence(found.noted))
            self._parts.reach("presence")
        kept = [message for message in found.parked if self._parking_flow.admit("all", at_s=self._parts.elapsed_s())]
        if found.parked:
            self._parts.meters.parked(kept=len(kept), dropped=len(found.parked) - len(kept))
        if len(kept) < len(found.parked):
            _log.warning("%d more messages could not be proved; too many to keep", len(found.parked) - len(kept))
        if kept:
            _log.warning("%d messages were parked; the last one: %s", len(kept), kept[-1].problem)
            self._until_done(lambda: self._parts.parking.park(kept))

    def _read_presence(self, delivery: Delivery, found: _Round) -> None:
        try:
            address = decode_connection_topic(delivery.topic)
            state = decode_state(delivery.payload)
        except ProtocolError as problem:
            found.parked.append(self._parked(delivery, str(problem)))
            return
        # Only that device may write to its topic: the broker holds it to the name in its certificate.
        found.noted.append(
            Presence(
                address.device_id,
                state.state,
                self._parts.clock.now(),
                state.version,
                state.pending,
                remembered=delivery.retained,
            )
        )

    def _acknowledge(self, deliveries: Sequence[Delivery], reach: Callable[[str], None]) -> None:
        for number, delivery in enumerate(deliveries):
            self._parts.line.acknowledge(delivery)
            if number == 0:
                reach("after_first_ack")
        self._parts.line.flush()
        reach("after_acks")

    def _until_done(self, act: Callable[[], _T]) -> _T:
        pause_s = RETRY_FIRST_S
        while True:
            try:
                return act()
            except PortError as problem:
                if not problem.retry:
                    raise
                _log.warning("%s; trying again", problem)
                self._parts.meters.retried()
                if self._parts.stop.wait(pause_s):
                    raise _StoppedError from problem
                pause_s = min(pause_s * 2, RETRY_MAX_S)

    def _parked(self, delivery: Delivery, problem: str) -> ParkedMessage:
        return ParkedMessage(self._parts.clock.now(), delivery.topic, problem, hashlib.sha256(delivery.payload).digest())

    def _parked_ask(self, one: Admitted, problem: str) -> ParkedMessage:
        topic = one.device.address.request(one.ask.kind)
        return ParkedMessage(self._parts.clock.now(), topic, problem, one.ask.body_hash)


def _read(delivery: Delivery, place: Place | None) -> Arrival | Unproved:
    return _guarded(read_arrival, delivery.topic, delivery.properties, delivery.payload, place)


def _turned_away(arrival: Arrival | Unproved, device: KnownDevice) -> Excess | Unproved:
    if isinstance(arrival, Unproved):
        return arrival
    return Excess(device, arrival.event.id, arrival.kind, arrival.event.traceparent)


def _final(one: Admitted, stored: StoredAnswer) -> tuple[Reply, Reason | None]:
    return final_reply(one.device, stored, one.traceparent), decode_reason(stored.answer)


def _trace_of(traceparent: str | None) -> str:
    return "none" if traceparent is None else trace_id_of(traceparent)


def _guarded(read: Callable[..., _T], *arguments: object) -> _T | Unproved:
    try:
        return read(*arguments)
    except Exception:  # noqa: BLE001 - whatever a hostile message brings down here, it is not accepted, and blocks nobody
        _log.exception("a message brought %s down", read.__name__)
        return Unproved("it brought the reader down")


def _is_presence(delivery: Delivery) -> bool:
    return delivery.topic.endswith("/state/conn")


def _pass(_point: str) -> None:
    """A round without requests passes no crash points."""
