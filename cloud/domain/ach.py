"""Taiwan's ACH files: ``ACHP01`` (payments to the clearing house) and ``ACHR01`` (its returns), byte for byte.

A file is one header, its details and one trailer, each 250 bytes and CRLF (DOMAIN 10.5). Amounts are whole dollars, text is
ASCII, dates are ROC dates in eight digits. Only credits (``SC``, 代付) are made and read here; nothing is ever debited.

``ACHR01`` lists failures only: what it does not list was credited. That makes a lost line a lie about money, so decoding is
strict: every record is measured, and the trailer's count and sum must agree with the details.

A returned record names the payment by ``PDATE`` and ``PSEQ`` (day and number in the original file) and echoes ``NOTE``. Its
bank fields are swapped by some banks and not by others, so they are not read.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time

from cloud.domain.calendar import decode_roc_compact, encode_roc_compact

RECORD_BYTES = 250
AMOUNT_MAX_TWD = 9_999_999_999
"""Ten digits: what one detail holds."""

CLEARING_HOUSE = "9990250"

RETURN_CODES: Mapping[str, str] = {
    "04": "no such account",
    "05": "the payee's ID is not the account holder's",
    "22": "account closed",
    "23": "account dormant",
    "24": "account frozen",
    "25": "deposit under court order",
    "26": "account on the fraud watch list",
    "27": "account holder deceased",
    "28": "stopped by the originating bank",
    "91": "not processed",
    "99": "other",
}
"""What a bank says of a credit that it did not make."""

_HEADER = (("BOF", 3), ("CDATA", 6), ("TDATE", 8), ("TTIME", 6), ("SORG", 7), ("RORG", 7), ("VERNO", 3), ("FILLER", 210))
_DETAIL = (
    *(("TYPE", 1), ("TXTYPE", 2), ("TXID", 3), ("SEQ", 8), ("PBANK", 7), ("PCLNO", 16), ("RBANK", 7), ("RCLNO", 16)),
    *(("AMT", 10), ("RCODE", 2), ("SCHD", 1), ("CID", 10), ("PID", 10), ("SID", 6), ("PDATE", 8), ("PSEQ", 8)),
    *(("PSCHD", 1), ("CNO", 20), ("NOTE", 40), ("MEMO", 10), ("CFEE", 5), ("NOTEB", 20), ("FILLER", 39)),
)
_TRAILER = (
    *(("EOF", 3), ("CDATA", 6), ("TDATE", 8), ("SORG", 7), ("RORG", 7), ("TCOUNT", 8), ("TAMT", 16), ("YDATE", 8)),
    ("FILLER", 187),
)
_Layout = tuple[tuple[str, int], ...]


class AchError(ValueError):
    """The bytes are not such a file. The text names the line, counted from 1; it never quotes an account."""


@dataclass(frozen=True, slots=True)
class AchOriginator:
    """Who pays: its bank and account, its business number, and the transaction code that the clearing house gave it."""

    bank_code: str
    account_no: str
    ubn: str
    txid: str


@dataclass(frozen=True, slots=True)
class AchPayment:
    """One credit."""

    seq: int
    """Number within the day, 1 to 99,999,999."""
    bank_code: str
    account_no: str
    amount_twd: int
    payee_id: str
    """Business number or ID of the account's holder: the bank compares it (return code 05)."""
    note: str
    """Up to forty ASCII characters of our own, echoed in a return."""
    memo: str = ""
    """Up to ten ASCII characters in the payee's passbook."""


@dataclass(frozen=True, slots=True)
class AchReturn:
    """One credit that was not made."""

    sent_on: date
    """Day of the original file."""
    seq: int
    """Number in the original file."""
    amount_twd: int
    return_code: str
    note: str


@dataclass(frozen=True, slots=True)
class AchReturnFile:
    """What the clearing house says of one earlier day."""

    made_on: date
    answers_for: date | None
    """The trailer's YDATE, the business day before; None where the bank leaves it blank."""
    returns: tuple[AchReturn, ...]


def encode_p01(originator: AchOriginator, payments: Sequence[AchPayment], *, sent_on: date, sent_at: time) -> bytes:
    """Write an ``ACHP01`` file.

    Raises:
        ValueError: a field does not fit, is not ASCII, or an amount is not positive.
    """
    sent, total = encode_roc_compact(sent_on), sum(payment.amount_twd for payment in payments)
    envelope = {"CDATA": "ACHP01", "TDATE": sent, "SORG": originator.bank_code, "RORG": CLEARING_HOUSE}
    header = {"BOF": "BOF", "TTIME": f"{sent_at:%H%M%S}", "VERNO": "V10", **envelope}
    trailer = {"EOF": "EOF", "TCOUNT": f"{len(payments):08d}", "TAMT": f"{total:016d}", **envelope}
    details = [_record(_DETAIL, _detail(originator, payment)) for payment in payments]
    return b"".join([_record(_HEADER, header), *details, _record(_TRAILER, trailer)])


