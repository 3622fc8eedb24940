"""The life of a merchant, from the first line of its application to its last day: states, and the actions between them.

An application::

    draft ──submit──▶ submitted ──approve──▶ approved            (and a merchant begins)
                        │   ▲  └──reject───▶ rejected ─┐
                     return  submit                    start_again
                        ▼   │                          ▼
                      returned ──seven working days──▶ lapsed ──start_again──▶ draft

A merchant::

    approved ◀──resume── suspended
        └────suspend──────▶┘ │
        └────terminate───────┴──▶ terminated                    (for good)

Rules:

* Whoever returns an application gives it a day by which it must come back: the seventh working day, counted from the day after
  (DOMAIN X-7). After that day it is lapsed. That is stored nowhere, because it follows from the day: see :func:`standing`.
* Every action of the office but an approval says why, in words that the merchant reads.
* Only an approved merchant redeems. What a suspended or terminated one redeemed before stays its own: it is confirmed, claimed
  and paid as ever.
"""

from datetime import date
from typing import Final, Literal

ApplicationState = Literal["draft", "submitted", "returned", "lapsed", "approved", "rejected"]
ApplicationAction = Literal["submit", "return", "approve", "reject", "start_again"]
MerchantState = Literal["approved", "suspended", "terminated"]
MerchantAction = Literal["suspend", "resume", "terminate"]

CORRECTION_DAYS: Final = 7
"""Working days that a business has to correct its application."""

EDITABLE: Final = frozenset[ApplicationState]({"draft", "returned"})
"""In these the business may change its application."""

_APPLICATION: Final[dict[tuple[ApplicationState, ApplicationAction], ApplicationState]] = {
    ("draft", "submit"): "submitted",
    ("returned", "submit"): "submitted",
    ("submitted", "return"): "returned",
    ("submitted", "approve"): "approved",
    ("submitted", "reject"): "rejected",
    ("lapsed", "start_again"): "draft",
    ("rejected", "start_again"): "draft",
}
_MERCHANT: Final[dict[tuple[MerchantState, MerchantAction], MerchantState]] = {
    ("approved", "suspend"): "suspended",
    ("suspended", "resume"): "approved",
    ("approved", "terminate"): "terminated",
    ("suspended", "terminate"): "terminated",
}


def standing(stored: ApplicationState, correct_by: date | None, today: date) -> ApplicationState:
    """Tell where an application stands today: one that was returned and did not come back in time is lapsed.

    Args:
        correct_by: the last day on which it may come back.
        today: the day in Taipei.
    """
    return "lapsed" if stored == "returned" and correct_by is not None and today > correct_by else stored


def application_after(state: ApplicationState, action: ApplicationAction) -> ApplicationState | None:
    """Where an action leads; None where it cannot be taken."""
    return _APPLICATION.get((state, action))


def merchant_after(state: MerchantState, action: MerchantAction) -> MerchantState | None:
    """Where an action leads; None where it cannot be taken."""
    return _MERCHANT.get((state, action))


def merchant_actions(state: MerchantState) -> tuple[MerchantAction, ...]:
    """What can be done to a merchant."""
    return tuple(action for (before, action) in _MERCHANT if before == state)
