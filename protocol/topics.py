"""The MQTT topic tree ``vk/v1/{site}/{device}/…``, built and taken apart in one place.

``{device}`` is the certificate's CN, the MQTT user name and the client id at once, so the broker's ``%u`` patterns hold each
kiosk to its own branch.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from protocol.errors import ProtocolError

_ROOT = "vk/v1"
_SLUG = re.compile(r"[a-z0-9-]{3,32}")

REQUESTS_FILTER = f"{_ROOT}/+/+/req/+"
"""What the cloud subscribes to for requests."""

CONNECTIONS_FILTER = f"{_ROOT}/+/+/state/conn"
"""What the cloud subscribes to for presence; retained, with the will as its last word."""


class RequestKind(StrEnum):
    """What a kiosk may ask, and the last level of the topic it asks on."""

    CHECK = "check"
    REDEEM = "redeem"
    RELEASE = "release"


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
        return f"{_ROOT}/{self.site_id}/{self.device_id}/req/{kind}"

    def answer(self, kind: RequestKind) -> str:
        """Topic on which the cloud answers; also the request's MQTT Response Topic."""
        return f"{_ROOT}/{self.site_id}/{self.device_id}/rep/{kind}"

    @property
    def answers_filter(self) -> str:
        """What the device subscribes to before it asks anything."""
        return f"{_ROOT}/{self.site_id}/{self.device_id}/rep/+"

    @property
    def connection(self) -> str:
        """Retained presence of the device."""
        return f"{_ROOT}/{self.site_id}/{self.device_id}/state/conn"


def decode_request_topic(topic: str) -> tuple[DeviceAddress, RequestKind]:
    """Take a request topic apart.

    Raises:
        ProtocolError: it is not one.
    """
    match topic.split("/"):
        case ["vk", "v1", site_id, device_id, "req", kind]:
            try:
                return DeviceAddress(site_id, device_id), RequestKind(kind)
            except ValueError as problem:
                raise ProtocolError(str(problem)) from problem
    raise ProtocolError("not a request topic")


def decode_connection_topic(topic: str) -> DeviceAddress:
    """Take a presence topic apart.

    Raises:
        ProtocolError: it is not one.
    """
    match topic.split("/"):
        case ["vk", "v1", site_id, device_id, "state", "conn"]:
            try:
                return DeviceAddress(site_id, device_id)
            except ValueError as problem:
                raise ProtocolError(str(problem)) from problem
    raise ProtocolError("not a presence topic")
