"""What anybody may learn about a voucher, and that nobody learns digits or locks it by asking."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from cloud.domain.digits import digit_tag
from cloud.domain.records import Hold, Knowledge, KnownVoucher, Programme, Use
from cloud.domain.redemption import judge
from cloud.domain.voucher_status import PUBLIC_TRIES_MAX, ask_status, is_taken, look_up
from protocol.limits import DIGIT_TRIES_MAX

PEPPER = bytes(32)
NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
KNOWN, UNKNOWN = "566780776770", "999999999999"
PROGRAMME = Programme("travel", 1000, date(2026, 10, 1), date(2027, 4, 30), 10, frozenset({"lodging"}), frozenset())


def knowledge(**changes: object) -> Knowledge:
    facts: dict[str, object] = {
        "answers": {},
        "sequences": {},
        "senders": {},
        "programmes": {"travel": PROGRAMME},
        "vouchers": {KNOWN: KnownVoucher(KNOWN, "travel", digit_tag(PEPPER, KNOWN, "1234"))},
        "uses": {},
        "wrong_tries": {},
        "holds": {},
    }
    return Knowledge(**(facts | changes))  # type: ignore[arg-type]


def question(voucher_no: str = KNOWN, digits: str = "1234", number: int = 1) -> object:
    return ask_status(UUID(int=number), voucher_no, digit_tag(PEPPER, voucher_no, digits))


def seen(facts: Knowledge, now: datetime = NOW, **asked: object) -> object:
    status, _ = look_up(question(**asked), facts, now)  # type: ignore[arg-type]
    return None if status is None else status.state


def test_every_state() -> None:
    hold = Hold(KNOWN, UUID(int=9), "boan-scan-1", NOW + timedelta(minutes=1))
    use = Use(UUID(int=3), NOW, "泊岸旅館 一樓大廳")
    assert seen(knowledge()) == "unused"
    assert seen(knowledge(holds={KNOWN: hold})) == "held"
    assert seen(knowledge(holds={KNOWN: hold}), now=NOW + timedelta(minutes=2)) == "unused"
    assert seen(knowledge(uses={KNOWN: use}, holds={KNOWN: hold})) == "redeemed"
    assert seen(knowledge(uses={KNOWN: use}), now=datetime(2027, 6, 1, tzinfo=UTC)) == "redeemed"
    assert seen(knowledge(), now=datetime(2027, 5, 1, tzinfo=UTC)) == "expired"
    assert seen(knowledge(), now=datetime(2026, 9, 1, tzinfo=UTC)) == "not_started"


@pytest.mark.parametrize("voucher_no", [KNOWN, UNKNOWN])
def test_wrong_and_unknown_are_one_answer_and_counted_alike(voucher_no: str) -> None:
    status, decisions = look_up(question(voucher_no, "9999"), knowledge(), NOW)  # type: ignore[arg-type]
    assert status is None
    assert [(wrong.voucher_no, wrong.try_no) for wrong in decisions.wrong_tries] == [(voucher_no, 1)]
    assert len(decisions.answers) == 1
    assert not decisions.holds
    assert not decisions.redemptions


def test_right_digits_cost_nothing() -> None:
    _, decisions = look_up(question(), knowledge(), NOW)  # type: ignore[arg-type]
    assert not decisions.wrong_tries
    assert not decisions.answers


def test_after_the_public_tries_nothing_is_compared_and_nothing_more_is_counted() -> None:
    for tries in range(PUBLIC_TRIES_MAX, DIGIT_TRIES_MAX + 1):
        for digits in ("1234", "9999"):
            status, decisions = look_up(question(KNOWN, digits), knowledge(wrong_tries={KNOWN: tries}), NOW)  # type: ignore[arg-type]
            assert status is None
            assert not decisions.wrong_tries


def test_strangers_cannot_use_up_the_desks_tries() -> None:
    tries = 0
    for number in range(1, 30):
        _, decisions = look_up(question(KNOWN, f"{number:04d}", number), knowledge(wrong_tries={KNOWN: tries}), NOW)  # type: ignore[arg-type]
        tries += len(decisions.wrong_tries)
    assert tries == PUBLIC_TRIES_MAX < DIGIT_TRIES_MAX - 1


def test_same_guess_sent_again_is_the_same_guess() -> None:
    asked = question(KNOWN, "9999")
    _, decisions = look_up(asked, knowledge(), NOW)  # type: ignore[arg-type]
    (before,) = decisions.answers
    after = knowledge(answers={before.request_id: before}, wrong_tries={KNOWN: 1})
    status, again = look_up(asked, after, NOW)  # type: ignore[arg-type]
    assert status is None
    assert not again.wrong_tries
    assert not is_taken(asked, after)  # type: ignore[arg-type]
    assert is_taken(question(KNOWN, "1234"), after), "another guess under the same id is another question"  # type: ignore[arg-type]


def test_id_of_somebody_elses_request_is_taken() -> None:
    asked = question()
    answer = judge([asked], knowledge(), NOW).answers[0]  # type: ignore[list-item]
    assert not is_taken(asked, knowledge())  # type: ignore[arg-type]
    foreign = type(answer)(answer.request_id, "kiosk-1", answer.kind, answer.body_hash, answer.answer, answer.answered_at)
    assert is_taken(asked, knowledge(answers={answer.request_id: foreign}))  # type: ignore[arg-type]
