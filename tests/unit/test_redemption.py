"""The judge, rule by rule: what each refusal looks like, which of two comes first, and what is said to whom."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec import structs

from cloud.domain.calendar import TAIPEI
from cloud.domain.instants import encode_instant
from cloud.domain.records import Ask, Hold, Knowledge, Use
from cloud.domain.redemption import Judgement, judge
from protocol.ids import reference
from protocol.limits import BODY_BYTES_MAX, DIGIT_TRIES_MAX, HOLD_S, ORDER_TOTAL_MAX_TWD, VOUCHERS_PER_ORDER_MAX
from protocol.messages import Answer, CheckAccepted, RedeemAccepted, Refusal, Refused, Released, decode_answer
from protocol.reasons import Reason
from protocol.topics import RequestKind
from tests.support.asks import OTHER_VISIT, VISIT, Asks
from tests.support.worlds import NOW, Shop, make_programme, make_world

SHOP = Shop("sun-hotel")
ELSEWHERE = Shop("moon-hotel")


WORLD = make_world()
ONE, TWO, THREE, FOUR = WORLD.numbers("stay-2021")[:4]
TOUR = WORLD.numbers("tour-2021")[0]
NOBODYS = "999999999999"
KNOWN = WORLD.knowledge()


@pytest.fixture
def asks() -> Asks:
    return Asks(WORLD, SHOP)


@pytest.fixture
def others() -> Asks:
    return Asks(WORLD, ELSEWHERE)


def answer_of(ask: Ask, known: Knowledge = KNOWN, *, now: datetime = NOW) -> Answer:
    """Judge one request alone."""
    return decode_answer(judge([ask], known, now).answers[0].answer)


def refusal_of(ask: Ask, known: Knowledge = KNOWN, *, now: datetime = NOW) -> Refused:
    """The same, where it is refused."""
    answer = answer_of(ask, known, now=now)
    assert isinstance(answer, Refused)
    return answer


def answers_of(judgement: Judgement) -> list[Answer]:
    return [decode_answer(found.answer) for found in judgement.answers]


def test_a_check_tells_the_face_value_and_holds_the_voucher(asks: Asks) -> None:
    ask = asks.check(ONE)
    judgement = judge([ask], KNOWN, NOW)
    until = NOW + timedelta(seconds=HOLD_S)
    assert answers_of(judgement) == [
        CheckAccepted(
            request_id=ask.request_id,
            voucher_no=ONE,
            face_value_twd=1000,
            hold_until=encode_instant(until),
            programme_id="stay-2021",
        )
    ]
    assert judgement.decisions.holds == {ONE: Hold(ONE, VISIT, SHOP.device_id, until)}
    assert not judgement.decisions.redemptions
    assert not judgement.decisions.wrong_tries


def test_an_order_is_redeemed_with_its_journal_and_its_place_in_the_chain(asks: Asks) -> None:
    ask = asks.redeem(ONE, TWO, total=5050)
    judgement = judge([ask], KNOWN, NOW)
    assert answers_of(judgement) == [
        RedeemAccepted(
            request_id=ask.request_id,
            reference=reference(ask.request_id),
            redeemed_at=encode_instant(NOW),
            voucher_count=2,
            redeemed_twd=2000,
            order_total_twd=5050,
            topup_twd=3050,
        )
    ]
    (made,) = judgement.decisions.redemptions
    assert (made.redemption_id, made.voucher_nos, made.redeemed_at) == (ask.request_id, (ONE, TWO), NOW)
    assert (made.merchant_id, made.site_id, made.device_id, made.staff_id) == (
        "sun-hotel",
        "sun-hotel-lobby",
        ask.sender_id,
        None,
    )
    (journal,) = judgement.decisions.journals
    assert (journal.journal_id, [posting.amount_twd for posting in journal.postings]) == (ask.request_id, [2000, -2000])
    (stored,) = judgement.decisions.answers
    assert (stored.sequence, stored.link, stored.previous) == (1, ask.link, "0" * 64)


@pytest.mark.parametrize(
    ("total", "topup"), [(1, 0), (999, 0), (1000, 0), (1001, 1), (ORDER_TOTAL_MAX_TWD, ORDER_TOTAL_MAX_TWD - 1000)]
)
def test_the_topup_is_never_negative_and_the_merchant_earns_the_face_value(asks: Asks, total: int, topup: int) -> None:
    answer = answer_of(asks.redeem(ONE, total=total))
    assert isinstance(answer, RedeemAccepted)
    assert (answer.topup_twd, answer.redeemed_twd) == (topup, 1000)


def test_staff_take_no_place_in_any_chain() -> None:
    person = Asks(WORLD, SHOP, kind="staff")
    judgement = judge([person.redeem(ONE, sequence=1), person.redeem(TWO, sequence=1)], KNOWN, NOW)
    assert [type(answer) for answer in answers_of(judgement)] == [RedeemAccepted, RedeemAccepted]
    assert {(found.sequence, found.link, found.previous) for found in judgement.answers} == {(None, None, None)}
    assert {(made.device_id, made.staff_id) for made in judgement.decisions.redemptions} == {(None, SHOP.staff_id)}


def test_a_person_and_a_kiosk_with_one_id_are_two_senders(asks: Asks) -> None:
    ask = structs.replace(asks.redeem(ONE), sender_kind="staff")
    assert refusal_of(ask).reason is Reason.DEVICE_NOT_ACTIVE


def test_a_release_drops_what_its_visit_holds(asks: Asks, others: Asks) -> None:
    judgement = judge([asks.check(ONE), others.check(TWO), asks.release(ONE, TWO, THREE)], KNOWN, NOW)
    assert answers_of(judgement)[2] == Released(request_id=judgement.answers[2].request_id)
    assert judgement.decisions.holds[ONE] is None
    assert judgement.decisions.holds[TWO] is not None


def test_a_visit_id_alone_does_not_make_a_hold_ones_own(asks: Asks, others: Asks) -> None:
    judgement = judge([asks.check(ONE), others.release(ONE), others.redeem(ONE)], KNOWN, NOW)
    assert judgement.decisions.holds[ONE] is not None
    last = answers_of(judgement)[2]
    assert isinstance(last, Refused)
    assert last.reason is Reason.HELD_ELSEWHERE


def test_a_visit_that_ended_unsaid_does_not_stand_in_the_way_of_the_next_at_that_kiosk(asks: Asks) -> None:
    """A kiosk lost its power in mid-visit: the same customer starts again there, and a late release changes nothing."""
    batch = [asks.check(ONE), asks.check(ONE, visit=OTHER_VISIT), asks.release(ONE), asks.redeem(ONE, visit=OTHER_VISIT)]
    judgement = judge(batch, KNOWN, NOW)
    assert [getattr(answer, "reason", None) for answer in answers_of(judgement)] == [None] * 4
    held = judge(batch[:3], KNOWN, NOW).decisions.holds[ONE]
    assert held is not None
    assert held.visit_id == OTHER_VISIT


def test_requests_of_one_batch_see_each_others_effects(asks: Asks, others: Asks) -> None:
    order = asks.redeem(ONE)
    batch = [asks.check(ONE), others.check(ONE, visit=OTHER_VISIT), order, others.check(ONE, visit=OTHER_VISIT), order]
    judgement = judge(batch, KNOWN, NOW)
    found = answers_of(judgement)
    assert [getattr(answer, "reason", None) for answer in found] == [
        None, Reason.HELD_ELSEWHERE, None, Reason.ALREADY_REDEEMED, None,
    ]  # fmt: skip
    assert judgement.answers[2] is judgement.answers[4]
    assert len(judgement.decisions.answers) == 4
    assert judgement.decisions.holds == {ONE: None}


def test_judging_leaves_the_knowledge_as_it_was(asks: Asks) -> None:
    known = WORLD.knowledge(holds={}, uses={}, wrong_tries={}, answers={}, sequences={})
    judge([asks.check(ONE), asks.redeem(TWO), asks.check(THREE, digits="????")], known, NOW)
    assert not any((known.holds, known.uses, known.wrong_tries, known.answers, known.sequences))


# What is said, and to whom


def test_wrong_digits_are_counted_down_and_out(asks: Asks) -> None:
    batch = [asks.check(ONE, digits="????") for _ in range(7)]
    judgement = judge(batch, KNOWN, NOW)
    refusals = [answer.refusals[0] for answer in answers_of(judgement) if isinstance(answer, Refused)]
    assert [found.tries_left for found in refusals] == [4, 3, 2, 1, 0, None, None]
    assert [wrong.try_no for wrong in judgement.decisions.wrong_tries] == [1, 2, 3, 4, 5]
    assert [wrong.request_id for wrong in judgement.decisions.wrong_tries] == [ask.request_id for ask in batch[:5]]


def test_an_unknown_number_is_answered_and_counted_as_wrong_digits_are(asks: Asks) -> None:
    batch = [asks.check(number, digits="????") for number in (ONE, NOBODYS) for _ in range(6)]
    found = answers_of(judge(batch, KNOWN, NOW))
    texts = [repr(replace_number(answer)) for answer in found]
    assert texts[:6] == texts[6:]


def replace_number(answer: Answer) -> list[tuple[Reason, int | None]]:
    assert isinstance(answer, Refused)
    return [(found.reason, found.tries_left) for found in answer.refusals]


def test_right_digits_after_five_wrong_ones_change_nothing(asks: Asks) -> None:
    known = WORLD.knowledge(wrong_tries={ONE: DIGIT_TRIES_MAX})
    for ask in (asks.check(ONE), asks.redeem(ONE)):
        refused = refusal_of(ask, known)
        assert refused.refusals == [Refusal(voucher_no=ONE, reason=Reason.TRIES_EXHAUSTED)]


def test_an_order_with_wrong_digits_counts_too_and_redeems_nothing(asks: Asks) -> None:
    judgement = judge([asks.redeem(ONE, TWO, digits={TWO: "????"})], KNOWN, NOW)
    assert [wrong.voucher_no for wrong in judgement.decisions.wrong_tries] == [TWO]
    assert not judgement.decisions.redemptions


@pytest.mark.parametrize("what", ["use", "hold", "date", "category"])
def test_who_has_not_the_digits_learns_nothing_of_the_voucher(asks: Asks, what: str) -> None:
    plain = refusal_of(asks.check(ONE, digits="????", id=UUID(int=1)))
    known: dict[str, Knowledge] = {
        "use": WORLD.knowledge(uses={ONE: Use(UUID(int=9), NOW, "x")}),
        "hold": WORLD.knowledge(holds={ONE: Hold(ONE, OTHER_VISIT, "x", NOW + timedelta(seconds=1))}),
        "date": WORLD.knowledge(programmes={"stay-2021": make_programme(ends_on=date(2021, 11, 2))}),
        "category": WORLD.knowledge(programmes={"stay-2021": make_programme(merchant_categories=frozenset())}),
    }
    assert refusal_of(asks.check(ONE, digits="????", id=UUID(int=1)), known[what]) == plain


def test_a_used_voucher_is_answered_with_when_and_where(asks: Asks, others: Asks) -> None:
    judgement = judge([asks.redeem(ONE), others.redeem(ONE, TWO)], KNOWN, NOW)
    last = answers_of(judgement)[1]
    assert isinstance(last, Refused)
    assert last.refusals == [
        Refusal(voucher_no=ONE, reason=Reason.ALREADY_REDEEMED, at=encode_instant(NOW), site=SHOP.site_name)
    ]


def test_a_held_voucher_is_answered_with_until_when(asks: Asks) -> None:
    until = NOW + timedelta(seconds=1)
    known = WORLD.knowledge(holds={ONE: Hold(ONE, OTHER_VISIT, "x", until)})
    for ask in (asks.check(ONE), asks.redeem(ONE)):
        assert refusal_of(ask, known).refusals == [
            Refusal(voucher_no=ONE, reason=Reason.HELD_ELSEWHERE, at=encode_instant(until))
        ]


def test_a_hold_of_ones_own_or_one_that_has_run_out_is_none(asks: Asks) -> None:
    own = Hold(ONE, VISIT, SHOP.device_id, NOW + timedelta(seconds=1))
    over = Hold(ONE, OTHER_VISIT, "x", NOW)
    for hold in (own, over):
        judgement = judge([asks.redeem(ONE)], WORLD.knowledge(holds={ONE: hold}), NOW)
        assert judgement.decisions.redemptions
        assert judgement.decisions.holds == {ONE: None}


@pytest.mark.parametrize(
    ("local", "reason"),
    [
        (datetime(2021, 10, 31, 23, 59, 59, tzinfo=TAIPEI), Reason.NOT_STARTED),
        (datetime(2021, 11, 1, tzinfo=TAIPEI), None),
        (datetime(2022, 4, 30, 23, 59, 59, tzinfo=TAIPEI), None),
        (datetime(2022, 5, 1, tzinfo=TAIPEI), Reason.EXPIRED),
    ],
)
def test_both_days_of_a_programme_count_in_taipei(asks: Asks, local: datetime, reason: Reason | None) -> None:
    for ask in (asks.check(ONE), asks.redeem(ONE)):
        assert getattr(answer_of(ask, now=local), "reason", None) is reason


def test_the_largest_refusal_fits_a_message() -> None:
    long_name = "山" * 300
    world = make_world(
        voucher_count=VOUCHERS_PER_ORDER_MAX, programmes=(make_programme(vouchers_per_order_max=VOUCHERS_PER_ORDER_MAX),)
    )
    uses = {number: Use(UUID(int=9), NOW.replace(microsecond=123_456), long_name) for number in world.numbers()}
    ask = Asks(world, SHOP).redeem(*world.numbers())
    (stored,) = judge([ask], world.knowledge(uses=uses), NOW).answers
    assert len(stored.answer) <= BODY_BYTES_MAX
    refused = decode_answer(stored.answer)
    assert isinstance(refused, Refused)
    assert len(refused.refusals) == VOUCHERS_PER_ORDER_MAX


# Repeats and conflicts


def test_a_repeat_is_not_judged_again_even_if_the_sender_was_revoked_since(asks: Asks) -> None:
    ask = asks.redeem(ONE)
    (stored,) = judge([ask], KNOWN, NOW).answers
    revoked = replace(SHOP, device_active=False).sender("device")
    known = WORLD.knowledge(answers={ask.request_id: stored}, senders={("device", ask.sender_id): revoked})
    judgement = judge([ask], known, NOW + timedelta(days=1))
    assert judgement.answers == [stored]
    assert not judgement.decisions.answers


@pytest.mark.parametrize("change", [{"body_hash": b"other"}, {"kind": RequestKind.CHECK}, {"sender_id": ELSEWHERE.device_id}])
def test_the_same_id_otherwise_is_a_conflict_and_is_not_stored(asks: Asks, change: Mapping[str, Any]) -> None:
    ask = asks.redeem(ONE)
    (stored,) = judge([ask], KNOWN, NOW).answers
    other = structs.replace(asks.check(TWO) if change.get("kind") else asks.redeem(TWO), request_id=ask.request_id, **change)
    judgement = judge([other], WORLD.knowledge(answers={ask.request_id: stored}), NOW)
    assert [getattr(answer, "reason", None) for answer in answers_of(judgement)] == [Reason.REQUEST_CONFLICT]
    assert not judgement.decisions.answers
    assert not judgement.decisions.holds


def test_a_taken_sequence_number_is_refused_and_the_answer_stored_without_it(asks: Asks) -> None:
    known = WORLD.knowledge(sequences={(SHOP.device_id, 1): UUID(int=99)})
    judgement = judge([asks.redeem(ONE)], known, NOW)
    (stored,) = judgement.decisions.answers
    assert decode_answer(stored.answer) == Refused(request_id=stored.request_id, reason=Reason.SEQUENCE_CONFLICT)
    assert stored.sequence is None


def test_a_fork_within_one_batch_shows_too(asks: Asks) -> None:
    judgement = judge([asks.redeem(ONE, sequence=1), asks.redeem(TWO, sequence=1)], KNOWN, NOW)
    assert [getattr(answer, "reason", None) for answer in answers_of(judgement)] == [None, Reason.SEQUENCE_CONFLICT]
    assert [found.sequence for found in judgement.decisions.answers] == [1, None]


def test_another_kiosks_sequence_number_is_nobody_elses(asks: Asks) -> None:
    known = WORLD.knowledge(sequences={(ELSEWHERE.device_id, 1): UUID(int=99)})
    assert isinstance(answer_of(asks.redeem(ONE), known), RedeemAccepted)


def test_a_sender_that_may_not_ask_wears_out_no_tries(asks: Asks) -> None:
    off = replace(SHOP, device_active=False)
    known = WORLD.knowledge(senders={("device", SHOP.device_id): off.sender("device")})
    judgement = judge([asks.check(ONE, digits="????"), asks.redeem(ONE, digits={ONE: "????"})], known, NOW)
    assert not judgement.decisions.wrong_tries
    assert len(judgement.decisions.answers) == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda ask: structs.replace(ask, digit_tags=()),
        lambda ask: structs.replace(ask, digit_tags=ask.digit_tags * 2),
        lambda ask: structs.replace(ask, kind=RequestKind.CHECK),
        lambda ask: structs.replace(ask, request=_with_vouchers(ask, [])),
        lambda ask: structs.replace(ask, request=_with_vouchers(ask, [ONE, ONE]), digit_tags=ask.digit_tags * 2),
        lambda ask: structs.replace(ask, request=_with_vouchers(ask, ["12345678901x"])),
        lambda ask: structs.replace(
            ask, request=_with_vouchers(ask, [f"{n:012d}" for n in range(21)]), digit_tags=ask.digit_tags * 21
        ),
    ],
)
def test_what_the_edge_should_have_stopped_is_malformed(asks: Asks, spoil: Any) -> None:
    judgement = judge([spoil(asks.redeem(ONE))], KNOWN, NOW)
    (answer,) = answers_of(judgement)
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.MALFORMED
    assert not judgement.decisions.wrong_tries


def _with_vouchers(ask: Ask, numbers: list[str]) -> Any:
    request: Any = ask.request
    fields = {name: getattr(request, name) for name in request.__struct_fields__}
    return type(request)(**(fields | {"vouchers": numbers}))
