"""The claim list by period (請款列表, V-S10).

The running week shows what the next settlement will claim: every confirmed, unclaimed transaction, whenever it happened (O-1),
beside those that still wait for confirmation. A closed week shows the claims that were made of it, how far the payout of each
is, and the rows of one of them. The sums always are those of the claims, never of order totals (V-R15).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from flask import abort, render_template

from cloud.domain.calendar import Period, period_of, period_of_day
from cloud.ports.reports import ClaimRow, Reports, TransactionFilter
from cloud.web.confirming import undoable
from cloud.web.paging import ORDERS, PAGE_SIZES, claim_state, find_page, some_day, some_id
from cloud.web.parts import WebParts


@dataclass(frozen=True, slots=True)
class ClaimList:
    """What the page is about, before its rows."""

    period: Period
    is_running: bool
    periods: Sequence[Period]
    """Those that can be chosen, newest first."""
    batches: Sequence[ClaimRow]
    chosen: UUID | None
    """The batch whose rows are shown; None in the running week."""
    voucher_count: int
    """總折抵張數."""
    amount_twd: int
    """總請款金額."""


def waiting_of(merchant_id: str) -> TransactionFilter:
    """The transactions that wait for confirmation."""
    return TransactionFilter(merchant_id, state="unconfirmed")


def render_claims(parts: WebParts, merchant_id: str) -> str:
    """Show the period that the address asks for; the running one where it asks for none."""
    running = period_of(parts.clock.now())
    wanted_day = some_day("period")
    period = running if wanted_day is None else period_of_day(wanted_day)
    listed = _list(parts.reports, merchant_id, period, running)
    waiting = parts.reports.find_transactions(waiting_of(merchant_id), page_size=1)
    if not listed.is_running:
        wanted = TransactionFilter(merchant_id, claim_id=listed.chosen)
    elif claim_state() == "unconfirmed":
        wanted = waiting_of(merchant_id)
    else:
        wanted = TransactionFilter(merchant_id, state="confirmed")
    # A closed week without claims has no rows; asking without a claim would list every transaction there is.
    rows = find_page(parts.reports, wanted) if listed.is_running or listed.chosen else None
    return render_template(
        "claims.html",
        listed=listed,
        wanted=wanted,
        rows=rows,
        waiting=waiting,
        sizes=PAGE_SIZES,
        orders=ORDERS,
        undoable=undoable(parts, merchant_id),
    )


def _list(reports: Reports, merchant_id: str, period: Period, running: Period) -> ClaimList:
    every_claim = reports.claims(merchant_id=merchant_id)
    periods = _periods({claim.period_starts_on for claim in every_claim} | {running.starts_on, min(period, running).starts_on})
    if period >= running:
        ready = reports.find_transactions(TransactionFilter(merchant_id, state="confirmed"), page_size=1)
        return ClaimList(running, True, periods, (), None, ready.voucher_count, ready.redeemed_twd)
    batches = [claim for claim in every_claim if claim.period_starts_on == period.starts_on]
    return ClaimList(
        period,
        False,
        periods,
        batches,
        _chosen(batches),
        sum(batch.voucher_count for batch in batches),
        sum(batch.amount_twd for batch in batches),
    )


def _chosen(batches: Sequence[ClaimRow]) -> UUID | None:
    chosen = some_id("batch") or (batches[0].claim_id if batches else None)
    if chosen is not None and chosen not in {batch.claim_id for batch in batches}:
        abort(404)
    return chosen


def _periods(starts: set[date]) -> list[Period]:
    return [Period(start) for start in sorted(starts, reverse=True)]
