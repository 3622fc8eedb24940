"""The benchmarks run, say what they must, and fail where what they measure is wrong. No figure is judged here."""

import json
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from tests.bench import flood, growth, ingest, latency, lists
from tests.bench.__main__ import main
from tests.bench.codec import run_codec
from tests.bench.confirm import run_confirm
from tests.bench.goals import GOALS, Goal
from tests.bench.leg import run_leg
from tests.bench.measuring import Figure, WrongAnswerError, exponent, measure, percentile
from tests.bench.reconcile import run_reconcile
from tests.bench.report import PAGE, fill, goals_of, rows_of, table
from tests.bench.settle import run_settle
from tests.support.kiosk_client import wait_until


def test_codec_stands_beside_the_bare_decode() -> None:
    found = run_codec(orders=20)
    assert found["times_bare_decode"]["bare decode"] == 1.0
    assert found["us_per_order"]["whole edge"] > found["us_per_order"]["bare decode"] > 0


def test_ingest_stands_beside_the_naive_worker_and_the_disk() -> None:
    found = run_leg(share=0.01, postgres=False)
    assert set(found["sqlite"]["orders_per_s"]) == {
        "batches of 1",
        "batches of 10",
        "batches of 100",
        "batches of 400",
        "one order per transaction",
        "set SQL",
    }
    assert found["fdatasync_per_s"] > 0


def test_settlement_stands_beside_the_bare_sum() -> None:
    found = run_settle(redemptions=960, kills=2)
    assert (found["redemptions"], found["merchants"]) == (960, 4)
    assert list(found["settle_seconds_by_size"]) == ["15", "30", "60", "120", "240", "480", "960"]
    assert found["killed and the same"] == 2
    assert found["settle / GROUP BY over confirmations"] > 0


def test_confirmation_stands_beside_the_bare_insert() -> None:
    found = run_confirm(redemptions=200)
    assert set(found["ratio"]) == {"sqlite", "postgresql"}
    assert all(ratio > 0 for ratio in found["ratio"].values())


def test_reconciliation_stands_beside_one_pass() -> None:
    found = run_reconcile(redemptions=200)
    assert found["redemptions"] == 200
    assert found["reconcile / one pass over the tables"] > 0


def test_books_said_to_be_broken_count_no_figure(mocker: MockerFixture) -> None:
    mocker.patch("tests.bench.reconcile.confirm_week")
    mocker.patch("tests.bench.reconcile.complete_books")
    with pytest.raises(WrongAnswerError, match="said to be broken: I1"):
        run_reconcile(redemptions=20)


def test_a_settlement_that_differs_after_a_kill_counts_no_figure(mocker: MockerFixture) -> None:
    mocker.patch("tests.bench.settle.settle")
    mocker.patch("tests.bench.settle.draw_points", return_value=["before 1"])
    with pytest.raises(WrongAnswerError, match="not the same when it is run again: before 1"):
        run_settle(redemptions=64, kills=1)


def test_wrong_sum_counts_no_figure(mocker: MockerFixture) -> None:
    mocker.patch("cloud.adapters.sql.claims.NewClaims._post")
    with pytest.raises(WrongAnswerError, match="not what was redeemed"):
        run_settle(redemptions=240, kills=0)


def test_rounds_begin_with_another_case_each_time() -> None:
    order: list[str] = []

    def case(name: str, seconds: float) -> float:
        order.append(name)
        return seconds

    found = measure({"a": lambda: case("a", 1.0 + len(order)), "b": lambda: case("b", 2.0)})
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert (found["a"].seconds, found["b"].spread) == (4.0, 1.0)
    with pytest.raises(ValueError, match="3 rounds"):
        measure({}, rounds=2)


def test_refused_order_counts_no_figure(mocker: MockerFixture) -> None:
    mocker.patch("cloud.domain.redemption.ORDER_TOTAL_MAX_TWD", 10)
    with pytest.raises(WrongAnswerError, match="refused"):
        run_leg(share=0.01, postgres=False)


