"""A bank that reads the payout files we send and answers as the clearing house does, or with ISO 20022 status reports.

It cuts records by the positions of the published layout and shares no code with ours, so a field that we write in the wrong
place is a field that this bank does not find. It keeps the traps of real banks: only failures are listed, bank fields come
back swapped, and the business day is its own; status reports are in an order of their own, with a namespace prefix, amounts
with cents, and as partial as is wanted.
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from xml.sax.saxutils import escape

ACH_RECORD_BYTES = 250
PAIN001 = "{urn:iso:std:iso:20022:tech:xsd:pain.001.001.03}"


@dataclass(frozen=True, slots=True)
class Received:
    """One credit, as the bank reads it."""

    seq: int
    bank_code: str
    account_no: str
    amount_twd: int
    payee_id: str
    note: str


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """One ACHP01 file, as the bank reads it."""

    sent_on: str
    """Eight digits, ROC."""
    originator_bank: str
    payments: tuple[Received, ...]
    details: tuple[str, ...]


class BankRefusesFileError(Exception):
    """The bank cannot take the file at all."""


def read_p01(content: bytes) -> ReceivedFile:
    """Take a file in, as strictly as the clearing house.

    Raises:
        BankRefusesFileError: a length, mark, count or sum is wrong.
    """
    if not content.endswith(b"\r\n"):
        raise BankRefusesFileError("the last line does not end")
    lines = content.decode("ascii").split("\r\n")[:-1]
    if any(len(line) != ACH_RECORD_BYTES for line in lines) or len(lines) < 3:
        raise BankRefusesFileError("a record is not 250 bytes, or there is no detail")
    header, *details, trailer = lines
    if header[:9] != "BOFACHP01" or header[30:40] != "9990250V10" or trailer[:9] != "EOFACHP01":
        raise BankRefusesFileError("marks")
    if header[9:17] != trailer[9:17] or header[23:30] != trailer[17:24] or trailer[24:31] != "9990250":
        raise BankRefusesFileError("header and trailer disagree")
    payments = tuple(_received(detail, header) for detail in details)
    if int(trailer[31:39]) != len(details) or int(trailer[39:55]) != sum(payment.amount_twd for payment in payments):
        raise BankRefusesFileError("count or sum")
    if len({payment.seq for payment in payments}) != len(payments):
        raise BankRefusesFileError("a number comes twice")
    return ReceivedFile(header[9:17], header[23:30], payments, tuple(details))


def answer_p01(content: bytes, *, failures: Mapping[str, str] | Callable[[Received], str | None], answered_on: date) -> bytes:
    """Write the ACHR01 answer to an ACHP01 file.

    Args:
        content: the file that was sent.
        failures: return code by account number (without leading zeros) or by payment; what has none is credited.
        answered_on: the bank's business day.
    """
    received = read_p01(content)
    fails = failures if callable(failures) else lambda payment: failures.get(payment.account_no)
    today, returned, total = _roc(answered_on), [], 0
    for payment, detail in zip(received.payments, received.details, strict=True):
        code = fails(payment)
        if code is not None:
            returned.append(_returned(detail, code, received.sent_on, len(returned) + 1))
            total += payment.amount_twd
    header = f"BOFACHR01{today}1730009990250{received.originator_bank}V10".ljust(ACH_RECORD_BYTES)
    trailer = f"EOFACHR01{today}9990250{received.originator_bank}{len(returned):08d}{total:016d}{received.sent_on}"
    return "".join(line + "\r\n" for line in [header, *returned, trailer.ljust(ACH_RECORD_BYTES)]).encode("ascii")


@dataclass(frozen=True, slots=True)
class Ordered:
    """One credit transfer, as the bank reads it."""

    end_to_end_id: str
    account_no: str
    amount_twd: int
    payee: str


@dataclass(frozen=True, slots=True)
class OrderedMessage:
    """One pain.001 message, as the bank reads it."""

    message_id: str
    payment_id: str
    made_at: str
    transfers: tuple[Ordered, ...]


@dataclass(frozen=True, slots=True)
class Says:
    """What the bank says of a transfer, or of a whole message."""

    status: str
    code: str | None = None
    own_code: str | None = None
    words: str | None = None


def read_pain001(content: bytes) -> OrderedMessage:
    """Take a message in.

    Raises:
        BankRefusesFileError: a count or sum is wrong, an id comes twice, or a field is not there.
    """
    root = ET.fromstring(content)
    if root.tag != f"{PAIN001}Document":
        raise BankRefusesFileError("not a pain.001.001.03 message")
    message, payment = (_one(root, f"CstmrCdtTrfInitn/{name}") for name in ("GrpHdr", "PmtInf"))
    transfers = tuple(_ordered(item) for item in payment.findall(f"{PAIN001}CdtTrfTxInf"))
    sums = {(_text(block, "NbOfTxs"), _text(block, "CtrlSum")) for block in (message, payment)}
    if sums != {(str(len(transfers)), str(sum(item.amount_twd for item in transfers)))}:
        raise BankRefusesFileError("count or sum")
    if len({item.end_to_end_id for item in transfers}) != len(transfers):
        raise BankRefusesFileError("an id comes twice")
    return OrderedMessage(_text(message, "MsgId"), _text(payment, "PmtInfId"), _text(message, "CreDtTm"), transfers)


def report_pain001(
    content: bytes, statuses: Callable[[Ordered], Says | None], *, whole: Says | None = None, report_no: int = 1
) -> bytes:
    """Write a pain.002.001.03 status report on a pain.001 message, last transfer first.

    Args:
        content: the message that was sent.
        statuses: what the bank says of each transfer; None leaves it out of the report.
        whole: what the bank says of the message.
        report_no: makes the report another one than the last, though it may say the same.
    """
    message = read_pain001(content)
    said = [(item, statuses(item)) for item in reversed(message.transfers)]
    items = "".join(_status(item, says) for item, says in said if says is not None)
    group = f"<p:GrpSts>{whole.status}</p:GrpSts>{_why(whole)}" if whole else ""
    block = f"<p:OrgnlPmtInfId>{message.payment_id}</p:OrgnlPmtInfId>{items}"
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        '<p:Document xmlns:p="urn:iso:std:iso:20022:tech:xsd:pain.002.001.03"><p:CstmrPmtStsRpt>\n'
        f"<p:GrpHdr><p:MsgId>BANK-{report_no}</p:MsgId><p:CreDtTm>2026-11-12T17:30:00</p:CreDtTm></p:GrpHdr>\n"
        f"<p:OrgnlGrpInfAndSts><p:OrgnlMsgId>{message.message_id}</p:OrgnlMsgId>"
        f"<p:OrgnlMsgNmId>pain.001.001.03</p:OrgnlMsgNmId><p:OrgnlCreDtTm>{message.made_at}</p:OrgnlCreDtTm>{group}"
        f"</p:OrgnlGrpInfAndSts>\n{f'<p:OrgnlPmtInfAndSts>{block}</p:OrgnlPmtInfAndSts>' if items else ''}\n"
        "</p:CstmrPmtStsRpt></p:Document>\n"
    ).encode()


def _ordered(item: ET.Element) -> Ordered:
    amount = _one(item, "Amt/InstdAmt")
    if amount.get("Ccy") != "TWD":
        raise BankRefusesFileError("currency")
    return Ordered(
        end_to_end_id=_text(item, "PmtId/EndToEndId"),
        account_no=_text(item, "CdtrAcct/Id/Othr/Id").lstrip("0"),
        amount_twd=int(amount.text or ""),
        payee=_text(item, "Cdtr/Nm"),
    )


def _status(item: Ordered, says: Says) -> str:
    return (
        f"<p:TxInfAndSts><p:OrgnlEndToEndId>{item.end_to_end_id}</p:OrgnlEndToEndId><p:TxSts>{says.status}</p:TxSts>{_why(says)}"
        f'<p:OrgnlTxRef><p:Amt><p:InstdAmt Ccy="TWD">{item.amount_twd}.00</p:InstdAmt></p:Amt>'
        f"<p:Cdtr><p:Nm>{escape(item.payee)}</p:Nm></p:Cdtr></p:OrgnlTxRef></p:TxInfAndSts>\n"
    )


def _why(says: Says) -> str:
    code = f"<p:Rsn><p:Cd>{says.code}</p:Cd></p:Rsn>" if says.code else ""
    own = f"<p:Rsn><p:Prtry>{escape(says.own_code)}</p:Prtry></p:Rsn>" if says.own_code else ""
    words = f"<p:AddtlInf>{escape(says.words)}</p:AddtlInf>" if says.words else ""
    return f"<p:StsRsnInf>{code or own}{words}</p:StsRsnInf>" if code or own or words else ""


def _one(parent: ET.Element, path: str) -> ET.Element:
    found = parent.find("/".join(PAIN001 + step for step in path.split("/")))
    if found is None:
        raise BankRefusesFileError(f"{path} is missing")
    return found


def _text(parent: ET.Element, path: str) -> str:
    text = _one(parent, path).text
    if not text:
        raise BankRefusesFileError(f"{path} is empty")
    return text


def _received(detail: str, header: str) -> Received:
    if detail[0] != "N" or detail[1:3] != "SC" or detail[14:21] != header[23:30] or detail[72] != "B":
        raise BankRefusesFileError("not a credit of this originator")
    if detail[70:72].strip() or detail[186:191] != "00000" or not detail[73:83].strip() or int(detail[60:70]) == 0:
        raise BankRefusesFileError("a field that must be set is not, or the other way round")
    return Received(
        seq=int(detail[6:14]),
        bank_code=detail[37:44],
        account_no=detail[44:60].lstrip("0"),
        amount_twd=int(detail[60:70]),
        payee_id=detail[83:93].rstrip(),
        note=detail[136:176].rstrip(),
    )


def _returned(detail: str, code: str, sent_on: str, seq: int) -> str:
    swapped = detail[37:60] + detail[14:37]
    return f"R{detail[1:6]}{seq:08d}{swapped}{detail[60:70]}{code}B{detail[73:99]}{sent_on}{detail[6:14]}B{detail[116:]}"


def _roc(day: date) -> str:
    return f"{day.year - 1911:04d}{day:%m%d}"
