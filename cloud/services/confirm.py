"""The merchant's daily confirmation (確認交易): with it a redemption becomes claimable (DOMAIN V-R11 to V-R13).

A confirmation is a fact and is never taken back. Confirming again changes nothing (V-R17). What is confirmed late is claimed by
the next settlement and keeps its date (O-1).
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from cloud.ports.confirmations import ConfirmationStore, Confirmed


def confirm(
    store: ConfirmationStore, redemption_ids: Sequence[UUID], *, merchant_id: str, staff_id: str, now: datetime
) -> Confirmed:
    """Confirm some of a merchant's redemptions; ids that are not this merchant's count nothing.

    Raises:
        PortError: the database failed.
    """
    return store.confirm(redemption_ids, merchant_id=merchant_id, staff_id=staff_id, confirmed_at=now)


def confirm_all(store: ConfirmationStore, *, merchant_id: str, staff_id: str, now: datetime) -> Confirmed:
    """Confirm everything that waits (一鍵確認), of whatever day.

    Raises:
        PortError: the database failed.
    """
    return store.confirm(None, merchant_id=merchant_id, staff_id=staff_id, confirmed_at=now)
