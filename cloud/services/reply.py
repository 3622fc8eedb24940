"""The message that carries an answer back to its kiosk, and the topic it goes to.

The topic is computed from the authenticated device; the Response Topic that a sender may name is not looked at. A final
answer depends on nothing but what is stored, so every repeat of a request is answered with the same bytes. A request's
``traceparent`` goes back beside them.
"""

from datetime import datetime
from typing import Final

from cloud.domain.instants import encode_instant
from cloud.domain.records import StoredAnswer
from cloud.services.admit import Excess, KnownDevice, Malformed
from protocol.envelope import CLOUD_SOURCE, Event, answer_type, make_event
from protocol.messages import Refused, encode_body

Reply = tuple[str, Event]
"""Topic and message."""

_TIME_LENGTH_MAX: Final = 40
_NO_TIME: Final = "1970-01-01T00:00:00.000000Z"


def final_reply(device: KnownDevice, stored: StoredAnswer, traceparent: str | None = None) -> Reply:
    """Wrap a stored answer; ``traceparent`` is the one of the request that it answers now.

    Raises:
        ValueError: it is longer than a body may be.
    """
    event = make_event(
        device.answering,
        id=stored.request_id,
        source=CLOUD_SOURCE,
        type=answer_type(stored.kind),
        time=encode_instant(stored.answered_at),
        body=stored.answer,
        traceparent=traceparent,
    )
    return device.answer_topics[stored.kind], event


def unjudged_reply(outcome: Malformed | Excess, *, now: datetime) -> Reply:
    """Refuse without judging: a malformed message, or one above the flow limit.

    Nothing of it is stored. A malformed message is answered with its own time, so that a repeat is answered with the same
    bytes; ``busy`` is no final answer and carries the time of this moment.
    """
    if isinstance(outcome, Malformed):
        time = outcome.time
        time = time if len(time) <= _TIME_LENGTH_MAX and time.isascii() and time.isprintable() else _NO_TIME
    else:
        time = encode_instant(now)
    event = make_event(
        outcome.device.answering,
        id=outcome.request_id,
        source=CLOUD_SOURCE,
        type=answer_type(outcome.kind),
        time=time,
        body=encode_body(Refused(request_id=outcome.request_id, reason=outcome.reason)),
        traceparent=outcome.traceparent,
    )
    return outcome.device.answer_topics[outcome.kind], event
