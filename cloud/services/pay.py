"""Pay claims: the payout file for the bank, which takes two people, and what the bank answers.

* One person prepares a run, another one releases it; the file is made at the release and not before
  (:mod:`cloud.domain.pay_runs`, ADR 0027).
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
from cloud.domain.pay_runs import (
    RUN_REASON_LENGTH_MAX,
    Hands,
    PayRun,
    PayRunEnd,
    PayRunError,
    check_release,
    run_id_of,
    worth_trying,
)
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
from cloud.ports.payouts import Heard, PayoutStore, PayoutTransaction
from cloud.ports.people import People
from cloud.services.audit import Act, record

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


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file of the bank would change."""

    imported: Imported
    outcomes: tuple[Outcome, ...]


def prepare_pay_run(
    store: PayoutStore, format: PayoutFormat, originator: Originator, *, by: str, now: datetime, unmended: bool = False
) -> PayRun | None:
    """Put what can be paid into a run for somebody else to release. Nothing is paid yet.

    Args:
        unmended: also pay again to accounts that the bank found faulty and nobody has changed since.

    Returns:
        The run, committed; None if there is nothing to pay.

    Raises:
        PayRunError: another run waits.
        ValueError: a field does not fit the format, for example the originator's. Nothing was written.
        PortError: the database failed; running again is safe.
    """
    with store.begin() as transaction:
        run = _prepare(transaction, format, originator, by=by, now=now, unmended=unmended)
        if run is not None:
            _note_run(transaction, run, "prepared", by, now)
        return run


def release_pay_run(
    store: PayoutStore, run_id: UUID, originator: Originator, *, by: str, now: datetime, value_date: date | None = None
) -> PayoutFile:
    """Let another person's run become the file for the bank.

    Args:
        value_date: when the money shall arrive; by default the next weekday. Public holidays are not known here.

    Raises:
        PayRunError: it is not this person's to release, has ended, or is not what could be paid now. Nothing was changed.
        PortError: the database failed; running again is safe.
    """
    with store.begin() as transaction:
        found = transaction.find_run(run_id)
        if found is None:
            raise PayRunError("unknown")
        run, end = found
        check_release(run, end, transaction.payables_of(run_id), by=by)
        file = _release(transaction, run, originator, by=by, now=now, value_date=value_date)
        _note_run(transaction, run, "released", by, now)
        return file


def withdraw_pay_run(store: PayoutStore, run_id: UUID, *, by: str, reason: str, now: datetime) -> None:
    """Let nothing become of a run; its claims can be paid by another.

    Raises:
        PayRunError: there is none, or it has ended.
        PortError: the database failed; running again is safe.
    """
    with store.begin() as transaction:
        found = transaction.find_run(run_id)
        if found is None or found[1] is not None:
            raise PayRunError("unknown" if found is None else "ended")
        transaction.end_run(found[0], PayRunEnd("withdrawn", by, now, reason[:RUN_REASON_LENGTH_MAX]))
        _note_run(transaction, found[0], "withdrawn", by, now)


def make_payout_file(
    store: PayoutStore,
    format: PayoutFormat,
    originator: Originator,
    *,
    hands: Hands,
    now: datetime,
    value_date: date | None = None,
) -> PayoutFile | None:
    """Pay everything that can be paid, in one file: prepared and released at once, by the two people who are named.

    For the command line, where both stand behind one screen. What the bank returned is paid again, mended or not.

    Returns:
        The file, committed; None if there is nothing to pay.

    Raises:
        PayRunError: the two are one person, or another run waits.
        ValueError: a field does not fit the format, for example the originator's. Nothing was written.
        PortError: the database failed; running again is safe.
    """
    if hands.prepared_by == hands.released_by:
        raise PayRunError("same_person")
    with store.begin() as transaction:
        run = _prepare(transaction, format, originator, by=hands.prepared_by, now=now, unmended=True)
        if run is None:
            return None
        file = _release(transaction, run, originator, by=hands.released_by, now=now, value_date=value_date)
        _note_run(transaction, run, "prepared", hands.prepared_by, now)
        _note_run(transaction, run, "released", hands.released_by, now)
        return file


def may_pay(people: People, hands: Hands) -> bool:
    """Tell whether both are active accounts of finance. That they are two is judged where a run is released."""
    found = [people.find_person(staff_id) for staff_id in (hands.prepared_by, hands.released_by)]
    return all(one is not None and one.active and one.role == "finance" for one in found)


