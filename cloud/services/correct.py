"""Correct a redemption that was wrong: a merchant's dispute was upheld, or a fraud was found (ADR 0024).

A correction is a fact with a journal of its own. It is never taken back, and the voucher stays redeemed. Who corrects must be
of the programme office and allowed to move money.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from cloud.domain.corrections import Correction, CorrectionError, make_correction
from cloud.domain.ledger import correction_journal
from cloud.ports.corrections import CorrectionStore
from cloud.ports.people import People, Role
from cloud.services.audit import Act, record

ROLES: Final[tuple[Role, ...]] = ("finance", "programme_admin")
"""Who may correct."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody of the office wants corrected."""

    redemption_id: UUID
    reason: str
    by: str
    """Id of the account."""
    amount_twd: int | None = None
    """What is taken back; None: all of it."""


def correct(store: CorrectionStore, people: People, wish: Wish, *, now: datetime) -> Correction:
    """Correct one redemption, once: the same wish again returns the same correction and changes nothing.

    Raises:
        CorrectionError: nobody has that redemption, it was corrected by another amount, or this person may not correct.
        PortError: the database failed; running again is safe.
    """
    person = people.find_person(wish.by)
    if person is None or not person.active or person.role not in ROLES:
        raise CorrectionError(f"{wish.by} is nobody who may correct.")
    with store.begin() as transaction:
        redemption = transaction.find_redemption(wish.redemption_id)
        if redemption is None:
            raise CorrectionError(f"There is no redemption {wish.redemption_id}.")
        correction = make_correction(redemption, amount_twd=wish.amount_twd, reason=wish.reason, by=person.staff_id, at=now)
        known = transaction.find_correction(wish.redemption_id)
        if known is None:
            transaction.save(correction, correction_journal(correction))
            act = Act(person.staff_id, "redemption.corrected", str(wish.redemption_id), now)
            record(transaction.audit, act, after={"amount_twd": correction.amount_twd})
            return correction
    if known.amount_twd != correction.amount_twd:
        raise CorrectionError(f"This redemption was corrected by {known.amount_twd} TWD already, which stays.")
    return known
