"""The judge: what becomes of each request of a batch. Pure: the same batch, knowledge and time give the same answers.

For each request, in this order:

1. It came before, from the same sender with the same body: the stored answer again, byte for byte.
2. Something speaks against the sender or the request as such (:func:`_sender_reason`): refused before any digits are
   looked at, so that whoever may not ask learns nothing and wears out nobody's tries.
3. The digits of each voucher. A wrong guess is counted for the voucher number, whether it exists or not. After
   :data:`protocol.limits.DIGIT_TRIES_MAX` wrong ones nothing is compared any more.
4. Everything else, for vouchers whose digits were right only (:func:`_voucher_refusals`, :func:`_order_reasons`).

If several reasons apply, the one that stands first in :class:`protocol.reasons.Reason` is given. An order is all or nothing.
Each answer is final and stored under its request id, but for the answer to a request that contradicts an earlier one of the
same id: there the first answer stays. With ``SEQUENCE_CONFLICT`` the answer is stored without the number, which stays with
the request that had it first.

Everything here is worked through once per request or voucher, twenty thousand times a second: plain conditions and loops, no
generators, and what is the same for a whole batch is said once, by the docket.

Not done here: any reading or writing (:mod:`cloud.services.answer`), and that no two batches judge at once (the store).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cloud.domain.digits import matches
from cloud.domain.docket import Docket, open_docket
from cloud.domain.instants import encode_instant
from cloud.domain.records import Ask, Decisions, Hold, Knowledge, Programme, Redemption, Sender, StoredAnswer
from protocol.ids import reference
from protocol.limits import DIGIT_TRIES_MAX, ORDER_TOTAL_MAX_TWD, VOUCHERS_PER_ORDER_MAX
from protocol.messages import (
    REQUEST_TYPES,
    Answer,
    Check,
    CheckAccepted,
    Redeem,
    RedeemAccepted,
    Refusal,
    Refused,
    Release,
    Released,
    encode_body,
    fit_site_name,
)
from protocol.reasons import Reason, first_of
from protocol.voucher import are_voucher_nos


@dataclass(frozen=True, slots=True)
class Judgement:
    """Answers in the order of the requests, and what must be written before any of them is sent."""

    answers: list[StoredAnswer]
    decisions: Decisions


def judge(asks: Sequence[Ask], knowledge: Knowledge, now: datetime) -> Judgement:
    """Judge a batch.

    Args:
        asks: authenticated requests, in order of arrival; each sees the effects of those before it.
        knowledge: what the database knows of everything that the batch touches.
        now: the cloud's clock, aware.
    """
    docket = open_docket(knowledge, now)
    answers = [_judge_one(ask, docket) for ask in asks]
    return Judgement(answers, docket.decisions)


def _judge_one(ask: Ask, docket: Docket) -> StoredAnswer:
    before = docket.answers.get(ask.request_id)
    if before is not None and _is_repeat(ask, before):
        return before
    sender = docket.find_sender(ask)
    reason = _sender_reason(ask, sender, before, docket)
    if reason is not None or sender is None:
        answer: Answer = Refused(request_id=ask.request_id, reason=reason or Reason.DEVICE_NOT_ACTIVE)
    else:
        answer = _decide(ask, sender, docket)
    stored = _sign_off(ask, answer, docket)
    if before is None:
        docket.file(stored)
    return stored


def _is_repeat(ask: Ask, before: StoredAnswer) -> bool:
    return (ask.sender_id, ask.kind, ask.body_hash) == (before.sender_id, before.kind, before.body_hash)


def _sender_reason(ask: Ask, sender: Sender | None, before: StoredAnswer | None, docket: Docket) -> Reason | None:
    """What speaks against the sender, or against the request before anything in it is looked at; in order of precedence."""
    if not _is_well_formed(ask):
        return Reason.MALFORMED
    if sender is None or not sender.active:
        return Reason.DEVICE_NOT_ACTIVE
    if not sender.merchant_approved:
        return Reason.MERCHANT_NOT_ACTIVE
    if before is not None:
        return Reason.REQUEST_CONFLICT
    if _sequence_is_taken(ask, docket):
        return Reason.SEQUENCE_CONFLICT
    return None


def _is_well_formed(ask: Ask) -> bool:
    """The edge has decoded the request; this holds what every later rule builds on, wherever a request comes from."""
    numbers = ask.request.voucher_nos
    tag_count = 0 if isinstance(ask.request, Release) else len(numbers)
    return (
        isinstance(ask.request, REQUEST_TYPES[ask.kind])
        and are_voucher_nos(numbers)
        and len(numbers) <= VOUCHERS_PER_ORDER_MAX
        and len(set(numbers)) == len(numbers)
        and len(ask.digit_tags) == tag_count
    )


def _sequence_is_taken(ask: Ask, docket: Docket) -> bool:
    if ask.sender_kind != "device" or not isinstance(ask.request, Redeem):
        return False
    taken_by = docket.sequences.get((ask.sender_id, ask.request.sequence))
    return taken_by is not None and taken_by != ask.request_id


def _decide(ask: Ask, sender: Sender, docket: Docket) -> Answer:
    match ask.request:
        case Check() as check:
            return _check(ask, check, sender, docket)
        case Redeem() as order:
            return _redeem(ask, order, sender, docket)
        case Release() as release:
            return _release(ask, release, docket)


def _check(ask: Ask, check: Check, sender: Sender, docket: Docket) -> Answer:
    programmes, refusals = _examine(ask, sender, docket)
    if refusals:
        return _refuse(ask, refusals)
    (programme,) = programmes
    docket.hold(Hold(check.voucher_no, check.visit_id, ask.sender_id, docket.hold_until))
    return CheckAccepted(
        request_id=ask.request_id,
        voucher_no=check.voucher_no,
        face_value_twd=programme.face_value_twd,
        hold_until=docket.hold_until_text,
        programme_id=programme.programme_id,
    )


def _redeem(ask: Ask, order: Redeem, sender: Sender, docket: Docket) -> Answer:
    programmes, refusals = _examine(ask, sender, docket)
    order_reasons = _order_reasons(order, programmes, sender)
    if refusals or order_reasons:
        return _refuse(ask, refusals, order_reasons)
    redemption = _redemption(ask, order, sender, programmes[0], docket.now)
    docket.redeem(redemption, site_name=sender.site_name)
    return RedeemAccepted(
        request_id=ask.request_id,
        reference=reference(ask.request_id),
        redeemed_at=docket.now_text,
        voucher_count=len(redemption.voucher_nos),
        redeemed_twd=redemption.redeemed_twd,
        order_total_twd=redemption.order_total_twd,
        topup_twd=redemption.topup_twd,
    )


def _release(ask: Ask, release: Release, docket: Docket) -> Answer:
    mine = [number for number in release.vouchers if _is_mine(docket.holds.get(number), ask)]
    docket.let_go(mine)
    return Released(request_id=ask.request_id)


def _examine(ask: Ask, sender: Sender, docket: Docket) -> tuple[list[Programme], list[Refusal]]:
    """Look at each voucher of a request.

    Returns:
        The programme of the first voucher whose digits are right, and any other ones; and one refusal per voucher that
        cannot be taken.
    """
    programmes: list[Programme] = []
    refusals: list[Refusal] = []
    for voucher_no, tag in zip(ask.request.voucher_nos, ask.digit_tags, strict=True):
        proved = _prove_digits(voucher_no, tag, ask, docket)
        if isinstance(proved, Refusal):
            refusals.append(proved)
            continue
        found = _voucher_refusals(voucher_no, proved, sender, docket)
        if not programmes:
            programmes.append(proved)
        elif proved.programme_id != programmes[0].programme_id:
            programmes.append(proved)
            found.append(Refusal(voucher_no=voucher_no, reason=Reason.MIXED_PROGRAMMES))
        if found:
            refusals.append(min(found, key=lambda refusal: refusal.reason.rank))
    return programmes, refusals


def _prove_digits(voucher_no: str, tag: bytes, ask: Ask, docket: Docket) -> Programme | Refusal:
    """Compare one guess, unless the guesses are used up."""
    if docket.wrong_tries.get(voucher_no, 0) >= DIGIT_TRIES_MAX:
        return Refusal(voucher_no=voucher_no, reason=Reason.TRIES_EXHAUSTED)
    voucher = docket.known.vouchers.get(voucher_no)
    if matches(None if voucher is None else voucher.digit_tag, tag) and voucher is not None:
        return docket.known.programmes[voucher.programme_id]
    tries = docket.count_wrong_try(voucher_no, ask.request_id)
    return Refusal(voucher_no=voucher_no, reason=Reason.NO_MATCH, tries_left=DIGIT_TRIES_MAX - tries)


def _voucher_refusals(voucher_no: str, programme: Programme, sender: Sender, docket: Docket) -> list[Refusal]:
    """What speaks against a voucher whose digits were right."""
    found: list[Refusal] = []
    if sender.merchant_category not in programme.merchant_categories:
        found.append(Refusal(voucher_no=voucher_no, reason=Reason.PROGRAMME_NOT_ACCEPTED))
    if docket.today < programme.starts_on:
        found.append(Refusal(voucher_no=voucher_no, reason=Reason.NOT_STARTED))
    if docket.today > programme.ends_on:
        found.append(Refusal(voucher_no=voucher_no, reason=Reason.EXPIRED))
    use = docket.uses.get(voucher_no)
    if use is not None:
        at, site = encode_instant(use.redeemed_at), fit_site_name(use.site_name)
        found.append(Refusal(voucher_no=voucher_no, reason=Reason.ALREADY_REDEEMED, at=at, site=site))
    hold = docket.find_hold(voucher_no)
    # A kiosk or a phone serves one customer at a time: its own older hold is of a visit that ended without saying so.
    if hold is not None and hold.sender_id != sender.sender_id:
        found.append(Refusal(voucher_no=voucher_no, reason=Reason.HELD_ELSEWHERE, at=encode_instant(hold.expires_at)))
    return found


def _is_mine(hold: Hold | None, ask: Ask) -> bool:
    # The sender counts too: a visit id is only what a kiosk says it is.
    return hold is not None and (hold.visit_id, hold.sender_id) == (ask.request.visit_id, ask.sender_id)


def _order_reasons(order: Redeem, programmes: Sequence[Programme], sender: Sender) -> list[Reason]:
    """What speaks against an order as a whole."""
    found: list[Reason] = []
    for programme in programmes:
        if len(order.vouchers) > programme.vouchers_per_order_max:
            found.append(Reason.TOO_MANY_VOUCHERS)
        if (sender.merchant_category, order.item_category) not in programme.item_categories:
            found.append(Reason.ITEM_NOT_ALLOWED)
    if not 1 <= order.order_total_twd <= ORDER_TOTAL_MAX_TWD:
        found.append(Reason.TOTAL_NOT_ALLOWED)
    return found


def _redemption(ask: Ask, order: Redeem, sender: Sender, programme: Programme, now: datetime) -> Redemption:
    redeemed_twd = programme.face_value_twd * len(order.vouchers)
    return Redemption(
        redemption_id=ask.request_id,
        programme_id=programme.programme_id,
        merchant_id=sender.merchant_id,
        site_id=sender.site_id,
        device_id=ask.sender_id if ask.sender_kind == "device" else None,
        staff_id=ask.sender_id if ask.sender_kind == "staff" else None,
        item_category=order.item_category,
        order_total_twd=order.order_total_twd,
        voucher_nos=tuple(order.vouchers),
        face_value_twd=programme.face_value_twd,
        redeemed_twd=redeemed_twd,
        topup_twd=max(0, order.order_total_twd - redeemed_twd),
        redeemed_at=now,
    )


def _refuse(ask: Ask, refusals: list[Refusal], order_reasons: Sequence[Reason] = ()) -> Refused:
    reason = first_of([refusal.reason for refusal in refusals] + list(order_reasons))
    assert reason is not None, "a refusal has a reason"
    return Refused(request_id=ask.request_id, reason=reason, refusals=refusals)


def _sign_off(ask: Ask, answer: Answer, docket: Docket) -> StoredAnswer:
    """Turn an answer into its bytes, with the request's place in the kiosk's chain where it has taken one."""
    chained = ask.request if ask.sender_kind == "device" and isinstance(ask.request, Redeem) else None
    takes_number = chained is not None and not _sequence_is_taken(ask, docket)
    return StoredAnswer(
        request_id=ask.request_id,
        sender_id=ask.sender_id,
        kind=ask.kind,
        body_hash=ask.body_hash,
        answer=encode_body(answer),
        answered_at=docket.now,
        sequence=chained.sequence if chained is not None and takes_number else None,
        link=ask.link,
        previous=None if chained is None else chained.previous,
    )
