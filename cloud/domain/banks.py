"""Banks and branches that money can be sent to.

A branch is seven digits: three of the bank, four of the branch. The bank must be on the list. Whether the branch exists is
known only where the list of branches was given; without it the four digits are checked for their form alone, and the bank's
return (code 02 or 05) is the judge.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

POST_OFFICE: Final = "700"
POST_OFFICE_ACCOUNT_DIGITS: Final = 14
"""Seven of the office (局號) and seven of the account (帳號), written as one number."""

_BRANCH = re.compile(r"[0-9]{4}")
_ACCOUNT = re.compile(r"[0-9]{6,16}")

AccountField = Literal["bank", "branch", "account_no"]


@dataclass(frozen=True, slots=True)
class BankList:
    """The banks by their three digits; the branches by all seven, as far as they are known."""

    banks: Mapping[str, str]
    branches: Mapping[str, str] = field(default_factory=dict)

    def bank_of(self, bank_code: str) -> str:
        """Name of the bank that a branch's seven digits belong to; empty where it is not on the list."""
        return self.banks.get(bank_code[:3], "")

    def branch_of(self, bank_code: str) -> str:
        """Name of the branch, where it is known."""
        return self.branches.get(bank_code, "")

    def problem_of(self, bank: str, branch: str, account_no: str) -> tuple[AccountField, str] | None:
        """Say which of the three is not possible, and why."""
        if bank not in self.banks:
            return ("bank", "choose")
        if _BRANCH.fullmatch(branch) is None:
            return ("branch", "four")
        if self.branches and bank + branch not in self.branches:
            return ("branch", "unknown")
        if _ACCOUNT.fullmatch(account_no) is None or not account_no.strip("0"):
            return ("account_no", "digits")
        if bank == POST_OFFICE and len(account_no) != POST_OFFICE_ACCOUNT_DIGITS:
            return ("account_no", "post_office")
        return None
