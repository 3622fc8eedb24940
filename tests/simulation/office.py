"""The merchants' office and the programme's: confirmations at night, some forgotten, and the weekly closing, twice if need be.

Only where the database is a real one: there is no fake of these tables.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Engine, select

from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.reports import SqlReports
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import claim_line, confirmation, redemption
from cloud.adapters.sql.transactions import reading
from cloud.domain.calendar import period_of
from cloud.services.confirm import confirm_all
from cloud.services.settle import settle_due
from tests.simulation.kernel import Kernel
from tests.simulation.witness import Witness
from tests.support.worlds import World

FORGETS: Final = 0.4


@dataclass(frozen=True, slots=True)
class Office:
    """Confirms and settles."""

    kernel: Kernel
    witness: Witness
    engine: Engine
    world: World

    def after_hours(self) -> None:
        """One night: most merchants confirm, some forget."""
        for shop in self.world.shops:
            if self.kernel.rng.random() >= FORGETS:
                self._confirm(shop.merchant_id, shop.staff_id)

    def finish(self) -> None:
        """Everybody confirms, and the last week ends."""
        for shop in self.world.shops:
            self._confirm(shop.merchant_id, shop.staff_id)
        self.kernel.run_for((period_of(self.kernel.now()).ends_at - self.kernel.now() + timedelta(seconds=1)).total_seconds())
        self.settle()

    def settle(self) -> None:
        """Close what has ended; the second run finds nothing."""
        closed = settle_due(SqlSettlementStore(self.engine), now=self.kernel.now())
        self.kernel.note(f"settled {[(one.period.starts_on.isoformat(), one.claimed_twd) for one in closed]}")
        if settle_due(SqlSettlementStore(self.engine), now=self.kernel.now()):
            self.witness.complain("the books", "closing twice closed something again")

    def check(self) -> None:
        """Say what is wrong with the books, once everything was confirmed and the last week closed."""
        totals = SqlReports(self.engine).totals()
        with reading(self.engine) as connection:
            redeemed = set(connection.scalars(select(redemption.c.redemption_id)))
            confirmed = set(connection.scalars(select(confirmation.c.redemption_id)))
            claimed = list(connection.scalars(select(claim_line.c.redemption_id)))
        found = {
            "not every redemption was confirmed": confirmed != redeemed,
            "a redemption is in no claim": bool(redeemed - set(claimed)),
            "a redemption is in two claims": len(claimed) != len(set(claimed)),
            "claimed is not what was redeemed": totals.claimed_twd != totals.redeemed_twd or totals.unclaimed_twd != 0,
            "a journal does not balance": totals.unbalanced_journals != 0 or totals.ledger_sum_twd != 0,
            "a voucher is in two redemptions": totals.double_redeemed != 0,
        }
        for text, is_wrong in found.items():
            if is_wrong:
                self.witness.complain("the books", text)

    def _confirm(self, merchant_id: str, staff_id: str) -> None:
        store = SqlConfirmationStore(self.engine)
        confirmed = confirm_all(store, merchant_id=merchant_id, staff_id=staff_id, now=self.kernel.now())
        self.kernel.note(f"confirmed {merchant_id} {confirmed.redemption_count} {confirmed.amount_twd}")
