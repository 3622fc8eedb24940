"""One payout file, before it is written in a bank's format, and what a bank answered to it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal
from uuid import UUID, uuid5

from cloud.domain.ach import AchOriginator, AchPayment, encode_p01
from cloud.domain.calendar import TAIPEI, day_of
from cloud.domain.pain001 import Agreement, CreditTransfer, encode_pain001

PayoutFormat = Literal["ach_p01", "pain_001"]

PAYOUTS_PER_FILE_MAX = 50_000
"""More claims wait for the next file. A P01 file of this size has 12.6 MB; banks take no larger ones gladly."""

_FILES = UUID("3c4e7a0e-6a1f-5b7e-9a43-0d1b5e6c2f10")
_PASSBOOK_MEMO = "VOUCHER"


@dataclass(frozen=True, slots=True)
class Originator:
    """Who pays the merchants: the programme's account."""

    bank_code: str
    account_no: str
    ubn: str
    txid: str
    """Transaction code given by the clearing house."""
    name: str
    """ASCII: one bank refuses Chinese."""


@dataclass(frozen=True, slots=True)
class Payable:
    """One claim that is to be paid, and where to."""

    claim_id: UUID
    merchant_id: str
    attempt: int
    """1, or one more than the attempt that the bank returned."""
    amount_twd: int
    bank_code: str
    account_no: str
    account_name: str
    payee_id: str
    is_unmended: bool = field(default=False, compare=False)
    """The bank returned the last attempt for a fault of the account, and the account is still the same."""


@dataclass(frozen=True, slots=True)
class Payout:
    """One line of a payout file."""

    payout_id: UUID
    line_no: int
    """Number within the day: no two files of one day share one, so that a return names one payout (PDATE and PSEQ)."""
    payable: Payable


@dataclass(frozen=True, slots=True)
class PayoutFile:
    """A payout file as it is stored. The bytes are kept: what was sent can be shown for ever."""

    file_id: UUID
    file_no: int
    format: PayoutFormat
    made_at: datetime
    value_date: date
    payouts: tuple[Payout, ...]
    content: bytes

    @property
    def total_twd(self) -> int:
        """Sum of its lines."""
        return sum(payout.payable.amount_twd for payout in self.payouts)


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A payout file as the database gives it back."""

    file_no: int
    content: bytes
    sha256: bytes
    """Of the content, taken when the file was made."""
    line_count: int
    total_twd: int


def file_id_of(file_no: int) -> UUID:
    """Id of a file, from its number: the same number never makes two files."""
    return uuid5(_FILES, str(file_no))


def payout_id_of(claim_id: UUID, attempt: int) -> UUID:
    """Id of an attempt to pay a claim: the same attempt never makes two payouts."""
    return uuid5(claim_id, str(attempt))


def encode_payouts(
    format: PayoutFormat,
    payouts: Sequence[Payout],
    originator: Originator,
    *,
    file_id: UUID,
    made_at: datetime,
    value_date: date,
) -> bytes:
    """Write the payouts in a bank's format.

    Raises:
        ValueError: a field does not fit the format.
    """
    if format == "ach_p01":
        return _ach(payouts, originator, made_at)
    agreement = Agreement(originator.name, originator.ubn, originator.bank_code, originator.account_no)
    transfers = [_transfer(payout) for payout in payouts]
    return encode_pain001(agreement, transfers, message_id=file_id.hex, made_at=made_at, value_date=value_date)


def _ach(payouts: Sequence[Payout], originator: Originator, made_at: datetime) -> bytes:
    payments = [
        AchPayment(
            seq=payout.line_no,
            bank_code=payout.payable.bank_code,
            account_no=payout.payable.account_no,
            amount_twd=payout.payable.amount_twd,
            payee_id=payout.payable.payee_id,
            note=payout.payout_id.hex,
            memo=_PASSBOOK_MEMO,
        )
        for payout in payouts
    ]
    sender = AchOriginator(originator.bank_code, originator.account_no, originator.ubn, originator.txid)
    return encode_p01(sender, payments, sent_on=day_of(made_at), sent_at=made_at.astimezone(TAIPEI).time())


def _transfer(payout: Payout) -> CreditTransfer:
    to = payout.payable
    return CreditTransfer(
        end_to_end_id=payout.payout_id.hex,
        amount_twd=to.amount_twd,
        bank_code=to.bank_code,
        account_no=to.account_no,
        name=to.account_name,
        payee_id=to.payee_id,
    )
