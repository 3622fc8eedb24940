"""Programmes as the office keeps them: their terms, every version of these, the item categories."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cloud.domain.programmes import BudgetMeter
from cloud.domain.setup import ItemCategorySetup, ProgrammeSetup
from cloud.ports.audit import AuditLog


@dataclass(frozen=True, slots=True)
class ProgrammeState:
    """One programme as it is now."""

    terms: ProgrammeSetup
    version_no: int
    issued_count: int
    forgotten: bool = False
    """Whether holders of its vouchers are forgotten: then how long they are known is fixed."""

    @property
    def issued_twd(self) -> int:
        """Face value of all its vouchers."""
        return self.issued_count * self.terms.face_value_twd

    @property
    def budget(self) -> BudgetMeter:
        """How much of its budget that is."""
        return BudgetMeter(self.terms.budget_twd, self.issued_twd)


@dataclass(frozen=True, slots=True)
class ProgrammeVersion:
    """The terms that held from a moment on, until the next version."""

    version_no: int
    effective_at: datetime
    changed_by: str
    changed_by_name: str
    """As it is now; empty where it was a program."""
    terms: ProgrammeSetup


class ProgrammeTransaction(Protocol):
    """One open transaction. Nobody issues and nobody changes a programme meanwhile."""

    @property
    def audit(self) -> AuditLog: ...

    def find(self, programme_id: str) -> ProgrammeState | None: ...

    def save(self, terms: ProgrammeSetup, *, by: str, at: datetime) -> int:
        """Write the terms, which hold from now on, and their version; returns its number."""

    def item_categories(self) -> Sequence[ItemCategorySetup]:
        """In the order of display, by merchant category."""

    def save_item_category(self, item: ItemCategorySetup, *, position: int) -> None: ...


class ProgrammeOffice(Protocol):
    """Opens transactions on programmes, and reads them. Every method raises PortError where the database fails."""

    def begin(self) -> AbstractContextManager[ProgrammeTransaction]:
        """Open a transaction; leaving it normally commits, an exception rolls back."""

    def programmes(self) -> Sequence[ProgrammeState]:
        """Newest first."""

    def find(self, programme_id: str) -> ProgrammeState | None: ...

    def versions(self, programme_id: str) -> Sequence[ProgrammeVersion]:
        """Newest first."""

    def item_categories(self) -> Mapping[str, Sequence[ItemCategorySetup]]:
        """By merchant category, in the order of display."""
