"""The worker's line to a real Mosquitto: processor time per message, and how many it echoes in a second.

Stock paho stands beside ours on the same messages (a redeem order of three vouchers with all its properties), each run on a
fresh broker. No database, no judge; no TLS either, because it is the line that is measured. An own process makes the load
(:mod:`tests.bench.line_load`). Processor time is that of the worker's process, both of its threads.
"""

import json
import math
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Protocol
from unittest.mock import patch

from cloud.adapters.mqtt import MqttLine
from cloud.adapters.mqtt_client import BlockClient
from cloud.adapters.mqtt_session import BrokerAddress, MqttSession
from cloud.ingest import BATCH_MAX
from protocol.envelope import Event
from tests.bench.codec import make_sent
from tests.bench.measuring import Case, WrongAnswerError, measure
from tests.bench.stock_line import StockClient
from tests.support.broker import HOST, free_port, mosquitto_path, takes_connections

MESSAGES: Final = 8_000
STOCK_ECHO_MESSAGES: Final = 3_000
WINDOW: Final = 800
"""Requests without an answer, over all kiosks."""

COMMIT_S: Final = 0.005
"""A pause per round, where the database would be at work: it is what makes rounds of more than a few messages."""

SECONDS_MAX: Final = 60.0
_SETTINGS: Final = """\
listener {port} 127.0.0.1
allow_anonymous true
set_tcp_nodelay true
max_inflight_messages 1000
max_queued_messages 20000
persistence false
log_type error
"""


class Echoing(Protocol):
    """A line, or something of its shape."""

    def take(self, count_max: int, *, wait_s: float) -> Any: ...
    def publish(self, topic: str, event: Event) -> None: ...
    def acknowledge(self, delivery: Any) -> None: ...


