"""Corrections: what was wrong in a redemption is put right by a new fact, never by changing the old one.

The voucher stays redeemed (DOMAIN V-R8): what changes is what the merchant is paid. A correction takes back part or all of what
a redemption is worth. It is *set off*, less being paid for claims than they are over:

* from the settlement on that claims the redemption, never before. A redemption that is not confirmed yet costs nobody anything;
  once it is claimed, its own claim is the first to bear the correction;
* against claims of the same merchant and the same programme, whose money it is;
* against one claim up to all of it: nothing below zero is ever paid. What is left goes on to the next claim.

So nothing has to be chosen: what a merchant owes is the sum of its corrections that count, less what was set off before.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

REASON_LENGTH_MAX: Final = 500


class CorrectionError(ValueError):
    """This cannot be corrected so; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Correctable:
    """What a correction needs to know of a redemption."""

    redemption_id: UUID
    merchant_id: str
    programme_id: str
    redeemed_twd: int


@dataclass(frozen=True, slots=True)
class Correction:
    """Part or all of what one redemption is worth, taken back from the merchant."""

    redemption_id: UUID
    merchant_id: str
    programme_id: str
    amount_twd: int
    reason: str
    corrected_by: str
    corrected_at: datetime


def make_correction(of: Correctable, *, amount_twd: int | None, reason: str, by: str, at: datetime) -> Correction:
    """Correct a redemption.

    Args:
        amount_twd: what is taken back; None: all of it.

    Raises:
        CorrectionError: the amount is not between 1 and what was redeemed, or there is no reason, or one that is too long.
    """
    amount = of.redeemed_twd if amount_twd is None else amount_twd
    if not 1 <= amount <= of.redeemed_twd:
        raise CorrectionError(f"At least 1 and at most {of.redeemed_twd} TWD can be taken back of this redemption.")
    told = " ".join(reason.split())
    if not told or len(told) > REASON_LENGTH_MAX:
        raise CorrectionError(f"A correction needs a reason of at most {REASON_LENGTH_MAX} characters.")
    return Correction(of.redemption_id, of.merchant_id, of.programme_id, amount, told, by, at)


def set_off_of(*, claimed_twd: int, owed_twd: int) -> int:
    """How much of a claim is not paid, because its merchant owes so much."""
    return min(claimed_twd, max(0, owed_twd))
