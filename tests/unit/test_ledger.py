"""Every journal is balanced, moves what the table in the module says, and refuses anything else."""

from collections.abc import Callable
from uuid import UUID

import pytest

from cloud.domain import ledger
from cloud.domain.records import Journal, Posting, Redemption
from tests.support.worlds import NOW

ID = UUID(int=7)
REDEMPTION = Redemption(
    redemption_id=ID, programme_id="stay", merchant_id="hotel", site_id="lobby", device_id="kiosk", staff_id=None,
    item_category="room", order_total_twd=5050, voucher_nos=("566780776770", "409842918253"), face_value_twd=1000,
    redeemed_twd=2000, topup_twd=3050, redeemed_at=NOW,
)  # fmt: skip

CASES: dict[str, tuple[Callable[[], Journal], str, str]] = {
    "issue": (
        lambda: ledger.issue_journal(ID, "stay", amount_twd=2000, at=NOW),
        "programme:stay:entitlement", "programme:stay:outstanding",
    ),
    "redeem": (lambda: ledger.redeem_journal(REDEMPTION), "programme:stay:outstanding", "merchant:hotel:redeemed"),
    "claim": (
        lambda: ledger.claim_journal(ID, "hotel", amount_twd=2000, at=NOW), "merchant:hotel:redeemed", "merchant:hotel:claimed"
    ),
    "pay": (lambda: ledger.pay_journal(ID, "hotel", amount_twd=2000, at=NOW), "merchant:hotel:claimed", "bank:in_transit"),
    "paid": (lambda: ledger.paid_journal(ID, "stay", amount_twd=2000, at=NOW), "bank:in_transit", "programme:stay:funds"),
    "returned": (
        lambda: ledger.returned_journal(ID, "hotel", amount_twd=2000, at=NOW), "bank:in_transit", "merchant:hotel:returned"
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", CASES)
def test_journals_move_one_amount_between_two_accounts(kind: str) -> None:
    make, debit, credit = CASES[kind]
    assert make() == Journal(ID, kind, (Posting(debit, 2000), Posting(credit, -2000)), NOW)


def test_a_second_payout_takes_from_what_came_back() -> None:
    journal = ledger.pay_journal(ID, "hotel", amount_twd=2000, at=NOW, again=True)
    assert journal.postings[0] == Posting("merchant:hotel:returned", 2000)


def test_a_voucher_paid_out_leaves_every_account_but_entitlement_and_funds_at_zero() -> None:
    sums: dict[str, int] = {}
    for make, _, _ in CASES.values():
        for posting in make().postings:
            sums[posting.account] = sums.get(posting.account, 0) + posting.amount_twd
    # What was returned is still owed; a second attempt would clear it.
    assert {account: amount for account, amount in sums.items() if amount} == {
        "programme:stay:entitlement": 2000,
        "programme:stay:funds": -2000,
        "bank:in_transit": 2000,
        "merchant:hotel:returned": -2000,
    }


@pytest.mark.parametrize(
    "postings",
    [
        (),
        (Posting("a", 0), Posting("b", 0)),
        (Posting("a", 1), Posting("b", -2)),
        (Posting("a", 1),),
        (Posting("a", 1.0), Posting("b", -1.0)),  # type: ignore[arg-type]
        (Posting("a", True), Posting("b", -1)),
    ],
)
def test_what_is_no_balanced_journal_is_refused(postings: tuple[Posting, ...]) -> None:
    with pytest.raises(ValueError, match="a claim journal"):
        ledger.make_journal(ID, "claim", postings, NOW)


@pytest.mark.parametrize("amount_twd", [0, -1])
def test_nothing_is_moved_backwards(amount_twd: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        ledger.issue_journal(ID, "stay", amount_twd=amount_twd, at=NOW)
