"""The two workers without a face: ingest and scheduler."""

import gc
import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from cloud.adapters.clock import SystemClock
from cloud.adapters.crash_points import CrashingStore, CrashPoints
from cloud.adapters.metrics import BudgetMetrics, IngestMetrics, ScheduleMetrics, new_registry
from cloud.adapters.mqtt import MqttLine, worker_tls
from cloud.adapters.mqtt_session import BrokerAddress
from cloud.adapters.only_worker import only_worker
from cloud.adapters.postgres_ingest import ANSWER_WAIT_S
from cloud.adapters.postgres_session_locks import PostgresSessionLocks
from cloud.adapters.secret_box import SecretBox
from cloud.adapters.session_keeper import SessionKeeper
from cloud.adapters.sql.parking import SqlParking
from cloud.adapters.sql.programme_office import SqlProgrammeOffice
from cloud.adapters.sql.webhooks import SqlWebhookStore
from cloud.adapters.webhook_post import WebhookPost
from cloud.config import ConfigError
from cloud.domain.calendar import day_of
from cloud.domain.digits import digit_tagger
from cloud.ingest import CRASH_POINTS, Ingest, IngestParts
from cloud.schedule import LOOK_EVERY_S, LOOK_EVERY_SIMULATED_S, ScheduleParts, run_schedule
from cloud.services.admit import KnownDevices
from cloud.services.answer import answer_batch
from cloud.services.programmes import count_notices
from cloud.services.webhooks import Teller
from cloud.webhooks import WebhookParts, run_webhooks
from cloud.wiring.metrics import metrics_served
from cloud.wiring.parts import Wiring

COLLECTED_AFTER: Final = 50_000
"""Objects of a few rounds. Hardly any of them is ever part of a cycle, and looking for those after every 700 cost 5 % of the
worker's time."""

SCHEDULE_WAIT_S: Final = 600.0
"""A week of the largest programme is closed in seconds."""

WEBHOOKS_WAIT_S: Final = 60.0
"""Nothing that the deliverer asks takes longer."""


def answer_kiosks(wiring: Wiring) -> None:
    """Answer kiosks until SIGTERM: those of the sessions that fall to this worker."""
    wiring.answer_wait_s = ANSWER_WAIT_S
    points = _crash_points()
    stop = _stop_on_signals()
    store = CrashingStore(wiring.ingest_store, points)
    registry = new_registry()
    line = MqttLine(
        BrokerAddress(wiring.config.broker.host, wiring.config.broker.port),
        lambda session: worker_tls(wiring.authority.certificate_pem, wiring.authority.worker_certificate(session)),
        sessions=wiring.config.ingest.sessions,
    )
    with metrics_served(wiring.config, "ingest", registry), line, _sessions_kept(wiring, line):
        parts = IngestParts(
            line=line,
            judge=partial(answer_batch, store),
            fleet=wiring.fleet,
            parking=SqlParking(wiring.engine),
            devices=KnownDevices(wiring.fleet, wiring.vault.seal_private),
            digit_tag=digit_tagger(wiring.vault.pepper),
            clock=wiring.clock,
            elapsed_s=time.monotonic,
            reach=points.reach,
            stop=stop,
            meters=IngestMetrics(registry, line=line.state, elapsed_s=time.monotonic),
        )
        # What is loaded by now stays for good: the collector need not walk it again and again while orders come in.
        gc.collect()
        gc.freeze()
        gc.set_threshold(COLLECTED_AFTER)
        Ingest(parts).run()


def _sessions_kept(wiring: Wiring, line: MqttLine) -> AbstractContextManager[object]:
    sessions = wiring.config.ingest.sessions
    positional, parameters = wiring.engine.dialect.create_connect_args(wiring.engine.url)
    if wiring.engine.dialect.name == "postgresql":
        parameters.pop("context", None)  # how SQLAlchemy wants values adapted
        locks = PostgresSessionLocks(parameters, region=wiring.config.broker.region)
        return SessionKeeper(locks, line, sessions=sessions, elapsed_s=time.monotonic)
    return _all_sessions_held(Path(positional[0]), line, sessions)


@contextmanager
def _all_sessions_held(database: Path, line: MqttLine, sessions: int) -> Iterator[None]:
    with only_worker(database):
        line.confirm(math.inf)
        for session in range(sessions):
            line.hold(session)
        try:
            yield
        finally:
            # Before another can be the only one.
            line.drop_all()


def close_weeks(wiring: Wiring) -> None:
    """Close weeks until SIGTERM."""
    wiring.answer_wait_s = SCHEDULE_WAIT_S
    look_every_s = LOOK_EVERY_SIMULATED_S if wiring.config.calendar_file else LOOK_EVERY_S
    registry = new_registry()
    meters = ScheduleMetrics(registry)
    for settlement in wiring.reports.settlements()[:1]:
        meters.settled(settlement.closed_at)
    office = SqlProgrammeOffice(wiring.engine)
    BudgetMetrics(registry, read=lambda: count_notices(office, today=day_of(wiring.clock.now())))
    with metrics_served(wiring.config, "schedule", registry):
        parts = ScheduleParts(
            wiring.settlements, wiring.clock, _stop_on_signals(), wiring.retention, look_every_s=look_every_s, meters=meters
        )
        run_schedule(parts)


def tell_webhooks(wiring: Wiring) -> None:
    """Tell merchants' servers what happened until SIGTERM."""
    wiring.answer_wait_s = WEBHOOKS_WAIT_S
    teller = Teller(
        store=SqlWebhookStore(wiring.engine),
        secrets=SecretBox(wiring.vault.web_secret),
        post=WebhookPost(private=wiring.config.webhooks.private),
        calendar=wiring.clock,
        wall_clock=SystemClock(),
    )
    run_webhooks(WebhookParts(teller, _stop_on_signals()))


def _crash_points() -> CrashPoints:
    try:
        return CrashPoints.from_environment(os.environ, known=CRASH_POINTS)
    except ValueError as problem:
        raise ConfigError(f"{problem}.") from problem


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
