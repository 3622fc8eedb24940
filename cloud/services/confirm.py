"""The merchant's daily confirmation (確認交易): with it a redemption becomes claimable (DOMAIN V-R11 to V-R13).

Confirming again changes nothing (V-R17). What is confirmed late is claimed by the next settlement and keeps its date (O-1).
What is disputed is not confirmed.

What one click confirmed can be taken back by one click for :data:`UNDO_WINDOW`, and only before a settlement has seen it; the
taking back is a fact of its own (ADR 0027).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from cloud.ports.confirmations import ConfirmationStore, Confirmed, Undo
from cloud.ports.reports import TransactionFilter

UNDO_WINDOW: Final = timedelta(minutes=10)
"""Long enough to see a mistake, short enough that nobody counts on it."""


def confirm(
    store: ConfirmationStore, redemption_ids: Sequence[UUID], *, merchant_id: str, staff_id: str, now: datetime
) -> Confirmed:
    """Confirm some of a merchant's redemptions; ids that are not this merchant's count nothing.

    Raises:
        PortError: the database failed.
    """
    return store.confirm(redemption_ids, merchant_id=merchant_id, staff_id=staff_id, confirmed_at=now)


def confirm_all(
    store: ConfirmationStore, *, merchant_id: str, staff_id: str, now: datetime, among: TransactionFilter | None = None
) -> Confirmed:
    """Confirm everything that waits (一鍵確認), of whatever day, or what a filter matches of it.

    Raises:
        PortError: the database failed.
    """
    return store.confirm(None, merchant_id=merchant_id, staff_id=staff_id, confirmed_at=now, among=among)


def undo(store: ConfirmationStore, confirmed_at: datetime, *, merchant_id: str, staff_id: str, now: datetime) -> Confirmed:
    """Take back what was confirmed at one instant. Zero where the window is over, or a settlement was quicker.

    Raises:
        PortError: the database failed.
    """
    if not timedelta(0) <= now - confirmed_at <= UNDO_WINDOW:
        return Confirmed(0, 0, 0)
    return store.undo(Undo(merchant_id, confirmed_at, staff_id, now))
