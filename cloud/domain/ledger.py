"""The ledger's journals: what each event of the money's way debits and credits, in whole TWD.

======================  =====================================  =====================================
journal                 debit                                  credit
======================  =====================================  =====================================
``issue``               ``programme:{id}:entitlement``         ``programme:{id}:outstanding``
``redeem``              ``programme:{id}:outstanding``         ``merchant:{id}:redeemed``
``claim``               ``merchant:{id}:redeemed``             ``merchant:{id}:claimed``
``pay``                 ``merchant:{id}:claimed``              ``bank:in_transit``
``pay`` (once more)     ``merchant:{id}:returned``             ``bank:in_transit``
``paid``                ``bank:in_transit``                    ``programme:{id}:funds``
``returned``            ``bank:in_transit``                    ``merchant:{id}:returned``
``correct``             ``merchant:{id}:corrected``            ``programme:{id}:corrected``
``set_off``             ``merchant:{id}:claimed``              ``merchant:{id}:corrected``
======================  =====================================  =====================================

So the balance of ``outstanding`` is what holders may still spend, ``redeemed`` what merchants may still claim, ``claimed``
and ``returned`` what the bank must still be told to pay, ``in_transit`` what it has been told, ``funds`` what it paid. A
merchant's ``corrected`` is what it still owes for corrections, a programme's what it has taken back by them. Every journal sums
to zero; entries are only ever appended (a trigger holds that).

A journal has the id of the fact that made it (the issue, request, claim or payout; a correction has the request's, a set-off
the claim's), so the same fact cannot be posted twice: the primary key is fact, kind and line.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from cloud.domain.corrections import Correction
from cloud.domain.records import Journal, Posting, Redemption

IN_TRANSIT: Final = "bank:in_transit"


def entitlement_account(programme_id: str) -> str:
    """What the programme has promised, face value of all vouchers issued."""
    return f"programme:{programme_id}:entitlement"


def outstanding_account(programme_id: str) -> str:
    """Issued and not yet redeemed."""
    return f"programme:{programme_id}:outstanding"


def funds_account(programme_id: str) -> str:
    """What left the programme's bank account for merchants."""
    return f"programme:{programme_id}:funds"


def redeemed_account(merchant_id: str) -> str:
    """Redeemed and not yet claimed."""
    return f"merchant:{merchant_id}:redeemed"


def claimed_account(merchant_id: str) -> str:
    """Claimed and not yet sent to the bank."""
    return f"merchant:{merchant_id}:claimed"


def returned_account(merchant_id: str) -> str:
    """Sent back by the bank and not yet sent again."""
    return f"merchant:{merchant_id}:returned"


def owed_account(merchant_id: str) -> str:
    """Corrected and not yet set off."""
    return f"merchant:{merchant_id}:corrected"


def corrected_account(programme_id: str) -> str:
    """What the programme has taken back from merchants."""
    return f"programme:{programme_id}:corrected"


def make_journal(journal_id: UUID, kind: str, postings: tuple[Posting, ...], posted_at: datetime) -> Journal:
    """Build a journal.

    Raises:
        ValueError: it does not sum to zero, has fewer than two lines, or a line that is zero or no whole number.
    """
    balance = 0
    for posting in postings:
        if type(posting.amount_twd) is not int or posting.amount_twd == 0:
            raise ValueError(f"each line of a {kind} journal is a whole amount other than zero")
        balance += posting.amount_twd
    if len(postings) < 2:
        raise ValueError(f"a {kind} journal needs two lines or more")
    if balance != 0:
        raise ValueError(f"a {kind} journal is out of balance by {balance} TWD")
    return Journal(journal_id, kind, postings, posted_at)


def issue_journal(issue_id: UUID, programme_id: str, *, amount_twd: int, at: datetime) -> Journal:
    """Vouchers of this face value were issued."""
    return _move(issue_id, "issue", (entitlement_account(programme_id), outstanding_account(programme_id)), amount_twd, at)


def redeem_journal(redemption: Redemption) -> Journal:
    """An order was redeemed. The merchant earns the vouchers' face value, whatever the order's total was (DOMAIN V-R15)."""
    accounts = (outstanding_account(redemption.programme_id), redeemed_account(redemption.merchant_id))
    return _move(redemption.redemption_id, "redeem", accounts, redemption.redeemed_twd, redemption.redeemed_at)


def claim_journal(claim_id: UUID, merchant_id: str, *, amount_twd: int, at: datetime) -> Journal:
    """A settlement claimed this much for the merchant."""
    return _move(claim_id, "claim", (redeemed_account(merchant_id), claimed_account(merchant_id)), amount_twd, at)


def pay_journal(payout_id: UUID, merchant_id: str, *, amount_twd: int, at: datetime, again: bool = False) -> Journal:
    """The bank was told to pay.

    Args:
        again: a former payout of this claim came back.
    """
    source = returned_account(merchant_id) if again else claimed_account(merchant_id)
    return _move(payout_id, "pay", (source, IN_TRANSIT), amount_twd, at)


def paid_journal(payout_id: UUID, programme_id: str, *, amount_twd: int, at: datetime) -> Journal:
    """The bank has paid."""
    return _move(payout_id, "paid", (IN_TRANSIT, funds_account(programme_id)), amount_twd, at)


def returned_journal(payout_id: UUID, merchant_id: str, *, amount_twd: int, at: datetime) -> Journal:
    """The bank could not pay and kept the money."""
    return _move(payout_id, "returned", (IN_TRANSIT, returned_account(merchant_id)), amount_twd, at)


def correction_journal(correction: Correction) -> Journal:
    """A redemption was corrected. Its voucher stays redeemed, so nothing is outstanding again."""
    accounts = (owed_account(correction.merchant_id), corrected_account(correction.programme_id))
    return _move(correction.redemption_id, "correct", accounts, correction.amount_twd, correction.corrected_at)


def set_off_journal(claim_id: UUID, merchant_id: str, *, amount_twd: int, at: datetime) -> Journal:
    """This much of a claim is not paid, because its merchant owes it."""
    return _move(claim_id, "set_off", (claimed_account(merchant_id), owed_account(merchant_id)), amount_twd, at)


def _move(journal_id: UUID, kind: str, accounts: tuple[str, str], amount_twd: int, at: datetime) -> Journal:
    if amount_twd <= 0:
        raise ValueError(f"a {kind} journal moves a positive amount, not {amount_twd} TWD")
    debit, credit = accounts
    return make_journal(journal_id, kind, (Posting(debit, amount_twd), Posting(credit, -amount_twd)), at)
