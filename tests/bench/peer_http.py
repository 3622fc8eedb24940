"""An HTTP service that redeems orders, as most would write it: Flask, an ORM, a server of threads; and clients that ask it.

It stands in for the check-in endpoint of a ticket shop. That one was measured elsewhere and is not repeated here
(:data:`tests.bench.goals.CLAIMED_PEER_PER_S`); what is measured here does less per request than it does.

``python -m tests.bench.peer_http DATABASE_URL PORT``: one server process. Two of them, each with two threads, are what the two
cores can use.
"""

import http.client
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

from flask import Flask, Response, request
from waitress import serve

from cloud.adapters.sql.engine import make_engine
from tests.bench.deck import Card
from tests.bench.measuring import WrongAnswerError
from tests.bench.peer_orm import OrmShop
from tests.bench.processes import Peer, running_peer
from tests.bench.stage import LISTENING
from tests.support.broker import HOST, free_port

SERVERS: Final = 2
THREADS: Final = 2
CLIENTS: Final = 4
"""One per thread of the servers."""


class HttpPeer:
    """The running servers."""

    def __init__(self, ports: Sequence[int], peers: Sequence[Peer]) -> None:
        self._ports = ports
        self.pids = [peer.pid for peer in peers]

    def redeem(self, orders: Sequence[tuple[str, Card, bytes]], *, clients: int = CLIENTS) -> list[float]:
        """Send the orders over so many connections that are kept; the seconds that each took.

        Args:
            orders: device id, card and body.

        Raises:
            WrongAnswerError: an order was not redeemed.
        """
        took: list[float] = []
        wrong: list[str] = []

        def ask(place: int) -> None:
            connection = http.client.HTTPConnection(HOST, self._ports[place % len(self._ports)], timeout=30)
            for device_id, card, body in orders[place::clients]:
                began = time.perf_counter()
                path = f"/redeem/{device_id}/{UUID(bytes=card.request_id)}"
                connection.request("POST", path, body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                if answer.status != http.HTTPStatus.OK or b'"redeemed"' not in answer.read():
                    wrong.append(f"the HTTP peer answered {answer.status}")
                    return
                took.append(time.perf_counter() - began)
            connection.close()

        threads = [threading.Thread(target=ask, args=(place,)) for place in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if wrong or len(took) < len(orders):
            raise WrongAnswerError((wrong or ["an order got no answer"])[0])
        return took


@contextmanager
def running_http_peer(database_url: str, folder: Path) -> Iterator[HttpPeer]:
    """Start the servers; they have ended on leaving."""
    with ExitStack() as stack:
        ports = [free_port() for _ in range(SERVERS)]
        peers = [
            stack.enter_context(running_peer("tests.bench.peer_http", [database_url, str(port)], folder / f"http-{port}.log"))
            for port in ports
        ]
        for peer in peers:
            peer.wait_for(lambda log: LISTENING in log, what="the HTTP peer")
        yield HttpPeer(ports, peers)


def make_app(shop: OrmShop) -> Flask:
    """Build the service."""
    app = Flask(__name__)

    @app.post("/redeem/<device_id>/<uuid:request_id>")
    def redeem(device_id: str, request_id: UUID) -> Response:
        return Response(shop.redeem(device_id, request_id, request.get_data()), content_type="application/json")

    return app


def main() -> None:
    """Be one server."""
    database_url, port = sys.argv[1], int(sys.argv[2])
    app = make_app(OrmShop(make_engine(database_url)))
    threading.Thread(target=_say_when_listening, args=(port,), daemon=True).start()
    serve(app, host=HOST, port=port, threads=THREADS, _quiet=True)


def _say_when_listening(port: int) -> None:
    while True:
        try:
            connection = http.client.HTTPConnection(HOST, port, timeout=5)
            connection.request("GET", "/")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.05)  # between two tries to connect
        else:
            print(LISTENING, flush=True)
            return


if __name__ == "__main__":
    main()
