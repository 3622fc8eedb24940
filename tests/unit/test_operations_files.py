"""Dashboard, alarms and runbook speak of the metrics that exist, and of all of them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloud.adapters.metrics import BudgetMetrics, IngestMetrics, ScheduleMetrics, WebMetrics, new_registry
from cloud.config import Metrics
from cloud.ports.meters import LineState, SessionState
from cloud.wiring.metrics import METRICS_PORTS
from protocol.limits import ANSWER_WAIT_S
from protocol.reasons import Reason

DOCS = Path(__file__).parents[2] / "docs"
OPERATIONS = DOCS / "operations"
DASHBOARD = json.loads((OPERATIONS / "dashboard.json").read_text("utf-8"))
ALERTS = (OPERATIONS / "alerts.yml").read_text("utf-8")
PROMETHEUS = (OPERATIONS / "prometheus.yml").read_text("utf-8")
NAME = re.compile(r"\b(?:voucher|process)_[a-z_]+")


def exported() -> dict[str, set[str]]:
    """Names of the samples of every metric of all programs, by the metric's name."""
    registry = new_registry()
    IngestMetrics(registry, line=lambda: LineState([SessionState(connected=True)], reconnects=0), elapsed_s=lambda: 0.0)
    ScheduleMetrics(registry)
    BudgetMetrics(registry, read=lambda: (0, 0))
    WebMetrics(registry).requested("/", 200)
    found: dict[str, set[str]] = {}
    for metric in registry.collect():
        found[metric.name] = {sample.name for sample in metric.samples if not sample.name.endswith("_created")}
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[str]:
    for panel in panels():
        yield from (target["expr"] for target in panel["targets"])


def alarms() -> list[str]:
    return re.findall(r"^ +- alert: (\w+)$", ALERTS, re.MULTILINE)


def test_every_metric_on_the_dashboard_exists() -> None:
    named = set(NAME.findall(" ".join(expressions())))
    assert named <= set().union(*exported().values())


def test_every_metric_is_on_the_dashboard() -> None:
    named = set(NAME.findall(" ".join(expressions())))
    missing = {metric for metric, samples in exported().items() if not samples & named}
    assert not missing


def test_every_metric_of_an_alarm_exists() -> None:
    named = set(NAME.findall("\n".join(line for line in ALERTS.splitlines() if not line.lstrip().startswith("#"))))
    assert named
    assert named <= set().union(*exported().values())


@pytest.mark.parametrize("text", [ALERTS, *expressions()])
def test_outcomes_that_are_named_exist(text: str) -> None:
    named = {one for many in re.findall(r'outcome!?=~?"([^"]+)"', text) for one in many.split("|")}
    assert named <= {"accepted", *Reason}


def test_every_alarm_stands_in_the_runbook_and_the_other_way_round() -> None:
    listed = re.findall(r"^\| `([A-Z]\w+)` \|", (DOCS / "runbook.md").read_text("utf-8"), re.MULTILINE)
    assert alarms()
    assert sorted(listed) == sorted(alarms())
    assert len(set(listed)) == len(listed)


def test_an_order_waits_no_longer_than_customers_are_told() -> None:
    assert f"voucher_ingest_oldest_seconds > {ANSWER_WAIT_S}\n" in ALERTS


def test_the_scrape_example_reads_each_program_where_it_serves() -> None:
    found = re.findall(r'- targets: \["127\.0\.0\.1:(\d+)"\]\n +labels: \{ program: (\w+) \}', PROMETHEUS)
    assert {program: int(port) for port, program in found} == {
        program: Metrics().port + offset for program, offset in METRICS_PORTS.items()
    }
    assert f"port = {Metrics().port}\n" in PROMETHEUS


def test_panels_are_told_apart() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    titles = [panel["title"] for panel in panels()]
    assert len(set(ids)) == len(ids)
    assert len(set(titles)) == len(titles)