def import_return(store: PayoutStore, content: bytes, *, by: str, now: datetime, file_no: int | None = None) -> Imported:
    """Take over what the bank says in an ``ACHR01`` file or a ``pain.002`` report. Importing it again changes nothing.

    Args:
        file_no: which payout file it answers, where the bank's file alone does not tell, or refuses a payout file as a whole.

    Raises:
        AchError, Pain002Error: it is no such file.
        ReturnError: it does not fit what was sent. Nothing was changed.
        PortError: the database failed; running again is safe.
    """
    answer = _decode(content)
    with store.begin() as transaction:
        if transaction.is_imported(hashlib.sha256(content).digest()):
            return Imported(file_no=None)
        file, outcomes = _decide(transaction, answer, file_no)
        transaction.save_return(Heard(content, by, now), file, outcomes, [_outcome_journal(one, now) for one in outcomes])
        heard = _summary(file, outcomes)
        facts = {"paid_count": heard.paid_count, "returned_count": heard.returned_count}
        record(transaction.audit, Act(by, "bank_return.imported", str(heard.file_no), now), after=facts)
    return _summary(file, outcomes)


def keep_draft(store: PayoutStore, content: bytes, *, by: str, now: datetime) -> bytes:
    """Keep a file of the bank to be looked at before it is taken over; return its SHA-256, which names it.

    Raises:
        AchError, Pain002Error: it is no such file. Nothing was kept.
        PortError: the database failed; running again is safe.
    """
    _decode(content)
    with store.begin() as transaction:
        transaction.save_draft(Heard(content, by, now))
    return hashlib.sha256(content).digest()


def find_draft(store: PayoutStore, sha256: bytes) -> bytes | None:
    """A file of the bank that somebody is looking at; None if there is none, or it was taken over meanwhile.

    Raises:
        PortError: the database failed.
    """
    with store.begin() as transaction:
        return transaction.find_draft(sha256)


def preview_return(store: PayoutStore, content: bytes, *, file_no: int | None = None) -> Preview:
    """Tell what :func:`import_return` would change, and change nothing.

    Raises:
        AchError, Pain002Error, ReturnError, PortError: as there.
    """
    answer = _decode(content)
    with store.begin() as transaction:
        if transaction.is_imported(hashlib.sha256(content).digest()):
            return Preview(Imported(file_no=None), ())
        file, outcomes = _decide(transaction, answer, file_no)
    return Preview(_summary(file, outcomes), tuple(outcomes))


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


def _prepare(
    transaction: PayoutTransaction, format: PayoutFormat, originator: Originator, *, by: str, now: datetime, unmended: bool
) -> PayRun | None:
    if transaction.has_open_run():
        raise PayRunError("another_open")
    payables = worth_trying(transaction.payables(PAYOUTS_PER_FILE_MAX), unmended=unmended)
    if not payables:
        return None
    run_no = transaction.last_run_no() + 1
    run = PayRun(run_id_of(run_no), run_no, format, by, now, tuple(payables))
    # What does not fit the bank's format is said to whoever prepares, not to whoever releases.
    _encode(run, originator, _payouts(run.lines, 1), now=now, file_no=run_no, value_date=next_weekday(day_of(now)))
    transaction.save_run(run)
    return run


def _note_run(transaction: PayoutTransaction, run: PayRun, what: str, by: str, now: datetime) -> None:
    facts = {"line_count": len(run.lines), "amount_twd": run.total_twd}
    record(transaction.audit, Act(by, f"pay_run.{what}", str(run.run_no), now), after=facts)


def _release(
    transaction: PayoutTransaction, run: PayRun, originator: Originator, *, by: str, now: datetime, value_date: date | None
) -> PayoutFile:
    file_no, first_line_no = transaction.last_file_no() + 1, transaction.last_line_no(day_of(now)) + 1
    payouts = _payouts(run.lines, first_line_no)
    on = value_date or next_weekday(day_of(now))
    content = _encode(run, originator, payouts, now=now, file_no=file_no, value_date=on)
    file = PayoutFile(file_id_of(file_no), file_no, run.format, now, on, payouts, content)
    transaction.end_run(run, PayRunEnd("released", by, now, file_id=file.file_id))
    transaction.save_file(file, [_pay_journal(payout, now) for payout in payouts])
    return file


def _encode(
    run: PayRun, originator: Originator, payouts: Sequence[Payout], *, now: datetime, file_no: int, value_date: date
) -> bytes:
    return encode_payouts(run.format, payouts, originator, file_id=file_id_of(file_no), made_at=now, value_date=value_date)


def _decode(content: bytes) -> StatusReport | AchReturnFile:
    return decode_pain002(content) if is_xml(content) else decode_r01(content)


def _decide(
    transaction: PayoutTransaction, answer: StatusReport | AchReturnFile, file_no: int | None
) -> tuple[SentFile, list[Outcome]]:
    if isinstance(answer, StatusReport):
        return _decide_report(transaction, answer, file_no)
    return _decide_return(transaction, answer, file_no)


def _summary(file: SentFile, outcomes: Sequence[Outcome]) -> Imported:
    paid, came_back = _split(outcomes)
    open_count = sum(payout.state is None for payout in file.payouts) - len(outcomes)
    return Imported(file.file_no, len(paid), sum(paid), len(came_back), sum(came_back), open_count)


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
