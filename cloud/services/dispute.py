"""A merchant disputes a redemption of its own: wrong amount, wrong voucher, service not given.

* Redeeming cannot be undone (DOMAIN V-R8), and a dispute does not undo it: the voucher stays used. It keeps the redemption from
  being confirmed, and with it from being claimed, until the programme office has looked.
* The office says that it *stands* (then it may be confirmed) or *sets it aside* (then it is never claimed). The merchant may
  take the dispute back while it is open. Each takes a reason, and a redemption is disputed once.
"""

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from cloud.ports.disputes import Dispute, DisputeEnd, DisputeStore, NotDisputed

REASON_LENGTH_MAX: Final = 200


def open_dispute(
    store: DisputeStore, redemption_id: UUID, reason: str, *, merchant_id: str, by: str, now: datetime
) -> NotDisputed | Literal["no_reason"] | None:
    """Dispute a redemption; return why not, where it cannot be.

    Raises:
        PortError: the database failed.
    """
    said = reason.strip()[:REASON_LENGTH_MAX]
    return store.open(Dispute(redemption_id, merchant_id, said, by, now)) if said else "no_reason"


def withdraw_dispute(store: DisputeStore, redemption_id: UUID, *, merchant_id: str, by: str, now: datetime) -> bool:
    """Let the merchant take its dispute back. False: there is none that is open.

    Raises:
        PortError: the database failed.
    """
    return store.end(DisputeEnd(redemption_id, "withdrawn", "", by, now), merchant_id=merchant_id)


def resolve_dispute(
    store: DisputeStore, redemption_id: UUID, outcome: Literal["stands", "set_aside"], reason: str, *, by: str, now: datetime
) -> bool:
    """Let the programme office decide. False: there is none that is open, or no reason was given.

    Raises:
        PortError: the database failed.
    """
    said = reason.strip()[:REASON_LENGTH_MAX]
    return bool(said) and store.end(DisputeEnd(redemption_id, outcome, said, by, now))
