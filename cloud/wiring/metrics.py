"""Where each program's metrics are served."""

from contextlib import AbstractContextManager, nullcontext
from typing import Final, Literal

from prometheus_client import CollectorRegistry

from cloud.adapters.metrics import serving_metrics
from cloud.config import Config

Program = Literal["web", "schedule", "ingest"]

METRICS_PORTS: Final[dict[Program, int]] = {"web": 0, "schedule": 1, "ingest": 2}
"""Added to ``[metrics] port``. Ingest is last, so that further workers can follow it."""


def metrics_served(config: Config, program: Program, registry: CollectorRegistry) -> AbstractContextManager[object]:
    """Serve a program's metrics while inside, if the configuration says where; else nothing.

    Raises:
        PortError: on entering: the port cannot be listened on.
    """
    if config.metrics is None:
        return nullcontext()
    return serving_metrics(config.metrics.host, config.metrics.port + METRICS_PORTS[program], registry)
