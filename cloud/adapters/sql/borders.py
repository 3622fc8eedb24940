"""Which settlement a confirmation is in: the words of the view ``claim_line``, for queries that the view would make slow.

Each settlement has seen a set of confirmations (number up to ``through_no``, redeemed before ``ends_at``) that holds the set of
the settlement before, because both bounds only grow. It claims the difference, so the settlements together claim the set of
the last one, each confirmation once.
"""

from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from cloud.adapters.sql.tables import claim, confirmation, settlement_range

_NUMBER_MAX: Final = 2**63 - 1
"""More confirmations than there will ever be; what a BIGINT holds."""


@dataclass(frozen=True, slots=True)
class Border:
    """Where a settlement stopped."""

    period_starts_on: date
    ends_at: datetime
    through_no: int
    open_from_no: int
    """Every confirmation before this one is in a claim."""


def find_last_border(connection: Connection) -> Border | None:
    """Return the border of the newest settlement, if there is any."""
    return next(iter(_read(connection, settlement_range.c.period_starts_on.desc(), limit=1)), None)


def read_borders(connection: Connection) -> list[Border]:
    """Return the borders of all settlements, oldest first; there is one per week."""
    return _read(connection, settlement_range.c.period_starts_on)


def _read(connection: Connection, order: ColumnElement[Any], *, limit: int | None = None) -> list[Border]:
    columns = (settlement_range.c[one.name] for one in fields(Border))
    return [Border(*row) for row in connection.execute(select(*columns).order_by(order).limit(limit))]


def is_claimed_within(border: Border | None) -> ColumnElement[bool]:
    """Tell for a confirmation whether this settlement or one before it claims it."""
    if border is None:
        return confirmation.c.confirmation_no <= 0  # none: they count from 1
    return and_(confirmation.c.confirmation_no <= border.through_no, confirmation.c.redeemed_at < border.ends_at)


def is_unclaimed_by(border: Border | None, through_no: int) -> ColumnElement[bool]:
    """Tell for a confirmation up to a number whether neither this settlement nor one before it claims it."""
    number = confirmation.c.confirmation_no
    if border is None:
        return number <= through_no
    if border.open_from_no > border.through_no:
        return and_(number > border.through_no, number <= through_no)
    left_open = or_(number > border.through_no, confirmation.c.redeemed_at >= border.ends_at)
    return and_(number >= border.open_from_no, number <= through_no, left_open)


def is_unclaimed_after(border: Border | None) -> ColumnElement[bool]:
    """Tell for any confirmation whether neither this settlement nor one before it claims it."""
    return is_unclaimed_by(border, _NUMBER_MAX)


def is_claimed_in_range() -> ColumnElement[bool]:
    """Tell of a confirmation and a settlement's range, joined, whether that settlement claims it."""
    return and_(
        confirmation.c.confirmation_no <= settlement_range.c.through_no,
        confirmation.c.redeemed_at < settlement_range.c.ends_at,
        or_(
            confirmation.c.confirmation_no > settlement_range.c.after_no,
            confirmation.c.redeemed_at >= settlement_range.c.starts_at,
        ),
    )


def is_its_claim() -> ColumnElement[bool]:
    """Tell of a confirmation, the range that claims it, and a claim, whether it is in that one."""
    return and_(
        claim.c.period_starts_on == settlement_range.c.period_starts_on,
        claim.c.merchant_id == confirmation.c.merchant_id,
        claim.c.programme_id == confirmation.c.programme_id,
    )