def decode_r01(content: bytes) -> AchReturnFile:
    """Read an ``ACHR01`` file.

    Raises:
        AchError: anything at all is not as the format says, or count or sum disagree with the details.
    """
    records = _lines(content)
    header, trailer = _fields(_HEADER, records[0], 1), _fields(_TRAILER, records[-1], len(records))
    if (header["BOF"], header["CDATA"]) != ("BOF", "ACHR01"):
        raise AchError("line 1 is not the header of an ACHR01 file")
    if (trailer["EOF"], trailer["CDATA"]) != ("EOF", "ACHR01"):
        raise AchError(f"line {len(records)} is not the trailer of an ACHR01 file: it may be cut off")
    if header["TDATE"] != trailer["TDATE"]:
        raise AchError(f"line {len(records)}: the trailer is of another day than the header")
    returns = tuple(_return(record, number) for number, record in enumerate(records[1:-1], start=2))
    _check_sums(trailer, returns, len(records))
    answers_for = None if not trailer["YDATE"].strip("0 ") else _date(trailer["YDATE"], "YDATE", len(records))
    return AchReturnFile(_date(header["TDATE"], "TDATE", 1), answers_for, returns)


def _detail(originator: AchOriginator, payment: AchPayment) -> dict[str, str]:
    if not 0 < payment.amount_twd <= AMOUNT_MAX_TWD:
        raise ValueError(f"payment {payment.seq}: an amount of {payment.amount_twd} TWD does not fit an ACH record")
    return {
        "TYPE": "N",
        "TXTYPE": "SC",
        "TXID": originator.txid,
        "SEQ": f"{payment.seq:08d}",
        "PBANK": originator.bank_code,
        "PCLNO": originator.account_no.rjust(16, "0"),
        "RBANK": payment.bank_code,
        "RCLNO": payment.account_no.rjust(16, "0"),
        "AMT": f"{payment.amount_twd:010d}",
        "SCHD": "B",
        "CID": originator.ubn,
        "PID": payment.payee_id,
        "NOTE": payment.note,
        "MEMO": payment.memo,
        "CFEE": "00000",
    }


def _record(layout: _Layout, values: Mapping[str, str]) -> bytes:
    parts = []
    for name, width in layout:
        text = values.get(name, "")
        if len(text) > width or not (text.isascii() and text.isprintable()):
            raise ValueError(f"{name} takes up to {width} printable ASCII characters")
        parts.append(text.ljust(width))
    return "".join(parts).encode("ascii") + b"\r\n"


def _lines(content: bytes) -> list[bytes]:
    records = content.split(b"\n")
    if records[-1] == b"":
        records.pop()
    records = [record.removesuffix(b"\r") for record in records]
    for number, record in enumerate(records, start=1):
        if len(record) != RECORD_BYTES:
            raise AchError(f"line {number} has {len(record)} bytes, not {RECORD_BYTES}")
    if len(records) < 2:
        raise AchError("line 1: a file has at least a header and a trailer")
    return records


def _fields(layout: _Layout, record: bytes, number: int) -> dict[str, str]:
    """Cut a record into its fields. A bank's own areas may hold Big5: what is not ASCII there becomes ``?``."""
    fields, start = {}, 0
    for name, width in layout:
        fields[name] = record[start : start + width].decode("ascii", "replace").replace("�", "?")
        start += width
    if any(name != "FILLER" and "\x00" in text for name, text in fields.items()):
        raise AchError(f"line {number} holds a NUL byte")
    return fields


def _return(record: bytes, number: int) -> AchReturn:
    fields = _fields(_DETAIL, record, number)
    if (fields["TYPE"], fields["TXTYPE"]) != ("R", "SC"):
        raise AchError(f"line {number} is not a returned credit")
    if re.fullmatch(r"[0-9]{2}", fields["RCODE"]) is None:
        raise AchError(f"line {number} has no return code")
    return AchReturn(
        sent_on=_date(fields["PDATE"], "PDATE", number),
        seq=_number(fields["PSEQ"], "PSEQ", number),
        amount_twd=_number(fields["AMT"], "AMT", number),
        return_code=fields["RCODE"],
        note=fields["NOTE"].rstrip(),
    )


def _check_sums(trailer: Mapping[str, str], returns: Sequence[AchReturn], number: int) -> None:
    count, total = _number(trailer["TCOUNT"], "TCOUNT", number), _number(trailer["TAMT"], "TAMT", number)
    if count != len(returns):
        raise AchError(f"line {number} counts {count} details, the file has {len(returns)}")
    if total != sum(item.amount_twd for item in returns):
        raise AchError(f"line {number}: the sum of {total} TWD is not that of the details")


def _number(text: str, name: str, number: int) -> int:
    if re.fullmatch(r"[0-9]+", text) is None:
        raise AchError(f"line {number}: {name} is not a number")
    return int(text)


def _date(text: str, name: str, number: int) -> date:
    try:
        return decode_roc_compact(text)
    except ValueError as problem:
        raise AchError(f"line {number}: {name} is not a date") from problem
