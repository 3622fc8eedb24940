"""What the operations need, given by the composition root."""

from collections.abc import Callable
from dataclasses import dataclass

from cloud.ports.api_reports import ApiReports
from cloud.ports.choices import Choices
from cloud.ports.clock import Clock
from cloud.ports.connect import ConfirmOnce, KeyStore
from cloud.ports.people import Throttle
from cloud.web.parts import ScanParts


@dataclass(frozen=True, slots=True)
class ApiParts:
    """Everything :func:`cloud.web.http_api.blueprint.make_http_api` needs."""

    keys: KeyStore
    confirming: ConfirmOnce
    reports: ApiReports
    choices: Choices
    scan: ScanParts
    throttle: Throttle
    clock: Clock
    """The programme's calendar."""
    wall_clock: Clock
    """The real time: keys and throttles live by it."""
    randomness: Callable[[int], bytes]
    """That many random bytes."""
