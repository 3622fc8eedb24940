"""Where issued vouchers are kept."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from cloud.domain.records import Journal


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
    """One open transaction."""

    def find_terms(self, programme_id: str) -> IssueTerms | None: ...

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
