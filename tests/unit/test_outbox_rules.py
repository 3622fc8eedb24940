"""When a request is published again, and what breaks the chain."""

import pytest

from kiosk.domain.outbox import BackOff, Final, Pending, find_break, is_due, published, reconnected
from protocol.chain import GENESIS, link_of
from tests.support.kiosk import make_redeem

BACK_OFF = BackOff(first_s=2, factor=2, longest_s=20)


def test_request_is_due_at_once_and_then_after_growing_pauses() -> None:
    delivery: Pending | Final = Pending(100.0)
    pauses = []
    for _ in range(7):
        assert isinstance(delivery, Pending)
        now = delivery.due_at
        assert is_due(delivery, now)
        assert not is_due(delivery, now - 0.001)
        delivery = published(delivery, now, BACK_OFF)
        assert isinstance(delivery, Pending)
        pauses.append(delivery.due_at - now)
    assert pauses == [2, 4, 8, 16, 20, 20, 20]


def test_request_that_waited_for_weeks_does_not_overflow() -> None:
    assert BACK_OFF.pause_s(1_000_000) == 20


def test_reconnect_makes_it_due_at_once_with_short_pauses_again() -> None:
    waiting = Pending(500.0, attempts=9)
    assert reconnected(waiting, 100.0) == Pending(100.0)


def test_final_stays_final() -> None:
    assert published(Final(), 1, BACK_OFF) == Final()
    assert reconnected(Final(), 1) == Final()
    assert not is_due(Final(), float("inf"))


def test_longest_pause_leaves_room_for_a_minute() -> None:
    assert BackOff().longest_s <= 30


def chain(length: int) -> list[tuple[int, bytes]]:
    rows: list[tuple[int, bytes]] = []
    previous = GENESIS
    for number in range(1, length + 1):
        body = make_redeem(number)(number, previous).body
        rows.append((number, body))
        previous = link_of(body)
    return rows


def test_whole_chain_holds() -> None:
    assert find_break([]) is None
    assert find_break(chain(5)) is None


@pytest.mark.parametrize("gone", range(4))
def test_missing_row_is_found(gone: int) -> None:
    rows = chain(5)
    del rows[gone]
    assert find_break(rows) == f"request {gone + 1} is missing"


@pytest.mark.parametrize("changed", range(4))
def test_changed_row_is_found_by_the_next_one(changed: int) -> None:
    rows = chain(5)
    number, body = rows[changed]
    rows[changed] = number, body.replace(b"item-1", b"item-2")
    assert find_break(rows) == f"request {changed + 2} does not follow from the one before it"


def test_swapped_and_unreadable_rows_are_found() -> None:
    rows = chain(3)
    assert find_break([rows[1], rows[0], rows[2]]) is not None
    assert find_break([rows[0], (2, b"{}")]) == "request 2 cannot be read"
    assert find_break([(1, rows[1][1])]) is not None
