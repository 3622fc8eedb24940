"""The service around the judge: reruns, halves, and one request that nobody can write."""

import logging
from collections.abc import Callable

import pytest

from cloud.domain.records import Decisions, StoredAnswer
from cloud.ports.ingest import ConflictError
from cloud.services.answer import ATTEMPTS_MAX, answer_batch
from protocol.errors import PortError
from protocol.messages import Refused, decode_answer
from protocol.reasons import Reason
from tests.fakes.cloud_ingest import MemoryIngestStore
from tests.support.asks import Asks
from tests.support.ingest_stores import Bench, memory_bench
from tests.support.worlds import NOW, make_world


@pytest.fixture
def bench() -> Bench:
    return memory_bench(make_world())


@pytest.fixture
def asks(bench: Bench) -> Asks:
    return Asks(bench.world, bench.world.shops[0])


def at_step(bench: Bench, step: str, act: Callable[[int], None]) -> list[str]:
    """Call ``act`` with the number of the passing whenever a transaction comes to ``step``; return the steps as they come."""
    assert isinstance(bench.store, MemoryIngestStore)
    steps: list[str] = []

    def pass_by(name: str) -> None:
        steps.append(name)
        if name == step:
            act(steps.count(step))

    bench.store.at_step = pass_by
    return steps


def reason_of(answer: StoredAnswer) -> Reason | None:
    body = decode_answer(answer.answer)
    return body.reason if isinstance(body, Refused) else None


def test_no_requests_no_transaction(bench: Bench) -> None:
    steps = at_step(bench, "begun", lambda _: None)
    assert answer_batch(bench.store, [], now=NOW) == []
    assert steps == []


def test_repeats_alone_write_nothing_and_leave_after_a_commit(bench: Bench, asks: Asks) -> None:
    order = asks.redeem(bench.world.numbers()[0])
    first = answer_batch(bench.store, [order], now=NOW)
    steps = at_step(bench, "saving", lambda _: None)
    assert answer_batch(bench.store, [order, order], now=NOW) == first * 2
    assert steps == ["begun", "loaded", "saving", "committed"]
    assert bench.facts.answers() == {order.request_id: first[0].answer}


def test_a_conflict_is_judged_again_and_stays_unseen(bench: Bench, asks: Asks) -> None:
    def conflict(passing: int) -> None:
        if passing < ATTEMPTS_MAX:
            raise ConflictError("somebody else came first")

    steps = at_step(bench, "saving", conflict)
    (answer,) = answer_batch(bench.store, [asks.redeem(bench.world.numbers()[0])], now=NOW)
    assert reason_of(answer) is None
    assert steps.count("loaded") == ATTEMPTS_MAX


def test_one_request_that_cannot_be_written_does_not_hold_up_the_others(
    bench: Bench, asks: Asks, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = [asks.redeem(number) for number in bench.world.numbers("stay-2021")]
    poison = batch[5].request_id
    assert isinstance(bench.store, MemoryIngestStore)
    check = bench.store._check_constraints

    def refuse_poison(decisions: Decisions) -> None:
        if any(answer.request_id == poison for answer in decisions.answers):
            raise ConflictError("no such row can be")
        check(decisions)

    monkeypatch.setattr(bench.store, "_check_constraints", refuse_poison)
    with caplog.at_level(logging.ERROR):
        answers = answer_batch(bench.store, batch, now=NOW)
    assert [answer.request_id for answer in answers] == [ask.request_id for ask in batch]
    assert [reason_of(answer) for answer in answers] == [None] * 5 + [Reason.BUSY] + [None] * 2
    assert poison not in bench.facts.answers()
    assert str(poison) in caplog.text
    monkeypatch.undo()
    (again,) = answer_batch(bench.store, [batch[5]], now=NOW)
    assert reason_of(again) is None


@pytest.mark.parametrize("retry", [True, False])
def test_a_broken_world_is_the_callers_to_wait_for(bench: Bench, asks: Asks, retry: bool) -> None:
    def fail(passing: int) -> None:
        raise PortError("away", retry=retry)

    steps = at_step(bench, "begun", fail)
    with pytest.raises(PortError) as caught:
        answer_batch(bench.store, [asks.redeem(bench.world.numbers()[0])], now=NOW)
    assert caught.value.retry is retry
    assert steps == ["begun"]
