from hypothesis import given
from hypothesis import strategies as st

from cloud.domain.flow import SENDERS_MAX, FlowLimit


def test_a_burst_and_then_the_steady_rate() -> None:
    flow = FlowLimit(per_s=2.0, burst=3)
    assert [flow.admit("a", at_s=0.0) for _ in range(5)] == [True, True, True, False, False]
    assert [flow.admit("a", at_s=0.5) for _ in range(2)] == [True, False]
    assert [flow.admit("a", at_s=100.0) for _ in range(4)] == [True, True, True, False]


def test_senders_do_not_share() -> None:
    flow = FlowLimit(per_s=1.0, burst=1)
    assert flow.admit("a", at_s=0.0)
    assert flow.admit("b", at_s=0.0)
    assert not flow.admit("a", at_s=0.0)


def test_a_clock_that_runs_backwards_fills_nothing() -> None:
    flow = FlowLimit(per_s=1.0, burst=1)
    assert flow.admit("a", at_s=1000.0)
    assert not flow.admit("a", at_s=0.0)
    assert not flow.admit("a", at_s=0.5)


@given(st.lists(st.floats(min_value=0, max_value=3), max_size=60))
def test_never_more_than_burst_plus_rate(gaps_s: list[float]) -> None:
    flow, at_s, admitted = FlowLimit(per_s=2.0, burst=5), 0.0, 0
    for gap_s in gaps_s:
        at_s += gap_s
        admitted += flow.admit("a", at_s=at_s)
    assert admitted <= 5 + 2.0 * at_s + 1e-6


def test_the_memory_is_bounded() -> None:
    flow = FlowLimit(per_s=1.0, burst=2)
    for number in range(3 * SENDERS_MAX):
        flow.admit(str(number), at_s=0.0)
    assert len(flow._levels) <= SENDERS_MAX
    for number in range(SENDERS_MAX + 5):
        flow.admit(f"later {number}", at_s=10.0 + number)
    assert len(flow._levels) <= SENDERS_MAX
