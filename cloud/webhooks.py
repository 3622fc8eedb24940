"""The deliverer of webhooks: looks every few seconds what happened and tells those who want to know.

A process of its own, because whom it talks to is not ours: a server that answers slowly must hold up nobody but itself. Several
may run; each webhook is with one of them at a time. Killed at any moment it loses nothing: what was not written down is sent
again.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol

from cloud.services.webhooks import KEPT, Teller, Told, tell
from protocol.errors import PortError

LOOK_EVERY_S: Final = 2.0
AT_ONCE_MAX: Final = 8
"""Webhooks that are told at the same moment."""

SWEEP_EVERY: Final = timedelta(hours=1)

_log = logging.getLogger(__name__)


class Stop(Protocol):
    """Tells when to end. ``threading.Event`` is one."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> bool: ...


@dataclass(frozen=True, slots=True)
class WebhookParts:
    """What the deliverer needs, given by the composition root."""

    teller: Teller
    stop: Stop
    look_every_s: float = LOOK_EVERY_S


def run_webhooks(parts: WebhookParts) -> None:
    """Work until asked to stop; the attempts under way are ended first.

    Raises:
        PortError: the world broke in a way that waiting does not heal.
    """
    _log.info("telling webhooks what happened")
    sweep_at: datetime | None = None
    with ThreadPoolExecutor(AT_ONCE_MAX, thread_name_prefix="webhook") as pool:
        while not parts.stop.is_set():
            now = parts.teller.wall_clock.now()
            try:
                if sweep_at is None or now >= sweep_at:
                    parts.teller.store.sweep(now - KEPT)
                    sweep_at = now + SWEEP_EVERY
                look(parts.teller, pool.map)
            except PortError as problem:
                if not problem.retry:
                    raise
                _log.warning("%s; trying again", problem)
            parts.stop.wait(parts.look_every_s)


def look(teller: Teller, each: Callable[[Callable[[str], Told], Sequence[str]], Iterable[Told]]) -> None:
    """Tell every active webhook what is new; ``each`` is ``map``, or one that runs several at once."""
    for told in each(partial(tell, teller), teller.store.active_ids()):
        if told.failed:
            _log.info("a webhook was told %d messages, %d were not taken", told.taken, told.failed)
