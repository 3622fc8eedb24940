"""How sessions are shared out: the rule alone, and many workers that apply it at any time and in any order."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.domain.shares import Standing, fair_share, to_give_back, to_take


@pytest.mark.parametrize(
    ("sessions", "workers", "share"),
    [(1, 1, 1), (1, 3, 1), (4, 1, 4), (4, 2, 2), (4, 3, 2), (16, 5, 4), (16, 16, 1), (8, 0, 8)],
)
def test_the_fair_share(sessions: int, workers: int, share: int) -> None:
    assert fair_share(sessions, workers) == share


def test_what_is_free_is_taken_up_to_the_share() -> None:
    standing = Standing(workers=2, mine=frozenset({1}), others=frozenset({0, 5}))
    assert to_take(standing, 8) == [2, 3, 4]
    assert to_give_back(standing, 8) == []


def test_what_is_above_the_share_is_given_back_and_nothing_taken() -> None:
    standing = Standing(workers=3, mine=frozenset(range(5)))
    assert to_give_back(standing, 8) == [4, 3]
    assert to_take(standing, 8) == []


def test_one_session_and_two_workers_leave_one_standing_by() -> None:
    holder, idle = Standing(2, frozenset({0})), Standing(2, frozenset(), frozenset({0}))
    assert (to_give_back(holder, 1), to_take(holder, 1)) == ([], [])
    assert (to_give_back(idle, 1), to_take(idle, 1)) == ([], [])


@given(st.sampled_from([1, 2, 4, 8, 16]), st.integers(1, 20), st.integers(0, 2**32))
def test_many_workers_come_to_rest_with_everything_held_and_nobody_above_the_share(
    sessions: int, workers: int, seed: int
) -> None:
    chance = random.Random(seed)
    held: list[set[int]] = [set() for _ in range(workers)]
    for session in range(sessions):  # wherever they were: one may hold everything, some may be free
        chance.choice([*held, set()]).add(session)
    for _ in range(2):
        for worker in chance.sample(range(workers), workers):
            others = frozenset().union(*(some for number, some in enumerate(held) if number != worker))
            standing = Standing(workers, frozenset(held[worker]), others)
            held[worker] -= set(to_give_back(standing, sessions))
            held[worker] |= set(to_take(standing, sessions))
    assert sorted(session for some in held for session in some) == list(range(sessions))
    assert max(map(len, held)) <= fair_share(sessions, workers)
