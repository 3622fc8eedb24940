"""Whatever contacts do, the decoder keeps its rules."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.keys import Key
from kiosk.domain.matrix import TELEPHONE_LAYOUT, Contact, DoubleStrike, KeyMatrix, MatrixRules, has_ghost

CONTACTS = [(row, column) for row in range(4) for column in range(3)]
closed_sets = st.frozensets(st.sampled_from(CONTACTS), max_size=5)
scans = st.lists(closed_sets, max_size=120)
rules = st.builds(MatrixRules, stable_scans=st.integers(1, 6), double_strike_s=st.sampled_from([0.0, 0.02, 0.5]))
SCAN_S = 0.005


def _feed(matrix: KeyMatrix, all_scans: list[frozenset[Contact]]) -> list[tuple[int, Key]]:
    return [(number, key) for number, closed in enumerate(all_scans) for key in matrix.feed(closed, number * SCAN_S)]


@given(scans, rules)
def test_a_key_comes_only_after_its_contact_was_closed_in_every_one_of_the_last_scans(
    all_scans: list[frozenset[Contact]], rule: MatrixRules
) -> None:
    for number, key in _feed(KeyMatrix(rules=rule), all_scans):
        contact = next(place for place in CONTACTS if TELEPHONE_LAYOUT[place[0]][place[1]] is key)
        window = all_scans[max(0, number + 1 - rule.stable_scans) : number + 1]
        assert len(window) == rule.stable_scans
        assert all(contact in closed for closed in window)


@given(scans, rules)
def test_between_two_presses_of_a_key_its_contact_was_open_for_long_enough(
    all_scans: list[frozenset[Contact]], rule: MatrixRules
) -> None:
    last: dict[Key, int] = {}
    for number, key in _feed(KeyMatrix(rules=rule), all_scans):
        row, column = next(place for place in CONTACTS if TELEPHONE_LAYOUT[place[0]][place[1]] is key)
        if key in last:
            between = ["x" if (row, column) in closed else "o" for closed in all_scans[last[key] : number + 1]]
            assert "o" * rule.stable_scans in "".join(between)
        last[key] = number


@given(scans, rules)
def test_no_key_comes_while_there_is_a_ghost_or_before_all_are_let_go(
    all_scans: list[frozenset[Contact]], rule: MatrixRules
) -> None:
    ghost_seen = False
    matrix = KeyMatrix(rules=rule)
    for number, closed in enumerate(all_scans):
        ghost_seen = ghost_seen or has_ghost(closed)
        keys = matrix.feed(closed, number * SCAN_S)
        assert not (ghost_seen and keys)
        assert matrix.locked <= ghost_seen
        ghost_seen = ghost_seen and matrix.locked


@given(scans, rules)
def test_letting_everything_go_always_leads_back_to_rest(all_scans: list[frozenset[Contact]], rule: MatrixRules) -> None:
    matrix = KeyMatrix(rules=rule)
    _feed(matrix, all_scans + [frozenset()] * rule.stable_scans)
    assert not matrix.down
    assert not matrix.locked
    held = frozenset({(3, 2)})
    assert [matrix.feed(held, 1000.0) for _ in range(rule.stable_scans)] == [[]] * (rule.stable_scans - 1) + [[Key.OK]]


@given(closed_sets)
def test_a_ghost_is_a_rectangle(closed: frozenset[Contact]) -> None:
    corners = (
        {(top, left), (top, right), (bottom, left), (bottom, right)}
        for top in range(4)
        for bottom in range(top)
        for left in range(3)
        for right in range(left)
    )
    assert has_ghost(closed) == any(rectangle <= closed for rectangle in corners)


@given(st.lists(st.tuples(st.sampled_from([Key.DIGIT_1, Key.OK]), st.floats(0, 1)), max_size=40), st.floats(0, 1))
def test_of_one_key_in_a_row_two_strikes_are_never_too_near(strikes: list[tuple[Key, float]], within_s: float) -> None:
    guard = DoubleStrike(within_s)
    now, passed = 0.0, list[tuple[Key, float]]()
    for key, pause in strikes:
        now += pause
        if not guard.is_one(key, now):
            passed.append((key, now))
        else:
            assert passed[-1][0] is key
    for (one, at), (other, later) in itertools.pairwise(passed):
        assert one is not other or later - at >= within_s
