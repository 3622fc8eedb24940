"""ISO 20022 ``pain.002.001.03``: a bank's report on the payments of one ``pain.001`` message.

A report names the message (``OrgnlMsgId``) and, one by one, payments of it (``OrgnlEndToEndId``), each with a status. Unlike an
``ACHR01`` file it is no complete list: there may be many reports on one message, each saying what the bank knows by then.

========================  ==============================================================================================
``ACSC``, ``ACCC``        settled, on our account or on the payee's: paid
``RJCT``                  refused: it came back, for the reason that stands beside it
everything else           accepted so far, in process, pending …: no outcome yet
========================  ==============================================================================================

``RJCT`` for being a duplicate is no outcome either: it speaks of the second copy, and the first one may have been paid.

A file from outside is read with suspicion: there is no document type and therefore no entity, the encoding is UTF-8, and size
and depth are limited.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from xml.parsers import expat

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.002.001.03"
REPORT_BYTES_MAX = 128 * 1024 * 1024
"""A report on the largest file that we send, 50,000 payments, with everything that a bank may echo, has about 100 MB."""
_DEPTH_MAX = 32

PAID = frozenset({"ACSC", "ACCC"})
REFUSED = "RJCT"
DUPLICATES = frozenset({"AM05", "DU01", "DU02", "DU03", "DU04", "DU05", "DUPL"})
REASON_IN_WORDS = "NARR"
"""The standard's code for a reason that is only told in words. The words are in the bank's file, which is kept."""
REASON_NOT_GIVEN = "MS03"
"""The standard's code for a refusal without a reason."""

_REPORT = "Document/CstmrPmtStsRpt"
_GROUP = f"{_REPORT}/OrgnlGrpInfAndSts"
_PAYMENT = f"{_REPORT}/OrgnlPmtInfAndSts"
_TRANSACTION = f"{_PAYMENT}/TxInfAndSts"
_BLOCKS = (_TRANSACTION, _PAYMENT, _GROUP)
_REASON = ("StsRsnInf/Rsn/Cd", "StsRsnInf/Rsn/Prtry", "StsRsnInf/AddtlInf")
_ONCE: Mapping[str, tuple[str, ...]] = {
    _GROUP: ("OrgnlMsgId", "OrgnlMsgNmId", "GrpSts"),
    _PAYMENT: ("OrgnlPmtInfId", "PmtInfSts"),
    _TRANSACTION: ("OrgnlEndToEndId", "TxSts", "OrgnlTxRef/Amt/InstdAmt"),
}
_WANTED = {f"{block}/{field}": (block, field) for block in _BLOCKS for field in (*_ONCE[block], *_REASON)}


class Pain002Error(ValueError):
    """The bytes are no such report. The text names the line, counted from 1, where there is one; it never quotes a payee."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far something is, as the bank says."""

    status: str
    reason: str | None = None
    """Up to four characters; None unless it is refused."""

    @property
    def outcome(self) -> Literal["paid", "returned"] | None:
        """What became of it; None while that is open."""
        if self.status in PAID:
            return "paid"
        return "returned" if self.status == REFUSED and self.reason not in DUPLICATES else None


