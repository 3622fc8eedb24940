"""Reconcile: does every dollar stand where it should? Reads only, at any time, also while kiosks redeem.

The rules (five of the project's invariants):

* **I1** a voucher has at most one redemption, and a redemption is worth its vouchers;
* **I4** every journal sums to zero, and every fact has its journal over its amount, and no journal is without fact;
* **I5** what was issued is what is there, and what is outstanding is what is not redeemed;
* **I6** claims partition confirmed redemptions: each line has one claim and each claim and settlement the sum of its lines;
* **I7** a payout pays its claim, whole, and no claim has two payouts that are open or paid; files sum to their payouts.

Then the totals must add up, though each was summed by itself.
"""

from dataclasses import asdict, dataclass

from cloud.ports.books import Books, Breach
from cloud.ports.reports import Totals


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Totals of one moment, and what is wrong with them, if anything."""

    totals: Totals
    breach: Breach | None


def reconcile(books: Books) -> Reconciliation:
    """Look at the books.

    Raises:
        PortError: the database failed.
    """
    totals, breach = books.audit()
    return Reconciliation(totals, breach or check_totals(totals))


def check_totals(totals: Totals) -> Breach | None:
    """Return the first equation of the totals that does not hold."""
    equations = {
        ("I4", "the ledger does not sum to zero"): totals.ledger_sum_twd == 0,
        ("I4", "journals are out of balance"): totals.unbalanced_journals == 0,
        ("I1", "vouchers are redeemed more than once"): totals.double_redeemed == 0,
        ("I5", "more vouchers are redeemed than were issued"): totals.vouchers_redeemed <= totals.issued,
        ("I6", "claimed and unclaimed are not what was redeemed"): totals.redeemed_twd
        == totals.claimed_twd + totals.unclaimed_twd,
        ("I7", "paid, returned and open are not what was claimed"): totals.claimed_twd
        == totals.paid_twd + totals.returned_twd + totals.open_twd,
    }
    for (rule, sentence), holds in equations.items():
        if not holds:
            return Breach(rule, sentence, asdict(totals))
    return None
