"""What the pages need, given to them by the composition root.

The pages know ports and use cases, never a database or a key file. Money is never computed here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from flask import Blueprint

from cloud.domain.banks import BankList
from cloud.domain.payouts import Originator
from cloud.domain.working_days import WorkingDays
from cloud.ports.accounts import AccountStore, FactorStore, WebSessions
from cloud.ports.audit import AuditTrail
from cloud.ports.cases import CaseStore
from cloud.ports.choices import Choices
from cloud.ports.clock import Clock
from cloud.ports.confirmations import ConfirmationStore
from cloud.ports.connect import KeyStore
from cloud.ports.disputes import DisputeStore
from cloud.ports.documents import SheetWriter, StatementMaker
from cloud.ports.drafts import DraftKind, DraftStore
from cloud.ports.fleet import Fleet
from cloud.ports.ingest import IngestStore
from cloud.ports.merchants import MerchantStore
from cloud.ports.meters import Unmetered, WebMeters
from cloud.ports.money_reports import MoneyReports
from cloud.ports.payouts import PayoutStore
from cloud.ports.people import People, Throttle
from cloud.ports.programme_office import ProgrammeOffice
from cloud.ports.programme_use import ProgrammeUses
from cloud.ports.reports import Reports
from cloud.ports.settlements import SettlementStore
from cloud.ports.shops import Shops
from cloud.ports.signals import SignalReports
from cloud.services.accounts import PasswordRules
from cloud.services.sign_in import PasswordCheck
from cloud.services.webhooks import WebhookDesk
from protocol.voucher import KeyRing


class HoldersFileError(ValueError):
    """A list of holders cannot be read. ``line`` is the first line that breaks a rule; nothing was issued."""

    def __init__(self, message: str, *, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class HandedIn:
    """A list of holders that somebody handed in."""

    draft_id: UUID
    """Named by the form: one that is sent twice makes one draft."""
    programme_id: str
    kind: DraftKind
    suffixes: tuple[str, ...]
    """Of a draw."""
    content: bytes = field(repr=False)
    by: str


@dataclass(frozen=True, slots=True)
class ProgrammeParts:
    """What the office needs for programmes, issues, signals and the audit log."""

    office: ProgrammeOffice
    uses: ProgrammeUses
    drafts: DraftStore
    hand_in: Callable[[HandedIn], None]
    """Reads a list into a draft, at once or in the background. Raises HoldersFileError, or PortError."""
    signals: SignalReports
    audit: AuditTrail


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
class MerchantParts:
    """Businesses that apply, and merchants."""

    store: MerchantStore
    working_days: WorkingDays
    """In which the time for a correction is counted."""
    banks: BankList


@dataclass(frozen=True, slots=True)
class MoneyParts:
    """What the pages about money need."""

    reports: MoneyReports
    settlements: SettlementStore
    payouts: PayoutStore
    disputes: DisputeStore
    cases: CaseStore
    originator: Callable[[], Originator]
    """Who pays the merchants; asked when a file is made."""
    statement: StatementMaker
    write_sheet: SheetWriter


@dataclass(frozen=True, slots=True)
class ConnectParts:
    """A merchant's keys and webhooks."""

    keys: KeyStore
    webhooks: WebhookDesk


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
    merchants: MerchantParts
    shops: Shops
    scan: ScanParts
    office: OfficeParts
    programmes: ProgrammeParts
    money: MoneyParts
    connect: ConnectParts
    clock: Clock
    """The programme's calendar: what is judged, confirmed and issued carries its time. May be a simulated one."""
    wall_clock: Clock
    """The real time: sessions and throttles live by it, whatever the calendar says."""
    randomness: Callable[[int], bytes]
    """That many random bytes."""
    web_secret: bytes = field(repr=False)
    https: bool
    """Whether browsers reach the pages over HTTPS: cookies are then sent over nothing else."""
    second_factor_required: bool = False
    """Whether the office's people and merchants' admins must set up a second factor before anything else."""
    api: Blueprint | None = None
    """The devices' HTTP interface, which brings its own authentication."""
    http_api: Blueprint | None = None
    """The merchants' programs' HTTP interface, which brings its own authentication too."""
    api_docs: Blueprint | None = None
    """The page that describes it."""
    meters: WebMeters = field(default_factory=Unmetered)
