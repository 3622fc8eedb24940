"""The trail of one transaction: who confirmed it, which settlement claimed it, and every attempt to pay that claim."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, func, select

from cloud.adapters.sql.borders import is_claimed_in_range, is_its_claim
from cloud.adapters.sql.tables import (
    claim,
    confirmation,
    correction,
    payout,
    payout_file,
    payout_outcome,
    redemption,
    settlement,
    settlement_range,
    staff,
)
from cloud.ports.reports import PayoutStep, TransactionTrail


def find_trail(connection: Connection, redemption_id: UUID, *, merchant_id: str) -> TransactionTrail | None:
    """Find what happened to one redemption, if it is this merchant's."""
    wanted = (
        select(
            func.coalesce(staff.c.name, confirmation.c.staff_id).label("confirmed_by"),
            claim.c.claim_id,
            claim.c.period_starts_on,
            settlement.c.closed_at.label("claimed_at"),
            correction.c.amount_twd.label("corrected_twd"),
            correction.c.corrected_at,
            correction.c.reason.label("correction_reason"),
        )
        .select_from(redemption)
        .outerjoin(confirmation, confirmation.c.redemption_id == redemption.c.redemption_id)
        .outerjoin(staff, staff.c.staff_id == confirmation.c.staff_id)
        .outerjoin(settlement_range, is_claimed_in_range())
        .outerjoin(claim, is_its_claim())
        .outerjoin(settlement, settlement.c.period_starts_on == claim.c.period_starts_on)
        .outerjoin(correction, correction.c.redemption_id == redemption.c.redemption_id)
        .where(redemption.c.redemption_id == redemption_id, redemption.c.merchant_id == merchant_id)
    )
    found = connection.execute(wanted).mappings().one_or_none()
    if found is None:
        return None
    payouts = _payouts(connection, found["claim_id"]) if found["claim_id"] is not None else ()
    return TransactionTrail(payouts=payouts, **found)


def _payouts(connection: Connection, claim_id: UUID) -> Sequence[PayoutStep]:
    wanted = (
        select(
            payout_file.c.file_no,
            payout_file.c.made_at.label("sent_at"),
            payout_file.c.value_date,
            func.coalesce(payout_outcome.c.state, "sent").label("state"),
            payout_outcome.c.known_at,
            payout_outcome.c.return_code,
        )
        .select_from(payout)
        .join(payout_file, payout_file.c.file_id == payout.c.file_id)
        .outerjoin(payout_outcome, payout_outcome.c.payout_id == payout.c.payout_id)
        .where(payout.c.claim_id == claim_id)
        .order_by(payout.c.attempt)
    )
    return [PayoutStep(**row) for row in connection.execute(wanted).mappings()]
