"""The parts of the cloud, each opened when it is first asked for: a command opens only what it uses."""

import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from cloud.adapters.broker import BrokerPlace, write_broker_files
from cloud.adapters.certificates import FleetAuthority
from cloud.adapters.clock import CalendarClock, SystemClock
from cloud.adapters.holders_file import read_holders
from cloud.adapters.ingest_stores import make_ingest_store
from cloud.adapters.passwords import Argon2Passwords
from cloud.adapters.sheets import SHEET_VOUCHERS_MAX, Sheets, make_sheets, render_pngs, render_sheets
from cloud.adapters.sql.audit import SqlAuditTrail
from cloud.adapters.sql.books import SqlBooks
from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.corrections import SqlCorrectionStore
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.fleet import SqlFleet
from cloud.adapters.sql.issues import SqlIssueStore
from cloud.adapters.sql.migrations import check_at_head, migrate
from cloud.adapters.sql.payouts import SqlPayoutStore
from cloud.adapters.sql.people import SqlPeople
from cloud.adapters.sql.programmes import SqlSetupStore
from cloud.adapters.sql.reports import SqlReports
from cloud.adapters.sql.retention import SqlRetentionStore
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.taiwan_banks import BranchesFileError, read_banks
from cloud.adapters.taiwan_calendar import CalendarFileError, read_working_days
from cloud.adapters.vault import Vault, make_vault, make_voucher_key, open_vault, read_voucher_keys
from cloud.adapters.voucher_numbers import random_voucher_nos
from cloud.config import Config, ConfigError
from cloud.domain.banks import BankList
from cloud.domain.payouts import Originator
from cloud.domain.working_days import WorkingDays
from cloud.ports.clock import Clock
from cloud.ports.ingest import IngestStore
from cloud.ports.issues import IssuedVoucher, IssueTerms
from cloud.services.enrol import CloudTerms, EnrolmentRefusal, enrol
from cloud.services.issue import Issued, IssueOrder, issue_vouchers
from cloud.services.purge import PURGE_PAUSE_S
from protocol.enrolment import Enrolment, EnrolmentRequest, TrustedKey
from protocol.errors import PortError
from protocol.ids import reference, uuid7
from protocol.voucher import KeyRing

SCREEN_PPI = 150.0
"""Of the pages to look at; the PDF is what is printed."""


