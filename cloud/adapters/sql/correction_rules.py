"""Do corrections take back what they say, from whom they say, and no more of it than was claimed? Proved from the rows."""

from collections.abc import Iterator

from sqlalchemy import Connection, func, literal, or_, select, union_all

from cloud.adapters.sql.borders import find_last_border
from cloud.adapters.sql.corrections import corrected_within
from cloud.adapters.sql.rules import Rule
from cloud.adapters.sql.tables import claim, correction, redemption, set_off


def correction_rules(connection: Connection) -> Iterator[Rule]:
    """Yield the rules."""
    copied = [correction.c[name].is_distinct_from(redemption.c[name]) for name in ("merchant_id", "programme_id")]
    yield Rule(
        "I7",
        "a correction is of no redemption of that merchant and programme, or over more than it",
        select(correction.c.redemption_id, correction.c.merchant_id, correction.c.amount_twd, redemption.c.redeemed_twd)
        .outerjoin(redemption, redemption.c.redemption_id == correction.c.redemption_id)
        .where(or_(*copied, correction.c.amount_twd > redemption.c.redeemed_twd)),
    )
    yield Rule(
        "I7",
        "a claim is set off by more than it is over, or there is no such claim",
        select(set_off.c.claim_id, set_off.c.amount_twd, claim.c.amount_twd.label("claimed_twd"))
        .outerjoin(claim, claim.c.claim_id == set_off.c.claim_id)
        .where(set_off.c.amount_twd > func.coalesce(claim.c.amount_twd, 0)),
    )
    yield _debts(connection)


def _debts(connection: Connection) -> Rule:
    """Corrections and set-offs in one heap, so that a merchant who was set off without any correction is found too."""
    nothing = literal(0)
    due = corrected_within(find_last_border(connection)).subquery("due")
    pair = (claim.c.merchant_id, claim.c.programme_id)
    heap = union_all(
        select(due.c.merchant_id, due.c.programme_id, due.c.amount_twd.label("corrected_twd"), nothing.label("set_off_twd")),
        select(*pair, nothing, set_off.c.amount_twd).join(claim, claim.c.claim_id == set_off.c.claim_id),
    ).subquery("heap")
    whose = (heap.c.merchant_id, heap.c.programme_id)
    corrected, done = func.sum(heap.c.corrected_twd), func.sum(heap.c.set_off_twd)
    return Rule(
        "I7",
        "a merchant is set off by more than was corrected of what it claimed",
        select(*whose, corrected.label("corrected_twd"), done.label("set_off_twd")).group_by(*whose).having(done > corrected),
    )
