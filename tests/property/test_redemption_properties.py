"""Whatever is asked, in whatever order, cut into whatever batches: the money is right and every answer is final.

The machine drives the real service and judge on the fake database. What it checks against is a book of its own, written only
from the answers that came out, as a kiosk or an auditor would keep it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from cloud.domain.records import Ask, StoredAnswer
from cloud.domain.redemption import judge
from cloud.services.answer import answer_batch
from protocol.limits import DIGIT_TRIES_MAX
from protocol.messages import Answer, CheckAccepted, RedeemAccepted, Refused, decode_answer
from protocol.reasons import Reason
from tests.fakes.cloud_ingest import MemoryIngestStore
from tests.support.asks import OTHER_VISIT, VISIT, Asks
from tests.support.ingest_stores import MemoryFacts, memory_bench
from tests.support.worlds import NOW, World, make_world

WORLD = make_world(voucher_count=4)
NUMBERS = (*WORLD.numbers(), "999999999999")
FACE_TWD = 1000

numbers = st.sampled_from(NUMBERS)
orders = st.lists(numbers, min_size=1, max_size=4, unique=True)
right = st.sampled_from((True, True, True, False))
visits = st.sampled_from((VISIT, OTHER_VISIT))
totals = st.sampled_from((0, 1, 999, 1000, 2500, 5050))


class Counter(RuleBasedStateMachine):
    """Two hotels' kiosks and staff ask, repeat, contradict themselves and are revoked; batches are cut at random."""

    sent = Bundle("sent")

    def __init__(self) -> None:
        super().__init__()
        bench = memory_bench(WORLD)
        assert isinstance(bench.store, MemoryIngestStore)
        self.store: MemoryIngestStore = bench.store
        self.facts = MemoryFacts(self.store)
        self.now: datetime = NOW
        self.queue: list[Ask] = []
        self.asked: dict[UUID, tuple[str, bytes]] = {}
        self.final: dict[UUID, bytes] = {}
        self.used_by: dict[str, UUID] = {}
        self.senders = [Asks(WORLD, shop, kind=kind) for shop in WORLD.shops for kind in ("device", "staff")]

    @rule(target=sent, who=st.integers(0, 3), number=numbers, correct=right, visit=visits)
    def check(self, who: int, number: str, correct: bool, visit: UUID) -> Ask:
        ask = self.senders[who].check(number, visit=visit, digits=None if correct else "????")
        self.queue.append(ask)
        return ask

    @rule(target=sent, who=st.integers(0, 3), order=orders, correct=right, visit=visits, total=totals)
    def redeem(self, who: int, order: list[str], correct: bool, visit: UUID, total: int) -> Ask:
        digits = {} if correct else {order[-1]: "????"}
        ask = self.senders[who].redeem(*order, visit=visit, total=total, digits=digits)
        self.queue.append(ask)
        return ask

    @rule(target=sent, who=st.integers(0, 3), order=orders, visit=visits)
    def release(self, who: int, order: list[str], visit: UUID) -> Ask:
        ask = self.senders[who].release(*order, visit=visit)
        self.queue.append(ask)
        return ask

    @rule(target=sent, ask=sent)
    def repeat(self, ask: Ask) -> object:
        self.queue.append(ask)
        return multiple()

    @rule(ask=sent, who=st.integers(0, 3), order=orders)
    def contradict(self, ask: Ask, who: int, order: list[str]) -> None:
        self.queue.append(self.senders[who].redeem(*order, id=ask.request_id, sequence=77))

    @rule(who=st.integers(0, 1), order=orders, sequence=st.integers(1, 4))
    def fork(self, who: int, order: list[str], sequence: int) -> None:
        self.queue.append(self.senders[who * 2].redeem(*order, sequence=sequence))

    @rule(seconds=st.sampled_from((1, 299, 301, 86_400)))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(place=st.integers(0, 1), active=st.booleans())
    def revoke_or_restore(self, place: int, active: bool) -> None:
        self.store.put_sender("device", replace(WORLD.shops[place], device_active=active).sender("device"))

    @rule(count=st.integers(1, 8), between=st.integers(0, 3))
    def answer(self, count: int, between: int) -> None:
        """Answer the next requests; ``between`` others are answered while this batch is being judged."""
        batch, self.queue = self.queue[:count], self.queue[count:]
        intruders, self.queue = self.queue[:between], self.queue[between:]
        came_first: list[StoredAnswer] = []

        def intrude(step: str) -> None:
            if step == "loaded" and intruders and not came_first:
                self.store.at_step = lambda _: None
                came_first.extend(answer_batch(self.store, intruders, now=self.now))

        self.store.at_step = intrude
        answers = answer_batch(self.store, batch, now=self.now)
        self.store.at_step = lambda _: None
        if came_first:
            self._book(intruders, came_first)
            self._book(batch, answers)
        else:
            self._book(batch, answers)
            self._book(intruders, answer_batch(self.store, intruders, now=self.now))

    def _book(self, asks: Sequence[Ask], answers: Sequence[StoredAnswer]) -> None:
        assert [found.request_id for found in answers] == [ask.request_id for ask in asks]
        for ask, stored in zip(asks, answers, strict=True):
            answer = decode_answer(stored.answer)
            assert answer.request_id == ask.request_id
            asked = (ask.sender_id, ask.body_hash)
            if self.asked.setdefault(ask.request_id, asked) != asked:
                assert isinstance(answer, Refused)
                assert answer.reason in (Reason.REQUEST_CONFLICT, Reason.DEVICE_NOT_ACTIVE)
                continue
            known = self.final.setdefault(ask.request_id, stored.answer)
            assert stored.answer == known, "one request, one answer"
            self._book_effects(ask, answer)

    def _book_effects(self, ask: Ask, answer: Answer) -> None:
        if isinstance(answer, RedeemAccepted):
            assert answer.redeemed_twd == FACE_TWD * len(ask.request.voucher_nos)
            assert answer.topup_twd == max(0, answer.order_total_twd - answer.redeemed_twd)
            for number in ask.request.voucher_nos:
                assert self.used_by.setdefault(number, ask.request_id) == ask.request_id, "a voucher is used once"

    @invariant()
    def every_final_answer_stands_in_the_database(self) -> None:
        assert self.facts.answers() == self.final

    @invariant()
    def exactly_the_accepted_vouchers_are_used(self) -> None:
        assert self.facts.uses() == self.used_by
        assert self.facts.redemptions() == set(self.used_by.values())

    @invariant()
    def no_number_has_more_than_five_wrong_tries(self) -> None:
        counted = self.facts.wrong_tries()
        assert all(tries <= DIGIT_TRIES_MAX for tries in counted.values())
        said: dict[str, int] = {}
        for answer in map(decode_answer, self.final.values()):
            for refusal in answer.refusals if isinstance(answer, Refused) else ():
                said[refusal.voucher_no] = said.get(refusal.voucher_no, 0) + (refusal.reason is Reason.NO_MATCH)
        assert {number: tries for number, tries in said.items() if tries} == counted

    @invariant()
    def the_ledger_balances_and_agrees_with_the_vouchers(self) -> None:
        balances = self.facts.balances()
        assert sum(balances.values()) == 0
        assert self.facts.unbalanced_journals() == 0
        for scheme in WORLD.programmes:
            mine = WORLD.numbers(scheme.programme_id)
            used = sum(number in self.used_by for number in mine)
            assert balances[f"programme:{scheme.programme_id}:outstanding"] == -FACE_TWD * (len(mine) - used)
        earned = sum(balances.get(f"merchant:{shop.merchant_id}:redeemed", 0) for shop in WORLD.shops)
        assert earned == -FACE_TWD * len(self.used_by)

    @invariant()
    def issued_is_unused_and_held_and_redeemed(self) -> None:
        held = {number for number, hold in self.store.holds.items() if hold.expires_at > self.now}
        used = set(self.used_by)
        unused = set(WORLD.vouchers) - used - held
        assert not held & used
        assert len(unused) + len(held) + len(used) == len(WORLD.vouchers)


