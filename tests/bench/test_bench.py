"""The benchmarks run, say what they must, and fail where what they measure is wrong. No figure is judged here."""

import json

import pytest
from pytest_mock import MockerFixture

from tests.bench.__main__ import main
from tests.bench.codec import run_codec
from tests.bench.leg import run_leg
from tests.bench.measuring import WrongAnswerError, measure


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
