"""Why a request is refused: one closed list, in order of precedence.

If two reasons apply, the one that stands first here is given; a test of :func:`first_of` holds every judge to it. Two rules
shape the order. What concerns the sender comes before what concerns the voucher. And nothing about a voucher (used, expired,
held) is said to somebody who did not give the right digits, so ``NO_MATCH`` stands before all of it and covers an unknown
number and wrong digits with one word (ADR 0006).

The wire value is the member's value. Members are never renamed or removed; a new one may be put anywhere in the order.
Sentences for people are in :mod:`protocol.words`, the table for readers in ``docs/protocol.md``.
"""

from collections.abc import Iterable
from enum import StrEnum, unique


@unique
class Reason(StrEnum):
    """One reason for refusing, in order of precedence."""

    MALFORMED = "malformed"
    """The request is not a message of this protocol."""
    DEVICE_NOT_ACTIVE = "device_not_active"
    """The kiosk is unknown, suspended or revoked."""
    MERCHANT_NOT_ACTIVE = "merchant_not_active"
    """The merchant is not approved, or its approval was withdrawn."""
    REQUEST_CONFLICT = "request_conflict"
    """The same request id came before with another body."""
    SEQUENCE_CONFLICT = "sequence_conflict"
    """The same sequence number came before in another request: two machines share one identity."""
    BUSY = "busy"
    """Too many requests from this sender; the same request may be sent again later. Never stored as a final answer."""
    NOT_A_VOUCHER = "not_a_voucher"
    """The scanned code is something else."""
    FORGED = "forged"
    """The code claims to be signed and is not signed by a key that this programme trusts."""
    NO_MATCH = "no_match"
    """No voucher has this number, or the digits are not its holder's."""
    TRIES_EXHAUSTED = "tries_exhausted"
    """Wrong digits were given five times; only the programme office can help."""
    MIXED_PROGRAMMES = "mixed_programmes"
    """The vouchers of one order belong to different programmes."""
    PROGRAMME_NOT_ACCEPTED = "programme_not_accepted"
    """This merchant's category is not part of the voucher's programme."""
    NOT_STARTED = "not_started"
    """The programme has not begun."""
    EXPIRED = "expired"
    """The voucher's last day has passed."""
    ALREADY_REDEEMED = "already_redeemed"
    """The voucher was used. The answer says when and where."""
    HELD_ELSEWHERE = "held_elsewhere"
    """A visit at another kiosk or phone holds the voucher at this moment."""
    TOO_MANY_VOUCHERS = "too_many_vouchers"
    """The order holds more vouchers than the programme allows."""
    ITEM_NOT_ALLOWED = "item_not_allowed"
    """The item category is not one of this programme's."""
    TOTAL_NOT_ALLOWED = "total_not_allowed"
    """The order total is zero, negative or above the limit."""

    @property
    def rank(self) -> int:
        """Position in the order of precedence; lower wins."""
        return _RANK[self]


_RANK = {reason: rank for rank, reason in enumerate(Reason)}


def first_of(reasons: Iterable[Reason]) -> Reason | None:
    """Return the reason that takes precedence, or None if there is none."""
    return min(reasons, key=lambda reason: reason.rank, default=None)
