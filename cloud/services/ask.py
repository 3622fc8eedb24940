"""A request of somebody without a sealed line, asked of the same judge as a kiosk's: staff pages and merchants' programs.

The digits are in clear here, so their tags are computed at once. That a repeated request is the same one is told by the hash
over everything that was asked, the sender and the tags included. The id is the caller's, and is what makes asking again safe.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cloud.domain.records import Ask, StoredAnswer
from cloud.ports.ingest import IngestStore
from cloud.services.answer import answer_batch
from protocol.messages import Request, encode_body
from protocol.topics import RequestKind


@dataclass(frozen=True, slots=True)
class Counter:
    """Who asks, and the judge that is asked."""

    store: IngestStore
    digit_tag: Callable[[str, str], bytes]
    """``(voucher_no, digits)``: HMAC under the pepper."""
    staff_id: str


def ask_judge(
    counter: Counter, kind: RequestKind, request_id: UUID, body: Request, digits: Sequence[str], *, now: datetime
) -> StoredAnswer:
    """Ask one question.

    Args:
        digits: one per voucher of the body; none for a release.

    Raises:
        PortError: whether it was answered is not known; ask the same again.
    """
    tags = tuple(map(counter.digit_tag, body.voucher_nos, digits)) if digits else ()
    digest = hashlib.sha256()
    for part in (kind.encode(), counter.staff_id.encode(), encode_body(body), *tags):
        digest.update(len(part).to_bytes(4, "big") + part)
    ask = Ask(request_id, kind, counter.staff_id, "staff", body, tags, digest.digest())
    [stored] = answer_batch(counter.store, [ask], now=now)
    return stored
