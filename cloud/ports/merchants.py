"""Businesses that apply, merchants that they become, and the trail of what was done to them.

An application that was returned and did not come back in time is lapsed. That follows from its day, so every query that tells
states takes ``today``.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, Literal, Protocol
from uuid import UUID

from cloud.domain.attachments import FileKind, Paper
from cloud.domain.business import Business, Contact
from cloud.domain.merchants import ApplicationState, MerchantState
from cloud.ports.accounts import AccountEvent
from cloud.ports.programmes import NewStaff

MerchantEventKind = Literal[
    "started", "saved", "paper_added", "paper_removed", "submitted", "returned", "approved", "rejected", "started_again",
    "suspended", "resumed", "terminated", "profile_changed", "site_added", "site_changed", "account_changed",
]  # fmt: skip

ROWS_PER_PAGE: Final = 50
"""Of the office's lists."""


@dataclass(frozen=True, slots=True)
class Application:
    """One application, as it stands."""

    application_id: UUID
    staff_id: str
    """Whose it is."""
    state: ApplicationState
    """As stored: never ``lapsed``."""
    version: int
    business: Business
    made_at: datetime
    submitted_at: datetime | None = None
    decided_at: datetime | None = None
    correct_by: date | None = None
    reason: str = ""
    merchant_id: str | None = None


@dataclass(frozen=True, slots=True)
class SentPaper:
    """One paper, without its content."""

    paper_id: UUID
    application_id: UUID
    paper: Paper
    file_kind: FileKind
    file_name: str
    byte_count: int
    sha256: bytes = field(repr=False)
    added_at: datetime
    removed_at: datetime | None = None
    """When it was taken back, after a reviewer had seen it."""


@dataclass(frozen=True, slots=True)
class ApplicationRow:
    """One line of the office's queue."""

    application_id: UUID
    name_zh: str
    ubn: str
    merchant_category: str
    state: ApplicationState
    """As it stands today."""
    submitted_at: datetime | None
    correct_by: date | None
    paper_count: int


@dataclass(frozen=True, slots=True)
class ApplicationFilter:
    """Which applications; empty: all but drafts, which nobody has sent yet."""

    state: ApplicationState | None = None
    merchant_category: str = ""
    search: str = ""
    """Part of the name, or the beginning of the business number."""


@dataclass(frozen=True, slots=True)
class PayoutAccount:
    """Where a merchant is paid."""

    bank_code: str
    """Seven digits, bank and branch."""
    account_no: str = field(repr=False)
    account_name: str = ""
    payee_id: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class AccountChange:
    """One payout account that a merchant named."""

    merchant_id: str
    merchant_name: str
    changed_at: datetime
    by_name: str
    account: PayoutAccount
    replaces: bool
    """Whether it took the place of another one."""


@dataclass(frozen=True, slots=True)
class Merchant:
    """One merchant."""

    merchant_id: str
    name: str
    ubn: str
    merchant_category: str
    state: MerchantState
    owner_id: str = field(default="", repr=False)
    contact: Contact = field(default_factory=Contact)
    account: PayoutAccount | None = None
    application_id: UUID | None = None
    """None for one that a setup file named."""


@dataclass(frozen=True, slots=True)
class MerchantRow:
    """One line of the office's list of merchants."""

    merchant_id: str
    name: str
    ubn: str
    merchant_category: str
    state: MerchantState
    site_names: tuple[str, ...]
    has_account: bool


@dataclass(frozen=True, slots=True)
class MerchantFilter:
    """Which merchants."""

    state: MerchantState | None = None
    merchant_category: str = ""
    search: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """One site of a merchant."""

    site_id: str
    merchant_id: str
    name: str
    name_en: str = ""
    address: str = ""
    """County first: the public search and the office's charts go by the county that it says."""
    phone: str = ""
    """Everybody may read it."""


