"""The weekly closing (請款): which week is due, and what one closed week holds.

A settlement claims by membership: every redemption that is confirmed, older than the week's end and in no claim yet. There is
no lower bound in time. A transaction that commits late, or is confirmed late, is therefore never lost: it is claimed by the
next settlement and keeps its own date (DOMAIN O-1).

The amount of a claim is the face value of its vouchers, never the orders' totals (V-R15).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid5

from cloud.domain.calendar import Period, period_of

_CLAIMS = UUID("5f0d9c0e-2f0b-5a34-8a5c-9d3f6b8e7a21")


@dataclass(frozen=True, slots=True)
class Claimable:
    """What one merchant may claim of one programme; the sums are over its redemptions."""

    merchant_id: str
    programme_id: str
    redemption_count: int
    voucher_count: int
    amount_twd: int


@dataclass(frozen=True, slots=True)
class Claim:
    """One merchant's batch of one programme in one settlement. The sums are those of its lines."""

    claim_id: UUID
    merchant_id: str
    programme_id: str
    redemption_count: int
    voucher_count: int
    amount_twd: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """One closed week."""

    period: Period
    closed_at: datetime
    claims: tuple[Claim, ...]

    @property
    def voucher_count(self) -> int:
        """Vouchers over all claims."""
        return sum(claim.voucher_count for claim in self.claims)

    @property
    def claimed_twd(self) -> int:
        """Money over all claims."""
        return sum(claim.amount_twd for claim in self.claims)


def claim_id_of(period: Period, merchant_id: str, programme_id: str) -> UUID:
    """Id of a claim, from what it is: closing the same week twice makes the same ids, and the second is refused."""
    return uuid5(_CLAIMS, f"{period.starts_on.isoformat()}/{merchant_id}/{programme_id}")


def make_claims(period: Period, claimable: Iterable[Claimable]) -> list[Claim]:
    """Return one claim per merchant and programme, sorted, so that two writers take rows in one order."""
    claims = [
        Claim(
            claim_id=claim_id_of(period, due.merchant_id, due.programme_id),
            merchant_id=due.merchant_id,
            programme_id=due.programme_id,
            redemption_count=due.redemption_count,
            voucher_count=due.voucher_count,
            amount_twd=due.amount_twd,
        )
        for due in claimable
    ]
    return sorted(claims, key=lambda claim: claim.claim_id)


def first_open_period(last_closed: date | None, first_redeemed_at: datetime | None) -> Period | None:
    """Return the oldest week that is not closed: the one after the last, or the one of the first redemption.

    None while nothing was ever redeemed. Weeks without a claim are closed too, so the closed weeks have no gap.
    """
    if last_closed is not None:
        return Period(last_closed).following
    return None if first_redeemed_at is None else period_of(first_redeemed_at)
