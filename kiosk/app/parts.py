"""What a kiosk is put together from. The composition root fills it with real parts, a test or a simulation with others."""

from collections.abc import Callable
from dataclasses import dataclass, field

from kiosk.app.requests import Device
from kiosk.domain.outbox import BackOff
from kiosk.domain.site import Site
from kiosk.ports import Clock, CrashPoint, Link, Outbox, Passing
from protocol.voucher import KeyRing


def pass_by(_point: CrashPoint) -> None:
    """Outside of tests nothing happens at a crash point."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a kiosk is put together from."""

    device: Device
    site: Site
    trusted: KeyRing
    outbox: Outbox
    link: Link
    clock: Clock
    random_bytes: Callable[[int], bytes]
    boot_id: str
    version: str
    back_off: BackOff = field(default_factory=BackOff)
    passing: Passing = pass_by