@dataclass(frozen=True, slots=True)
class MerchantEvent:
    """One thing that was done to an application or a merchant."""

    happened_at: datetime
    kind: MerchantEventKind
    by_staff_id: str
    application_id: UUID | None = None
    merchant_id: str | None = None
    reason: str = ""
    """As the business reads it."""
    detail: str = ""
    """For the office: which fields, which paper."""


@dataclass(frozen=True, slots=True)
class Told:
    """A line of the trail with the name of whoever did it."""

    event: MerchantEvent
    by_name: str
    by_office: bool


class MerchantTransaction(Protocol):
    """One open transaction. What is found in it stays as it is until the transaction ends."""

    def find_application(self, application_id: UUID) -> Application | None: ...

    def find_merchant(self, merchant_id: str) -> Merchant | None: ...

    def find_place(self, site_id: str) -> Place | None: ...

    def papers(self, application_id: UUID) -> Sequence[SentPaper]:
        """All of them, the ones taken back too, oldest first."""

    def is_merchant(self, ubn: str) -> bool:
        """Tell whether a merchant has this business number."""

    def add_application(self, application: Application, account: NewStaff) -> None: ...

    def save_application(self, application: Application) -> None:
        """Replace it. Its version is the caller's to raise."""

    def add_paper(self, paper: SentPaper, content: bytes) -> None: ...

    def drop_paper(self, paper_id: UUID) -> None:
        """Delete it: nobody has seen it."""

    def take_paper_back(self, paper_id: UUID, at: datetime) -> None:
        """Keep it for the reviewers who saw it."""

    def add_merchant(self, merchant: Merchant) -> None: ...

    def make_admin(self, staff_id: str, merchant_id: str) -> None:
        """Let an applicant be its merchant's admin; ends its sessions."""

    def set_state(self, merchant_id: str, state: MerchantState) -> None: ...

    def save_contact(self, merchant_id: str, contact: Contact) -> None: ...

    def add_place(self, place: Place, *, by: str, at: datetime) -> None: ...

    def save_place(self, place: Place, *, by: str, at: datetime) -> None: ...

    def save_account(self, before: Merchant, account: PayoutAccount, *, by_staff_id: str, at: datetime) -> None:
        """Pay to this account from now on, and keep that it was named."""

    def note(self, event: MerchantEvent) -> None: ...

    def note_account(self, event: AccountEvent) -> None: ...


class MerchantStore(Protocol):
    """Opens transactions on applications and merchants, and reads them."""

    def begin(self) -> AbstractContextManager[MerchantTransaction]:
        """Open a transaction; leaving it normally commits, an exception rolls back.

        Raises:
            TakenError: on leaving or before: a login or a business number belongs to somebody else.
            PortError: the database failed.
        """

    def application_of(self, staff_id: str) -> Application | None: ...

    def find_application(self, application_id: UUID) -> Application | None: ...

    def applications(self, wanted: ApplicationFilter, *, today: date, page_no: int = 1) -> tuple[Sequence[ApplicationRow], int]:
        """One page, the longest waiting first, and how many there are in all."""

    def application_counts(self, *, today: date) -> Mapping[ApplicationState, int]:
        """How many there are of each state."""

    def papers(self, application_id: UUID) -> Sequence[SentPaper]:
        """All of them, the ones taken back too, oldest first."""

    def find_paper(self, paper_id: UUID) -> tuple[SentPaper, bytes] | None:
        """A paper with its content."""

    def find_merchant(self, merchant_id: str) -> Merchant | None: ...

    def merchants(self, wanted: MerchantFilter, *, page_no: int = 1) -> tuple[Sequence[MerchantRow], int]:
        """One page, by name, and how many there are in all."""

    def places(self, merchant_id: str) -> Sequence[Place]:
        """A merchant's sites, by name."""

    def account_changes(
        self, *, merchant_id: str | None = None, since: datetime | None = None, limit: int = ROWS_PER_PAGE
    ) -> Sequence[AccountChange]:
        """Payout accounts that were named, newest first."""

    def trail(self, *, application_id: UUID | None = None, merchant_id: str | None = None) -> Sequence[Told]:
        """What was done to an application or a merchant (or to either), newest first."""
