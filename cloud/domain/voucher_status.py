"""What becomes of a question that anybody may ask on the internet: what is with my voucher? Pure.

The asker knows the number and the holder's last four characters, or is told nothing. The rules (ADR 0029):

* A wrong guess here is a wrong guess at the desk: it is counted with all others, five for the voucher's life.
* Only the first :data:`PUBLIC_TRIES_MAX` of the five may be made here. Nobody can lock a voucher from afar, and nobody gets
  more guesses than ADR 0006 allows. Where so many wrong ones are counted already, whoever made them, nothing is compared.
* Wrong, unknown, and not compared any more are one answer: :data:`None`.
* A wrong guess that is sent again under its id (a reload, a second tap) is the same guess, and not counted again.
"""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal
from uuid import UUID

from cloud.domain.calendar import day_of
from cloud.domain.digits import matches
from cloud.domain.records import Ask, Decisions, Knowledge, StoredAnswer, WrongTry
from protocol.messages import Check, Refusal, Refused, encode_body
from protocol.reasons import Reason
from protocol.topics import RequestKind

PUBLIC_TRIES_MAX: Final = 2
PUBLIC_SENDER: Final = "public"
"""Who asked, in the list of requests and answers. No account and no kiosk is looked for under this name."""

VoucherState = Literal["unused", "held", "redeemed", "not_started", "expired"]


@dataclass(frozen=True, slots=True)
class VoucherStatus:
    """What the holder may know."""

    state: VoucherState
    programme_id: str
    face_value_twd: int
    starts_on: date
    ends_on: date
    redeemed_at: datetime | None = None
    site_name: str = ""


def ask_status(question_id: UUID, voucher_no: str, tag: bytes) -> Ask:
    """Make one question, as the store that judges kiosks' requests wants it. The same guess under the same id is the same."""
    body = Check(visit_id=question_id, voucher_no=voucher_no, sealed="")
    guess = hashlib.sha256(f"status {voucher_no} ".encode() + tag).digest()
    return Ask(question_id, RequestKind.CHECK, PUBLIC_SENDER, "staff", body, (tag,), guess)


def is_taken(ask: Ask, knowledge: Knowledge) -> bool:
    """Tell whether the question's id names another one already, so that it needs an id of its own."""
    before = knowledge.answers.get(ask.request_id)
    return before is not None and not _is_repeat(ask, before)


def look_up(ask: Ask, knowledge: Knowledge, now: datetime) -> tuple[VoucherStatus | None, Decisions]:
    """Judge one question.

    Args:
        ask: what :func:`ask_status` made.
        knowledge: what the database knows of that number, read under the same lock as a kiosk's request.
        now: the cloud's clock, aware.

    Returns:
        The status, or None, and what must be written before either is told.
    """
    (voucher_no,), (tag,) = ask.request.voucher_nos, ask.digit_tags
    tries = knowledge.wrong_tries.get(voucher_no, 0)
    voucher = knowledge.vouchers.get(voucher_no)
    right = matches(None if voucher is None else voucher.digit_tag, tag)
    if tries >= PUBLIC_TRIES_MAX or ask.request_id in knowledge.answers:
        return None, Decisions()
    if not right or voucher is None:
        wrong = WrongTry(voucher_no, tries + 1, ask.request_id)
        return None, Decisions(answers=[_refusal(ask, voucher_no, now)], wrong_tries=[wrong])
    programme = knowledge.programmes[voucher.programme_id]
    use = knowledge.uses.get(voucher_no)
    status = VoucherStatus(
        _state(voucher_no, knowledge, now),
        programme.programme_id,
        programme.face_value_twd,
        programme.starts_on,
        programme.ends_on,
        None if use is None else use.redeemed_at,
        "" if use is None else use.site_name,
    )
    return status, Decisions()


def _is_repeat(ask: Ask, before: StoredAnswer) -> bool:
    return (ask.sender_id, ask.body_hash) == (before.sender_id, before.body_hash)


def _refusal(ask: Ask, voucher_no: str, now: datetime) -> StoredAnswer:
    refusal = Refusal(voucher_no=voucher_no, reason=Reason.NO_MATCH)
    answer = encode_body(Refused(request_id=ask.request_id, reason=Reason.NO_MATCH, refusals=[refusal]))
    return StoredAnswer(ask.request_id, ask.sender_id, ask.kind, ask.body_hash, answer, now)


def _state(voucher_no: str, knowledge: Knowledge, now: datetime) -> VoucherState:
    programme = knowledge.programmes[knowledge.vouchers[voucher_no].programme_id]
    hold = knowledge.holds.get(voucher_no)
    if voucher_no in knowledge.uses:
        return "redeemed"
    if day_of(now) > programme.ends_on:
        return "expired"
    if day_of(now) < programme.starts_on:
        return "not_started"
    return "held" if hold is not None and hold.expires_at > now else "unused"
