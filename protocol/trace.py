"""W3C Trace Context, as far as it is carried here: one ``traceparent`` beside a redeem request and its answer.

It is for people who follow one order through logs and decides nothing: it stands outside the proof, anybody may leave it out,
and one that is malformed is as good as none. The trace id of a kiosk's request is the request's own id, so every repeat
carries the same one, nothing more is stored, and a trace tells nobody more than the id does.

Source: W3C Trace Context §3.2; the CloudEvents extension "Distributed Tracing" gives the attribute its name.
"""

import re
from typing import Final
from uuid import UUID

TRACEPARENT: Final = "traceparent"
"""Name of the attribute."""

_SHAPE: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


def make_traceparent(request_id: UUID) -> str:
    """Make the one that belongs to a request: its id is the trace, the id's random half the first span, flag *sampled*."""
    digits = request_id.hex
    # The variant bits of a UUID keep both from being all zeros, which would mean "none".
    return f"00-{digits}-{digits[16:]}-01"


def is_traceparent(text: str) -> bool:
    """Tell whether this is one of version 00."""
    return _SHAPE.fullmatch(text) is not None


def trace_id_of(traceparent: str) -> str:
    """Return the 32 digits that are the same in everything that belongs to one trace."""
    return traceparent[3:35]