class Wiring:
    """Everything, each part opened when it is first asked for."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.answer_wait_s: float | None = None
        """How long a database may be silent before it is left; None: as long as a command takes. Set before the first use."""

    # Parts of the commands -----------------------------------------------------------------------------------------------

    @cached_property
    def clock(self) -> Clock:
        """The programme's calendar."""
        return CalendarClock(Path(self.config.calendar_file)) if self.config.calendar_file else SystemClock()

    @cached_property
    def engine(self) -> Engine:
        """The database, of this program's schema."""
        engine = self._any_engine()
        check_at_head(engine)
        return engine

    @cached_property
    def vault(self) -> Vault:
        """The secrets."""
        return open_vault(self._vault_folder)

    @cached_property
    def authority(self) -> FleetAuthority:
        """The fleet's certificate authority; lives by the real clock, as TLS does."""
        return FleetAuthority(self.vault.ca_key, self.vault.ca_certificate, clock=SystemClock())

    @cached_property
    def fleet(self) -> SqlFleet:
        """The kiosks."""
        return SqlFleet(self.engine)

    @cached_property
    def ingest_store(self) -> IngestStore:
        """The hot path's database."""
        return make_ingest_store(self.engine)

    @cached_property
    def setups(self) -> SqlSetupStore:
        """Programmes, merchants, sites, people."""
        return SqlSetupStore(self.engine)

    @cached_property
    def confirmations(self) -> SqlConfirmationStore:
        """The merchants' confirmations."""
        return SqlConfirmationStore(self.engine)

    @cached_property
    def settlements(self) -> SqlSettlementStore:
        """The weekly closings."""
        return SqlSettlementStore(self.engine)

    @cached_property
    def reports(self) -> SqlReports:
        """What is read, never written."""
        return SqlReports(self.engine)

    @cached_property
    def books(self) -> SqlBooks:
        """Everything about money, at one moment."""
        return SqlBooks(self.engine)

    @cached_property
    def audit_trail(self) -> SqlAuditTrail:
        """What the office did."""
        return SqlAuditTrail(self.engine)

    @cached_property
    def payouts(self) -> SqlPayoutStore:
        """Payout files and the bank's answers."""
        return SqlPayoutStore(self.engine)

    @cached_property
    def people(self) -> SqlPeople:
        """Accounts, to read."""
        return SqlPeople(self.engine)

    @cached_property
    def corrections(self) -> SqlCorrectionStore:
        """What was put right afterwards."""
        return SqlCorrectionStore(self.engine)

    @cached_property
    def retention(self) -> SqlRetentionStore:
        """Where holders are forgotten."""
        return SqlRetentionStore(self.engine)

    @cached_property
    def originator(self) -> Originator:
        """Who pays the merchants."""
        own = self.config.originator
        return Originator(own.bank_code, own.account_no, own.ubn, own.txid, own.name)

    def initialise(self) -> bool:
        """Make the vault and bring the database to its newest schema."""
        made = make_vault(self._vault_folder, now=SystemClock().now())
        open_vault(self._vault_folder)
        engine = self._any_engine()
        migrate(engine)
        engine.dispose()
        return made

    def hash_password(self, password: str) -> str:
        """Hash a password; slow on purpose."""
        return Argon2Passwords().hash(password)

    def make_voucher_key(self, key_id: str) -> bool:
        """Make a key that signs voucher codes, where there is none of this id."""
        return make_voucher_key(self._vault_folder, key_id)

    def randomness(self, length: int) -> bytes:
        """Return that many random bytes."""
        return secrets.token_bytes(length)

    def leave_room(self) -> bool:
        """Let others write for a moment between two transactions of many."""
        time.sleep(PURGE_PAUSE_S)
        return True

    def write_broker_files(self, folder: Path) -> Path:
        """Write everything that Mosquitto needs."""
        broker = self.config.broker
        place = BrokerPlace(broker.host, broker.port, [broker.public_host, broker.host])
        return write_broker_files(folder, place, self.authority, revoked=self.fleet.revoked_certificate_serials())

    # Use cases that several ways in share -----------------------------------------------------------------------------------

    def enrol(self, request: EnrolmentRequest) -> Enrolment | EnrolmentRefusal:
        """Enrol one kiosk."""
        keys = self.trusted_keys()
        terms = CloudTerms(
            seal_public=self.vault.seal_public,
            broker_host=self.config.broker.public_host,
            broker_port=self.config.broker.port,
            voucher_keys=[TrustedKey(key_id=key_id, public=_encode(key.public_bytes_raw())) for key_id, key in keys.items()],
        )
        return enrol(self.fleet, self.authority, terms, request, now=self.clock.now(), randomness=self.randomness)

    def issue(
        self, programme_id: str, holders_csv: bytes, *, issued_by: str, now: datetime, issue_id: UUID | None = None
    ) -> Issued:
        """Issue one voucher per line of a list of holders; ``issue_id`` where a form has named the batch already.

        Raises:
            HoldersError: the list cannot be read. Nothing was issued.
            IssueError: nothing was issued.
        """
        issue_id = issue_id or uuid7(int(now.timestamp() * 1000), self.randomness(10))
        return issue_vouchers(
            SqlIssueStore(self.engine),
            IssueOrder(issue_id, programme_id, issued_by, now),
            read_holders(holders_csv),
            numbers=random_voucher_nos(),
            pepper=self.vault.pepper,
        )

    @cached_property
    def working_days(self) -> WorkingDays:
        """The calendar of Taiwan's public offices."""
        named = self.config.holidays_file
        try:
            return read_working_days(Path(named) if named else None)
        except CalendarFileError as problem:
            raise ConfigError(str(problem)) from problem

    @cached_property
    def banks(self) -> BankList:
        """Banks, and branches where a list of them is named."""
        named = self.config.bank_branches_file
        try:
            return read_banks(Path(named) if named else None)
        except BranchesFileError as problem:
            raise ConfigError(str(problem)) from problem

    @property
    def _vault_folder(self) -> Path:
        return Path(self.config.vault_dir)

    def sheets_of(self, issue_id: UUID) -> Sequence[Sheets]:
        """Return the printed sheets of one issue, in files of a size that can be rendered; none if there is no such issue.

        Raises:
            PortError: the key that signs the programme's codes is not in the vault.
        """
        found = SqlIssueStore(self.engine).find_issue(issue_id)
        if found is None:
            return []
        terms, vouchers = found
        key = self._signing_key(terms)
        return [
            make_sheets(terms, some, batch=reference(issue_id), host=self.config.public_host, key=key)
            for some in _files(vouchers)
        ]

    def write_sheets(self, issue_id: UUID, folder: Path) -> int:
        """Write an issue's sheets into a folder, as PDF to print and one PNG per page; return the number of pages."""
        folder.mkdir(parents=True, exist_ok=True)
        pages = 0
        for file_no, sheets in enumerate(self.sheets_of(issue_id), start=1):
            (folder / f"vouchers-{file_no:02}.pdf").write_bytes(render_sheets(sheets))
            for page in render_pngs(sheets, ppi=SCREEN_PPI):
                pages += 1
                (folder / f"page-{pages:04}.png").write_bytes(page)
        return pages

    def trusted_keys(self) -> KeyRing:
        """Public keys that sign voucher codes, as they are at this moment."""
        return {key_id: key.public_key() for key_id, key in read_voucher_keys(self._vault_folder).items()}

    def _signing_key(self, terms: IssueTerms) -> Ed25519PrivateKey | None:
        if terms.signing_key_id is None:
            return None
        key = read_voucher_keys(self._vault_folder).get(terms.signing_key_id)
        if key is None:
            raise PortError(f"the vault has no key {terms.signing_key_id}, which signs {terms.programme_id}", retry=False)
        return key

    def _any_engine(self) -> Engine:
        try:
            engine = make_engine(self.config.database_url, answer_wait_s=self.answer_wait_s)
        except ValueError as problem:
            raise ConfigError(f"database_url cannot be used: {problem}.") from problem
        # An exception's text may reach a log; the values of a statement must not.
        engine.hide_parameters = True
        return engine


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _files(vouchers: Sequence[IssuedVoucher]) -> list[Sequence[IssuedVoucher]]:
    return [vouchers[start : start + SHEET_VOUCHERS_MAX] for start in range(0, len(vouchers), SHEET_VOUCHERS_MAX)]
