"""Where issued vouchers are kept."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from cloud.domain.programmes import BudgetMeter
from cloud.domain.records import Journal
from cloud.ports.audit import AuditLog


@dataclass(frozen=True, slots=True)
class IssueTerms:
    """What a printed voucher says about its programme."""

    programme_id: str
    name_zh: str
    name_en: str
    face_value_twd: int
    starts_on: date
    ends_on: date
    signing_key_id: str | None


@dataclass(frozen=True, slots=True)
class NewVoucher:
    """One voucher row."""

    voucher_no: str
    position: int
    """Place in its batch, from 1: the order of the holders."""
    holder_name_masked: str
    holder_id_masked: str
    digit_tag: bytes
    holder_tag: bytes | None = None
    """Whose it is among the vouchers of the programme; None: not known."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much more a programme may issue, and to one person."""

    budget: BudgetMeter
    per_holder_max: int | None


@dataclass(frozen=True, slots=True)
class IssueBatch:
    """One issue."""

    issue_id: UUID
    programme_id: str
    issued_at: datetime
    issued_by: str
    voucher_count: int


@dataclass(frozen=True, slots=True)
class IssuedVoucher:
    """What is printed of one voucher."""

    voucher_no: str
    position: int
    holder_name_masked: str
    """Empty once the holder is forgotten."""


class IssueTransaction(Protocol):
    """One open transaction. Nobody else issues, and nobody changes a programme, meanwhile."""

    @property
    def audit(self) -> AuditLog: ...

    def find_terms(self, programme_id: str) -> IssueTerms | None: ...

    def get_allowance(self, programme_id: str) -> Allowance: ...

    def count_of_holders(self, programme_id: str, holder_tags: Collection[bytes]) -> Mapping[bytes, int]:
        """How many vouchers each of these people has; those without any are left out."""

    def add_batch(self, batch: IssueBatch) -> None: ...

    def add_vouchers(self, batch: IssueBatch, vouchers: Sequence[NewVoucher]) -> frozenset[str]:
        """Insert those whose number is free; return the numbers that were taken already, by whomever."""

    def save_journal(self, journal: Journal) -> None: ...


class IssueStore(Protocol):
    """Opens transactions for issuing, and reads what was issued."""

    def begin(self) -> AbstractContextManager[IssueTransaction]:
        """Open a transaction; leaving it normally commits, an exception rolls back.

        Raises:
            PortError: the database failed. Nothing was issued, or (a connection lost at the commit) it is not known.
        """

    def find_issue(self, issue_id: UUID) -> tuple[IssueTerms, Sequence[IssuedVoucher]] | None:
        """Terms and vouchers of one issue, in the order of its holders."""
