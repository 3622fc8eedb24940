"""What an answer must be before anybody believes it.

The broker carries it and proves nothing. Believed is only what was made with this device's answer key, for the kind of
request it came back for, and names that very request inside what is proved.
"""

from protocol.envelope import CLOUD_SOURCE, Event, answer_type
from protocol.errors import ProtocolError
from protocol.messages import Answer, Redeem, RedeemAccepted, Refused, decode_answer, decode_request
from protocol.reasons import Reason
from protocol.topics import RequestKind


def read_answer(kind: RequestKind, event: Event, key: bytes) -> Answer | None:
    """Return the answer, or None if it is not authentic or not an answer to its own id."""
    if event.source != CLOUD_SOURCE or event.type != answer_type(kind) or not event.is_from(key):
        return None
    try:
        answer = decode_answer(event.body)
    except ProtocolError:
        return None
    return answer if answer.request_id == event.id else None


def final_answer(answer: Answer, request: Event) -> RedeemAccepted | Refused | None:
    """Return the answer if it ends a redeem request.

    ``BUSY`` ends nothing: the same request may be sent again. An acceptance of other amounts than were asked for is no answer
    to this request, whoever signed it.

    Args:
        request: the redeem request that it answers, as saved.
    """
    if isinstance(answer, Refused):
        return None if answer.reason is Reason.BUSY else answer
    if not isinstance(answer, RedeemAccepted):
        return None
    asked = decode_request(RequestKind.REDEEM, request.body)
    assert isinstance(asked, Redeem)
    said = (answer.order_total_twd, answer.voucher_count, answer.topup_twd)
    expected = (asked.order_total_twd, len(asked.vouchers), max(0, asked.order_total_twd - answer.redeemed_twd))
    return answer if said == expected else None
