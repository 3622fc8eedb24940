"""Some seeds of the simulation, and its own examination: every planted bug must be found."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from tests.simulation.__main__ import main, summarise
from tests.simulation.mutants import MUTANTS, SEEDS_MAX, Plant
from tests.simulation.play import Outcome, play_seed
from tests.simulation.weather import KIOSK_PLACES, WORKER_PLACES, draw_scenario

SEEDS = range(1, 61)
FAULTS = {
    "broker crash",
    "conflict",
    "damaged answer",
    "damaged request",
    "database failure",
    "disk failure",
    "doubled message",
    "forged answer",
    "holds lost",
    "interleaved round",
    "kiosk power cut",
    "lost message",
    "partition",
    "replay",
    "worker crash",
}


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return [play_seed(seed) for seed in SEEDS]


def test_no_seed_breaks_a_rule(outcomes: list[Outcome]) -> None:
    assert {outcome.seed: outcome.violations for outcome in outcomes if outcome.violations} == {}


def test_seeds_meet_every_fault_and_every_store(outcomes: list[Outcome]) -> None:
    assert {fault for outcome in outcomes for fault in outcome.struck} == FAULTS
    scenarios = [draw_scenario(seed) for seed in SEEDS]
    assert {scenario.database for scenario in scenarios} == {"memory", "sqlite"}
    assert {scenario.outbox for scenario in scenarios} == {"memory", "sqlite"}


def test_machines_die_at_every_place(outcomes: list[Outcome]) -> None:
    assert {place for outcome in outcomes for place in outcome.deaths} == {*KIOSK_PLACES, *WORKER_PLACES}


def test_much_happens(outcomes: list[Outcome]) -> None:
    summary = summarise(outcomes, seconds=1.0)
    assert sum(outcome.redemptions for outcome in outcomes) > 5 * len(SEEDS)
    reasons = {reason for outcome in outcomes for reason in outcome.refused}
    assert {"no_match", "tries_exhausted", "already_redeemed", "held_elsewhere", "expired", "too_many_vouchers"} <= reasons
    assert summary["failures"] == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_same_seed_leaves_the_same_trace(seed: int, outcomes: list[Outcome]) -> None:
    lines: list[str] = []
    again = play_seed(seed, tell=lines.append)
    assert again == outcomes[seed - 1]
    assert len(lines) > 50


def test_trace_does_not_depend_on_the_order_of_sets(outcomes: list[Outcome]) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--seeds", "6", "--jobs", "1"],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        check=True,
    )
    summary = json.loads(found.stdout.splitlines()[-1])
    assert summary["trace_hash"] == summarise(outcomes[:6], seconds=1.0)["trace_hash"]


def test_failing_seed_says_how_to_repeat_it(mocker: MockerFixture, capsys: pytest.CaptureFixture[str]) -> None:
    mocker.patch("kiosk.domain.screen._DOT", "7")
    pool = mocker.patch("tests.simulation.__main__.ProcessPoolExecutor").return_value.__enter__.return_value
    pool.map = lambda act, seeds, **_: map(act, seeds)
    assert main(["--seeds", "1", "--seed", "2"]) == 1
    said = capsys.readouterr()
    assert "-m tests.simulation --seed 2" in said.err
    assert json.loads(said.out.splitlines()[-1])["failed_seeds"] == [2]


@pytest.mark.parametrize("plant", MUTANTS, ids=lambda plant: plant.__name__)
def test_planted_bug_is_found(plant: Plant, mocker: MockerFixture) -> None:
    plant(mocker)
    can_meet = MUTANTS[plant]
    found = next((seed for seed in range(1, SEEDS_MAX + 1) if can_meet(seed) and play_seed(seed).violations), None)
    assert found is not None, f"{SEEDS_MAX} seeds did not notice"
