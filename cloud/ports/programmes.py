"""Where programmes, merchants, sites and people are kept."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from cloud.domain.setup import DoorSetup, ItemCategorySetup, MerchantSetup, ProgrammeSetup
from cloud.ports.audit import AuditLog


@dataclass(frozen=True, slots=True)
class NewStaff:
    """One account that is made."""

    staff_id: str
    merchant_id: str | None
    site_id: str | None
    door: str
    login: str
    name: str
    role: str
    password_hash: str = field(repr=False)


class TakenError(Exception):
    """A business number or a login belongs to another id already. Nothing was written."""


class SetupTransaction(Protocol):
    """One open transaction."""

    @property
    def audit(self) -> AuditLog: ...

    def issued_face_values(self) -> Mapping[str, tuple[int, int]]:
        """Face value of every programme that has vouchers, and of all its vouchers together."""

    def forgotten_programmes(self) -> Mapping[str, ProgrammeSetup]:
        """Terms of every programme of which holders are forgotten."""

    def merchant_of_sites(self) -> Mapping[str, str]:
        """Which merchant each known site belongs to."""

    def staff_ids(self) -> frozenset[str]:
        """Everybody who has an account."""

    def save_programmes(
        self, programmes: Sequence[ProgrammeSetup], *, by: str, at: datetime
    ) -> Sequence[tuple[ProgrammeSetup | None, ProgrammeSetup]]:
        """Save terms that are new or differ, but not those that somebody else than ``by`` changed last.

        Returns:
            What they were and what they are, for each that was saved.
        """

    def save_item_categories(self, items: Sequence[ItemCategorySetup]) -> None: ...

    def save_merchants(self, merchants: Sequence[MerchantSetup], *, by: str, at: datetime) -> None:
        """Save merchants and their sites.

        A payout account that is there already stays: it is the merchant's to change. So does a site that somebody else than
        ``by`` wrote last.
        """

    def save_doors(self, doors: Sequence[DoorSetup]) -> None: ...

    def add_staff(self, staff: Sequence[NewStaff]) -> None: ...


class SetupStore(Protocol):
    """Opens transactions for setting up."""

    def begin(self) -> AbstractContextManager[SetupTransaction]:
        """Open a transaction; leaving it normally commits, an exception rolls back.

        Raises:
            TakenError: on leaving or before: a unique constraint refused it.
            PortError: the database failed.
        """
