"""The closed list of refusals: its order, and what the order protects."""

import itertools

from protocol.reasons import Reason, first_of

SENDER = {
    Reason.MALFORMED,
    Reason.DEVICE_NOT_ACTIVE,
    Reason.MERCHANT_NOT_ACTIVE,
    Reason.REQUEST_CONFLICT,
    Reason.SEQUENCE_CONFLICT,
    Reason.BUSY,
}
BEFORE_DIGITS = SENDER | {Reason.NOT_A_VOUCHER, Reason.FORGED}


def test_rank_is_the_order_of_the_list() -> None:
    assert [reason.rank for reason in Reason] == list(range(len(Reason)))


def test_the_first_reason_wins_whatever_the_order_of_finding() -> None:
    for one, other in itertools.permutations(Reason, 2):
        assert first_of([one, other]) is min(one, other, key=lambda reason: list(Reason).index(reason))
    assert first_of([]) is None
    assert first_of(iter(reversed(Reason))) is Reason.MALFORMED


def test_what_concerns_the_sender_stands_first() -> None:
    assert set(list(Reason)[: len(SENDER)]) == SENDER


def test_nothing_about_a_voucher_is_said_before_the_digits_match() -> None:
    """A reason that stands before NO_MATCH must not tell whether a voucher exists, is in date or is used."""
    assert {reason for reason in Reason if reason.rank < Reason.NO_MATCH.rank} == BEFORE_DIGITS


def test_wire_values_never_change() -> None:
    """Kiosks in the field know these words; a member may be added, none renamed or removed."""
    assert {reason.value for reason in Reason} >= {
        "malformed",
        "device_not_active",
        "merchant_not_active",
        "request_conflict",
        "sequence_conflict",
        "busy",
        "not_a_voucher",
        "forged",
        "no_match",
        "tries_exhausted",
        "mixed_programmes",
        "programme_not_accepted",
        "not_started",
        "expired",
        "already_redeemed",
        "held_elsewhere",
        "too_many_vouchers",
        "item_not_allowed",
        "total_not_allowed",
    }
    assert all(reason.value == reason.name.lower() for reason in Reason)
