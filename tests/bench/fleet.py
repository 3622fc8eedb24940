"""The kiosks of a benchmark: a thousand, at a hundred sites, with keys made the real way and in bulk.

Every kiosk has an X25519 key of its own and agrees with the cloud's, as at an enrolment; only the certificate is left out,
because the generator's few connections stand for all kiosks (:mod:`tests.bench.stage`). Both sides, the generator's process and
the one that fills the database, make the same fleet from the same numbers.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from protocol.chain import FIRST_SEQUENCE, GENESIS
from protocol.keys import DeviceKeys, agree
from protocol.topics import DeviceAddress

KIOSKS: Final = 1_000
KIOSKS_PER_SITE: Final = 10


@dataclass(slots=True)
class Kiosk:
    """One kiosk, as far as the cloud can tell."""

    address: DeviceAddress
    keys: DeviceKeys
    sequence: int = FIRST_SEQUENCE - 1
    previous: str = GENESIS


def site_of(number: int) -> str:
    """Id of the site where kiosk ``number`` stands."""
    return f"site-{number // KIOSKS_PER_SITE:04d}"


def address_of(number: int) -> DeviceAddress:
    """Address of kiosk ``number``."""
    return DeviceAddress(site_of(number), f"kiosk-{number:06d}")


def seal_public_of(number: int) -> bytes:
    """Public half of kiosk ``number``'s key."""
    return X25519PrivateKey.from_private_bytes(_private_of(number)).public_key().public_bytes_raw()


def make_fleet(count: int, cloud_seal_public: bytes) -> Sequence[Kiosk]:
    """Make the kiosks with the keys that they share with this cloud."""
    addresses = [address_of(number) for number in range(count)]
    return [
        Kiosk(address, agree(_private_of(number), cloud_seal_public, device_id=address.device_id))
        for number, address in enumerate(addresses)
    ]


def digits_of(voucher_no: str) -> str:
    """The holder's four characters; in clear, because these people do not exist."""
    return f"{int(voucher_no) * 7919 % 10_000:04d}"


def _private_of(number: int) -> bytes:
    return hashlib.sha256(b"bench kiosk %d" % number).digest()
