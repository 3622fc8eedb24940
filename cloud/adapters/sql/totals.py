"""The programme's money at one moment. Every figure is summed by itself, so that their equations can be found broken."""

from typing import Any

from sqlalchemy import Connection, case, exists, func, select

from cloud.adapters.sql.borders import find_last_border, is_claimed_within
from cloud.adapters.sql.progress import claim_progress
from cloud.adapters.sql.tables import (
    claim,
    confirmation,
    correction,
    ledger_entry,
    redemption,
    redemption_line,
    set_off,
    voucher,
)
from cloud.ports.reports import Totals


def read_totals(connection: Connection) -> Totals:
    """Sum everything; the connection must see one moment in all its queries."""
    redemptions, redeemed, topup = _one(
        connection,
        select(func.count(), func.sum(redemption.c.redeemed_twd), func.sum(redemption.c.topup_twd)).select_from(redemption),
    )
    claims, claimed, paid, returned, still_open = _claims(connection)
    claimed_line = exists().where(
        confirmation.c.redemption_id == redemption.c.redemption_id, is_claimed_within(find_last_border(connection))
    )
    unclaimed = select(func.sum(redemption.c.redeemed_twd)).where(~claimed_line)
    return Totals(
        issued=_sum(connection, select(func.count()).select_from(voucher)),
        redemptions=redemptions,
        vouchers_redeemed=_sum(connection, select(func.count()).select_from(redemption_line)),
        redeemed_twd=redeemed,
        topup_twd=topup,
        confirmed=_sum(connection, select(func.count()).select_from(confirmation)),
        claims=claims,
        claimed_twd=claimed,
        unclaimed_twd=_sum(connection, unclaimed),
        paid_twd=paid,
        returned_twd=returned,
        open_twd=still_open,
        double_redeemed=_sum(connection, _count_groups(redemption_line.c.voucher_no, func.count() > 1)),
        ledger_sum_twd=_sum(connection, select(func.sum(ledger_entry.c.amount_twd))),
        unbalanced_journals=_sum(
            connection,
            _count_groups(ledger_entry.c.journal_id, ledger_entry.c.kind, func.sum(ledger_entry.c.amount_twd) != 0),
        ),
        corrected_twd=_sum(connection, select(func.sum(correction.c.amount_twd))),
        set_off_twd=_sum(connection, select(func.sum(set_off.c.amount_twd))),
    )


def _claims(connection: Connection) -> list[int]:
    """Count and sum of all claims, and the sums of what is paid, returned, and neither."""
    progress = claim_progress()
    state, amount = progress.c.state, progress.c.payable_twd
    by_state = [
        func.sum(case((state.in_(states), amount), else_=0)) for states in (["paid"], ["returned"], ["claimed", "sent"])
    ]
    joined = claim.join(progress, progress.c.claim_id == claim.c.claim_id)
    return _one(connection, select(func.count(), func.sum(claim.c.amount_twd), *by_state).select_from(joined))


def _count_groups(*columns_and_having: Any) -> Any:
    *columns, having = columns_and_having
    groups = select(*columns).group_by(*columns).having(having).subquery()
    return select(func.count()).select_from(groups)


def _one(connection: Connection, statement: Any) -> list[int]:
    return [int(value or 0) for value in connection.execute(statement).one()]


def _sum(connection: Connection, statement: Any) -> int:
    return _one(connection, statement)[0]
