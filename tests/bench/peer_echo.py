"""Two workers without a database: what broker and client alone can do, and what proof and seals cost on top of that.

``python -m tests.bench.peer_echo CONFIG bare``: the product's line, and nothing behind it: every request is answered with the
same bytes and acknowledged. ``… proof``: the product's whole worker, through its command line, with one thing taken out: the
transaction. Everything is proved, opened, answered and proved again; nobody judges.
"""

import sys
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final
from unittest.mock import patch
from uuid import UUID

from cloud import wiring
from cloud.domain.records import Ask, StoredAnswer
from cloud.ingest import BATCH_MAX, IngestParts
from protocol.envelope import CLOUD_SOURCE, Event, answer_type
from protocol.messages import RedeemAccepted, encode_body
from protocol.topics import RequestKind, decode_request_topic
from tests.bench.deck import TOTAL_TWD

_ANSWER: Final = encode_body(
    RedeemAccepted(
        request_id=UUID(int=0),
        reference="222-222",
        redeemed_at="2026-01-01T00:00:00.000000Z",
        voucher_count=2,
        redeemed_twd=2_000,
        order_total_twd=TOTAL_TWD,
        topup_twd=TOTAL_TWD - 2_000,
    )
)
_ID: Final = str(UUID(int=0)).encode()


class Echo:
    """Stands in for :class:`cloud.ingest.Ingest`: answers everything with the same bytes."""

    def __init__(self, parts: IngestParts) -> None:
        self._parts = parts

    def run(self) -> None:
        """Until asked to stop."""
        line, stop = self._parts.line, self._parts.stop
        while not stop.is_set():
            taken = line.take(BATCH_MAX, wait_s=0.5)
            for delivery in taken:
                line.publish(_answer_topic(delivery.topic), _answer_to(delivery.properties))
            line.flush()
            for delivery in taken:
                line.acknowledge(delivery)
            line.flush()


def answer_without_database(_store: Any, asks: Sequence[Ask], *, now: datetime, **_: Any) -> list[StoredAnswer]:
    """Stand in for :func:`cloud.services.answer.answer_batch`."""
    return [
        StoredAnswer(
            ask.request_id,
            ask.sender_id,
            ask.kind,
            ask.body_hash,
            _ANSWER.replace(_ID, str(ask.request_id).encode()),
            now,
        )
        for ask in asks
    ]


@cache
def _answer_topic(topic: str) -> str:
    address, kind = decode_request_topic(topic)
    return address.answer(kind)


def _answer_to(properties: Sequence[tuple[str, str]]) -> Event:
    request_id = next(value for name, value in properties if name == "id")
    return Event(
        id=UUID(request_id),
        source=CLOUD_SOURCE,
        type=answer_type(RequestKind.REDEEM),
        time="2026-01-01T00:00:00.000000Z",
        body=_ANSWER,
        auth="A" * 22,
    )


def main() -> int:
    """Be one of the two: the product's command, with one part of it exchanged."""
    config, mode = sys.argv[1:]
    exchanged = {
        "bare": ("cloud.wiring.workers.Ingest", Echo),
        "proof": ("cloud.wiring.workers.answer_batch", answer_without_database),
    }
    with patch(*exchanged[mode]):
        return wiring.main(["--config", config, "ingest"])


if __name__ == "__main__":
    sys.exit(main())
