"""The rules of the books as queries: each finds rows that must not be there.

The constraints of the tables make some of these rows impossible. They are looked for all the same: this is the check that
would show a constraint that was lost in a migration, and it asks the data, not the program.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import BigInteger, Connection, and_, case, cast, exists, func, literal, or_, select, union_all

from cloud.adapters.sql.balance_rules import balance_rule
from cloud.adapters.sql.chain_rules import chain_rules
from cloud.adapters.sql.claim_rules import claim_rules, find_broken_chain
from cloud.adapters.sql.correction_rules import correction_rules
from cloud.adapters.sql.progress import payable_twd
from cloud.adapters.sql.rules import Rule, differs, sums
from cloud.adapters.sql.tables import (
    claim,
    correction,
    issue_batch,
    ledger_entry,
    payout,
    payout_file,
    payout_outcome,
    programme,
    programme_version,
    redemption,
    redemption_line,
    set_off,
    voucher,
)
from cloud.domain.ledger import IN_TRANSIT
from cloud.ports.books import Breach


def find_breach(connection: Connection) -> Breach | None:
    """Return the first row that breaks a rule; rules of the redemptions first, and of the chain of weeks before its claims."""
    return (
        _first(connection, [*_redemptions(), *_journals(), *_issues(), *_budgets()])
        or find_broken_chain(connection)
        or _first(
            connection, [*claim_rules(connection), *_payouts(), *correction_rules(connection), balance_rule(), *chain_rules()]
        )
    )


def _first(connection: Connection, rules: Iterable[Rule]) -> Breach | None:
    for rule in rules:
        row = connection.execute(rule.breaches.limit(1)).mappings().first()
        if row is not None:
            return Breach(rule.rule, rule.sentence, dict(row))
    return None


def _redemptions() -> Iterator[Rule]:
    yield Rule(
        "I1",
        "a voucher is redeemed more than once",
        select(redemption_line.c.voucher_no, func.count().label("times"))
        .group_by(redemption_line.c.voucher_no)
        .having(func.count() > 1),
    )
    is_foreign = voucher.c.programme_id.is_distinct_from(redemption.c.programme_id)
    is_named = redemption.c.voucher_nos.contains(redemption_line.c.voucher_no)
    yield Rule(
        "I1",
        "a redeemed voucher was never issued for that programme, or its redemption does not name it",
        select(redemption_line.c.voucher_no, redemption_line.c.redemption_id, redemption.c.voucher_nos)
        .outerjoin(redemption, redemption.c.redemption_id == redemption_line.c.redemption_id)
        .outerjoin(voucher, voucher.c.voucher_no == redemption_line.c.voucher_no)
        .where(or_(voucher.c.voucher_no.is_(None), is_foreign, ~is_named)),
    )
    lines = sums(redemption_line.c.redemption_id, redemption_line.c.face_value_twd)
    # Twelve digits each, and a space between two.
    names, named = func.length(redemption.c.voucher_nos), redemption.c.voucher_count * 13 - 1
    yield Rule(
        "I1",
        "a redemption is not worth its vouchers",
        select(redemption.c.redemption_id, redemption.c.redeemed_twd, lines.c.total)
        .outerjoin(lines, lines.c.id == redemption.c.redemption_id)
        .where(or_(differs(lines, count=redemption.c.voucher_count, total=redemption.c.redeemed_twd), names != named)),
    )


def _journals() -> Iterator[Rule]:
    yield Rule(
        "I4",
        "a journal does not sum to zero",
        select(ledger_entry.c.journal_id, ledger_entry.c.kind, func.sum(ledger_entry.c.amount_twd).label("sum_twd"))
        .group_by(ledger_entry.c.journal_id, ledger_entry.c.kind)
        .having(func.sum(ledger_entry.c.amount_twd) != 0),
    )
    yield _facts_and_journals()


def _facts_and_journals() -> Rule:
    """Facts and journals in one heap, by id and kind: each has the other, over the same amount. A join takes far longer."""
    facts = _facts()
    journals = select(
        ledger_entry.c.journal_id,
        ledger_entry.c.kind,
        literal(0).label("fact_twd"),
        case((ledger_entry.c.amount_twd > 0, ledger_entry.c.amount_twd), else_=0).label("journal_twd"),
    )
    heap = union_all(select(facts.c.fact_id, facts.c.kind, facts.c.amount_twd, literal(0)), journals).subquery("heap")
    key, kind, fact, journal = heap.c
    fact_twd, journal_twd = func.sum(fact), func.sum(journal)
    return Rule(
        "I4",
        "a fact has no journal over its amount, or a journal has no fact",
        select(key, kind, fact_twd.label("fact_twd"), journal_twd.label("journal_twd"))
        .group_by(key, kind)
        .having(fact_twd != journal_twd),
    )


def _issues() -> Iterator[Rule]:
    made = sums(voucher.c.issue_id, literal(1))
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
    # In one pass over the ledger, whatever the number of programmes.
    accounts = sums(ledger_entry.c.account, ledger_entry.c.amount_twd)
    outstanding = func.coalesce(accounts.c.total, 0)
    worth = func.coalesce(unused.c.unused, 0) * programme.c.face_value_twd
    yield Rule(
        "I5",
        "what is outstanding is not what is unused",
        select(programme.c.programme_id, worth.label("unused_twd"), (-outstanding).label("outstanding_twd"))
        .outerjoin(unused, unused.c.programme_id == programme.c.programme_id)
        .outerjoin(accounts, accounts.c.id == literal("programme:") + programme.c.programme_id + literal(":outstanding"))
        .where(outstanding != -worth),
    )


def _budgets() -> Iterator[Rule]:
    newest = (
        select(programme_version.c.programme_id, func.max(programme_version.c.version_no).label("version_no"))
        .group_by(programme_version.c.programme_id)
        .subquery("newest")
    )
    issued = sums(issue_batch.c.programme_id, issue_batch.c.voucher_count)
    worth = issued.c.total * programme.c.face_value_twd
    is_newest = and_(
        programme_version.c.programme_id == newest.c.programme_id, programme_version.c.version_no == newest.c.version_no
    )
    yield Rule(
        "I5",
        "more was issued than the budget allows",
        select(programme.c.programme_id, programme_version.c.budget_twd, worth.label("issued_twd"))
        .join(newest, newest.c.programme_id == programme.c.programme_id)
        .join(programme_version, is_newest)
        .join(issued, issued.c.id == programme.c.programme_id)
        .where(worth > programme_version.c.budget_twd),
    )


def _payouts() -> Iterator[Rule]:
    yield Rule(
        "I7",
        "a payout is not over its claim's amount less what is set off",
        select(
            payout.c.payout_id,
            payout.c.amount_twd,
            claim.c.amount_twd.label("claimed_twd"),
            set_off.c.amount_twd.label("set_off_twd"),
        )
        .outerjoin(claim, claim.c.claim_id == payout.c.claim_id)
        .outerjoin(set_off, set_off.c.claim_id == payout.c.claim_id)
        .where(payout.c.amount_twd.is_distinct_from(payable_twd())),
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
    lines = sums(payout.c.file_id, payout.c.amount_twd)
    yield Rule(
        "I7",
        "a payout file is not the sum of its payouts",
        select(payout_file.c.file_no, payout_file.c.total_twd, lines.c.total)
        .outerjoin(lines, lines.c.id == payout_file.c.file_id)
        .where(differs(lines, count=payout_file.c.line_count, total=payout_file.c.total_twd)),
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
            (cast(issue_batch.c.voucher_count, BigInteger) * programme.c.face_value_twd).label("amount_twd"),
        ).join(programme, programme.c.programme_id == issue_batch.c.programme_id),
        select(redemption.c.redemption_id, literal("redeem"), redemption.c.redeemed_twd),
        select(claim.c.claim_id, literal("claim"), claim.c.amount_twd),
        select(payout.c.payout_id, literal("pay"), payout.c.amount_twd),
        select(payout.c.payout_id, payout_outcome.c.state, payout.c.amount_twd).select_from(outcomes),
        select(correction.c.redemption_id, literal("correct"), correction.c.amount_twd),
        select(set_off.c.claim_id, literal("set_off"), set_off.c.amount_twd),
    ).subquery("facts")
