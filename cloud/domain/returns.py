"""What a bank's answer says about our payouts. Pure matching; strict, because a wrong match is a lie about money.

An ``ACHR01`` file lists failures only (DOMAIN 10.5); what it does not list counts as paid:

* A returned record is found by the day (PDATE) and number (PSEQ) of the original. Where the bank echoes NOTE, which holds the
  payout's id, it must agree. Bank fields are never looked at.
* One return file answers one payout file. If it returns lines of two, or none while two files of that day wait, a person must
  say which: guessing would report money as paid that was not.
* What is returned is returned; everything else of that file is paid. What an earlier return file decided stays decided; a
  record that contradicts it is refused as a whole.

A ``pain.002`` report says how far the payments are that it names, and nothing of the others:

* A payment is found by the message's id and its own end-to-end id, which are ours; never by its place. An amount that the
  bank echoes must agree.
* Only what is named as paid or returned is decided; everything else of that file stays open for a later report.
* What was decided stays decided. To say it again changes nothing, nor does a status that is older; the opposite is refused.
* A bank that refuses the whole file may mean a second copy of it. A person must say that this is not so, by naming the file:
  otherwise everything would be paid twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

from cloud.domain.ach import AchReturn, AchReturnFile
from cloud.domain.pain002 import Standing, StatusLine, StatusReport

PayoutState = Literal["paid", "returned"]


class ReturnError(ValueError):
    """The bank's file does not fit our payout files; nothing was changed. One sentence for the programme office."""


@dataclass(frozen=True, slots=True)
class SentPayout:
    """One line of a payout file, and what is known of it."""

    payout_id: UUID
    line_no: int
    amount_twd: int
    merchant_id: str
    programme_id: str
    state: PayoutState | None = None
    """None while the bank has not said anything."""
    return_code: str | None = None


