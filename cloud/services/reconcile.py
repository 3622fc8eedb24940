"""Reconcile: does every dollar stand where it should? Reads only, at any time, also while kiosks redeem.

The rules (six of the project's invariants):

* **I1** a voucher has at most one redemption, and a redemption is worth its vouchers;
* **I4** every journal sums to zero, every fact has its journal over its amount, no journal is without fact, and every account
  holds what the rows say that it mirrors;
* **I5** what was issued is unused, held, redeemed, expired or void, what is outstanding is what is not redeemed, and no
  programme issued more than its budget;
* **I6** claims partition confirmed redemptions: settlements are one chain, each claim is the sum of its lines, each settlement
  the sum of its claims, and each merchant's redemptions are claimed or open;
* **I7** a payout pays its claim, whole but for what corrections set off, and no claim has two payouts that are open or paid;
  files sum to their payouts; no correction is over more than its redemption, and nobody is set off by more than that;
* **I13** the requests of a kiosk are one chain: a copy of it would show.

Then the totals must add up, though each was summed by itself.
"""

from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import datetime

from cloud.ports.books import Audit, Books, Breach, ProgrammeCount
from cloud.ports.reports import Totals


def reconcile(books: Books, *, now: datetime) -> Audit:
    """Look at the books.

    Raises:
        PortError: the database failed.
    """
    audit = books.audit(now)
    return replace(audit, breach=audit.breach or check_programmes(audit.programmes) or check_totals(audit.totals))


def check_programmes(programmes: Iterable[ProgrammeCount]) -> Breach | None:
    """Return the first programme whose vouchers are not all somewhere, or are somewhere twice."""
    for count in programmes:
        if count.issued != count.unused + count.held + count.redeemed + count.expired + count.void:
            return Breach("I5", "what was issued is not unused, held, redeemed, expired and void together", asdict(count))
    return None


def check_totals(totals: Totals) -> Breach | None:
    """Return the first equation of the totals that does not hold."""
    equations = {
        ("I4", "the ledger does not sum to zero"): totals.ledger_sum_twd == 0,
        ("I4", "journals are out of balance"): totals.unbalanced_journals == 0,
        ("I1", "vouchers are redeemed more than once"): totals.double_redeemed == 0,
        ("I5", "more vouchers are redeemed than were issued"): totals.vouchers_redeemed <= totals.issued,
        ("I6", "claimed and unclaimed are not what was redeemed"): totals.redeemed_twd
        == totals.claimed_twd + totals.unclaimed_twd,
        ("I7", "paid, returned, open and set off are not what was claimed"): totals.claimed_twd
        == totals.paid_twd + totals.returned_twd + totals.open_twd + totals.set_off_twd,
        ("I7", "more is set off than was corrected"): totals.set_off_twd <= totals.corrected_twd,
    }
    for (rule, sentence), holds in equations.items():
        if not holds:
            return Breach(rule, sentence, asdict(totals))
    return None
