"""Close every voucher week that has ended: claims, their lines and their journals, in one transaction per week.

Safe to run twice, late, or from two places at once: a closed week is the primary key of its settlement, each settlement begins
where the one before ended (a foreign key), and settlements wait for each other.
"""

from datetime import datetime

from cloud.domain.calendar import period_of
from cloud.domain.settlement import Settlement
from cloud.ports.settlements import SettlementStore

WEEKS_PER_RUN_MAX = 260
"""Five years of catching up; what is left is closed by the next run. A clock that is wrong by centuries stops here."""


def settle_due(store: SettlementStore, *, now: datetime) -> list[Settlement]:
    """Close the weeks that have ended and are open, oldest first; return what was closed.

    Raises:
        PortError: the database failed. Weeks closed before stay closed; running again is safe.
    """
    closed: list[Settlement] = []
    while len(closed) < WEEKS_PER_RUN_MAX:
        settlement = _close_oldest(store, now)
        if settlement is None:
            break
        closed.append(settlement)
    return closed


def next_due(store: SettlementStore, *, now: datetime) -> datetime:
    """Return the instant from which :func:`settle_due` has a week to close; it may be in the past.

    Raises:
        PortError: the database failed.
    """
    return (store.find_open_period() or period_of(now)).ends_at


def _close_oldest(store: SettlementStore, now: datetime) -> Settlement | None:
    if now < next_due(store, now=now):
        # Looked at first without a lock: a scheduler asks every few seconds and must not hold up the kiosks.
        return None
    with store.begin() as transaction:
        period = transaction.find_open_period()
        if period is None or now < period.ends_at:
            return None
        return transaction.close(period, closed_at=now)
