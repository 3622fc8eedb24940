"""Voucher numbers: twelve random digits from the system's randomness. They carry no meaning and no check digit (V-R1)."""

import secrets
from collections.abc import Iterator

from protocol.limits import VOUCHER_NO_LENGTH


def random_voucher_nos() -> Iterator[str]:
    """Yield numbers without end; one may come twice, which the database tells."""
    while True:
        yield f"{secrets.randbelow(10**VOUCHER_NO_LENGTH):0{VOUCHER_NO_LENGTH}d}"
