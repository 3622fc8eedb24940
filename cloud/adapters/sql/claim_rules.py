"""Do the claims partition what was confirmed? Proved from the rows, though constraints should make it so (ADR 0003).

The proof has four steps, and each names the first row that breaks it:

1. every redemption is confirmed once, and the confirmation says what its redemption says;
2. the settlements are one chain: every closed week has a range, ranges end with their weeks, and each begins where the one
   before ended. A confirmation is then in one range at most, and in one exactly if the last settlement claims up to it;
3. each claim is the sum of the confirmations in its range that are of its merchant and programme, and each of those has one;
4. each settlement is the sum of its claims, and each merchant's redemptions are what is claimed and what is open.
"""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

from sqlalchemy import Connection, RowMapping, and_, exists, func, literal, or_, select, union_all

from cloud.adapters.sql.borders import Border, is_claimed_within, is_unclaimed_by, read_borders
from cloud.adapters.sql.rules import Rule, differs, sums
from cloud.adapters.sql.tables import claim, confirmation, redemption, settlement, settlement_range
from cloud.domain.calendar import Period
from cloud.ports.books import Breach


def claim_rules(connection: Connection) -> Iterator[Rule]:
    """Yield the rules; a settlement has one of its own, so that it reads its own range of confirmations and no other."""
    yield from _confirmations()
    borders = read_borders(connection)
    for before, border in pairwise([None, *borders]):
        if border is not None:
            yield _lines(before, border)
    yield _strays()
    yield _settlements()
    yield _merchants(borders[-1] if borders else None)


def find_broken_chain(connection: Connection) -> Breach | None:
    """Look for a closed week that is missing, has no range, or has one that does not follow the one before.

    Done here and not in a query: the databases count days in different words, and there is one row per week.
    """
    weeks = list(connection.scalars(select(settlement.c.period_starts_on).order_by(settlement.c.period_starts_on)))
    for earlier, later in pairwise(weeks):
        if later - earlier != timedelta(days=7):
            return Breach("I6", "a week between two settlements was not closed", {"after": earlier, "before": later})
    ranges = connection.execute(select(settlement_range).order_by(settlement_range.c.period_starts_on)).mappings().all()
    alone = set(weeks) ^ {row["period_starts_on"] for row in ranges}
    if alone:
        return Breach("I6", "a settlement has no range, or a range no settlement", {"period_starts_on": min(alone)})
    links = (_breaks_chain(before, row) for before, row in pairwise([None, *ranges]) if row is not None)
    broken = next((row for row in links if row is not None), None)
    if broken is None:
        return None
    return Breach("I6", "a settlement's range does not follow the one before, or is not its week's", dict(broken))


def _breaks_chain(before: RowMapping | None, row: RowMapping) -> RowMapping | None:
    period = Period(row["period_starts_on"])
    wanted = (None, period.starts_at, 0)
    if before is not None:
        wanted = (before["period_starts_on"], before["ends_at"], before["through_no"])
    found = (row["previous_starts_on"], row["starts_at"], row["after_no"])
    return row if found != wanted or row["ends_at"] != period.ends_at or row["through_no"] < row["after_no"] else None


def _confirmations() -> Iterator[Rule]:
    yield Rule(
        "I6",
        "a redemption is confirmed more than once",
        select(confirmation.c.redemption_id, func.count().label("times"))
        .group_by(confirmation.c.redemption_id)
        .having(func.count() > 1),
    )
    yield Rule(
        "I6",
        "a number is that of more than one confirmation",
        select(confirmation.c.confirmation_no, func.count().label("times"))
        .group_by(confirmation.c.confirmation_no)
        .having(func.count() > 1),
    )
    copied = (
        (confirmation.c.merchant_id, redemption.c.merchant_id),
        (confirmation.c.programme_id, redemption.c.programme_id),
        (confirmation.c.voucher_count, redemption.c.voucher_count),
        (confirmation.c.amount_twd, redemption.c.redeemed_twd),
        (confirmation.c.redeemed_at, redemption.c.redeemed_at),
    )
    yield Rule(
        "I6",
        "a confirmation does not say what its redemption says",
        select(confirmation.c.redemption_id, confirmation.c.confirmation_no, *(mine for mine, _ in copied))
        .outerjoin(redemption, redemption.c.redemption_id == confirmation.c.redemption_id)
        .where(or_(*(mine.is_distinct_from(its) for mine, its in copied))),
    )