@dataclass(frozen=True, slots=True)
class StatusLine:
    """One payment that the report names."""

    end_to_end_id: str
    standing: Standing | None
    """None where the bank names it without a status."""
    amount_twd: int | None
    """None where the bank does not echo it."""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What a bank says of one message at one time."""

    message_id: str
    payment_ids: tuple[str, ...]
    """Names of the payment blocks that it speaks of."""
    whole: tuple[Standing, ...]
    """Standing of the message and of its payment blocks, where given."""
    lines: tuple[StatusLine, ...]


def is_xml(content: bytes) -> bool:
    """Whether the bytes begin as XML does, which no ACH file can."""
    return content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")


def decode_pain002(content: bytes) -> StatusReport:
    """Read a report.

    Raises:
        Pain002Error: it is not well-formed, has a document type, is too large or too deep, is another message, or lacks or
            repeats what must be there once.
    """
    if len(content) > REPORT_BYTES_MAX:
        raise Pain002Error(f"a report of {len(content)} bytes is too large")
    reader = _Reader()
    reader.read(content)
    if len(reader.groups) != 1:
        raise Pain002Error("the file is no pain.002.001.03 report on one message")
    (group,) = reader.groups
    if not group.get("OrgnlMsgNmId", "").lower().startswith("pain.001"):
        raise Pain002Error("the report does not speak of a pain.001 message")
    standings = [_standing(group, "GrpSts"), *(_standing(payment, "PmtInfSts") for payment in reader.payments)]
    return StatusReport(
        message_id=_present(group, "OrgnlMsgId"),
        payment_ids=tuple(_present(payment, "OrgnlPmtInfId") for payment in reader.payments),
        whole=tuple(standing for standing in standings if standing is not None),
        lines=tuple(reader.lines),
    )


class _Reader:
    """Cuts the file into its blocks while it is parsed; keeps only what is wanted of each."""

    def __init__(self) -> None:
        self.groups: list[dict[str, str]] = []
        self.payments: list[dict[str, str]] = []
        self.lines: list[StatusLine] = []
        self._path: list[str] = []
        self._texts: list[list[str]] = []
        self._open: dict[str, dict[str, str]] = {}
        # Whatever the file declares: ISO 20022 is UTF-8, and a Python codec chosen by a stranger is one too many.
        self._parser = expat.ParserCreate("utf-8", " ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype

    def read(self, content: bytes) -> None:
        try:
            self._parser.Parse(content, True)
        except expat.ExpatError as problem:
            raise Pain002Error(f"line {problem.lineno} is not well-formed XML: the file may be cut off") from problem
        except Pain002Error as problem:
            raise Pain002Error(f"line {self._parser.CurrentLineNumber}: {problem}") from problem

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.removeprefix(f"{NAMESPACE} ")
        if not self._path and (name == tag or name != "Document"):
            raise Pain002Error("the file is no pain.002.001.03 message")
        if len(self._path) >= _DEPTH_MAX:
            raise Pain002Error("too many elements stand in each other")
        # An element of another namespace must not pass for one of ours: its name keeps a space.
        self._path.append(name)
        self._texts.append([])
        path = "/".join(self._path)
        if path in _BLOCKS:
            self._open[path] = {}
        elif path == f"{_TRANSACTION}/OrgnlTxRef/Amt/InstdAmt" and attributes.get("Ccy") != "TWD":
            raise Pain002Error("an amount is not in TWD")

    def _text(self, text: str) -> None:
        self._texts[-1].append(text)

    def _end(self, _: str) -> None:
        path, text = "/".join(self._path), "".join(self._texts.pop()).strip()
        self._path.pop()
        if path in _WANTED:
            block, field = _WANTED[path]
            if field in self._open[block] and field in _ONCE[block]:
                raise Pain002Error(f"{field} stands twice")
            self._open[block].setdefault(field, text)
        elif path in _BLOCKS:
            self._close(path, self._open.pop(path))

    def _close(self, path: str, fields: dict[str, str]) -> None:
        if path == _GROUP:
            self.groups.append(fields)
        elif path == _PAYMENT:
            self.payments.append(fields)
        else:
            self.lines.append(_line(fields))

    def _refuse_doctype(self, *_: object) -> None:
        raise Pain002Error("a document type is not taken")


def _line(fields: Mapping[str, str]) -> StatusLine:
    amount = fields.get("OrgnlTxRef/Amt/InstdAmt")
    return StatusLine(
        end_to_end_id=_present(fields, "OrgnlEndToEndId"),
        standing=_standing(fields, "TxSts"),
        amount_twd=None if amount is None else _whole_twd(amount),
    )


def _standing(fields: Mapping[str, str], name: str) -> Standing | None:
    status = fields.get(name)
    if status is None:
        return None
    if re.fullmatch(r"[A-Z]{4}", status) is None:
        raise Pain002Error(f"{name} is no status")
    return Standing(status, _reason(fields) if status == REFUSED else None)


def _reason(fields: Mapping[str, str]) -> str:
    """The bank's code if it has the size of one. Longer ones and words are not cut: half a reason may be another reason."""
    code, own, words = (fields.get(name, "") for name in _REASON)
    found = code or own
    if re.fullmatch(r"[A-Z0-9]{1,4}", found):
        return found
    return REASON_IN_WORDS if found or words else REASON_NOT_GIVEN


def _present(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name, "")
    if not value:
        raise Pain002Error(f"{name} is missing")
    return value


def _whole_twd(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,18})(?:\.0*)?", text)
    if found is None:
        raise Pain002Error("an amount is not in whole dollars")
    return int(found[1])
