"""Review: the programme office decides on applications, and on merchants that take part.

* Whoever decides has seen what they decide on: a decision names the version that the page showed.
* A returned application has seven working days, counted from the day after (DOMAIN X-7); the day is fixed when it is returned.
* Every decision but an approval gives a reason in words that the business reads. Each is noted in the same transaction.
* A suspended or terminated merchant redeems nothing from the next request on: the judge reads its state in the transaction that
  would redeem. It still signs in, confirms what it redeemed before, and is paid for it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Literal
from uuid import UUID

from cloud.domain.calendar import day_of
from cloud.domain.merchants import (
    CORRECTION_DAYS,
    ApplicationState,
    MerchantAction,
    application_after,
    merchant_after,
    standing,
)
from cloud.domain.working_days import WorkingDays
from cloud.ports.accounts import AccountEvent
from cloud.ports.merchants import (
    Application,
    Merchant,
    MerchantEvent,
    MerchantEventKind,
    MerchantStore,
    MerchantTransaction,
    Place,
)
from cloud.ports.programmes import TakenError
from cloud.services.accounts import Hand
from cloud.services.apply import StaleError

REASON_LENGTH_MAX: Final = 500

Decision = Literal["approve", "return", "reject"]
DECISIONS: Final[tuple[Decision, ...]] = ("approve", "return", "reject")

_DECIDED: Final[dict[Decision, MerchantEventKind]] = {"approve": "approved", "return": "returned", "reject": "rejected"}
_DONE: Final[dict[MerchantAction, MerchantEventKind]] = {
    "suspend": "suspended",
    "resume": "resumed",
    "terminate": "terminated",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the office decides on an application, and why."""

    decision: Decision
    reason: str
    version: int
    """Of what the page showed."""


class NoReasonError(Exception):
    """A decision that needs a reason has none, or one that is too long. Nothing was changed."""


class TwiceError(Exception):
    """Another merchant has the business number of this application. Nothing was changed."""


def decide(
    store: MerchantStore,
    application_id: UUID,
    verdict: Verdict,
    *,
    hand: Hand,
    working_days: WorkingDays,
    mint_id: Callable[[str], str],
) -> date | None:
    """Approve an application, return it for correction, or reject it.

    Args:
        mint_id: makes an id that nobody has; of a merchant (``m``) and of its first site (``s``).

    Returns:
        The last day on which a returned application may come back.

    Raises:
        NoReasonError, StaleError, TwiceError: nothing was changed.
    """
    reason = verdict.reason.strip()
    if len(reason) > REASON_LENGTH_MAX or (verdict.decision != "approve" and not reason):
        raise NoReasonError
    today = day_of(hand.at)
    correct_by = working_days.after(today, CORRECTION_DAYS) if verdict.decision == "return" else None
    try:
        with store.begin() as transaction:
            before = transaction.find_application(application_id)
            state = None if before is None else _decided(before, verdict, today)
            if before is None or state is None:
                raise StaleError
            merchant_id = _begin(transaction, before, mint_id, hand) if state == "approved" else None
            transaction.save_application(
                replace(
                    before,
                    state=state,
                    version=before.version + 1,
                    decided_at=hand.at,
                    correct_by=correct_by,
                    reason=reason,
                    merchant_id=merchant_id,
                )
            )
            kind = _DECIDED[verdict.decision]
            transaction.note(
                MerchantEvent(hand.at, kind, hand.person.staff_id, application_id, merchant_id, reason, str(correct_by or ""))
            )
    except TakenError as problem:
        raise TwiceError from problem
    return correct_by


def rule(store: MerchantStore, merchant_id: str, action: MerchantAction, *, reason: str, hand: Hand) -> None:
    """Suspend a merchant, let it go on, or end its part for good.

    Raises:
        NoReasonError: no reason was given.
        StaleError: there is no such merchant, or nothing of that kind can be done to it now.
    """
    reason = reason.strip()
    if not 1 <= len(reason) <= REASON_LENGTH_MAX:
        raise NoReasonError
    with store.begin() as transaction:
        before = transaction.find_merchant(merchant_id)
        state = None if before is None else merchant_after(before.state, action)
        if state is None:
            raise StaleError
        transaction.set_state(merchant_id, state)
        event = MerchantEvent(hand.at, _DONE[action], hand.person.staff_id, merchant_id=merchant_id, reason=reason)
        transaction.note(event)


def _decided(before: Application, verdict: Verdict, today: date) -> ApplicationState | None:
    if before.version != verdict.version:
        return None
    return application_after(standing(before.state, before.correct_by, today), verdict.decision)


def _begin(transaction: MerchantTransaction, application: Application, mint_id: Callable[[str], str], hand: Hand) -> str:
    """Let the business be a merchant with a site where it said that it is, and its account the merchant's admin.

    The telephone of an application is for the office: what everybody may call, the merchant says itself.
    """
    business, merchant_id = application.business, mint_id("m")
    merchant = Merchant(
        merchant_id,
        business.name_zh,
        business.ubn,
        business.merchant_category,
        "approved",
        owner_id=business.owner_id,
        contact=business.contact,
    )
    transaction.add_merchant(merchant)
    contact = business.contact
    place = Place(mint_id("s"), merchant_id, business.name_zh, contact.name_en, contact.address)
    transaction.add_place(place, by=hand.person.staff_id, at=hand.at)
    transaction.make_admin(application.staff_id, merchant_id)
    by = hand.person
    transaction.note_account(
        AccountEvent(hand.at, "account_changed", application.staff_id, by.door, hand.address, by.staff_id, "role")
    )
    return merchant_id
