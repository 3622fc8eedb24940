"""Why the bank returned a payout, in plain words: what it means, and what helps."""

from typing import Final

from cloud.domain.pay_runs import ACCOUNT_FAULTS
from cloud.web.language import catalogues, choose_language, say

_LIKE: Final = {
    "AC01": "04", "AC02": "04", "AC03": "04", "RC01": "04", "RC04": "04", "AC14": "04",
    "BE01": "05", "BE22": "05",
    "AC04": "22", "AC05": "22", "AC07": "22",
    "AC06": "24", "AG01": "24",
    "MD07": "27", "DS02": "28", "NARR": "99",
}  # fmt: skip
"""ISO 20022 codes that mean what an ACH code means."""


def say_reason(code: str | None) -> str:
    """One sentence; a code that nobody knows is said with its code."""
    key = f"returned.{_LIKE.get(code or '', code or '')}"
    known = catalogues().pages[choose_language()]
    return say(key) if key in known else say("returned.other", code=code or "—")


def needs_new_account(code: str | None) -> bool:
    """Whether it comes back again as long as the merchant has not mended its account."""
    return code in ACCOUNT_FAULTS
