"""What happens to a visit: past tense, frozen, already decoded and authenticated. The wire is not known here."""

from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from kiosk.domain.keys import Key
from protocol.messages import CheckAccepted, RedeemAccepted, Refused
from protocol.reasons import Reason
from protocol.voucher import VoucherCode


@dataclass(frozen=True, slots=True)
class CodeScanned:
    """A code came into sight: a voucher, or the reason why it is none."""

    code: VoucherCode | Reason


@dataclass(frozen=True, slots=True, repr=False)
class KeyPressed:
    """A key went down. Its ``repr`` is silent: it may be a digit of an ID."""

    key: Key

    def __repr__(self) -> str:
        return "KeyPressed(…)"


@dataclass(frozen=True, slots=True)
class LanguageChosen:
    """The customer wants to read another language."""

    language: str


@dataclass(frozen=True, slots=True)
class KnownRequest:
    """The voucher just looked up stands in this kiosk's outbox, and the customer does not know the outcome yet."""

    visit: int
    voucher_no: str
    request_id: UUID
    accepted: RedeemAccepted | None
    """None while there is no answer."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The cloud answered a check, in time or late."""

    visit: int
    ask: int
    voucher_no: str
    answer: CheckAccepted | Refused


@dataclass(frozen=True, slots=True)
class RequestSaved:
    """The redeem request is on the disk."""

    ask: int
    request_id: UUID


@dataclass(frozen=True, slots=True)
class SaveFailed:
    """The redeem request could not be saved. It was not sent either."""

    ask: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The authentic final answer to a redeem request is on the disk."""

    request_id: UUID
    answer: RedeemAccepted | Refused


@dataclass(frozen=True, slots=True)
class FitnessChanged:
    """Requests can be saved, or cannot."""

    fit: bool


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """The way to the cloud opened or closed."""

    online: bool


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time passed."""


Event: TypeAlias = (
    CodeScanned
    | KeyPressed
    | LanguageChosen
    | KnownRequest
    | Checked
    | RequestSaved
    | SaveFailed
    | Answered
    | FitnessChanged
    | LinkChanged
    | Ticked
)
