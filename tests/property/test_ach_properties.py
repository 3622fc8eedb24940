"""Whatever we pay, the bank reads; whatever it returns, we read; a damaged answer is never read as another one."""

from datetime import date, time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cloud.domain.ach import AchError, AchOriginator, AchPayment, decode_r01, encode_p01
from tests.support.bank import answer_p01, read_p01

ORIGINATOR = AchOriginator(bank_code="0040037", account_no="1234567890", ubn="04595257", txid="101")
DIGITS = st.text("0123456789", min_size=1, max_size=16).filter(lambda text: text.strip("0"))
PAYMENTS = st.lists(
    st.builds(
        AchPayment,
        seq=st.integers(1, 99_999_999),
        bank_code=st.from_regex(r"[0-9]{7}", fullmatch=True),
        account_no=DIGITS,
        amount_twd=st.integers(1, 9_999_999_999),
        payee_id=st.from_regex(r"[A-Z0-9]{8,10}", fullmatch=True),
        note=st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda payment: payment.seq,
)
DAYS = st.dates(date(2000, 1, 1), date(2099, 1, 1))


@given(PAYMENTS, DAYS)
def test_the_bank_reads_what_was_paid(payments: list[AchPayment], sent_on: date) -> None:
    received = read_p01(encode_p01(ORIGINATOR, payments, sent_on=sent_on, sent_at=time(9)))
    assert [(one.seq, one.bank_code, one.account_no, one.amount_twd, one.payee_id, one.note) for one in received.payments] == [
        (one.seq, one.bank_code, one.account_no.lstrip("0"), one.amount_twd, one.payee_id, one.note) for one in payments
    ]


@given(PAYMENTS, DAYS, st.data())
def test_returns_round_trip(payments: list[AchPayment], sent_on: date, data: st.DataObject) -> None:
    failing = data.draw(st.sets(st.sampled_from([payment.seq for payment in payments])))
    content = encode_p01(ORIGINATOR, payments, sent_on=sent_on, sent_at=time(9))
    returned = decode_r01(answer_p01(content, failures=lambda one: "99" if one.seq in failing else None, answered_on=sent_on))
    assert [(one.seq, one.amount_twd, one.note, one.sent_on) for one in returned.returns] == [
        (one.seq, one.amount_twd, one.note, sent_on) for one in payments if one.seq in failing
    ]


@given(PAYMENTS, st.data())
def test_a_cut_or_changed_answer_never_loses_a_return(payments: list[AchPayment], data: st.DataObject) -> None:
    content = encode_p01(ORIGINATOR, payments, sent_on=date(2021, 10, 5), sent_at=time(9))
    answer = answer_p01(content, failures=lambda _: "22", answered_on=date(2021, 10, 6))
    cut = data.draw(st.integers(0, len(answer) - 3))
    assume(not answer[cut:].isspace())
    try:
        read = decode_r01(answer[:cut])
    except AchError:
        return
    assert len(read.returns) == len(payments)


@given(st.binary(max_size=600))
def test_garbage_is_refused_with_a_line(garbage: bytes) -> None:
    with pytest.raises(AchError, match="line"):
        decode_r01(garbage)