def run_line(*, messages: int = MESSAGES, stock_echo_messages: int = STOCK_ECHO_MESSAGES) -> dict[str, Any]:
    """Measure.

    Raises:
        WrongAnswerError: a message was lost, or not answered.
    """
    cpu: dict[str, list[float]] = {"line": [], "stock": []}
    cases: dict[str, Case] = {
        "receive and acknowledge, line": partial(_on_broker, partial(_receive_line, messages, COMMIT_S)),
        "receive and acknowledge, line without a pause": partial(_on_broker, partial(_receive_line, messages, 0.0)),
        "receive and acknowledge, stock": partial(_on_broker, partial(_receive_stock, messages)),
        "echo, line": partial(_on_broker, partial(_echo_line, messages, cpu["line"])),
        "echo, stock": partial(_on_broker, partial(_echo_stock, stock_echo_messages, cpu["stock"])),
    }
    figures = measure(cases)
    ours, stock = figures["receive and acknowledge, line"], figures["receive and acknowledge, stock"]
    echo, echo_stock = figures["echo, line"], figures["echo, stock"]
    return {
        "messages": messages,
        "tls": False,
        "cpu_us_per_message, receive and acknowledge": {
            "line, 5 ms per round": round(ours.us, 2),
            "line, no pause": round(figures["receive and acknowledge, line without a pause"].us, 2),
            "stock paho, in its callback": round(stock.us, 2),
        },
        "receive and acknowledge: line / stock paho": round(ours.seconds / stock.seconds, 3),
        "echo_per_s": {"line": round(echo.per_s), "stock paho": round(echo_stock.per_s)},
        "echo: line / stock paho": round(echo.per_s / echo_stock.per_s, 1),
        "cpu_us_per_message, echo": {name: round(sorted(found)[len(found) // 2] * 1e6, 2) for name, found in cpu.items()},
        "spread": {name: round(figure.spread, 2) for name, figure in figures.items()},
    }


# The four cases, each on its own broker ------------------------------------------------------------------------------------


def _receive_line(count: int, pause_s: float, port: int) -> float:
    with _line(port) as line, _load(port, count, window=0):
        began = time.process_time()
        seen = 0
        end = time.monotonic() + SECONDS_MAX
        while seen < count:
            taken = line.take(BATCH_MAX, wait_s=1.0)
            time.sleep(pause_s)
            for delivery in taken:
                line.acknowledge(delivery)
            seen += len(taken)
            _check(end, seen, count)
        line.flush()
        return (time.process_time() - began) / count


def _receive_stock(count: int, port: int) -> float:
    with StockClient(port, inline=True) as client, _load(port, count, window=0):
        began = time.process_time()
        end = time.monotonic() + SECONDS_MAX
        while client.count < count:
            time.sleep(0.01)  # the network thread does it all
            _check(end, client.count, count)
        return (time.process_time() - began) / count


def _echo_line(count: int, cpu: list[float], port: int) -> float:
    with _line(port) as line:
        return _echo(line, line.flush, count, cpu, port)


def _echo_stock(count: int, cpu: list[float], port: int) -> float:
    with StockClient(port, inline=False) as client:
        return _echo(client, lambda: None, count, cpu, port)


def _echo(line: Echoing, flush: Callable[[], None], count: int, cpu: list[float], port: int) -> float:
    answer = make_sent(1).event
    with _load(port, count, window=WINDOW) as load:
        began = time.process_time()
        seen = 0
        end = time.monotonic() + SECONDS_MAX
        while seen < count:
            taken = line.take(BATCH_MAX, wait_s=1.0)
            for delivery in taken:
                line.publish(delivery.topic.replace("/req/", "/rep/"), answer)
            flush()
            for delivery in taken:
                line.acknowledge(delivery)
            flush()
            seen += len(taken)
            _check(end, seen, count)
        found = load()
        cpu.append((time.process_time() - began) / count)
    if found["answered"] != count:
        raise WrongAnswerError(f"{found['answered']} answers to {count} requests")
    return float(found["seconds"]) / count


def _check(end: float, seen: int, count: int) -> None:
    if time.monotonic() > end:
        raise WrongAnswerError(f"only {seen} of {count} messages arrived")


# Broker, line, load ------------------------------------------------------------------------------------------------------


@contextmanager
def _line(port: int) -> Iterator[MqttLine]:
    listening = threading.Event()
    with (
        MqttLine(BrokerAddress(HOST, port), lambda _: ssl.create_default_context()) as line,
        # The product has no such switch, and needs none.
        patch.object(BlockClient, "tls_set_context"),
        patch.object(MqttSession, "_subscribed", lambda *_: listening.set()),
    ):
        line.confirm(math.inf)
        line.hold(0)
        if not listening.wait(10):
            raise WrongAnswerError("the line did not come up")
        yield line


@contextmanager
def _load(port: int, count: int, *, window: int) -> Iterator[Callable[[], dict[str, Any]]]:
    command = [sys.executable, "-m", "tests.bench.line_load", str(port), str(count), str(window)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        found: dict[str, Any] = {}

        def result() -> dict[str, Any]:
            if not found:
                out, problem = process.communicate(timeout=SECONDS_MAX)
                if process.returncode:
                    raise WrongAnswerError(f"the load failed: {problem.strip().splitlines()[-1]}")
                found.update(json.loads(out.splitlines()[-1]))
            return found

        try:
            yield result
            result()
        finally:
            process.kill()


def _on_broker(case: Callable[[int], float]) -> float:
    port = free_port()
    with TemporaryDirectory(prefix="vk-bench-") as folder:
        settings = Path(folder) / "mosquitto.conf"
        settings.write_text(_SETTINGS.format(port=port))
        with subprocess.Popen([mosquitto_path(), "-c", str(settings)], stdin=subprocess.DEVNULL) as broker:
            try:
                end = time.monotonic() + 10
                while not takes_connections(port):
                    _check(end, 0, 0)
                    time.sleep(0.01)  # between two tries to connect
                return case(port)
            finally:
                broker.kill()