Counter.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestCounter = Counter.TestCase


@st.composite
def batches(draw: st.DrawFn) -> list[Ask]:
    """Requests of all kinds from all senders, repeats and contradictions among them."""
    senders = [Asks(WORLD, shop, kind=kind) for shop in WORLD.shops for kind in ("device", "staff")]
    asks: list[Ask] = []
    for _ in range(draw(st.integers(1, 14))):
        sender, visit, correct = draw(st.sampled_from(senders)), draw(visits), draw(right)
        order = draw(orders)
        match draw(st.sampled_from(("check", "redeem", "redeem", "release", "repeat", "contradict", "fork"))):
            case "check":
                asks.append(sender.check(order[0], visit=visit, digits=None if correct else "????"))
            case "redeem":
                digits = {} if correct else {order[0]: "????"}
                asks.append(sender.redeem(*order, visit=visit, digits=digits, total=draw(totals)))
            case "release":
                asks.append(sender.release(*order, visit=visit))
            case "repeat" if asks:
                asks.append(draw(st.sampled_from(asks)))
            case "contradict" if asks:
                asks.append(sender.redeem(*order, id=draw(st.sampled_from(asks)).request_id, sequence=77))
            case _:
                asks.append(sender.redeem(*order, sequence=draw(st.integers(1, 3))))
    return asks


