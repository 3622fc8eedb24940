"""Does every account of the ledger hold what the rows say that it mirrors?

The rows are the facts (issues, redemptions, claims, payouts and their outcomes), summed by merchant and programme; what each
debits and credits is the table of :mod:`cloud.domain.ledger`, written down once more, as a check is worth nothing that asks the
code it checks.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, String, cast, func, literal, select, union_all

from cloud.adapters.sql.rules import Rule
from cloud.adapters.sql.tables import (
    claim,
    correction,
    issue_batch,
    ledger_entry,
    payout,
    payout_outcome,
    programme,
    redemption,
    set_off,
)
from cloud.domain.ledger import (
    IN_TRANSIT,
    claimed_account,
    corrected_account,
    entitlement_account,
    funds_account,
    outstanding_account,
    owed_account,
    redeemed_account,
    returned_account,
)

_MARK: Final = "\x1f"
"""Stands for an id in the name of an account; no id has it."""


def balance_rule() -> Rule:
    """Ledger and rows in one heap, the rows negative: an account whose sum is not zero is one that differs."""
    entries = select(
        ledger_entry.c.account, func.sum(ledger_entry.c.amount_twd).label("ledger_twd"), literal(0).label("rows_twd")
    ).group_by(ledger_entry.c.account)
    mirrored = [
        select(account.label("account"), literal(0), total * sign)
        for facts, total, debit, credit in _facts()
        for account, sign in ((_account(debit, facts), 1), (_account(credit, facts), -1))
    ]
    heap = union_all(entries, *mirrored).subquery("heap")
    ledger_twd, rows_twd = func.sum(heap.c.ledger_twd), func.sum(heap.c.rows_twd)
    return Rule(
        "I4",
        "an account does not hold what the rows say that it mirrors",
        select(heap.c.account, ledger_twd.label("ledger_twd"), rows_twd.label("rows_twd"))
        .group_by(heap.c.account)
        .having(ledger_twd != rows_twd),
    )


def _facts() -> Iterator[tuple[Any, ColumnElement[Any], str, str]]:
    """Yield the sums of each kind of fact with the account that it debits and the one that it credits."""
    of_programme, of_merchant = f"{_MARK}programme_id{_MARK}", f"{_MARK}merchant_id{_MARK}"
    face = cast(issue_batch.c.voucher_count, BigInteger) * programme.c.face_value_twd
    issued = select(issue_batch.c.programme_id, func.sum(face).label("total")).join(
        programme, programme.c.programme_id == issue_batch.c.programme_id
    )
    issues = issued.group_by(issue_batch.c.programme_id).subquery("issues")
    yield issues, issues.c.total, entitlement_account(of_programme), outstanding_account(of_programme)
    redemptions = _by_pair(redemption, redemption.c.redeemed_twd, "redemptions")
    yield redemptions, redemptions.c.total, outstanding_account(of_programme), redeemed_account(of_merchant)
    claims = _by_pair(claim, claim.c.amount_twd, "claims")
    yield claims, claims.c.total, redeemed_account(of_merchant), claimed_account(of_merchant)
    first = _by_pair(claim, payout.c.amount_twd, "first", payout.c.attempt == 1)
    yield first, first.c.total, claimed_account(of_merchant), IN_TRANSIT
    again = _by_pair(claim, payout.c.amount_twd, "again", payout.c.attempt > 1)
    yield again, again.c.total, returned_account(of_merchant), IN_TRANSIT
    paid = _by_pair(claim, payout.c.amount_twd, "paid", payout_outcome.c.state == "paid")
    yield paid, paid.c.total, IN_TRANSIT, funds_account(of_programme)
    returned = _by_pair(claim, payout.c.amount_twd, "returned", payout_outcome.c.state == "returned")
    yield returned, returned.c.total, IN_TRANSIT, returned_account(of_merchant)
    corrections = _by_pair(correction, correction.c.amount_twd, "corrections")
    yield corrections, corrections.c.total, owed_account(of_merchant), corrected_account(of_programme)
    pair = (claim.c.programme_id, claim.c.merchant_id)
    set_offs = select(*pair, func.sum(set_off.c.amount_twd).label("total")).join(claim, claim.c.claim_id == set_off.c.claim_id)
    offs = set_offs.group_by(*pair).subquery("set_offs")
    yield offs, offs.c.total, claimed_account(of_merchant), owed_account(of_merchant)


def _by_pair(facts: Any, amount: ColumnElement[Any], name: str, *which: ColumnElement[bool]) -> Any:
    """Sum by programme and merchant. A payout has them from its claim, and its outcome where that is asked for."""
    pair = (facts.c.programme_id, facts.c.merchant_id)
    found = select(*pair, func.sum(amount).label("total")).select_from(facts)
    if which:
        found = select(*pair, func.sum(amount).label("total")).select_from(
            claim.join(payout, payout.c.claim_id == claim.c.claim_id).outerjoin(
                payout_outcome, payout_outcome.c.payout_id == payout.c.payout_id
            )
        )
    return found.where(*which).group_by(*pair).subquery(name)


def _account(name: str, facts: Any) -> ColumnElement[str]:
    pieces: Sequence[str] = re.split(_MARK, name)
    found: ColumnElement[str] = literal(pieces[0], String)
    for number, piece in enumerate(pieces[1:], start=1):
        found = found + (cast(facts.c[piece], String) if number % 2 else literal(piece, String))
    return found
