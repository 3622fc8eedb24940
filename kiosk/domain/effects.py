"""What a visit wants done: imperative, frozen, without ids or randomness. The app carries them out in order, at once."""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TypeAlias
from uuid import UUID

from kiosk.domain.scenes import Held, IdDigits, Order


@unique
class Tune(StrEnum):
    """What the customer hears."""

    ACCEPT = "accept"
    """Two rising notes."""
    REFUSE = "refuse"
    """One low note."""
    AGAIN = "again"
    """Two equal notes: please look."""
    CLICK = "click"
    """The same for every key."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Play it."""

    tune: Tune


@dataclass(frozen=True, slots=True)
class LookUp:
    """See whether the outbox knows the voucher; if so, answer with ``KnownRequest`` before anything else happens."""

    visit: int
    voucher_no: str


@dataclass(frozen=True, slots=True)
class SendCheck:
    """Ask the cloud to verify and hold one voucher; its answer comes back as ``Checked`` with the same numbers."""

    visit: int
    ask: int
    voucher_no: str
    digits: IdDigits


@dataclass(frozen=True, slots=True)
class SendRelease:
    """Let go of what the visit holds. Best effort: a hold ends by itself."""

    visit: int
    voucher_nos: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SaveRequest:
    """Save the redeem request, then publish it; answer with ``RequestSaved`` or ``SaveFailed`` before anything else happens."""

    visit: int
    ask: int
    held: tuple[Held, ...]
    order: Order


@dataclass(frozen=True, slots=True)
class NoteShown:
    """The customer has seen that this request succeeded; the next scan of its vouchers is a new question."""

    request_id: UUID


Effect: TypeAlias = Sound | LookUp | SendCheck | SendRelease | SaveRequest | NoteShown
