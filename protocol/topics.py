"""The MQTT topic tree ``vk/v1/{lane}/{site}/{device}/…``, built and taken apart in one place.

``{device}`` is the certificate's CN, the MQTT user name and the client id at once, so the broker's ``%u`` patterns hold each
kiosk to its own branch. ``{lane}`` follows from ``{device}``: it lets the cloud share the kiosks out among several subscribers
without asking anybody who belongs to whom.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Final

from protocol.errors import ProtocolError

_ROOT = "vk/v1"
_SLUG = re.compile(r"[a-z0-9-]{3,32}")

LANES: Final = "0123456789abcdef"
"""All lanes, in order."""

LANE_AT: Final = len(_ROOT) + 1
"""Where the lane stands in a topic."""

ANY_LANE: Final = "+"


class RequestKind(StrEnum):
    """What a kiosk may ask, and the last level of the topic it asks on."""

    CHECK = "check"
    REDEEM = "redeem"
    RELEASE = "release"


@lru_cache(maxsize=65_536)
def lane_of(device_id: str) -> str:
    """Return the lane of a device: the first hexadecimal digit of the SHA-256 of its id. Never changes."""
    return sha256(device_id.encode()).hexdigest()[0]


def requests_filter(lane: str = ANY_LANE) -> str:
    """What the cloud subscribes to for the requests of one lane, or of all."""
    return f"{_ROOT}/{lane}/+/+/req/+"


def connections_filter(lane: str = ANY_LANE) -> str:
    """What the cloud subscribes to for presence; retained, with the will as its last word."""
    return f"{_ROOT}/{lane}/+/+/state/conn"


@dataclass(frozen=True, slots=True)
class DeviceAddress:
    """Where one device lives in the tree."""

    site_id: str
    device_id: str

    def __post_init__(self) -> None:
        for slug in (self.site_id, self.device_id):
            if not _SLUG.fullmatch(slug):
                raise ValueError(f"not an id of 3 to 32 lower-case letters, digits and hyphens: {slug!r}")

    def request(self, kind: RequestKind) -> str:
        """Topic on which the device asks."""
        return f"{self._branch}/req/{kind}"

    def answer(self, kind: RequestKind) -> str:
        """Topic on which the cloud answers; also the request's MQTT Response Topic."""
        return f"{self._branch}/rep/{kind}"

    @property
    def answers_filter(self) -> str:
        """What the device subscribes to before it asks anything."""
        return f"{self._branch}/rep/+"

    @property
    def connection(self) -> str:
        """Retained presence of the device."""
        return f"{self._branch}/state/conn"

    @property
    def _branch(self) -> str:
        return f"{_ROOT}/{lane_of(self.device_id)}/{self.site_id}/{self.device_id}"


def decode_request_topic(topic: str) -> tuple[DeviceAddress, RequestKind]:
    """Take a request topic apart.

    Raises:
        ProtocolError: it is not one, or stands on another lane than the device's.
    """
    match topic.split("/"):
        case ["vk", "v1", lane, site_id, device_id, "req", kind]:
            try:
                return _address(lane, site_id, device_id), RequestKind(kind)
            except ValueError as problem:
                raise ProtocolError(str(problem)) from problem
    raise ProtocolError("not a request topic")


def decode_connection_topic(topic: str) -> DeviceAddress:
    """Take a presence topic apart.

    Raises:
        ProtocolError: it is not one, or stands on another lane than the device's.
    """
    match topic.split("/"):
        case ["vk", "v1", lane, site_id, device_id, "state", "conn"]:
            try:
                return _address(lane, site_id, device_id)
            except ValueError as problem:
                raise ProtocolError(str(problem)) from problem
    raise ProtocolError("not a presence topic")


def _address(lane: str, site_id: str, device_id: str) -> DeviceAddress:
    address = DeviceAddress(site_id, device_id)
    if lane != lane_of(device_id):
        raise ProtocolError("not on the device's lane")
    return address
