"""pain.002.001.03 reports: what is read, and how little a stranger's file can do."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from cloud.domain import pain002
from cloud.domain.pain001 import Agreement, CreditTransfer, encode_pain001
from cloud.domain.pain002 import Pain002Error, Standing, StatusLine, decode_pain002, is_xml
from tests.support.bank import Ordered, Says, report_pain001

DEBTOR = Agreement("TOURISM VOUCHER PROGRAMME", "04595257", "0040037", "1234567890")
MESSAGE = encode_pain001(
    DEBTOR,
    [
        CreditTransfer("a" * 32, 2_000, "8120012", "987654321", "泊岸旅館股份有限公司", "24634102"),
        CreditTransfer("b" * 32, 35_000, "7000021", "12345678901234", "王小明 & <民宿>", "A123456789"),
    ],
    message_id="f" * 32,
    made_at=datetime(2021, 10, 5, 1, 30, tzinfo=UTC),
    value_date=date(2021, 10, 6),
)


PAID = Says("ACSC")


def report(says: Says = PAID, whole: Says | None = None) -> bytes:
    return report_pain001(MESSAGE, lambda item: says if item.amount_twd == 2_000 else None, whole=whole)


def only_standing(content: bytes) -> Standing | None:
    (line,) = decode_pain002(content).lines
    return line.standing


def test_it_is_read() -> None:
    found = decode_pain002(report(Says("RJCT", "AC04"), Says("PART")))
    assert (found.message_id, found.payment_ids) == ("f" * 32, ("f" * 32,))
    assert found.whole == (Standing("PART"),)
    assert found.lines == (StatusLine("a" * 32, Standing("RJCT", "AC04"), 2_000),)


def test_a_payment_block_may_be_refused_as_a_whole() -> None:
    block = b"<p:PmtInfSts>RJCT</p:PmtInfSts><p:StsRsnInf><p:Rsn><p:Cd>AG01</p:Cd></p:Rsn></p:StsRsnInf></p:OrgnlPmtInfAndSts>"
    found = decode_pain002(report(Says("RJCT", "AC04")).replace(b"</p:OrgnlPmtInfAndSts>", block))
    assert found.whole == (Standing("RJCT", "AG01"),)
    assert found.lines[0].standing == Standing("RJCT", "AC04")


def test_a_byte_order_mark_and_an_empty_report_are_taken() -> None:
    found = decode_pain002(b"\xef\xbb\xbf" + report_pain001(MESSAGE, lambda _: None))
    assert (found.lines, found.payment_ids, found.whole) == ((), (), ())


@pytest.mark.parametrize(
    ("says", "outcome"),
    [
        *[(Says(status), "paid") for status in ("ACSC", "ACCC")],
        *[(Says(status), None) for status in ("ACSP", "ACCP", "ACTC", "ACWC", "ACWP", "PDNG", "RCVD", "CANC", "XXXX")],
        (Says("RJCT", "AC01"), "returned"),
        (Says("RJCT"), "returned"),
        (Says("RJCT", "AM05"), None),
        (Says("RJCT", "DU04"), None),
        (Says("RJCT", own_code="DUPL"), None),
    ],
)
def test_only_settled_is_paid_and_only_refused_comes_back(says: Says, outcome: str | None) -> None:
    standing = only_standing(report(says))
    assert standing is not None
    assert standing.outcome == outcome


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (Says("RJCT", "AC04"), "AC04"),
        (Says("RJCT", own_code="05"), "05"),
        (Says("RJCT", own_code="ACCOUNT-CLOSED"), "NARR"),
        (Says("RJCT", own_code="帳戶"), "NARR"),
        (Says("RJCT", words="account closed"), "NARR"),
        (Says("RJCT"), "MS03"),
        (Says("ACSP", "AC04"), None),
    ],
)
def test_a_reason_is_a_code_or_says_that_there_is_none(says: Says, reason: str | None) -> None:
    standing = only_standing(report(says))
    assert standing is not None
    assert standing.reason == reason


def test_a_line_may_have_no_status_and_no_amount() -> None:
    bare = cut(cut(report(), b"<p:TxSts>", b"</p:TxSts>"), b"<p:OrgnlTxRef>", b"</p:OrgnlTxRef>")
    assert decode_pain002(bare).lines == (StatusLine("a" * 32, None, None),)


def cut(content: bytes, start: bytes, end: bytes) -> bytes:
    before, _, rest = content.partition(start)
    return before + rest.partition(end)[2]


LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
CHANGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "entities": (lambda text: text.replace(b"?>\n", b"?>\n" + LAUGHS).replace(b">ACSC<", b">&b;<"), "document type"),
    "a file": (lambda text: text.replace(b"?>\n", b"?>\n" + OUTSIDE).replace(b">ACSC<", b">&a;<"), "document type"),
    "a schema elsewhere": (lambda text: text.replace(b"?>\n", b'?>\n<!DOCTYPE x SYSTEM "http://x/">'), "document type"),
    "an entity out of nowhere": (lambda text: text.replace(b">ACSC<", b">&a;<"), "not well-formed"),
    "deep": (lambda text: text.replace(b">ACSC<", b">" + b"<x>" * 40 + b"</x>" * 40 + b"<"), "in each other"),
    "cut off": (lambda text: text[: len(text) // 2], "cut off"),
    "two in one": (lambda text: text + text[text.index(b"<p:Document") :], "not well-formed"),
    "nothing": (lambda _: b"<", "not well-formed"),
    "another version": (lambda text: text.replace(b"pain.002.001.03", b"pain.002.001.10"), "no pain.002.001.03"),
    "no namespace": (lambda text: text.replace(b"p:", b"").replace(b"xmlns:p=", b"xmlns:q="), "no pain.002.001.03"),
    "another root": (lambda text: text.replace(b"p:Document", b"p:Other"), "no pain.002.001.03"),
    "another report": (lambda text: text.replace(b"CstmrPmtStsRpt", b"FIToFIPmtStsRpt"), "on one message"),
    "two messages": (lambda text: doubled(text, b"p:OrgnlGrpInfAndSts"), "on one message"),
    "of a direct debit": (lambda text: text.replace(b">pain.001.001.03<", b">pain.008.001.02<"), "pain.001 message"),
    "no message id": (lambda text: text.replace(b"p:OrgnlMsgId", b"p:Other"), "OrgnlMsgId is missing"),
    "no payment id": (lambda text: text.replace(b"p:OrgnlPmtInfId", b"p:Other"), "OrgnlPmtInfId is missing"),
    "no end-to-end id": (
        lambda text: text.replace(b"p:OrgnlEndToEndId", b"p:OrgnlInstrId"),
        "line 5: OrgnlEndToEndId is missing",
    ),
    "two states": (lambda text: doubled(text, b"p:TxSts"), "TxSts stands twice"),
    "a status of its own": (lambda text: text.replace(b">ACSC<", b">paid<"), "TxSts is no status"),
    "a status in pieces": (lambda text: text.replace(b">ACSC<", b">RJ<p:x/>ACSC<"), "TxSts is no status"),
    "dollars of another kind": (lambda text: text.replace(b'Ccy="TWD"', b'Ccy="USD"'), "not in TWD"),
    "cents": (lambda text: text.replace(b"2000.00", b"2000.50"), "whole dollars"),
    "a negative amount": (lambda text: text.replace(b"2000.00", b"-2000"), "whole dollars"),
    "Big5": (lambda text: text.decode().replace("UTF-8", "Big5").encode("big5"), "not well-formed"),
}


def doubled(text: bytes, tag: bytes) -> bytes:
    start, end = text.index(b"<" + tag), text.index(b"</" + tag + b">") + len(tag) + 3
    return text[:end] + text[start:end] + text[end:]


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_no_sound_report_is_refused(change: str) -> None:
    make, problem = CHANGES[change]
    content = make(report())
    assert content != report()
    with pytest.raises(Pain002Error, match=problem):
        decode_pain002(content)


def test_a_status_in_another_namespace_is_none() -> None:
    foreign = report().replace(b"<p:TxSts>ACSC</p:TxSts>", b'<TxSts xmlns="urn:other">ACSC</TxSts>')
    assert only_standing(foreign) is None


def test_a_large_file_is_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pain002, "REPORT_BYTES_MAX", len(report()))
    decode_pain002(report())
    with pytest.raises(Pain002Error, match="too large"):
        decode_pain002(report() + b" ")


def test_problems_quote_no_payee() -> None:
    def all_paid(_: Ordered) -> Says:
        return Says("ACSC")

    content = report_pain001(MESSAGE, all_paid).replace("民宿".encode(), b"\xff")
    with pytest.raises(Pain002Error) as caught:
        decode_pain002(content)
    assert "王小明" not in str(caught.value)


def test_an_ach_file_is_no_xml() -> None:
    assert not is_xml(b"BOFACHR01")
    assert is_xml(b"\xef\xbb\xbf \n<Document/>")
