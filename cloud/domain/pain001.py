"""ISO 20022 ``pain.001.001.03``: one credit transfer initiation, as XML.

Taiwan has no IBAN: accounts are ``Othr/Id``, agents are named by their seven-digit code in clearing system ``TWNCC``
(DOMAIN 10.5). Currency is TWD, in whole dollars. Names may be Chinese; ids are ours and ASCII.

One message holds one payment information block: one debtor, one value date.
"""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.03"
_NAME_LENGTH_MAX = 140
_REMITTANCE = "Voucher programme payout"
_BUSINESS_ID_LENGTH = 8
"""A business number has eight digits, a person's ID ten characters: that tells organisation from person."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Who pays, from which account."""

    name: str
    ubn: str
    bank_code: str
    account_no: str


@dataclass(frozen=True, slots=True)
class CreditTransfer:
    """One payment."""

    end_to_end_id: str
    """Up to 35 characters of our own, echoed by every bank on the way."""
    amount_twd: int
    bank_code: str
    account_no: str
    name: str
    payee_id: str


def encode_pain001(
    debtor: Agreement, transfers: Sequence[CreditTransfer], *, message_id: str, made_at: datetime, value_date: date
) -> bytes:
    """Write the message.

    Args:
        message_id: up to 35 characters, never used twice.
        made_at: aware; written in UTC, to the second.

    Raises:
        ValueError: there is nothing to pay, an amount is not positive, or a name cannot be printed.
    """
    if not transfers or any(transfer.amount_twd <= 0 for transfer in transfers):
        raise ValueError("a credit transfer needs payments with positive amounts")
    document = ET.Element("Document", {"xmlns": NAMESPACE})
    initiation = _add(document, "CstmrCdtTrfInitn")
    _add_header(_add(initiation, "GrpHdr"), debtor, transfers, message_id=message_id, made_at=made_at)
    payment = _add(initiation, "PmtInf")
    _add_payment(payment, debtor, transfers, message_id=message_id, value_date=value_date)
    for transfer in transfers:
        _add_transfer(_add(payment, "CdtTrfTxInf"), transfer)
    ET.indent(document)
    body: bytes = ET.tostring(document, encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body + b"\n"


def _add_header(
    header: ET.Element, debtor: Agreement, transfers: Sequence[CreditTransfer], *, message_id: str, made_at: datetime
) -> None:
    _add(header, "MsgId", message_id)
    _add(header, "CreDtTm", f"{made_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z")
    _add(header, "NbOfTxs", str(len(transfers)))
    _add(header, "CtrlSum", str(sum(transfer.amount_twd for transfer in transfers)))
    _add_party(_add(header, "InitgPty"), debtor.name, debtor.ubn)


def _add_payment(
    payment: ET.Element, debtor: Agreement, transfers: Sequence[CreditTransfer], *, message_id: str, value_date: date
) -> None:
    _add(payment, "PmtInfId", message_id)
    _add(payment, "PmtMtd", "TRF")
    _add(payment, "NbOfTxs", str(len(transfers)))
    _add(payment, "CtrlSum", str(sum(transfer.amount_twd for transfer in transfers)))
    _add(payment, "ReqdExctnDt", value_date.isoformat())
    _add_party(_add(payment, "Dbtr"), debtor.name, debtor.ubn)
    _add_account(_add(payment, "DbtrAcct"), debtor.account_no)
    _add_agent(_add(payment, "DbtrAgt"), debtor.bank_code)


def _add_transfer(element: ET.Element, transfer: CreditTransfer) -> None:
    _add(_add(element, "PmtId"), "EndToEndId", transfer.end_to_end_id)
    _add(_add(element, "Amt"), "InstdAmt", str(transfer.amount_twd)).set("Ccy", "TWD")
    _add_agent(_add(element, "CdtrAgt"), transfer.bank_code)
    _add_party(_add(element, "Cdtr"), transfer.name, transfer.payee_id)
    _add_account(_add(element, "CdtrAcct"), transfer.account_no)
    _add(_add(element, "RmtInf"), "Ustrd", _REMITTANCE)


def _add_party(party: ET.Element, name: str, identifier: str) -> None:
    _add(party, "Nm", name[:_NAME_LENGTH_MAX])
    kind = "OrgId" if len(identifier) == _BUSINESS_ID_LENGTH else "PrvtId"
    other = _add(_add(_add(party, "Id"), kind), "Othr")
    _add(other, "Id", identifier)
    _add(_add(other, "SchmeNm"), "Cd", "TXID" if kind == "OrgId" else "NIDN")


def _add_account(account: ET.Element, account_no: str) -> None:
    _add(_add(_add(account, "Id"), "Othr"), "Id", account_no)
    _add(account, "Ccy", "TWD")


def _add_agent(agent: ET.Element, bank_code: str) -> None:
    member = _add(_add(agent, "FinInstnId"), "ClrSysMmbId")
    _add(_add(member, "ClrSysId"), "Cd", "TWNCC")
    _add(member, "MmbId", bank_code)


def _add(parent: ET.Element, tag: str, text: str | None = None) -> ET.Element:
    if text is not None and not text.isprintable():
        # XML 1.0 has no way to write most control characters, and a name has no business with the others.
        raise ValueError(f"{tag} holds a character that cannot be printed")
    element = ET.SubElement(parent, tag)
    element.text = text
    return element
