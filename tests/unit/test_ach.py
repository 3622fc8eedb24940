"""ACH files on the published layout, and what is wrong with a broken one."""

from datetime import date, time

import pytest

from cloud.domain.ach import RETURN_CODES, AchError, AchOriginator, AchPayment, AchReturn, decode_r01, encode_p01
from tests.support.bank import answer_p01, read_p01

ORIGINATOR = AchOriginator(bank_code="0040037", account_no="1234567890", ubn="04595257", txid="101")
PAYMENTS = [
    AchPayment(1, "8120012", "987654321", 2_000, "24634102", "a" * 32, "VOUCHER"),
    AchPayment(2, "7000021", "12345678901234", 35_000, "A123456789", "b" * 32),
]
SENT_ON = date(2021, 10, 5)


def p01() -> bytes:
    return encode_p01(ORIGINATOR, PAYMENTS, sent_on=SENT_ON, sent_at=time(9, 30, 1))


def r01(**failures: str) -> bytes:
    by_account = {key.removeprefix("a"): code for key, code in failures.items()}
    return answer_p01(p01(), failures=by_account, answered_on=date(2021, 10, 6))


def test_the_sample_of_the_reference() -> None:
    header, detail, *_ = p01().decode("ascii").split("\r\n")
    assert header[:40] == "BOFACHP01" + "01101005" + "093001" + "0040037" + "9990250" + "V10"
    assert detail.startswith(
        "NSC101" + "00000001" + "0040037" + "0000001234567890" + "8120012" + "0000000987654321" + "0000002000" + "  " + "B"
    )
    assert [len(line) for line in p01().split(b"\r\n")] == [250, 250, 250, 250, 0]


def test_the_trailer_counts_and_sums() -> None:
    trailer = p01().decode("ascii").split("\r\n")[3]
    assert trailer[:63] == "EOFACHP01" + "01101005" + "0040037" + "9990250" + f"{2:08d}{37_000:016d}" + " " * 8


def test_the_bank_reads_what_we_write() -> None:
    received = read_p01(p01())
    assert [(item.seq, item.bank_code, item.account_no, item.amount_twd, item.payee_id) for item in received.payments] == [
        (1, "8120012", "987654321", 2_000, "24634102"),
        (2, "7000021", "12345678901234", 35_000, "A123456789"),
    ]
    assert [item.note for item in received.payments] == ["a" * 32, "b" * 32]


def test_a_return_names_the_original() -> None:
    returned = decode_r01(r01(a12345678901234="05"))
    assert returned.made_on == date(2021, 10, 6)
    assert returned.answers_for == SENT_ON
    assert returned.returns == (AchReturn(SENT_ON, 2, 35_000, "05", "b" * 32),)
    assert "05" in RETURN_CODES


def test_no_failure_is_a_file_without_details() -> None:
    assert decode_r01(r01()).returns == ()


def test_a_blank_ydate_is_unknown() -> None:
    assert decode_r01(_with_trailer(r01(), 55, b" " * 8)).answers_for is None
    assert decode_r01(_with_trailer(r01(), 55, b"0" * 8)).answers_for is None


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        (0, b"N", "line 2 is not a returned credit"),
        (1, b"SD", "line 2 is not a returned credit"),
        (60, b"00000x5000", "line 2: AMT is not a number"),
        (60, b"0000000001", "the sum of 35000 TWD"),
        (70, b"  ", "line 2 has no return code"),
        (99, b"01101305", "line 2: PDATE is not a date"),
        (107, b"       2", "line 2: PSEQ is not a number"),
        (136, b"\0", "line 2 holds a NUL byte"),
    ],
)
def test_a_broken_detail_is_named(place: int, value: bytes, problem: str) -> None:
    good = r01(a12345678901234="05")
    start = 252 + place
    with pytest.raises(AchError, match=problem):
        decode_r01(good[:start] + value + good[start + len(value) :])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "at least a header"),
        (b"\r\n", "line 1 has 0 bytes"),
        (b"BOFACHR01", "line 1 has 9 bytes"),
        (p01(), "line 1 is not the header of an ACHR01 file"),
        (r01()[:252], "at least a header"),
        (r01(a987654321="04")[:504], "line 2 is not the trailer"),
        (r01(a987654321="04")[:252] + r01(a987654321="04")[504:], "line 2 counts 1 details, the file has 0"),
        (r01()[:9] + b"01101007" + r01()[17:], "another day"),
    ],
)
def test_a_broken_file_is_named(content: bytes, problem: str) -> None:
    with pytest.raises(AchError, match=problem):
        decode_r01(content)


def test_big5_in_the_banks_own_areas_is_survived() -> None:
    good = r01(a12345678901234="05")
    start = 252 + 176
    assert decode_r01(good[:start] + "退匯".encode("big5") + good[start + 4 :]).returns[0].seq == 2


@pytest.mark.parametrize(
    ("payment", "problem"),
    [
        (AchPayment(1, "8120012", "1" * 17, 1, "24634102", ""), "RCLNO"),
        (AchPayment(1, "8120012", "1", 1, "24634102", "中"), "NOTE"),
        (AchPayment(1, "8120012", "1", 1, "24634102", "a\nb"), "NOTE"),
        (AchPayment(100_000_000, "8120012", "1", 1, "24634102", ""), "SEQ"),
        (AchPayment(1, "8120012", "1", 0, "24634102", ""), "does not fit"),
        (AchPayment(1, "8120012", "1", 10**10, "24634102", ""), "does not fit"),
    ],
)
def test_what_does_not_fit_is_refused(payment: AchPayment, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        encode_p01(ORIGINATOR, [payment], sent_on=SENT_ON, sent_at=time())


def _with_trailer(content: bytes, place: int, value: bytes) -> bytes:
    start = content.rindex(b"EOFACHR01") + place
    return content[:start] + value + content[start + len(value) :]