@dataclass(frozen=True, slots=True)
class SentFile:
    """One payout file that was sent."""

    file_id: UUID
    file_no: int
    sent_on: date
    """Taipei day on which it was made."""
    payouts: tuple[SentPayout, ...]

    @property
    def waits(self) -> bool:
        """Whether anything of it has no outcome yet."""
        return any(payout.state is None for payout in self.payouts)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one payout."""

    payout: SentPayout
    state: PayoutState
    return_code: str | None


def answered_day(returned: AchReturnFile) -> date | None:
    """Day of the file that is answered: that of the returned records, else the trailer's; None if neither says it.

    Raises:
        ReturnError: the records are of several days.
    """
    days = {item.sent_on for item in returned.returns}
    if len(days) > 1:
        raise ReturnError(f"The return file answers payments of {len(days)} days: have it split by day.")
    return days.pop() if days else returned.answers_for


def choose_file(returned: AchReturnFile, sent: Sequence[SentFile], file_no: int | None) -> SentFile:
    """Tell which of the day's files is answered.

    Args:
        sent: ACH files of the answered day.
        file_no: what the programme office says, if it does.

    Raises:
        ReturnError: none fits, or more than one does.
    """
    numbers = {item.seq for item in returned.returns}
    named = [file for file in sent if numbers & {payout.line_no for payout in file.payouts}]
    possible = named or [file for file in sent if file.waits]
    if file_no is not None:
        possible = [file for file in (named or sent) if file.file_no == file_no]
    if not possible:
        raise ReturnError("No payout file of that day waits for this return file.")
    if len(possible) > 1:
        listed = ", ".join(str(file.file_no) for file in possible)
        raise ReturnError(f"The return file fits payout files {listed}: say which one it answers.")
    if returned.made_on < possible[0].sent_on:
        raise ReturnError(f"The return file is older than payout file {possible[0].file_no}.")
    return possible[0]


def decide(returned: AchReturnFile, file: SentFile) -> list[Outcome]:
    """Decide every payout of the file that has no outcome yet.

    Raises:
        ReturnError: a record fits no line, its amount or id differs, it comes twice, or it contradicts an earlier answer.
    """
    by_number = {payout.line_no: payout for payout in file.payouts}
    failed: dict[UUID, AchReturn] = {}
    for item in returned.returns:
        payout = by_number.get(item.seq)
        if payout is None:
            raise ReturnError(f"Record {item.seq} is not in payout file {file.file_no}.")
        _check(item, payout)
        if payout.payout_id in failed:
            raise ReturnError(f"Record {item.seq} is returned twice.")
        failed[payout.payout_id] = item
    return list(_outcomes(file.payouts, failed))


def decide_report(report: StatusReport, file: SentFile, file_no: int | None) -> list[Outcome]:
    """Decide the payouts that the report names, and that have no outcome yet.

    Args:
        file: the payout file whose message the report names.
        file_no: what the programme office says, if it does.

    Raises:
        ReturnError: it is not that file; a payment is not in it, comes twice, or has another amount; the report contradicts
            itself or an earlier one; it refuses the whole file and nobody said which.
    """
    if file_no not in (None, file.file_no):
        raise ReturnError(f"The report answers payout file {file.file_no}, not {file_no}.")
    if any(payment_id != file.file_id.hex for payment_id in report.payment_ids):
        raise ReturnError(f"The report names a payment block that is not in payout file {file.file_no}.")
    standings = _standings(report.lines, file)
    refusal = next((standing for standing in report.whole if standing.outcome == "returned"), None)
    if refusal is not None:
        _check_refusal(refusal, standings, file, file_no)
        standings = {payout.payout_id: refusal for payout in file.payouts} | standings
    decided = [_reported(payout, standings.get(payout.payout_id)) for payout in file.payouts]
    return [outcome for outcome in decided if outcome is not None]


def _standings(lines: Iterable[StatusLine], file: SentFile) -> dict[UUID, Standing]:
    by_id = {payout.payout_id.hex: payout for payout in file.payouts}
    named: set[UUID] = set()
    standings = {}
    for line in lines:
        payout = by_id.get(line.end_to_end_id)
        if payout is None:
            raise ReturnError(f"The report names a payment that is not in payout file {file.file_no}.")
        if payout.payout_id in named:
            raise ReturnError(f"The report names payment {payout.line_no} twice.")
        if line.amount_twd not in (None, payout.amount_twd):
            raise ReturnError(f"Payment {payout.line_no}: the report says {line.amount_twd} TWD, not {payout.amount_twd} TWD.")
        named.add(payout.payout_id)
        if line.standing is not None:
            standings[payout.payout_id] = line.standing
    return standings


def _check_refusal(refusal: Standing, named: Mapping[UUID, Standing], file: SentFile, file_no: int | None) -> None:
    if any(standing.status != refusal.status for standing in named.values()):
        raise ReturnError("The report refuses the whole file, and yet not every payment: a person must ask the bank.")
    if file_no is None:
        raise ReturnError(
            f"The bank refuses the whole payout file {file.file_no} ({refusal.reason}): "
            "make sure that it was not brought twice, then name its number."
        )


def _reported(payout: SentPayout, standing: Standing | None) -> Outcome | None:
    said = None if standing is None else standing.outcome
    if standing is None or said is None or said == payout.state:
        return None
    if payout.state is not None:
        raise ReturnError(f"Payment {payout.line_no} was reported as {payout.state} before: a person must ask the bank.")
    return Outcome(payout, said, standing.reason)


def _outcomes(payouts: Iterable[SentPayout], failed: dict[UUID, AchReturn]) -> Iterable[Outcome]:
    for payout in payouts:
        if payout.state is None:
            item = failed.get(payout.payout_id)
            yield Outcome(payout, "paid", None) if item is None else Outcome(payout, "returned", item.return_code)


def _check(item: AchReturn, payout: SentPayout) -> None:
    if item.amount_twd != payout.amount_twd:
        raise ReturnError(f"Record {item.seq} returns {item.amount_twd} TWD, but {payout.amount_twd} TWD were sent.")
    if _is_payout_id(item.note) and item.note != payout.payout_id.hex:
        raise ReturnError(f"Record {item.seq} names another payout in its NOTE.")
    if payout.state is not None and (payout.state, payout.return_code) != ("returned", item.return_code):
        known = payout.state if payout.return_code is None else f"{payout.state} with code {payout.return_code}"
        raise ReturnError(f"Record {item.seq} was reported as {known} before: a person must ask the bank.")


def _is_payout_id(note: str) -> bool:
    """A bank may blank the field or use it for itself: only what looks like ours is compared."""
    return len(note) == 32 and set(note) <= set("0123456789abcdef")
