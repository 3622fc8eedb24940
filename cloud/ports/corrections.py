"""Where corrections are kept."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from cloud.domain.corrections import Correctable, Correction
from cloud.domain.records import Journal
from cloud.ports.audit import AuditLog


@dataclass(frozen=True, slots=True)
class Debt:
    """What one merchant was corrected by in one programme, and what it was paid less for it."""

    merchant_id: str
    programme_id: str
    corrected_twd: int
    """Of redemptions that are claimed; what is not claimed yet was not paid to anybody."""
    set_off_twd: int

    @property
    def owed_twd(self) -> int:
        """What the next claims bear."""
        return self.corrected_twd - self.set_off_twd


class CorrectionTransaction(Protocol):
    """One open transaction. Nothing else is corrected while it is open."""

    @property
    def audit(self) -> AuditLog: ...

    def find_redemption(self, redemption_id: UUID) -> Correctable | None: ...

    def find_correction(self, redemption_id: UUID) -> Correction | None: ...

    def save(self, correction: Correction, journal: Journal) -> None:
        """Write the correction and its journal."""


class CorrectionStore(Protocol):
    """Opens transactions for correcting, and lists what was corrected."""

    def begin(self) -> AbstractContextManager[CorrectionTransaction]:
        """Open a transaction; waits for another correction. Leaving it normally commits, an exception rolls back.

        Raises:
            PortError: the database failed; running again is safe.
        """

    def corrections(self) -> Sequence[Correction]:
        """All of them, newest first.

        Raises:
            PortError: the database failed.
        """

    def debts(self) -> Sequence[Debt]:
        """Who was corrected in what programme, in order of their ids.

        Raises:
            PortError: the database failed.
        """
