"""What the pages need, given to them by the composition root.

The pages know ports and use cases, never a database or a key file. Every callable here is one use case with its store already
inside; a page adds who asks and when. Money is never computed here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from flask import Blueprint

from cloud.domain.records import Ask
from cloud.ports.choices import Choices
from cloud.ports.clock import Clock
from cloud.ports.people import People, Throttle
from cloud.ports.reports import Reports
from cloud.services.sign_in import PasswordCheck
from protocol.voucher import KeyRing


class HoldersFileError(ValueError):
    """A list of holders cannot be read. ``line`` is the first line that breaks a rule; nothing was issued."""

    def __init__(self, message: str, *, line: int) -> None:
        super().__init__(message)
        self.line = line


class Answering(Protocol):
    """Judges one request of a member of staff and gives the answer's body, the same for ever."""

    def __call__(self, ask: Ask, *, now: datetime) -> bytes:
        """Raises PortError: the outcome is not known; the same request may be sent again."""


class Issuing(Protocol):
    """Issues one voucher per line of a holders file."""

    def __call__(self, programme_id: str, holders_csv: bytes, *, staff_id: str, now: datetime) -> UUID:
        """Raises HoldersFileError: which line cannot be read."""


@dataclass(frozen=True, slots=True)
class MerchantParts:
    """What a merchant may do."""

    confirm: Callable[[str, Sequence[UUID], str, datetime], int]
    """``(merchant_id, redemption_ids, staff_id, now)``: how many were confirmed by this; others' ids count nothing."""
    confirm_all: Callable[[str, str, datetime], int]
    """``(merchant_id, staff_id, now)``: how many were confirmed by this."""


@dataclass(frozen=True, slots=True)
class ScanParts:
    """What the staff scan page needs."""

    answer: Answering
    digit_tag: Callable[[str, str], bytes]
    """``(voucher_no, digits)``: HMAC under the pepper."""
    voucher_keys: Callable[[], KeyRing]
    """Keys that sign vouchers, as trusted now."""
    seal_key: bytes = field(repr=False)
    """32 bytes; seals digits between the steps of one order."""


@dataclass(frozen=True, slots=True)
class OfficeParts:
    """What the programme office may do."""

    issue: Issuing
    sheets: Callable[[UUID], bytes | None]
    """PDF of one issue's printed vouchers; None if there is no such issue."""
    make_claim_code: Callable[[str, str, datetime], str | None]
    """``(site_id, staff_id, now)``: a one-time code for one kiosk, shown once; None if there is no such site."""
    revoke: Callable[[str, str, datetime], bool]
    """``(device_id, reason, now)``: False if there is no such device, or it is revoked already."""


@dataclass(frozen=True, slots=True)
class WebParts:
    """Everything :func:`cloud.web.app.make_app` needs."""

    reports: Reports
    people: People
    choices: Choices
    throttle: Throttle
    passwords: PasswordCheck
    merchant: MerchantParts
    scan: ScanParts
    office: OfficeParts
    clock: Clock
    """The programme's calendar: what is judged, confirmed and issued carries its time. May be a simulated one."""
    wall_clock: Clock
    """The real time: sessions and throttles live by it, whatever the calendar says."""
    randomness: Callable[[int], bytes]
    """That many random bytes."""
    web_secret: bytes = field(repr=False)
    https: bool
    """Whether browsers reach the pages over HTTPS: cookies are then sent over nothing else."""
    api: Blueprint | None = None
    """The devices' HTTP interface, which brings its own authentication."""
