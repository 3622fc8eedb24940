"""What Prometheus reads: from the adapter, and from all three programs as they run."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from cloud.adapters.metrics import BudgetMetrics, IngestMetrics, ScheduleMetrics, WebMetrics, new_registry, serving_metrics
from cloud.ports.meters import LineState, SessionState
from cloud.wiring.metrics import METRICS_PORTS, Program
from protocol.errors import PortError
from protocol.messages import CheckAccepted
from protocol.reasons import Reason
from protocol.topics import RequestKind
from tests.support.broker import HOST, free_port
from tests.support.edge import DIGITS, running_edge
from tests.support.kiosk_client import wait_until

pytest_plugins = ("tests.support.databases",)

Samples = dict[tuple[str, frozenset[str]], float]
"""Value by name and label values."""


def read(port: int) -> Samples:
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, *labels: str) -> float:
    return samples[name, frozenset(labels)]


def test_what_the_meters_were_told_is_served_and_nothing_after_the_end() -> None:
    registry, now_s, state = new_registry(), [100.0], [LineState([SessionState(connected=False)], reconnects=0)]
    meters = IngestMetrics(registry, line=lambda: state[0], elapsed_s=lambda: now_s[0])
    with serving_metrics(HOST, 0, registry) as port:
        before = read(port)
        assert value(before, "voucher_ingest_connected", "0") == 0
        assert value(before, "voucher_ingest_oldest_seconds") == 0
        state[0] = LineState([SessionState(True, 7, 98.0), SessionState(False)], reconnects=3)
        meters.took(12, oldest_at_s=98.5)
        meters.committed(0.004)
        meters.retried()
        meters.answered({(RequestKind.REDEEM, None): 9, (RequestKind.CHECK, Reason.NO_MATCH): 2})
        meters.parked(kept=1, dropped=4)
        now_s[0] = 102.0
        after = read(port)
        meters.finished()
        assert value(read(port), "voucher_ingest_oldest_seconds") == 0
    expected = {
        ("voucher_ingest_connected", "0"): 1,
        ("voucher_ingest_connected", "1"): 0,
        ("voucher_ingest_waiting", "0"): 7,
        ("voucher_ingest_lag_seconds", "0"): 4,
        ("voucher_ingest_lag_seconds", "1"): 0,
        ("voucher_ingest_reconnects_total",): 3,
        ("voucher_ingest_oldest_seconds",): 3.5,
        ("voucher_ingest_batch_messages_sum",): 12,
        ("voucher_ingest_commit_seconds_bucket", "0.005"): 1,
        ("voucher_ingest_commit_seconds_bucket", "0.0025"): 0,
        ("voucher_ingest_retries_total",): 1,
        ("voucher_ingest_answers_total", "redeem", "accepted"): 9,
        ("voucher_ingest_answers_total", "check", "no_match"): 2,
        ("voucher_ingest_answers_total", "check", "busy"): 0,
        ("voucher_ingest_parked_total", "yes"): 1,
        ("voucher_ingest_parked_total", "no"): 4,
    }
    assert {name: value(after, *name) for name in expected} == expected
    with pytest.raises(OSError, match="refused"):
        read(port)


def test_nothing_grows_with_the_traffic() -> None:
    registry = CollectorRegistry()
    meters = IngestMetrics(
        registry, line=lambda: LineState([SessionState(connected=True)], reconnects=0), elapsed_s=lambda: 0.0
    )
    before = sum(len(metric.samples) for metric in registry.collect())
    outcomes = [(kind, reason) for kind in RequestKind for reason in (None, *Reason)]
    meters.answered(dict.fromkeys(outcomes, 1))
    assert sum(len(metric.samples) for metric in registry.collect()) == before


def test_the_two_instants_and_the_pages() -> None:
    registry = new_registry()
    schedule, web = ScheduleMetrics(registry), WebMetrics(registry)
    schedule.settled(datetime(2021, 11, 10, tzinfo=UTC))
    schedule.due(datetime(2021, 11, 17, tzinfo=UTC))
    web.requested("/v/<voucher_no>", 302)
    web.requested(None, 404)
    web.sign_in_refused(throttled=True)
    with serving_metrics(HOST, 0, registry) as port:
        samples = read(port)
    due, closed = "voucher_schedule_next_due_timestamp_seconds", "voucher_schedule_last_settlement_timestamp_seconds"
    assert value(samples, due) - value(samples, closed) == 7 * 86_400
    assert value(samples, "voucher_web_requests_total", "/v/<voucher_no>", "302") == 1
    assert value(samples, "voucher_web_requests_total", "none", "404") == 1
    assert value(samples, "voucher_web_sign_in_refusals_total", "throttled") == 1
    assert value(samples, "voucher_web_sign_in_refusals_total", "no_match") == 0


def test_budgets_are_read_when_they_are_asked_for() -> None:
    registry = CollectorRegistry()
    numbers: list[tuple[int, int]] = [(2, 1), (0, 3)]

    def count() -> tuple[int, int]:
        if not numbers:
            raise PortError("the database is away", retry=True)
        return numbers.pop(0)

    BudgetMetrics(registry, read=count)
    with serving_metrics(HOST, 0, registry) as port:
        for near, full in ((2, 1), (0, 3)):
            samples = read(port)
            assert value(samples, "voucher_programme_budgets", "near") == near
            assert value(samples, "voucher_programme_budgets", "full") == full
        assert not serves(port, "voucher_programme_budgets"), "no number rather than an old one"


def test_a_port_in_use_is_one_sentence() -> None:
    with serving_metrics(HOST, 0, new_registry()) as port:
        second = serving_metrics(HOST, port, new_registry())
        with pytest.raises(PortError, match="in use") as refused, second:
            pass
    assert not refused.value.retry


def three_free_ports() -> int:
    """The first of three ports in a row that nobody uses at this moment."""
    while True:
        first = free_port()
        if first > 64_000:
            continue
        try:
            for offset in METRICS_PORTS.values():
                with serving_metrics(HOST, first + offset, CollectorRegistry()):
                    pass
        except PortError:
            continue
        return first


@contextmanager
def program(config: Path, name: Program) -> Iterator[None]:
    started = subprocess.Popen(
        [sys.executable, "-m", "cloud", "--config", str(config), name],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
    )
    try:
        yield
        started.send_signal(signal.SIGTERM)
        _, err = started.communicate(timeout=20)
        assert started.returncode == 0, err.decode()
    finally:
        if started.poll() is None:
            started.kill()
            started.communicate()


def serves(port: int, name: str) -> bool:
    try:
        return any(sample == name for sample, _ in read(port))
    except OSError:
        return False


def test_every_program_serves_its_own_at_its_own_port(tmp_path: Path, sqlite_url: str) -> None:
    first = three_free_ports()
    ports = {name: first + offset for name, offset in METRICS_PORTS.items()}
    with running_edge(tmp_path, sqlite_url, worker=False) as edge:
        config = tmp_path / "cloud.toml"
        config.write_text(config.read_text() + f"[web]\nport = {free_port()}\n[metrics]\nport = {first}\n")
        edge.worker.start()
        with edge.enrol() as kiosk:
            (number,) = edge.issue()
            assert isinstance(kiosk.ask(kiosk.check(number, DIGITS)), CheckAccepted)
            wait_until(
                lambda: value(read(ports["ingest"]), "voucher_ingest_answers_total", "check", "accepted") == 1,
                what="the answer to be counted",
            )
            kiosk_id = kiosk.device_id
        assert value(read(ports["ingest"]), "voucher_ingest_connected", "0") == 1
        edge.broker.stop()
        wait_until(
            lambda: value(read(ports["ingest"]), "voucher_ingest_connected", "0") == 0, what="the broker's end to be seen"
        )
        edge.broker.start()
        wait_until(
            lambda: value(read(ports["ingest"]), "voucher_ingest_connected", "0") == 1, what="the worker to connect again"
        )
        samples = read(ports["ingest"])
        assert value(samples, "voucher_ingest_reconnects_total") == 1
        assert value(samples, "voucher_ingest_waiting", "0") == 0
        assert value(samples, "voucher_ingest_commit_seconds_count") == 1
        assert value(samples, "process_open_fds") > 0
        labels = {label for _, labels in samples for label in labels}
        assert not {label for label in labels if number in label or kiosk_id in label or re.search(r"lobby|inn", label)}
        with program(config, "schedule"), program(config, "web"):
            wait_until(
                lambda: serves(ports["schedule"], "voucher_schedule_next_due_timestamp_seconds"), what="the scheduler's metrics"
            )
            wait_until(
                lambda: value(read(ports["schedule"]), "voucher_schedule_next_due_timestamp_seconds") > 0,
                what="the next week to be known",
            )
            wait_until(lambda: serves(ports["web"], "voucher_web_sign_in_refusals_total"), what="the web's metrics")
        assert edge.worker.stop() == 0
