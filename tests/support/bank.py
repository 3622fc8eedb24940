"""A bank that reads the payout files we send and answers as the clearing house does.

It cuts records by the positions of the published layout and shares no code with ours, so a field that we write in the wrong
place is a field that this bank does not find. It keeps the traps of real banks: only failures are listed, bank fields come
back swapped, and the business day is its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

ACH_RECORD_BYTES = 250


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
