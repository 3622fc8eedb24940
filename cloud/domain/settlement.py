"""The weekly closing (請款): which week is due, and what one closed week holds.

A settlement claims by membership: every redemption that is confirmed, older than the week's end and in no claim yet. There is
no lower bound in time. A transaction that commits late, or is confirmed late, is therefore never lost: it is claimed by the
next settlement and keeps its own date (DOMAIN O-1).

The amount of a claim is the face value of its vouchers, never the orders' totals (V-R15).
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID, uuid3

from cloud.domain.calendar import Period, period_of

CLAIM_IDS: Final = UUID("5f0d9c0e-2f0b-5a34-8a5c-9d3f6b8e7a21")
"""Name space of the claims' ids (RFC 9562, version 3)."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """One closed week; the sums are over all its claims."""

    period: Period
    closed_at: datetime
    claim_count: int
    redemption_count: int
    voucher_count: int
    claimed_twd: int


def claim_name(period: Period, merchant_id: str, programme_id: str) -> str:
    """What a claim is: one merchant's batch of one programme in one settlement."""
    return f"{period.starts_on.isoformat()}/{merchant_id}/{programme_id}"


def claim_id_of(period: Period, merchant_id: str, programme_id: str) -> UUID:
    """Id of a claim, from what it is: closing the same week twice makes the same ids, and the second is refused.

    Of version 3, because its hash is one that every database computes too. It keeps no secret and proves nothing.
    """
    return uuid3(CLAIM_IDS, claim_name(period, merchant_id, programme_id))


def first_open_period(last_closed: date | None, first_redeemed_at: datetime | None) -> Period | None:
    """Return the oldest week that is not closed: the one after the last, or the one of the first redemption.

    None while nothing was ever redeemed. Weeks without a claim are closed too, so the closed weeks have no gap.
    """
    if last_closed is not None:
        return Period(last_closed).following
    return None if first_redeemed_at is None else period_of(first_redeemed_at)
