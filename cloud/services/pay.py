"""Pay claims: the payout file for the bank, and what the bank answers.

* A payout pays one claim, whole. It is made once: a claim that has a payout without outcome, or a paid one, gets no other. One
  that the bank returned gets the next attempt in the next file.
* The bytes of every file are kept. The same payouts are never written twice, so a file that is lost on the way to the bank is
  taken from the database again, not made again.
* A bank's file is imported once, known by its SHA-256. What an ``ACHR01`` file does not list was paid; of what a ``pain.002``
  report does not name, nothing is known.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from cloud.domain.ach import AchReturnFile, decode_r01
from cloud.domain.calendar import day_of, next_weekday
from cloud.domain.ledger import paid_journal, pay_journal, returned_journal
from cloud.domain.pain002 import StatusReport, decode_pain002, is_xml
from cloud.domain.payouts import (
    PAYOUTS_PER_FILE_MAX,
    KeptFile,
    Originator,
    Payable,
    Payout,
    PayoutFile,
    PayoutFormat,
    encode_payouts,
    file_id_of,
    payout_id_of,
)
from cloud.domain.records import Journal
from cloud.domain.returns import Outcome, ReturnError, SentFile, answered_day, choose_file, decide, decide_report
from cloud.ports.payouts import PayoutStore, PayoutTransaction

_MESSAGE_ID: Final = re.compile("[0-9a-f]{32}")
"""How we write the id of a file. ``UUID`` alone would also read other spellings, which are not what we sent."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What one file of the bank changed."""

    file_no: int | None
    """Payout file that it answers; None where it was imported before."""
    paid_count: int = 0
    paid_twd: int = 0
    returned_count: int = 0
    returned_twd: int = 0
    open_count: int = 0
    """Payouts of that file of whose outcome nothing is known yet."""


def make_payout_file(
    store: PayoutStore, format: PayoutFormat, originator: Originator, *, now: datetime, value_date: date | None = None
) -> PayoutFile | None:
    """Pay everything that can be paid, in one file.

    Args:
        value_date: when the money shall arrive; by default the next weekday. Public holidays are not known here.

    Returns:
        The file, committed; None if there is nothing to pay.

    Raises:
        ValueError: a field does not fit the format, for example the originator's. Nothing was written.
        PortError: the database failed; running again is safe.
    """
    with store.begin() as transaction:
        payables = transaction.payables(PAYOUTS_PER_FILE_MAX)
        if not payables:
            return None
        file_no, first_line_no = transaction.last_file_no() + 1, transaction.last_line_no(day_of(now)) + 1
        payouts = _payouts(payables, first_line_no)
        on = value_date or next_weekday(day_of(now))
        content = encode_payouts(format, payouts, originator, file_id=file_id_of(file_no), made_at=now, value_date=on)
        file = PayoutFile(file_id_of(file_no), file_no, format, now, on, payouts, content)
        transaction.save_file(file, [_pay_journal(payout, now) for payout in payouts])
        return file


def import_return(store: PayoutStore, content: bytes, *, now: datetime, file_no: int | None = None) -> Imported:
    """Take over what the bank says in an ``ACHR01`` file or a ``pain.002`` report. Importing it again changes nothing.

    Args:
        file_no: which payout file it answers, where the bank's file alone does not tell, or refuses a payout file as a whole.

    Raises:
        AchError, Pain002Error: it is no such file.
        ReturnError: it does not fit what was sent. Nothing was changed.
        PortError: the database failed; running again is safe.
    """
    answer = decode_pain002(content) if is_xml(content) else decode_r01(content)
    with store.begin() as transaction:
        if transaction.is_imported(hashlib.sha256(content).digest()):
            return Imported(file_no=None)
        file, outcomes = (
            _decide_report(transaction, answer, file_no)
            if isinstance(answer, StatusReport)
            else _decide_return(transaction, answer, file_no)
        )
        transaction.save_return(content, file, outcomes, [_outcome_journal(one, now) for one in outcomes], known_at=now)
    paid, came_back = _split(outcomes)
    open_count = sum(payout.state is None for payout in file.payouts) - len(outcomes)
    return Imported(file.file_no, len(paid), sum(paid), len(came_back), sum(came_back), open_count)


def kept_payout_file(store: PayoutStore, file_no: int) -> KeptFile | None:
    """A payout file that was made before, byte for byte.

    Returns:
        The file; None if there is none of that number.

    Raises:
        ValueError: its bytes are not those that were made.
        PortError: the database failed; running again is safe.
    """
    with store.begin() as transaction:
        file = transaction.kept_file(file_no)
    if file is not None and hashlib.sha256(file.content).digest() != file.sha256:
        raise ValueError(f"Payout file {file_no} in the database is not what was made: take it from a back-up.")
    return file


def newest_file_no(store: PayoutStore) -> int:
    """Number of the newest payout file; 0 if there is none.

    Raises:
        PortError: the database failed; running again is safe.
    """
    with store.begin() as transaction:
        return transaction.last_file_no()


def _decide_return(
    transaction: PayoutTransaction, returned: AchReturnFile, file_no: int | None
) -> tuple[SentFile, list[Outcome]]:
    day = answered_day(returned)
    if day is None and file_no is None:
        raise ReturnError("The return file names no day and returns nothing: say which payout file it answers.")
    file = choose_file(returned, transaction.sent_files(day=day, file_no=file_no), file_no)
    return file, decide(returned, file)


def _decide_report(transaction: PayoutTransaction, report: StatusReport, file_no: int | None) -> tuple[SentFile, list[Outcome]]:
    file = transaction.sent_message(UUID(report.message_id)) if _MESSAGE_ID.fullmatch(report.message_id) else None
    if file is None:
        raise ReturnError("The report answers a message that is none of our payout files.")
    return file, decide_report(report, file, file_no)


def _payouts(payables: Sequence[Payable], first_line_no: int) -> tuple[Payout, ...]:
    return tuple(
        Payout(payout_id_of(payable.claim_id, payable.attempt), line_no, payable)
        for line_no, payable in enumerate(payables, start=first_line_no)
    )


def _pay_journal(payout: Payout, now: datetime) -> Journal:
    to = payout.payable
    return pay_journal(payout.payout_id, to.merchant_id, amount_twd=to.amount_twd, at=now, again=to.attempt > 1)


def _outcome_journal(outcome: Outcome, now: datetime) -> Journal:
    payout = outcome.payout
    if outcome.state == "paid":
        return paid_journal(payout.payout_id, payout.programme_id, amount_twd=payout.amount_twd, at=now)
    return returned_journal(payout.payout_id, payout.merchant_id, amount_twd=payout.amount_twd, at=now)


def _split(outcomes: Sequence[Outcome]) -> tuple[list[int], list[int]]:
    paid = [one.payout.amount_twd for one in outcomes if one.state == "paid"]
    return paid, [one.payout.amount_twd for one in outcomes if one.state == "returned"]
