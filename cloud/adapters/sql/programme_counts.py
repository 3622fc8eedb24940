"""Where every voucher of a programme is, at one moment.

``issued`` is what the issues say and ``redeemed`` what the redemptions say; the rest is looked up voucher by voucher, each in
the first state that fits: redeemed, void (its tries are used up), held, expired, unused. So the five can fail to be what was
issued.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, case, exists, func, literal, select

from cloud.adapters.sql.tables import digit_try, hold, issue_batch, programme, redemption, redemption_line, voucher
from cloud.domain.calendar import day_of
from cloud.ports.books import ProgrammeCount
from protocol.limits import DIGIT_TRIES_MAX


def read_programme_counts(connection: Connection, now: datetime) -> list[ProgrammeCount]:
    """Count; the connection must see one moment in all its queries."""
    issued = _by_programme(
        connection, select(issue_batch.c.programme_id, func.sum(issue_batch.c.voucher_count)).group_by("programme_id")
    )
    redeemed = _by_programme(
        connection,
        select(redemption.c.programme_id, func.count())
        .join(redemption_line, redemption_line.c.redemption_id == redemption.c.redemption_id)
        .group_by(redemption.c.programme_id),
    )
    rest: dict[str, dict[str, int]] = {}
    for programme_id, state, count in connection.execute(_unredeemed(now)):
        rest.setdefault(programme_id, {})[state] = int(count)
    nothing = {"unused": 0, "held": 0, "expired": 0, "void": 0}
    return [
        ProgrammeCount(
            programme_id=programme_id,
            issued=issued.get(programme_id, 0),
            redeemed=redeemed.get(programme_id, 0),
            **(nothing | rest.get(programme_id, {})),
        )
        for programme_id in sorted({*issued, *redeemed, *rest})
    ]


def _unredeemed(now: datetime) -> Any:
    ended = programme.c.ends_on < literal(day_of(now), programme.c.ends_on.type)
    is_void = exists().where(digit_try.c.voucher_no == voucher.c.voucher_no, digit_try.c.try_no == DIGIT_TRIES_MAX)
    is_held = exists().where(and_(hold.c.voucher_no == voucher.c.voucher_no, hold.c.expires_at > now))
    state = case((is_void, "void"), (is_held, "held"), (ended, "expired"), else_="unused").label("state")
    return (
        select(voucher.c.programme_id, state, func.count())
        .select_from(voucher)
        .outerjoin(programme, programme.c.programme_id == voucher.c.programme_id)
        .where(~exists().where(redemption_line.c.voucher_no == voucher.c.voucher_no))
        .group_by(voucher.c.programme_id, state)
    )


def _by_programme(connection: Connection, statement: Any) -> dict[str, int]:
    return {programme_id: int(count) for programme_id, count in connection.execute(statement)}