def _facts_after(world: World, cuts: Sequence[Sequence[Ask]]) -> tuple[list[bytes], MemoryIngestStore]:
    bench = memory_bench(world)
    assert isinstance(bench.store, MemoryIngestStore)
    answers = [found.answer for batch in cuts for found in answer_batch(bench.store, batch, now=NOW)]
    return answers, bench.store


@given(asks=batches(), data=st.data())
@settings(max_examples=150, deadline=None)
def test_it_does_not_matter_how_requests_are_cut_into_batches(asks: list[Ask], data: st.DataObject) -> None:
    at = sorted(data.draw(st.sets(st.integers(1, len(asks)))) | {0, len(asks)})
    cut = [asks[start:end] for start, end in pairwise(at)]
    whole, one_by_one, cut_up = (_facts_after(WORLD, cuts) for cuts in ([asks], [[ask] for ask in asks], cut))
    assert whole[0] == one_by_one[0] == cut_up[0]
    for name in ("answers", "sequences", "redemptions", "uses", "journals", "wrong_tries", "holds"):
        states = [getattr(found[1], name) for found in (whole, one_by_one, cut_up)]
        assert states[0] == states[1] == states[2], name


@given(asks=batches())
@settings(max_examples=100, deadline=None)
def test_the_judge_is_a_function(asks: list[Ask]) -> None:
    known = WORLD.knowledge()
    assert judge(asks, known, NOW) == judge(asks, known, NOW)


@given(asks=batches())
@settings(max_examples=150, deadline=None)
def test_nothing_about_a_voucher_is_said_to_whom_the_digits_are_not_known(asks: list[Ask]) -> None:
    """For every refusal with another reason than the digits', the request had the right tag for that number."""
    right_tags = {number: known.digit_tag for number, known in WORLD.known_vouchers().items()}
    judgement = judge(asks, WORLD.knowledge(), NOW)
    for ask, stored in zip(asks, judgement.answers, strict=True):
        answer = decode_answer(stored.answer)
        given_tags = dict(zip(ask.request.voucher_nos, ask.digit_tags, strict=False))
        if isinstance(answer, CheckAccepted | RedeemAccepted):
            assert all(given_tags[number] == right_tags[number] for number in ask.request.voucher_nos)
        for refusal in answer.refusals if isinstance(answer, Refused) else ():
            if refusal.reason not in (Reason.NO_MATCH, Reason.TRIES_EXHAUSTED):
                assert given_tags[refusal.voucher_no] == right_tags[refusal.voucher_no]
