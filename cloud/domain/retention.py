"""How long the cloud knows anything about the holder of a voucher.

A holder is known by the tag of the last four characters of an ID, a masked name and a masked ID, and by wrong tries; by the tag
of the whole ID, where caps and draws need one; and for a while by the line of a list that waits to be issued. They serve one
purpose: to give the voucher's value to its holder, and to tell the holder, and nobody else, what became of it. That purpose
ends with the programme's last day and the days after it in which an order may still be disputed; then they are deleted
(Personal Data Protection Act, article 11). What remains is money, which names no person: redemptions, ledger, claims and
payouts are accounting records, and are kept.

An issue is forgotten as a whole: its vouchers have one programme, and so one day.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from cloud.domain.calendar import day_of

DISPUTE_DAYS: Final = 90
"""Where a programme does not say: about one bank statement's time for a merchant or a holder to find a mistake, twice over."""

DISPUTE_DAYS_MAX: Final = 3_650

DRAFT_KEPT: Final = timedelta(days=30)
"""How long a list that was handed in waits for somebody to issue it."""


@dataclass(frozen=True, slots=True)
class KnownIssue:
    """An issue whose holders are known."""

    issue_id: UUID
    issued_at: datetime
    ends_on: date
    """Its programme's last day, inclusive."""
    dispute_days: int


class Lasting(Protocol):
    """Terms that say how long holders are known."""

    @property
    def ends_on(self) -> date: ...

    @property
    def dispute_days(self) -> int: ...


@dataclass(frozen=True, slots=True)
class KnownDraft:
    """A list of people that somebody handed in, and neither issued nor discarded."""

    draft_id: UUID
    touched_at: datetime
    """When it last came further."""
    ends_on: date
    """Its programme's last day, inclusive."""
    dispute_days: int


def moved_after_forgetting(before: Lasting, after: Lasting) -> list[str]:
    """Return which fields of a programme whose holders are forgotten would change although they cannot any more.

    Nobody can be known again: a later day would promise answers that nobody can give.
    """
    return [field for field in ("ends_on", "dispute_days") if getattr(before, field) != getattr(after, field)]


def is_forgettable(issue: Lasting, now: datetime) -> bool:
    """Tell whether the last day of disputes, in Asia/Taipei, is over."""
    return day_of(now) > issue.ends_on + timedelta(days=issue.dispute_days)


def is_left_lying(draft: KnownDraft, now: datetime) -> bool:
    """Tell whether nobody will issue a draft any more, so that who is on it need not be known."""
    return now - draft.touched_at >= DRAFT_KEPT or is_forgettable(draft, now)


def tries_needed_since(kept: Iterable[KnownIssue], now: datetime) -> datetime:
    """Return the instant before which no try can have been at a voucher whose holder is still known.

    Tries at numbers that nobody has last as long as those at vouchers, so that counting on does not tell the two apart.
    """
    return min((issue.issued_at for issue in kept), default=now)
