"""Answer a batch of requests: one transaction that reads, judges and writes; answers leave here only after it is on disk.

Where another transaction came first, the batch is judged again on fresh knowledge, :data:`ATTEMPTS_MAX` times; then it is cut
in halves, so that one request that nobody can write does not hold up the others. A single request that still fails is
answered ``BUSY``, which is never stored: the kiosk keeps it and asks again.

Not done here: waiting for a database that is away. ``PortError`` passes through; running the batch again is always safe,
because every request id has one answer.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cloud.domain.records import Ask, StoredAnswer
from cloud.domain.redemption import judge
from cloud.ports.ingest import ConflictError, IngestStore, Meanwhile
from protocol.messages import Refused, encode_body
from protocol.reasons import Reason

ATTEMPTS_MAX: Final = 3
"""How often one batch is judged before it is cut in halves. Locks and unique keys make even a second attempt rare."""


def answer_batch(
    store: IngestStore, asks: Sequence[Ask], *, now: datetime, meanwhile: Meanwhile | None = None
) -> list[StoredAnswer]:
    """Answer a batch.

    Args:
        asks: authenticated requests, in order of arrival. The same one may stand in it twice.
        now: the cloud's clock, aware.
        meanwhile: what may be done while the database is at work.

    Returns:
        One answer per request, in the same order: new ones, repeated ones, and those that are not stored
        (``REQUEST_CONFLICT``, ``BUSY``).

    Raises:
        PortError: the database cannot be reached or is full. Part of the batch may have been written; run all of it again.
    """
    if not asks:
        return []
    problem: ConflictError | None = None
    for _ in range(ATTEMPTS_MAX):
        try:
            return _answer_once(store, asks, now, meanwhile)
        except ConflictError as conflict:
            problem = conflict
    if len(asks) > 1:
        middle = len(asks) // 2
        halves = (asks[:middle], asks[middle:])
        return [answer for half in halves for answer in answer_batch(store, half, now=now, meanwhile=meanwhile)]
    logging.getLogger(__name__).error("request %s cannot be written: %s", asks[0].request_id, problem)
    return [_busy(asks[0], now)]


def _answer_once(store: IngestStore, asks: Sequence[Ask], now: datetime, meanwhile: Meanwhile | None) -> list[StoredAnswer]:
    with store.begin(meanwhile) as transaction:
        judgement = judge(asks, transaction.load(asks), now)
        # With repeats alone, too: an answer that was only read may be one that a fail-over would still forget.
        transaction.save(judgement.decisions)
    return judgement.answers


def _busy(ask: Ask, now: datetime) -> StoredAnswer:
    answer = encode_body(Refused(request_id=ask.request_id, reason=Reason.BUSY))
    return StoredAnswer(ask.request_id, ask.sender_id, ask.kind, ask.body_hash, answer, now)
