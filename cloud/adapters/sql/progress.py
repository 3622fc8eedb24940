"""How far a claim's money is (撥款進度), as one subquery that every report joins.

A claim may have several payouts, one after the other; the newest attempt tells where it is. No payout: ``claimed``. A payout
without the bank's answer: ``sent``. Else what the bank said: ``paid`` or ``returned``. What is paid is the claim less what
corrections set off; a claim that is set off whole is ``paid`` by that.
"""

from typing import Any

from sqlalchemy import ColumnElement, Subquery, and_, case, exists, func, select

from cloud.adapters.sql.tables import claim, payout, payout_file, payout_outcome, set_off


def claim_progress() -> Subquery:
    """Return one row per claim: ``claim_id``, ``state``, ``return_code``, ``file_no`` of the newest payout, ``payable_twd``."""
    state = case(
        (payout_outcome.c.state.is_not(None), payout_outcome.c.state),
        (set_off.c.amount_twd == claim.c.amount_twd, "paid"),
        (payout.c.payout_id.is_not(None), "sent"),
        else_="claimed",
    )
    return (
        select(
            claim.c.claim_id,
            state.label("state"),
            payout_outcome.c.return_code,
            payout_file.c.file_no,
            payable_twd().label("payable_twd"),
        )
        .select_from(claim)
        .outerjoin(set_off, set_off.c.claim_id == claim.c.claim_id)
        .outerjoin(payout, and_(payout.c.claim_id == claim.c.claim_id, _is_newest()))
        .outerjoin(payout_outcome, payout_outcome.c.payout_id == payout.c.payout_id)
        .outerjoin(payout_file, payout_file.c.file_id == payout.c.file_id)
        .subquery("progress")
    )


def payable_twd() -> ColumnElement[int]:
    """What is paid of a claim, which is outer-joined with its set-off."""
    return claim.c.amount_twd - func.coalesce(set_off.c.amount_twd, 0)


def _is_newest() -> Any:
    newer = payout.alias("newer")
    return ~exists().where(newer.c.claim_id == payout.c.claim_id, newer.c.attempt > payout.c.attempt)
