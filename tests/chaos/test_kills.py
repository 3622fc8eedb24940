"""Fifty orders, and each named point of worker, broker and kiosk killed once among them: nothing lost, nothing twice."""

from pathlib import Path

import pytest

from tests.chaos.kills import POINTS_OF, every_point
from tests.chaos.run import run_orders
from tests.demo.cast import SITES
from tests.demo.world import Ports, open_world

ORDERS = 50


@pytest.mark.timeout(600)
def test_nothing_is_lost_or_counted_twice_whoever_is_killed(tmp_path: Path) -> None:
    assert all(len(points) >= 10 for points in POINTS_OF.values())
    with open_world(
        tmp_path / "world", database="sqlite", ports=Ports.free(len(SITES)), sites=list(SITES), fresh=True
    ) as world:
        kills = every_point(world)
        report = run_orders(world, kills, orders=ORDERS, seed=2)
    assert report.faults == []
    assert report.missed == []
    assert len(report.killed) == len(kills)
