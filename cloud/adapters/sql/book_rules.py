"""The rules of the books as queries: each finds rows that must not be there.

The constraints of the tables make some of these rows impossible. They are looked for all the same: this is the check that
would show a constraint that was lost in a migration, and it asks the data, not the program.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, case, exists, func, literal, or_, select, union_all

from cloud.adapters.sql.tables import (
    claim,
    claim_line,
    confirmation,
    issue_batch,
    ledger_entry,
    payout,
    payout_file,
    payout_outcome,
    programme,
    redemption,
    redemption_line,
    settlement,
    settlement_range,
    voucher,
)
from cloud.domain.ledger import IN_TRANSIT


@dataclass(frozen=True, slots=True)
class Rule:
    """One query whose every row is a breach."""

    rule: str
    sentence: str
    breaches: Select[Any]


def book_rules() -> Iterator[Rule]:
    """Yield the rules, those of the redemptions first."""
    yield from _redemptions()
    yield from _journals()
    yield from _issues()
    yield from _claims()
    yield from _payouts()


def _redemptions() -> Iterator[Rule]:
    yield Rule(
        "I1",
        "a voucher is redeemed more than once",
        select(redemption_line.c.voucher_no, func.count().label("times"))
        .group_by(redemption_line.c.voucher_no)
        .having(func.count() > 1),
    )
    yield Rule(
        "I1",
        "a redeemed voucher was never issued for that programme",
        select(redemption_line.c.voucher_no, redemption_line.c.redemption_id)
        .outerjoin(redemption, redemption.c.redemption_id == redemption_line.c.redemption_id)
        .outerjoin(voucher, voucher.c.voucher_no == redemption_line.c.voucher_no)
        .where(or_(voucher.c.voucher_no.is_(None), voucher.c.programme_id.is_distinct_from(redemption.c.programme_id))),
    )
    lines = _sums(redemption_line.c.redemption_id, redemption_line.c.face_value_twd)
    yield Rule(
        "I1",
        "a redemption is not worth its vouchers",
        select(redemption.c.redemption_id, redemption.c.redeemed_twd, lines.c.total)
        .outerjoin(lines, lines.c.id == redemption.c.redemption_id)
        .where(_differs(lines, count=redemption.c.voucher_count, total=redemption.c.redeemed_twd)),
    )


def _journals() -> Iterator[Rule]:
    yield Rule(
        "I4",
        "a journal does not sum to zero",
        select(ledger_entry.c.journal_id, ledger_entry.c.kind, func.sum(ledger_entry.c.amount_twd).label("sum_twd"))
        .group_by(ledger_entry.c.journal_id, ledger_entry.c.kind)
        .having(func.sum(ledger_entry.c.amount_twd) != 0),
    )
    facts, posted = _facts(), _posted()
    same = and_(posted.c.journal_id == facts.c.fact_id, posted.c.kind == facts.c.kind)
    yield Rule(
        "I4",
        "a fact has no journal over its amount",
        select(facts.c.fact_id, facts.c.kind, facts.c.amount_twd, posted.c.debit)
        .outerjoin(posted, same)
        .where(posted.c.debit.is_distinct_from(facts.c.amount_twd)),
    )
    yield Rule(
        "I4",
        "a journal has no fact",
        select(posted.c.journal_id, posted.c.kind, posted.c.debit).outerjoin(facts, same).where(facts.c.fact_id.is_(None)),
    )


def _issues() -> Iterator[Rule]:
    made = _sums(voucher.c.issue_id, literal(1))
    yield Rule(
        "I5",
        "an issue does not have the vouchers it counts",
        select(issue_batch.c.issue_id, issue_batch.c.voucher_count, made.c.rows)
        .outerjoin(made, made.c.id == issue_batch.c.issue_id)
        .where(func.coalesce(made.c.rows, 0) != issue_batch.c.voucher_count),
    )
    unused = (
        select(voucher.c.programme_id, func.count().label("unused"))
        .where(~exists().where(redemption_line.c.voucher_no == voucher.c.voucher_no))
        .group_by(voucher.c.programme_id)
        .subquery("unused")
    )
    outstanding = (
        select(func.coalesce(func.sum(ledger_entry.c.amount_twd), 0))
        .where(ledger_entry.c.account == literal("programme:") + programme.c.programme_id + literal(":outstanding"))
        .correlate(programme)
        .scalar_subquery()
    )
    worth = func.coalesce(unused.c.unused, 0) * programme.c.face_value_twd
    yield Rule(
        "I5",
        "what is outstanding is not what is unused",
        select(programme.c.programme_id, worth.label("unused_twd"), (-outstanding).label("outstanding_twd"))
        .outerjoin(unused, unused.c.programme_id == programme.c.programme_id)
        .where(outstanding != -worth),
    )


def _claims() -> Iterator[Rule]:
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
    lines = _sums(claim_line.c.claim_id, claim_line.c.amount_twd)
    yield Rule(
        "I6",
        "a claim is not the sum of its lines",
        select(claim.c.claim_id, claim.c.amount_twd, lines.c.total)
        .outerjoin(lines, lines.c.id == claim.c.claim_id)
        .where(_differs(lines, count=claim.c.redemption_count, total=claim.c.amount_twd)),
    )
    its_claim = and_(
        claim.c.period_starts_on == settlement_range.c.period_starts_on,
        claim.c.merchant_id == confirmation.c.merchant_id,
        claim.c.programme_id == confirmation.c.programme_id,
    )
    yield Rule(
        "I6",
        "a settlement has passed over a confirmation and claimed nothing of its merchant",
        select(confirmation.c.redemption_id, confirmation.c.confirmation_no, settlement_range.c.period_starts_on)
        .join(settlement_range, _takes())
        .outerjoin(claim, its_claim)
        .where(claim.c.claim_id.is_(None)),
    )
    claims = _sums(claim.c.period_starts_on, claim.c.amount_twd)
    yield Rule(
        "I6",
        "a settlement is not the sum of its claims",
        select(settlement.c.period_starts_on, settlement.c.claimed_twd, claims.c.total)
        .outerjoin(claims, claims.c.id == settlement.c.period_starts_on)
        .where(_differs(claims, count=settlement.c.claim_count, total=settlement.c.claimed_twd)),
    )


def _takes() -> Any:
    """Which settlement a confirmation belongs to; the same words as in the view ``claim_line``."""
    return and_(
        confirmation.c.confirmation_no <= settlement_range.c.through_no,
        confirmation.c.redeemed_at < settlement_range.c.ends_at,
        or_(
            confirmation.c.confirmation_no > settlement_range.c.after_no,
            confirmation.c.redeemed_at >= settlement_range.c.starts_at,
        ),
    )


def _payouts() -> Iterator[Rule]:
    yield Rule(
        "I7",
        "a payout is not over its claim's amount",
        select(payout.c.payout_id, payout.c.amount_twd, claim.c.amount_twd.label("claimed_twd"))
        .outerjoin(claim, claim.c.claim_id == payout.c.claim_id)
        .where(payout.c.amount_twd.is_distinct_from(claim.c.amount_twd)),
    )
    yield Rule(
        "I7",
        "a claim has more than one payout that is open or paid",
        select(payout.c.claim_id, func.count().label("payouts"))
        .outerjoin(payout_outcome, payout_outcome.c.payout_id == payout.c.payout_id)
        .where(func.coalesce(payout_outcome.c.state, "open") != "returned")
        .group_by(payout.c.claim_id)
        .having(func.count() > 1),
    )
    lines = _sums(payout.c.file_id, payout.c.amount_twd)
    yield Rule(
        "I7",
        "a payout file is not the sum of its payouts",
        select(payout_file.c.file_no, payout_file.c.total_twd, lines.c.total)
        .outerjoin(lines, lines.c.id == payout_file.c.file_id)
        .where(_differs(lines, count=payout_file.c.line_count, total=payout_file.c.total_twd)),
    )
    waiting = (
        select(func.coalesce(func.sum(payout.c.amount_twd), 0))
        .where(~exists().where(payout_outcome.c.payout_id == payout.c.payout_id))
        .scalar_subquery()
    )
    in_transit = (
        select(func.coalesce(func.sum(ledger_entry.c.amount_twd), 0))
        .where(ledger_entry.c.account == IN_TRANSIT)
        .scalar_subquery()
    )
    yield Rule(
        "I7",
        "what is in transit is not what the bank has not answered",
        select(waiting.label("waiting_twd"), in_transit.label("in_transit_twd")).where(waiting != -in_transit),
    )


def _facts() -> Any:
    """Everything that moved money, with the kind of journal it must have."""
    outcomes = payout_outcome.join(payout, payout.c.payout_id == payout_outcome.c.payout_id)
    return union_all(
        select(
            issue_batch.c.issue_id.label("fact_id"),
            literal("issue").label("kind"),
            (issue_batch.c.voucher_count * programme.c.face_value_twd).label("amount_twd"),
        ).join(programme, programme.c.programme_id == issue_batch.c.programme_id),
        select(redemption.c.redemption_id, literal("redeem"), redemption.c.redeemed_twd),
        select(claim.c.claim_id, literal("claim"), claim.c.amount_twd),
        select(payout.c.payout_id, literal("pay"), payout.c.amount_twd),
        select(payout.c.payout_id, payout_outcome.c.state, payout.c.amount_twd).select_from(outcomes),
    ).subquery("facts")


def _posted() -> Any:
    """Each journal with the sum of its debits."""
    debit = func.sum(case((ledger_entry.c.amount_twd > 0, ledger_entry.c.amount_twd), else_=0))
    columns = (ledger_entry.c.journal_id, ledger_entry.c.kind)
    return select(*columns, debit.label("debit")).group_by(*columns).subquery("posted")


def _sums(key: Any, amount: Any) -> Any:
    """Rows and sum of amounts by key, as ``id``, ``rows`` and ``total``."""
    return select(key.label("id"), func.count().label("rows"), func.sum(amount).label("total")).group_by(key).subquery("sums")


def _differs(sums: Any, *, count: Any, total: Any) -> Any:
    return or_(func.coalesce(sums.c.rows, 0) != count, func.coalesce(sums.c.total, 0) != total)
