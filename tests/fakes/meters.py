"""Meters that remember what they were told."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from cloud.ports.meters import Outcome


class FakeMeters:
    """All meters of the cloud in memory."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []
        """Everything but the outcomes, in order."""
        self.outcomes: Counter[Outcome] = Counter()

    def took(self, count: int, *, oldest_at_s: float) -> None:
        self.told.append(("took", count, oldest_at_s))

    def committed(self, duration_s: float) -> None:
        self.told.append(("committed", duration_s))

    def retried(self) -> None:
        self.told.append(("retried",))

    def answered(self, outcomes: Mapping[Outcome, int]) -> None:
        self.told.append(("answered",))
        self.outcomes.update(outcomes)

    def parked(self, *, kept: int, dropped: int) -> None:
        self.told.append(("parked", kept, dropped))

    def finished(self) -> None:
        self.told.append(("finished",))

    def settled(self, at: datetime) -> None:
        self.told.append(("settled", at))

    def due(self, at: datetime) -> None:
        self.told.append(("due", at))

    def requested(self, route: str | None, status: int) -> None:
        self.told.append(("requested", route, status))

    def sign_in_refused(self, *, throttled: bool) -> None:
        self.told.append(("sign_in_refused", throttled))
