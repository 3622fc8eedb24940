"""The hash chain over one kiosk's redeem requests.

Each request carries its sequence number, one more than the last, and the hash of the request before it. A copied kiosk must
therefore either repeat a number or break the chain, and both show (RELIABILITY: clone detection, ADR 0007).
"""

import hashlib
from typing import Final

GENESIS: Final = "0" * 64
"""What the first request of a kiosk names as the one before it."""

FIRST_SEQUENCE: Final = 1


def link_of(body: bytes) -> str:
    """Return the SHA-256 of a request body as 64 lower-case hex characters: what the next request must name as ``previous``.

    The body holds its own sequence number and its own ``previous``, so the hash covers the whole chain before it.
    """
    return hashlib.sha256(body).hexdigest()
