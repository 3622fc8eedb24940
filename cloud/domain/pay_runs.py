"""Payouts that one person prepares and another one releases: nobody alone moves money.

* A run is a list of claims with amount and account, as they were when it was prepared. It moves nothing.
* Somebody else releases it, or anybody who may pay withdraws it. What is released must still be payable, to the same account:
  a change in between is what a fraud would need, so the run is refused and has to be prepared anew.
* One run is open at a time; it is ended before the next is prepared.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID, uuid5

from cloud.domain.payouts import Payable, PayoutFormat

PayRunProblem = Literal["unknown", "ended", "same_person", "changed", "another_open", "not_finance"]
"""Why a run cannot be prepared, released or withdrawn."""

RUN_REASON_LENGTH_MAX: Final = 200

ACCOUNT_FAULTS: Final = frozenset({"04", "05", "22", "23", "24", "25", "26", "27"}) | frozenset(
    {"AC01", "AC02", "AC03", "AC04", "AC05", "AC06", "AC07", "AC14", "AG01", "BE01", "BE22", "RC01", "RC04"}
)
"""Return codes (ACH, ISO 20022) that say something about the account: paying to it again returns again, until it is mended."""

_RUNS: Final = UUID("8a1f0c52-7d34-5e0b-b9a6-40f7c2d81e93")


class PayRunError(ValueError):
    """The run is not what was asked for. Nothing was changed."""

    def __init__(self, problem: PayRunProblem) -> None:
        super().__init__(_SENTENCES[problem])
        self.problem = problem


_SENTENCES: Final[dict[PayRunProblem, str]] = {
    "unknown": "There is no such pay run.",
    "ended": "This pay run has been released or withdrawn before.",
    "same_person": "Whoever prepared a pay run cannot release it: somebody else has to.",
    "changed": "A claim or an account of this pay run has changed since it was prepared: withdraw it and prepare another.",
    "another_open": "A pay run waits for its release: release or withdraw it first.",
    "not_finance": "Both people have to be active accounts of the programme office with the role finance.",
}


@dataclass(frozen=True, slots=True)
class Hands:
    """The two people without whom no file for the bank is made."""

    prepared_by: str
    released_by: str


@dataclass(frozen=True, slots=True)
class PayRun:
    """What one person prepared."""

    run_id: UUID
    run_no: int
    format: PayoutFormat
    prepared_by: str
    prepared_at: datetime
    lines: tuple[Payable, ...]

    @property
    def total_twd(self) -> int:
        """Sum of its lines."""
        return sum(line.amount_twd for line in self.lines)


@dataclass(frozen=True, slots=True)
class PayRunEnd:
    """What became of a run."""

    outcome: Literal["released", "withdrawn"]
    ended_by: str
    ended_at: datetime
    reason: str = ""
    file_id: UUID | None = None
    """The file that it became, where it was released."""


def run_id_of(run_no: int) -> UUID:
    """Id of a run, from its number."""
    return uuid5(_RUNS, str(run_no))


def check_release(run: PayRun, end: PayRunEnd | None, payable_now: Collection[Payable], *, by: str) -> None:
    """Make sure that this person may release this run as it is.

    Raises:
        PayRunError: it has ended, the same person prepared it, or a line is not what would be paid now.
    """
    if end is not None:
        raise PayRunError("ended")
    if by == run.prepared_by:
        raise PayRunError("same_person")
    if set(run.lines) != set(payable_now):
        raise PayRunError("changed")


def worth_trying(payables: Sequence[Payable], *, unmended: bool) -> list[Payable]:
    """Leave out what the bank will return again, unless ``unmended`` asks for it all the same."""
    return [one for one in payables if unmended or not one.is_unmended]
