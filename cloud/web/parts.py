"""What the pages need, given to them by the composition root.

The pages know ports and use cases, never a database or a key file. Money is never computed here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from flask import Blueprint

from cloud.ports.accounts import AccountStore, FactorStore, WebSessions
from cloud.ports.choices import Choices
from cloud.ports.clock import Clock
from cloud.ports.confirmations import ConfirmationStore
from cloud.ports.fleet import Fleet
from cloud.ports.ingest import IngestStore
from cloud.ports.meters import Unmetered, WebMeters
from cloud.ports.people import People, Throttle
from cloud.ports.reports import Reports
from cloud.ports.shops import Shops
from cloud.services.accounts import PasswordRules
from cloud.services.sign_in import PasswordCheck
from protocol.voucher import KeyRing


class HoldersFileError(ValueError):
    """A list of holders cannot be read. ``line`` is the first line that breaks a rule; nothing was issued."""

    def __init__(self, message: str, *, line: int) -> None:
        super().__init__(message)
        self.line = line


class Issuing(Protocol):
    """Issues one voucher per line of a holders file."""

    def __call__(self, programme_id: str, holders_csv: bytes, *, issue_id: UUID, staff_id: str, now: datetime) -> object:
        """Issue; ``issue_id`` names the batch.

        Raises:
            HoldersFileError: which line cannot be read. Nothing was issued.
            PortError: the database failed.
        """


@dataclass(frozen=True, slots=True)
class ScanParts:
    """What the staff scan page needs."""

    store: IngestStore
    """Where requests are judged: the same as a kiosk's."""
    digit_tag: Callable[[str, str], bytes]
    """``(voucher_no, digits)``: HMAC under the pepper."""
    voucher_keys: Callable[[], KeyRing]
    """Keys that sign vouchers, as trusted now."""
    seal_key: bytes = field(repr=False)
    """32 bytes; seals digits between the steps of one order."""


@dataclass(frozen=True, slots=True)
class OfficeParts:
    """What the programme office may do."""

    fleet: Fleet
    issue: Issuing
    sheets: Callable[[UUID, int], bytes | None]
    """``(issue_id, part)``: PDF of one issue's printed vouchers, in parts of ``sheet_vouchers_max``, counted from 1; None if
    there is no such issue or part."""
    sheet_vouchers_max: int = 4_000
    """How many vouchers one file holds."""


@dataclass(frozen=True, slots=True)
class AccountParts:
    """Accounts, who is signed in, and what people prove themselves with."""

    store: AccountStore
    sessions: WebSessions
    factors: FactorStore
    rules: PasswordRules


@dataclass(frozen=True, slots=True)
class WebParts:
    """Everything :func:`cloud.web.app.make_app` needs."""

    reports: Reports
    people: People
    choices: Choices
    throttle: Throttle
    passwords: PasswordCheck
    accounts: AccountParts
    confirmations: ConfirmationStore
    shops: Shops
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
    meters: WebMeters = field(default_factory=Unmetered)
