"""The running worker meets a database that hangs up at its commits: kiosks hear one answer, and need not ask again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.adapters.sql.tables import inbox
from protocol.messages import RedeemAccepted, decode_answer
from tests.support.edge import DIGITS, ITEM, Edge, running_edge
from tests.support.kiosk_client import wait_until
from tests.support.postgres import Cluster
from tests.support.wire_proxy import Cut, WireProxy, wire_proxy

pytest_plugins = ("tests.support.databases",)


@pytest.fixture
def proxy(postgres: Cluster) -> Iterator[WireProxy]:
    with wire_proxy(postgres) as opened:
        yield opened


@pytest.fixture
def edge(postgres: Cluster, postgres_template: str, proxy: WireProxy, tmp_path: Path) -> Iterator[Edge]:
    """The worker reaches its database through the proxy only."""
    name = postgres.make_database(postgres_template)
    with running_edge(tmp_path, proxy.url(name)) as opened:
        yield opened
    postgres.drop_database(name)


def test_a_commit_that_is_cut_before_and_after_is_answered_once(edge: Edge, proxy: WireProxy) -> None:
    with edge.enrol() as kiosk:
        # From its second message on a kiosk is known: the next COMMIT is that of its order.
        assert isinstance(kiosk.ask(kiosk.redeem(edge.issue(), [DIGITS], total_twd=1500, item_category=ITEM)), RedeemAccepted)
        for cuts, where in enumerate((Cut.BEFORE, Cut.AFTER), start=1):
            (number,) = edge.issue()
            request = kiosk.redeem([number], [DIGITS], total_twd=1500, item_category=ITEM)
            proxy.cut_next_commit(where)
            kiosk.send(request)
            answer = kiosk.answer_to(request)
            assert proxy.cuts == cuts
            assert isinstance(decode_answer(answer.body), RedeemAccepted)
            assert answer.body == edge.stored_answer(request.event.id)
            assert edge.redemptions_of(number) == [request.event.id]
            kiosk.send(request)
            assert kiosk.answer_to(request) == answer
        assert edge.count(inbox) == 3
        wait_until(lambda: edge.worker.log.read_text().count("trying again") >= 2, what="the log")
        assert edge.worker.is_running
