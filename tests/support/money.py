"""Redemptions as the hot path leaves them, without the hot path: for tests of what comes after.

Everything that the ingest worker would write for an accepted order is written, with its journals, so that the books balance.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from uuid import UUID

from sqlalchemy import Connection, Engine, func, insert, select

from cloud.adapters.sql.journals import insert_journals
from cloud.adapters.sql.tables import issue_batch, ledger_entry, redemption, redemption_line, voucher
from cloud.domain.ledger import issue_journal, redeem_journal
from cloud.domain.pay_runs import Hands
from cloud.domain.records import Redemption
from tests.support.setups import PLACES, PROGRAMME_ID, Place

FACE_VALUE_TWD = 1_000
HANDS = Hands("finance-1", "finance-2")
"""Two people of the example's programme office."""


@dataclass(slots=True)
class Till:
    """Writes redemptions straight into the tables."""

    engine: Engine
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def redeem(self, at: datetime, *, place: Place = PLACES[1], vouchers: int = 1, order_total_twd: int | None = None) -> UUID:
        """Redeem freshly issued vouchers in one order; return its id."""
        redemption_id = UUID(int=(7 << 100) + next(self._numbers))
        redeemed_twd = vouchers * FACE_VALUE_TWD
        total = redeemed_twd if order_total_twd is None else order_total_twd
        with self.engine.begin() as connection:
            numbers = self._issue(connection, vouchers, at)
            order = Redemption(
                redemption_id=redemption_id,
                programme_id=PROGRAMME_ID,
                merchant_id=place.merchant_id,
                site_id=place.site_id,
                device_id=None,
                staff_id=place.staff_id,
                item_category=place.item_category,
                order_total_twd=total,
                voucher_nos=tuple(numbers),
                face_value_twd=FACE_VALUE_TWD,
                redeemed_twd=redeemed_twd,
                topup_twd=max(0, total - redeemed_twd),
                redeemed_at=at,
            )
            self._save(connection, order)
        return redemption_id

    def issue(self, at: datetime, *, vouchers: int = 1) -> Sequence[str]:
        """Issue vouchers that nobody has used; return their numbers."""
        with self.engine.begin() as connection:
            return self._issue(connection, vouchers, at)

    def balance(self, account: str) -> int:
        """Balance of an account of the ledger."""
        with self.engine.connect() as connection:
            total = connection.scalar(select(func.sum(ledger_entry.c.amount_twd)).where(ledger_entry.c.account == account))
        return int(total or 0)

    def _issue(self, connection: Connection, vouchers: int, at: datetime) -> Sequence[str]:
        issue_id = UUID(int=(9 << 100) + next(self._numbers))
        numbers = [f"{next(self._numbers):012d}" for _ in range(vouchers)]
        made = {"issued_at": at, "issued_by": "office-1", "voucher_count": vouchers}
        connection.execute(insert(issue_batch).values(issue_id=issue_id, programme_id=PROGRAMME_ID, **made))
        masked = {"holder_name_masked": "王●●", "holder_id_masked": "A●●●●●●●●●", "digit_tag": bytes(32)}
        connection.execute(
            insert(voucher),
            [
                {"voucher_no": number, "programme_id": PROGRAMME_ID, "issue_id": issue_id, "position": position, **masked}
                for position, number in enumerate(numbers, start=1)
            ],
        )
        insert_journals(connection, [issue_journal(issue_id, PROGRAMME_ID, amount_twd=vouchers * FACE_VALUE_TWD, at=at)])
        return numbers

    def _save(self, connection: Connection, order: Redemption) -> None:
        connection.execute(
            insert(redemption).values(
                redemption_id=order.redemption_id,
                programme_id=order.programme_id,
                merchant_id=order.merchant_id,
                site_id=order.site_id,
                device_id=order.device_id,
                staff_id=order.staff_id,
                item_category=order.item_category,
                order_total_twd=order.order_total_twd,
                voucher_count=len(order.voucher_nos),
                redeemed_twd=order.redeemed_twd,
                topup_twd=order.topup_twd,
                redeemed_at=order.redeemed_at,
                voucher_nos=" ".join(order.voucher_nos),
            )
        )
        connection.execute(
            insert(redemption_line),
            [
                {
                    "voucher_no": number,
                    "redemption_id": order.redemption_id,
                    "line_no": line_no,
                    "face_value_twd": FACE_VALUE_TWD,
                }
                for line_no, number in enumerate(order.voucher_nos, start=1)
            ],
        )
        insert_journals(connection, [redeem_journal(order)])
