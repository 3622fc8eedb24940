"""Meters on prometheus-client, and the small HTTP server that Prometheus reads them from.

Each program has its own registry and its own port. What is served names nobody (:mod:`cloud.ports.meters`), has no password,
and belongs on a loopback or an operations network. ``docs/operations/`` holds the dashboard and the alarms over these names;
a test holds both sides together.

Every label has a fixed set of values, and all of them stand at 0 from the start: a rate over a series that appears with its
first event would miss that event.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cloud.ports.meters import LineState, Outcome
from protocol.errors import PortError
from protocol.reasons import Reason
from protocol.topics import RequestKind

ACCEPTED: Final = "accepted"
NO_ROUTE: Final = "none"
STOP_WAIT_S: Final = 5.0

_BATCH_BUCKETS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 400)
_COMMIT_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class IngestMetrics:
    """``IngestMeters``; the line's state and the age of the oldest message are read when Prometheus asks, not before."""

    def __init__(self, registry: CollectorRegistry, *, line: Callable[[], LineState], elapsed_s: Callable[[], float]) -> None:
        self._elapsed_s = elapsed_s
        self._oldest_at_s: float | None = None
        self._batch = Histogram(
            "voucher_ingest_batch_messages", "Messages taken in one round.", buckets=_BATCH_BUCKETS, registry=registry
        )
        self._commit = Histogram(
            "voucher_ingest_commit_seconds",
            "From the first read of a batch to its commit.",
            buckets=_COMMIT_BUCKETS_S,
            registry=registry,
        )
        self._retries = Counter("voucher_ingest_retries", "Failures of the database that were tried again.", registry=registry)
        answers = Counter("voucher_ingest_answers", "Answers sent, repeats included.", ("kind", "outcome"), registry=registry)
        outcomes: list[Reason | None] = [None, *Reason]
        self._answers = {
            (kind, reason): answers.labels(kind.value, ACCEPTED if reason is None else reason.value)
            for kind in RequestKind
            for reason in outcomes
        }
        parked = Counter("voucher_ingest_parked", "Messages that could not be proved or judged.", ("kept",), registry=registry)
        self._kept, self._dropped = parked.labels("yes"), parked.labels("no")
        oldest = Gauge(
            "voucher_ingest_oldest_seconds", "Age of the oldest message of the round at hand; 0 if idle.", registry=registry
        )
        oldest.set_function(self._oldest_s)
        registry.register(_LineCollector(line, elapsed_s))

    def took(self, count: int, *, oldest_at_s: float) -> None:
        self._oldest_at_s = oldest_at_s
        self._batch.observe(count)

    def committed(self, duration_s: float) -> None:
        self._commit.observe(duration_s)

    def retried(self) -> None:
        self._retries.inc()

    def answered(self, outcomes: Mapping[Outcome, int]) -> None:
        for outcome, count in outcomes.items():
            self._answers[outcome].inc(count)

    def parked(self, *, kept: int, dropped: int) -> None:
        self._kept.inc(kept)
        self._dropped.inc(dropped)

    def finished(self) -> None:
        self._oldest_at_s = None

    def _oldest_s(self) -> float:
        oldest_at_s = self._oldest_at_s
        return 0.0 if oldest_at_s is None else max(0.0, self._elapsed_s() - oldest_at_s)


class _LineCollector(Collector):
    def __init__(self, line: Callable[[], LineState], elapsed_s: Callable[[], float]) -> None:
        self._line = line
        self._elapsed_s = elapsed_s

    def collect(self) -> Iterator[Metric]:
        state = self._line()
        now_s = self._elapsed_s()
        connected = GaugeMetricFamily(
            "voucher_ingest_connected", "1 while this worker is connected to the broker for the session.", labels=("session",)
        )
        waiting = GaugeMetricFamily(
            "voucher_ingest_waiting", "Messages that arrived and were not taken yet.", labels=("session",)
        )
        lag = GaugeMetricFamily(
            "voucher_ingest_lag_seconds", "Age of the oldest of them; 0 if none waits.", labels=("session",)
        )
        for number, session in enumerate(state.sessions):
            labels = (str(number),)
            connected.add_metric(labels, float(session.connected))
            waiting.add_metric(labels, session.waiting)
            lag.add_metric(labels, 0.0 if session.oldest_at_s is None else max(0.0, now_s - session.oldest_at_s))
        yield from (connected, waiting, lag)
        yield CounterMetricFamily(
            "voucher_ingest_reconnects", "Connections to the broker that were lost.", value=state.reconnects
        )


class ScheduleMetrics:
    """``ScheduleMeters``. Before anything is known both instants are 0: a week that never comes due is an alarm too."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._settled = Gauge(
            "voucher_schedule_last_settlement_timestamp_seconds", "When a week was last closed.", registry=registry
        )
        self._due = Gauge(
            "voucher_schedule_next_due_timestamp_seconds", "When the next week is to be closed.", registry=registry
        )

    def settled(self, at: datetime) -> None:
        self._settled.set(at.timestamp())

    def due(self, at: datetime) -> None:
        self._due.set(at.timestamp())


class BudgetMetrics:
    """How many programmes are near the end of their budget or at it, read when Prometheus asks.

    ``read`` gives both numbers. While the database is away there are none, rather than old ones.
    """

    def __init__(self, registry: CollectorRegistry, *, read: Callable[[], tuple[int, int]]) -> None:
        self._read = read
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        budgets = GaugeMetricFamily(
            "voucher_programme_budgets", "Running programmes whose budget is nearly or wholly issued.", labels=("state",)
        )
        try:
            near, full = self._read()
        except PortError:
            return
        budgets.add_metric(("near",), near)
        budgets.add_metric(("full",), full)
        yield budgets


class WebMetrics:
    """``WebMeters``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "voucher_web_requests",
            "Requests answered, by the template of their address.",
            ("route", "status"),
            registry=registry,
        )
        refusals = Counter("voucher_web_sign_in_refusals", "Sign-ins that were refused.", ("why",), registry=registry)
        self._throttled, self._no_match = refusals.labels("throttled"), refusals.labels("no_match")

    def requested(self, route: str | None, status: int) -> None:
        self._requests.labels(route or NO_ROUTE, str(status)).inc()

    def sign_in_refused(self, *, throttled: bool) -> None:
        (self._throttled if throttled else self._no_match).inc()


def new_registry() -> CollectorRegistry:
    """Make a registry that already tells of the process: CPU, memory, open files, start."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


@contextmanager
def serving_metrics(host: str, port: int, registry: CollectorRegistry) -> Iterator[int]:
    """Serve the registry at ``http://host:port/metrics`` while inside; yields the port, which is a free one for 0.

    Raises:
        PortError: it cannot be listened on.
    """
    # A creation time beside every counter would double what is stored, and nobody looks at it.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as problem:
        raise PortError(f"{host}:{port} cannot be listened on: {problem.strerror}", retry=False) from problem
    try:
        yield server.server_port
    finally:
        _end(server.shutdown, thread)
        server.server_close()


def _end(shutdown: Callable[[], None], thread: threading.Thread) -> None:
    shutdown()
    thread.join(STOP_WAIT_S)
