"""The demo's last words: who paid what, what was refused and why, and one JSON line that adds up or the exit status is 1."""

import json
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tests.demo.customer import Outcome
from tests.demo.orders import Order
from tests.demo.world import World


@dataclass(frozen=True, slots=True)
class Figures:
    """What the people saw, and what the database says."""

    outcomes: Sequence[tuple[Order, Outcome]]
    totals: dict[str, int]
    unknown: int
    seconds: float

    @staticmethod
    def of(world: World, outcomes: Sequence[tuple[Order, Outcome]], *, seconds: float) -> "Figures":
        """Ask the cloud for its totals, and every kiosk how many of its requests have no answer."""
        unknown = sum(world.pending(kiosk) for kiosk in world.kiosks)
        return Figures(outcomes, world.reconcile(), unknown, seconds)

    @property
    def accepted(self) -> list[tuple[Order, Outcome]]:
        return [(order, outcome) for order, outcome in self.outcomes if outcome.accepted]

    @property
    def reasons(self) -> Counter[str]:
        return Counter(str(outcome.reason) for _, outcome in self.outcomes if not outcome.accepted)

    def line(self) -> dict[str, object]:
        """The JSON line."""
        waits = sorted(outcome.wait_ms for _, outcome in self.accepted if outcome.wait_ms is not None)
        return {
            "orders": len(self.outcomes),
            "accepted": len(self.accepted),
            "refused": len(self.outcomes) - len(self.accepted),
            "reasons": dict(sorted(self.reasons.items())),
            "vouchers_redeemed": self.totals["vouchers_redeemed"],
            "redeemed_twd": self.totals["redeemed_twd"],
            "topup_twd": self.totals["topup_twd"],
            "double_redeemed": self.totals["double_redeemed"],
            "unknown": self.unknown,
            "confirmed": self.totals["confirmed"],
            "claims": self.totals["claims"],
            "claimed_twd": self.totals["claimed_twd"],
            "unclaimed_twd": self.totals["unclaimed_twd"],
            "paid_twd": self.totals["paid_twd"],
            "returned_twd": self.totals["returned_twd"],
            "ledger_sum_twd": self.totals["ledger_sum_twd"],
            "latency_ms": {"p50": _percentile(waits, 50), "p99": _percentile(waits, 99)},
            "seconds": round(self.seconds, 1),
        }

    def faults(self) -> list[str]:
        """Every number that is off; empty when all is right."""
        seen_vouchers = sum(len(order.vouchers) for order, _ in self.accepted)
        seen_topup = sum(outcome.topup_twd for _, outcome in self.accepted)
        due_topup = sum(max(0, order.total_twd - 1000 * len(order.vouchers)) for order, _ in self.accepted)
        totals = self.totals
        rules = {
            "accepted on the screens = redemptions in the database": len(self.accepted) == totals["redemptions"],
            "vouchers on the screens = vouchers in the database": seen_vouchers == totals["vouchers_redeemed"],
            "redeemed = face value of the vouchers": 1000 * seen_vouchers == totals["redeemed_twd"],
            "top-up on the screens = order total less vouchers": seen_topup == due_topup == totals["topup_twd"],
            "no voucher redeemed twice": totals["double_redeemed"] == 0,
            "no outcome unknown": self.unknown == 0,
            "ledger sums to zero": totals["ledger_sum_twd"] == 0 and totals["unbalanced_journals"] == 0,
            "redeemed = claimed + unclaimed": totals["redeemed_twd"] == totals["claimed_twd"] + totals["unclaimed_twd"],
            "claimed = paid + returned": totals["claimed_twd"] == totals["paid_twd"] + totals["returned_twd"],
        }
        return [rule for rule, holds in rules.items() if not holds]


def report(figures: Figures, *, database: str) -> int:
    """Print the summary and the JSON line; the exit status."""
    line, totals = figures.line(), figures.totals
    latency = line["latency_ms"]
    assert isinstance(latency, dict)
    print()
    print(f"  {line['orders']} orders in {line['seconds']} s on {database}")
    print(f"  ✓ accepted  {line['accepted']:>5}   {line['vouchers_redeemed']} vouchers, NT${totals['redeemed_twd']:,}")
    print(f"                      customers paid NT${totals['topup_twd']:,} on top")
    print(
        f"  ✕ refused   {line['refused']:>5}   " + ", ".join(f"{reason} {count}" for reason, count in figures.reasons.items())
    )
    print(f"  confirmed   {totals['confirmed']:>5}   by the merchants, {totals['claims']} claims, NT${totals['claimed_twd']:,}")
    print(f"  paid                NT${totals['paid_twd']:,}; the bank returned NT${totals['returned_twd']:,}")
    print(f"  not claimed yet     NT${totals['unclaimed_twd']:,}")
    print(f"  confirm key to result on the screen: p50 {latency['p50']} ms, p99 {latency['p99']} ms (kills included)")
    faults = figures.faults()
    for fault in faults:
        print(f"  ✕ DOES NOT HOLD: {fault}")
    print()
    sys.stdout.write(json.dumps(line) + "\n")
    return 1 if faults else 0


def _percentile(ordered: Sequence[float], percent: int) -> float | None:
    if not ordered:
        return None
    if len(ordered) == 1:
        return round(ordered[0], 1)
    return round(statistics.quantiles(ordered, n=100, method="inclusive")[percent - 1], 1)
