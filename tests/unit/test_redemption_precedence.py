"""Of all reasons that apply, the one that stands first in ``protocol.reasons`` is given: each alone, each pair, each rest."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import combinations
from uuid import UUID

import pytest
from msgspec import structs

from cloud.domain.records import Ask, Decisions, Hold, Knowledge, Programme, Sender, StoredAnswer, Use
from cloud.domain.redemption import judge
from protocol.limits import DIGIT_TRIES_MAX
from protocol.messages import Answer, RedeemAccepted, Refused, decode_answer
from protocol.reasons import Reason
from tests.support.asks import OTHER_VISIT, Asks
from tests.support.worlds import NOW, Shop, make_programme, make_world

SHOP = Shop("sun-hotel")
WORLD = make_world()
ONE, TWO, THREE, FOUR = WORLD.numbers("stay-2021")[:4]
TOUR = WORLD.numbers("tour-2021")[0]


@dataclass(frozen=True)
class Trouble:
    """A request about which any set of reasons is true at once: four vouchers, each with its own part to play."""

    reasons: frozenset[Reason]

    def has(self, reason: Reason) -> bool:
        return reason in self.reasons

    def ask(self) -> Ask:
        """Make it: ONE may be used or held, TWO gets wrong digits, THREE has no tries left, the last is another programme's."""
        total = 0 if self.has(Reason.TOTAL_NOT_ALLOWED) else 5050
        item = "spa" if self.has(Reason.ITEM_NOT_ALLOWED) else "room"
        last = TOUR if self.has(Reason.MIXED_PROGRAMMES) else FOUR
        wrong = {TWO: "????"} if self.has(Reason.NO_MATCH) else {}
        ask = Asks(WORLD, SHOP).redeem(ONE, TWO, THREE, last, total=total, item=item, digits=wrong)
        return structs.replace(ask, digit_tags=ask.digit_tags[:1]) if self.has(Reason.MALFORMED) else ask

    def known(self) -> Knowledge:
        ask = self.ask()
        before = StoredAnswer(ask.request_id, ask.sender_id, ask.kind, b"another body", b"", NOW)
        return WORLD.knowledge(
            answers={ask.request_id: before} if self.has(Reason.REQUEST_CONFLICT) else {},
            sequences={(ask.sender_id, 1): UUID(int=99)} if self.has(Reason.SEQUENCE_CONFLICT) else {},
            senders={("device", ask.sender_id): self._sender()},
            programmes={name: self._programme(name) for name in ("stay-2021", "tour-2021")},
            uses={ONE: Use(UUID(int=9), NOW, "x")} if self.has(Reason.ALREADY_REDEEMED) else {},
            wrong_tries={THREE: DIGIT_TRIES_MAX} if self.has(Reason.TRIES_EXHAUSTED) else {},
            holds={ONE: Hold(ONE, OTHER_VISIT, "x", NOW + timedelta(1))} if self.has(Reason.HELD_ELSEWHERE) else {},
        )

    def _sender(self) -> Sender:
        shop = replace(
            SHOP,
            device_active=not self.has(Reason.DEVICE_NOT_ACTIVE),
            approved=not self.has(Reason.MERCHANT_NOT_ACTIVE),
        )
        return shop.sender("device")

    def _programme(self, name: str) -> Programme:
        return make_programme(
            name,
            merchant_categories=frozenset() if self.has(Reason.PROGRAMME_NOT_ACCEPTED) else frozenset({"hotel"}),
            item_categories=frozenset({("hotel", "room")}),
            starts_on=date(2022, 1, 1) if self.has(Reason.NOT_STARTED) else date(2021, 11, 1),
            ends_on=date(2021, 11, 2) if self.has(Reason.EXPIRED) else date(2022, 4, 30),
            vouchers_per_order_max=3 if self.has(Reason.TOO_MANY_VOUCHERS) else 4,
        )


JUDGED = tuple(reason for reason in Reason if reason not in {Reason.BUSY, Reason.NOT_A_VOUCHER, Reason.FORGED})
"""BUSY is the edge's and the service's word, the other two are the scanner's."""


def judged(trouble: Trouble) -> tuple[Answer, Decisions]:
    judgement = judge([trouble.ask()], trouble.known(), NOW)
    return decode_answer(judgement.answers[0].answer), judgement.decisions


def reason_of(trouble: Trouble) -> Reason:
    answer, _ = judged(trouble)
    assert isinstance(answer, Refused)
    return answer.reason


def test_without_trouble_it_is_accepted() -> None:
    assert isinstance(judged(Trouble(frozenset()))[0], RedeemAccepted)


@pytest.mark.parametrize("reason", JUDGED)
def test_each_reason_is_given(reason: Reason) -> None:
    trouble = Trouble(frozenset({reason}))
    assert reason_of(trouble) is reason


@pytest.mark.parametrize(("first", "second"), tuple(combinations(JUDGED, 2)))
def test_of_two_reasons_the_first_is_given(first: Reason, second: Reason) -> None:
    trouble = Trouble(frozenset({first, second}))
    assert reason_of(trouble) is first


@pytest.mark.parametrize("start", range(len(JUDGED)))
def test_of_all_the_reasons_from_one_on_that_one_is_given(start: int) -> None:
    trouble = Trouble(frozenset(JUDGED[start:]))
    answer, decisions = judged(trouble)
    assert isinstance(answer, Refused)
    assert answer.reason is JUDGED[start]
    assert not decisions.redemptions
    assert not decisions.journals