def test_redemption_that_is_not_written_counts_no_figure(mocker: MockerFixture) -> None:
    mocker.patch("cloud.adapters.sqlite_ingest._SqliteIngestTransaction.save")
    with pytest.raises(WrongAnswerError, match="does not hold"):
        run_leg(share=0.01, postgres=False)


def test_unadmitted_order_counts_no_figure(mocker: MockerFixture) -> None:
    mocker.patch("protocol.envelope.is_authentic", return_value=False)
    with pytest.raises(WrongAnswerError, match="not admitted"):
        run_codec(orders=5)


def test_last_line_is_one_object_and_wrong_answers_fail(mocker: MockerFixture, capsys: pytest.CaptureFixture[str]) -> None:
    mocker.patch.dict("tests.bench.__main__.BENCHMARKS", {"codec": mocker.Mock(side_effect=WrongAnswerError("no"))})
    assert main(["--only", "codec"]) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["wrong"] == ["codec: no"]


TINY = ingest.Sizes(
    seconds=0.05, warm=40, leg_share=0.01, slow_orders=4, stock_messages=100, transactions=20, kiosks=20, window=40
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("parts", "cases"),
    [
        (["product"], {ingest.POSTGRES, ingest.CROWDED, ingest.SQLITE, ingest.CHECKS, ingest.VISITS}),
        (["echoes", "stock"], {ingest.ECHO, ingest.PROOF, ingest.STOCK}),
        (["naive", "http"], {ingest.NAIVE, ingest.HTTP}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_cases_end_to_end_do_their_work(parts: list[ingest.Part], cases: set[str]) -> None:
    with ingest.opened_ingest(TINY) as opened:
        opened.open(parts=parts)
        assert {name for name, run in opened.cases.items() if run() > 0} == cases
        opened.check()
        assert set(opened.runs) == cases


@pytest.mark.timeout(300)
def test_cases_of_the_database_alone_do_their_work() -> None:
    with ingest.opened_ingest(TINY) as opened:
        opened.open(parts=["database"])
        wanted = {ingest.PGBENCH, ingest.PGBENCH_MANY, "PostgreSQL set SQL", "PostgreSQL batches of 1", "SQLite batches of 1"}
        assert wanted <= set(opened.cases)
        assert all(opened.cases[name]() > 0 for name in sorted(wanted))


def test_ingest_has_every_ratio_that_is_published() -> None:
    names = [value for name, value in vars(ingest).items() if name.isupper() and isinstance(value, str) and " " in value]
    legs = [f"{name} batches of {size}" for name in ("PostgreSQL", "SQLite") for size in (1, 100, 400)]
    figures = {name: Figure(0.001, 1.0) for name in (*names, *legs, "PostgreSQL set SQL")}
    cpu = dict.fromkeys(("broker", "worker", "postgresql", "generator"), 10.0)
    found = ingest.summary(figures, {name: ingest.Runs([cpu], [2.5]) for name in names})
    assert set(found["ratios"]) == {goal.ratio for goal in goals_of("ingest")}
    assert found["units_per_s"][ingest.POSTGRES] == 1_000
    assert found["cpu_us_per_unit"][ingest.POSTGRES] == cpu


@pytest.mark.timeout(300)
def test_latency_stands_beside_the_commit_of_one() -> None:
    found = latency.run_latency(sizes=latency.Sizes(warm=40, seconds=0.2, alone=3, visits=1, http_orders=8, kiosks=100))
    assert set(found["ratios"]) == {goal.ratio for goal in goals_of("latency")}
    assert all(found["alone: ms"][name]["p50"] > 0 for name in ("order", "check alone", "visit alone", "commit of one"))
    assert found["order alone, hop by hop: ms, medians"]["away"] > 0


@pytest.mark.timeout(300)
def test_flood_is_felt_by_somebody_or_nobody() -> None:
    found = flood.run_flood(sizes=flood.Sizes(warm=40, seconds=0.2, kiosks=100, rounds=1))
    assert found["others: ms"]["with"]["p99"] > 0
    assert set(found["ratios"]) == {goal.ratio for goal in goals_of("flood")}


@pytest.mark.timeout(300)
def test_growth_has_an_exponent() -> None:
    sizes = growth.Sizes(smallest=500, warm_up=10, small=20, large=20, rounds=1)
    found = growth.run_growth(sizes=sizes)
    assert [list(by_size) for by_size in found["cpu_us_per_order"].values()] == [[f"{size:,}" for size in sizes.counts]] * 3
    assert all(mine["backend"] > 0 for by_size in found["cpu_us_per_order"].values() for mine in by_size.values())
    assert set(found["ratios"]) == {goal.ratio for goal in goals_of("growth")}


def test_growth_goes_on_by_tens() -> None:
    assert growth.Sizes(largest=10_000_000).counts[-3:] == [640_000, 1_000_000, 10_000_000]


@pytest.mark.timeout(300)
def test_lists_show_what_the_bare_statements_find() -> None:
    found = lists.run_lists(redemptions=2_000)
    assert set(found["ratios"]) == {goal.ratio for goal in goals_of("lists")}


def test_exponent_is_the_slope_of_the_logarithms() -> None:
    assert exponent([1, 2, 4, 8], [3.0 * size**2 for size in (1, 2, 4, 8)]) == pytest.approx(2.0)
    assert exponent([1, 2, 4], [5.0, 5.0, 5.0]) == pytest.approx(0.0)


def test_percentile_leaves_its_share_below() -> None:
    assert [percentile(range(100), share) for share in (0.0, 0.5, 0.99, 1.0)] == [0, 50, 99, 99]


def test_page_shows_the_ratios_and_goals_of_the_code() -> None:
    shown = rows_of(PAGE.read_text("utf-8"))
    assert shown == {name: [(goal.ratio, goal.wanted) for goal in goals_of(name)] for name in shown}
    assert set(shown) == {goal.benchmark for goal in GOALS}


def test_page_takes_the_figures_of_one_run_and_keeps_the_others() -> None:
    page = PAGE.read_text("utf-8")
    found = {"flood": {"flood_per_s": 1_000, "ratios": {"others' p99 with a flood / without": 1.05}}}
    filled = fill(page, found, "Measured here.")
    assert rows_of(filled) == rows_of(page)
    assert "| others' p99 with a flood / without | 1.05 | ≤ 1.1 | met |" in filled
    assert "| flood_per_s | 1,000 |" in filled
    assert filled.count("Measured here.") == 1


def test_goal_that_is_short_says_so() -> None:
    lines = table({"flood": {"ratios": {"others' p99 with a flood / without": 1.2}}}).splitlines()
    assert lines[0].endswith("1.2    ≤ 1.1  short")
    assert Goal("ingest", "a", 2.0).is_met(2.0)
    assert Goal("ingest", "a", None).is_met(2.0) is None


def test_a_run_that_is_told_to_end_leaves_no_server_behind() -> None:
    command = [sys.executable, "-m", "tests.bench", "--only", "leg"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        wait_until(lambda: "postgres" in _descendants(run.pid).values(), what="its PostgreSQL", wait_s=60)
        left = _descendants(run.pid)
        run.terminate()
        assert run.wait(60) == 128 + signal.SIGTERM
    wait_until(lambda: not any(_name(pid) == name for pid, name in left.items()), what="its programs to end", wait_s=20)


def _descendants(pid: int) -> dict[int, str]:
    """Names of the living programs that it has started, by number."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            _, _, fields = path.read_text("utf-8", "replace").rpartition(")")
            if int(fields.split()[1]) == pid:
                child = int(path.parent.name)
                found |= {child: _name(child), **_descendants(child)}
    return found


def _name(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text("utf-8").strip()
    return ""