def _lines(before: Border | None, border: Border) -> Rule:
    """Claims and confirmations of one range in one heap: whatever does not cancel out is missing on one of the sides."""
    pair = ("merchant_id", "programme_id")
    nothing = literal(0)
    claims = select(
        *(claim.c[name] for name in pair),
        claim.c.redemption_count.label("claimed"),
        claim.c.voucher_count.label("claimed_vouchers"),
        claim.c.amount_twd.label("claimed_twd"),
        nothing.label("confirmed"),
        nothing.label("confirmed_vouchers"),
        nothing.label("confirmed_twd"),
    ).where(claim.c.period_starts_on == border.period_starts_on)
    its_pair = [confirmation.c[name] for name in pair]
    lines = (
        select(
            *its_pair,
            nothing,
            nothing,
            nothing,
            func.count(),
            func.sum(confirmation.c.voucher_count),
            func.sum(confirmation.c.amount_twd),
        )
        .where(is_unclaimed_by(before, border.through_no), confirmation.c.redeemed_at < border.ends_at)
        .group_by(*its_pair)
    )
    heap = union_all(claims, lines).subquery("heap")
    totals = {name: func.sum(heap.c[name]) for name in claims.selected_columns.keys()[len(pair) :]}
    unequal = [totals[f"claimed{what}"] != totals[f"confirmed{what}"] for what in ("", "_vouchers", "_twd")]
    return Rule(
        "I6",
        "a claim is not the sum of its lines",
        select(
            literal(border.period_starts_on, settlement.c.period_starts_on.type).label("period_starts_on"),
            *(heap.c[name] for name in pair),
            *(total.label(name) for name, total in totals.items()),
        )
        .group_by(*(heap.c[name] for name in pair))
        .having(or_(*unequal)),
    )


def _strays() -> Rule:
    return Rule(
        "I6",
        "a claim is of a week that was not closed",
        select(claim.c.claim_id, claim.c.period_starts_on).where(
            ~exists().where(settlement_range.c.period_starts_on == claim.c.period_starts_on)
        ),
    )


def _settlements() -> Rule:
    claims = sums(claim.c.period_starts_on, claim.c.amount_twd, claim.c.voucher_count)
    return Rule(
        "I6",
        "a settlement is not the sum of its claims",
        select(settlement.c.period_starts_on, settlement.c.claimed_twd, claims.c.total)
        .outerjoin(claims, claims.c.id == settlement.c.period_starts_on)
        .where(
            or_(
                differs(claims, count=settlement.c.claim_count, total=settlement.c.claimed_twd),
                func.coalesce(claims.c.vouchers, 0) != settlement.c.voucher_count,
            )
        ),
    )


def _merchants(last: Border | None) -> Rule:
    """What is open is what is not confirmed, or confirmed and beyond the last settlement: looked for, not subtracted."""
    nothing = literal(0)
    claimed_within = and_(confirmation.c.redemption_id == redemption.c.redemption_id, is_claimed_within(last))
    redeemed = select(
        redemption.c.merchant_id,
        func.sum(redemption.c.redeemed_twd).label("redeemed_twd"),
        nothing.label("claimed_twd"),
        nothing.label("open_twd"),
    ).group_by(redemption.c.merchant_id)
    claimed = select(claim.c.merchant_id, nothing, func.sum(claim.c.amount_twd), nothing).group_by(claim.c.merchant_id)
    still_open = (
        select(redemption.c.merchant_id, nothing, nothing, func.sum(redemption.c.redeemed_twd))
        .where(~exists().where(claimed_within))
        .group_by(redemption.c.merchant_id)
    )
    heap = union_all(redeemed, claimed, still_open).subquery("heap")
    totals = {name: func.sum(heap.c[name]) for name in ("redeemed_twd", "claimed_twd", "open_twd")}
    return Rule(
        "I6",
        "a merchant's claims and what is open are not what it redeemed",
        select(heap.c.merchant_id, *(total.label(name) for name, total in totals.items()))
        .group_by(heap.c.merchant_id)
        .having(totals["redeemed_twd"] != totals["claimed_twd"] + totals["open_twd"]),
    )
