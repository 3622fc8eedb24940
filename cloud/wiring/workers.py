"""The two workers without a face: ingest and scheduler."""

import gc
import os
import signal
import threading
import time
from functools import partial

from cloud.adapters.certificates import worker_name
from cloud.adapters.crash_points import CrashingStore, CrashPoints
from cloud.adapters.metrics import IngestMetrics, ScheduleMetrics, new_registry
from cloud.adapters.mqtt import BrokerAddress, MqttLine, worker_tls
from cloud.adapters.sql.parking import SqlParking
from cloud.config import ConfigError
from cloud.domain.digits import digit_tagger
from cloud.ingest import CRASH_POINTS, Ingest, IngestParts
from cloud.schedule import LOOK_EVERY_S, LOOK_EVERY_SIMULATED_S, ScheduleParts, run_schedule
from cloud.services.admit import KnownDevices
from cloud.services.answer import answer_batch
from cloud.wiring.metrics import metrics_served
from cloud.wiring.parts import Wiring


def answer_kiosks(wiring: Wiring, worker: int) -> None:
    """Answer kiosks until SIGTERM, under the name of this worker."""
    points = _crash_points()
    stop = _stop_on_signals()
    tls = worker_tls(wiring.authority.certificate_pem, wiring.authority.worker_certificate(worker))
    address = BrokerAddress(wiring.config.broker.host, wiring.config.broker.port)
    store = CrashingStore(wiring.ingest_store, points)
    registry = new_registry()
    with MqttLine(address, tls, client_id=worker_name(worker)) as line, metrics_served(wiring.config, "ingest", registry):
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
        Ingest(parts).run()


def close_weeks(wiring: Wiring) -> None:
    """Close weeks until SIGTERM."""
    look_every_s = LOOK_EVERY_SIMULATED_S if wiring.config.calendar_file else LOOK_EVERY_S
    registry = new_registry()
    meters = ScheduleMetrics(registry)
    for settlement in wiring.reports.settlements()[:1]:
        meters.settled(settlement.closed_at)
    with metrics_served(wiring.config, "schedule", registry):
        run_schedule(ScheduleParts(wiring.settlements, wiring.clock, _stop_on_signals(), look_every_s, meters))


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
