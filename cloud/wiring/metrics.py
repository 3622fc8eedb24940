"""Where each program's metrics are served."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final, Literal

from prometheus_client import CollectorRegistry

from cloud.adapters.metrics import serving_metrics
from cloud.config import Config
from cloud.ports.sessions import SESSIONS_MAX
from protocol.errors import PortError

Program = Literal["web", "schedule", "ingest"]

METRICS_PORTS: Final[dict[Program, int]] = {"web": 0, "schedule": 1, "ingest": 2}
"""Added to ``[metrics] port``. Ingest is last: further workers of one machine follow, each at the first port that is free."""


@contextmanager
def metrics_served(config: Config, program: Program, registry: CollectorRegistry) -> Iterator[None]:
    """Serve a program's metrics while inside, if the configuration says where; else nothing.

    Raises:
        PortError: on entering: the port cannot be listened on, or none of those that several workers may have.
    """
    with ExitStack() as stack:
        if config.metrics is not None:
            first = config.metrics.port + METRICS_PORTS[program]
            last = first + (SESSIONS_MAX - 1 if program == "ingest" else 0)
            for port in range(first, last + 1):
                try:
                    stack.enter_context(serving_metrics(config.metrics.host, port, registry))
                    break
                except PortError:
                    if port == last:
                        raise
        yield
