"""Ids that are minted once, before anything is saved, by whoever starts the work.

Clock and randomness are arguments. A request id is a UUIDv7 (RFC 9562 §5.7): unique without a server, and sorted by time,
which keeps database inserts at one end of the index.
"""

from uuid import UUID

_REFERENCE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Thirty-two characters without 0, 1, I and O: read aloud over a counter, none is taken for another."""

REFERENCE_LENGTH = 6


def uuid7(unix_ms: int, random: bytes) -> UUID:
    """Build a UUIDv7.

    Args:
        unix_ms: milliseconds since 1970-01-01 UTC, 0 to 2**48 - 1.
        random: ten random bytes; 74 of their 80 bits are used.

    Raises:
        ValueError: the time is out of range or there are not ten bytes.
    """
    if not 0 <= unix_ms < 1 << 48:
        raise ValueError(f"time out of range for a UUIDv7: {unix_ms} ms")
    if len(random) != 10:
        raise ValueError(f"a UUIDv7 takes 10 random bytes, not {len(random)}")
    noise = int.from_bytes(random, "big")
    high, low = (noise >> 62) & 0xFFF, noise & ((1 << 62) - 1)
    return UUID(int=unix_ms << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)


def reference(request_id: UUID) -> str:
    """Return the six characters a customer may read to the help line, e.g. ``K7M-2QX``.

    Taken from the random end of the id: 30 bits, enough to find one request among those of a day, not a secret.
    """
    end = request_id.int & ((1 << 5 * REFERENCE_LENGTH) - 1)
    of = _REFERENCE_ALPHABET
    # Written out, because every accepted order needs one: twice as quick as a loop.
    return f"{of[end >> 25]}{of[end >> 20 & 31]}{of[end >> 15 & 31]}-{of[end >> 10 & 31]}{of[end >> 5 & 31]}{of[end & 31]}"
