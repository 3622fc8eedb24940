"""The scheduler: closes every voucher week by itself once it has ended, and then forgets the holders who are to be forgotten.

It sleeps until the next week ends and then asks the use cases, which are safe to run twice, late, or beside another scheduler.
It never counts on having been awake: after a pause of any length it closes whatever has ended meanwhile.
"""

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from cloud.ports.clock import Clock
from cloud.ports.meters import ScheduleMeters, Unmetered
from cloud.ports.retention import RetentionStore
from cloud.ports.settlements import SettlementStore
from cloud.services.purge import PURGE_PAUSE_S, purge_due
from cloud.services.settle import next_due, settle_due
from protocol.errors import PortError

LOOK_EVERY_S: Final = 30.0
"""Longest sleep on the real calendar: a machine that was suspended or had its clock set is noticed after this."""

LOOK_EVERY_SIMULATED_S: Final = 0.25
"""A simulated calendar may jump at any moment; it is looked at this often."""

RETRY_S: Final = 2.0

_log = logging.getLogger(__name__)


class Stop(Protocol):
    """Tells when to end. ``threading.Event`` is one."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> bool: ...


@dataclass(frozen=True, slots=True)
class ScheduleParts:
    """What the scheduler needs, given by the composition root."""

    settlements: SettlementStore
    clock: Clock
    stop: Stop
    retention: RetentionStore
    look_every_s: float = LOOK_EVERY_S
    meters: ScheduleMeters = field(default_factory=Unmetered)


def run_schedule(parts: ScheduleParts) -> None:
    """Work until asked to stop.

    Raises:
        PortError: the world broke in a way that waiting does not heal.
    """
    _log.info("closing every week once it has ended")
    while not parts.stop.is_set():
        try:
            due = _settle(parts)
            _purge(parts)
            _sleep_until(due, parts)
        except PortError as problem:
            if not problem.retry:
                raise
            _log.warning("%s; trying again", problem)
            parts.stop.wait(RETRY_S)


def _settle(parts: ScheduleParts) -> datetime:
    for settlement in settle_due(parts.settlements, now=parts.clock.now()):
        _log.info("closed the week from %s: %d claims", settlement.period.starts_on, settlement.claim_count)
        parts.meters.settled(settlement.closed_at)
    due = next_due(parts.settlements, now=parts.clock.now())
    parts.meters.due(due)
    return due


def _purge(parts: ScheduleParts) -> None:
    done = purge_due(parts.retention, now=parts.clock.now(), go_on=lambda: not parts.stop.wait(PURGE_PAUSE_S))
    if done.vouchers:
        _log.info("forgot the holders of %d vouchers", done.vouchers)
    if done.drafts:
        _log.info("discarded %d lists of holders that were left lying", done.drafts)


def _sleep_until(due: datetime, parts: ScheduleParts) -> None:
    while not parts.stop.is_set():
        left_s = (due - parts.clock.now()).total_seconds()
        if left_s <= 0:
            return
        parts.stop.wait(min(left_s, parts.look_every_s))
