"""Carries out what a visit wants done. Each effect is done when the call returns; what came of it goes back as events."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final, assert_never
from uuid import UUID

from kiosk.app.checks import Checks
from kiosk.app.courier import Courier
from kiosk.app.parts import Parts
from kiosk.app.requests import RequestMaker
from kiosk.domain.effects import Effect, LookUp, NoteShown, SaveRequest, SendCheck, SendRelease, Sound, Tune
from kiosk.domain.events import Event, FitnessChanged, KnownRequest, RequestSaved, SaveFailed
from kiosk.ports import CrashPoint, OutboxRow
from protocol.errors import PortError
from protocol.limits import HOLD_S
from protocol.messages import RedeemAccepted, Refused, decode_answer
from protocol.topics import RequestKind

VISITS_MAX: Final = 16
"""Visit ids that are remembered for late releases."""

log = logging.getLogger(__name__)


class Hands:
    """The effects of one kiosk."""

    def __init__(self, parts: Parts, checks: Checks, courier: Courier, *, on_sound: Callable[[Tune], None]) -> None:
        self._parts = parts
        self._checks = checks
        self._courier = courier
        self._on_sound = on_sound
        self._maker = RequestMaker(parts.device, parts.clock, parts.random_bytes)
        self._visit_ids: OrderedDict[int, UUID] = OrderedDict()

    def carry_out(self, effect: Effect, now: float) -> Iterable[Event]:
        match effect:
            case Sound(tune):
                self._on_sound(tune)
            case LookUp():
                return self._look_up(effect)
            case SendCheck(visit, _, voucher_no, digits):
                self._checks.ask(effect, self._maker.check(self._visit_id(visit), voucher_no, digits), now)
                self._parts.passing(CrashPoint.CHECK_SENT)
            case SendRelease(visit, voucher_nos):
                event = self._maker.release(self._visit_id(visit), voucher_nos)
                self._parts.link.publish(RequestKind.RELEASE, event, expiry_s=HOLD_S)
                self._parts.passing(CrashPoint.RELEASE_SENT)
            case SaveRequest():
                return self._save(effect, now)
            case NoteShown(request_id):
                return self._note_shown(request_id)
            case _:
                assert_never(effect)
        return ()

    def _look_up(self, effect: LookUp) -> Iterable[Event]:
        try:
            # A kiosk that cannot save must say so before the customer has given anything.
            self._courier.probe()
            row = self._parts.outbox.find_by_voucher(effect.voucher_no)
        except PortError as problem:
            return _unfit(problem)
        known = None if row is None else _known(row, effect)
        return () if known is None else (known,)

    def _save(self, effect: SaveRequest, now: float) -> Iterable[Event]:
        make = self._maker.redeem(self._visit_id(effect.visit), effect.held, effect.order)
        voucher_nos = [voucher.voucher_no for voucher in effect.held]
        self._parts.passing(CrashPoint.BEFORE_SAVE)
        try:
            row = self._courier.save(make, voucher_nos=voucher_nos, saved_at=self._parts.clock.now(), now=now)
        except PortError as problem:
            log.error("a request could not be saved: %s", problem)  # noqa: TRY400 - the sentence says it all
            return (SaveFailed(effect.ask),)
        self._parts.passing(CrashPoint.AFTER_SAVE)
        return (RequestSaved(effect.ask, row.request.id),)

    def _note_shown(self, request_id: UUID) -> Iterable[Event]:
        try:
            self._parts.outbox.mark_shown(request_id)
        except PortError as problem:
            return _unfit(problem)
        return ()

    def _visit_id(self, serial: int) -> UUID:
        if serial not in self._visit_ids:
            self._visit_ids[serial] = self._maker.new_id()
            while len(self._visit_ids) > VISITS_MAX:
                self._visit_ids.popitem(last=False)
        return self._visit_ids[serial]


def _known(row: OutboxRow, effect: LookUp) -> KnownRequest | None:
    """Tell what is to be said about a request that the customer may not know the outcome of."""
    if row.answer is None:
        return KnownRequest(effect.visit, effect.voucher_no, row.request.id, None)
    answer = decode_answer(row.answer.body)
    assert isinstance(answer, RedeemAccepted | Refused), "only final answers are stored"
    if isinstance(answer, Refused) or row.shown:
        # Refused: the voucher may be used. Shown: whoever comes with it now asks anew, and the cloud tells.
        return None
    return KnownRequest(effect.visit, effect.voucher_no, row.request.id, answer)


def _unfit(problem: PortError) -> Iterable[Event]:
    log.error("out of order: %s", problem)
    return (FitnessChanged(False),)
