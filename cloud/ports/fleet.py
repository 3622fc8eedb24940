"""The kiosks: how one is enrolled, what state it is in, and when it was last seen.

That a claim code works once is judged by the database in one statement, never by reading first. A change of state takes
effect at once, because the ingest transaction reads it again for every batch.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from protocol.enrolment import ItemCategory

DeviceStateName = Literal["active", "suspended", "revoked"]
PresenceName = Literal["online", "offline", "lost"]


class DuplicateDeviceError(Exception):
    """The freshly minted device id is taken. Nothing was written; mint another."""


@dataclass(frozen=True, slots=True)
class ClaimCode:
    """Permission to enrol one kiosk at one site. Only the hash of the code is kept."""

    code_hash: bytes
    site_id: str
    made_at: datetime
    made_by: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ClaimedSite:
    """What a code that can still be used stands for."""

    site_id: str
    site_name: str
    item_categories: Sequence[ItemCategory]
    """Of the site's merchant, in the order of the screen."""


@dataclass(frozen=True, slots=True)
class NewDevice:
    """What is written when a kiosk is enrolled."""

    device_id: str
    serial: str
    seal_public: bytes
    certificate_serial: str
    certificate_pem: str
    enrolled_at: datetime


@dataclass(frozen=True, slots=True)
class EnrolledDevice:
    """What the edge must know to tell whether a message is this kiosk's. It never changes for a device id."""

    device_id: str
    site_id: str
    seal_public: bytes


@dataclass(frozen=True, slots=True)
class Presence:
    """What a kiosk, or the broker in its name, last said about itself."""

    device_id: str
    state: PresenceName
    seen_at: datetime
    version: str
    pending: int
    remembered: bool = False
    """Retained by the broker from an unknown moment: its state counts, its time does not."""


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """One certificate."""

    pem: str
    serial: str
    """Hexadecimal, lower case."""


class CertificateAuthority(Protocol):
    """Signs certificates of kiosks."""

    @property
    def certificate_pem(self) -> str:
        """The authority's own certificate."""

    def device_certificate(self, csr_pem: str, device_id: str) -> IssuedCertificate:
        """Certify the key of a request under the name that the cloud chose.

        Raises:
            ProtocolError: it is no request, is not signed by its own key, or has a kind of key that is not taken.
        """


class Fleet(Protocol):
    """Storage of the kiosks. Every method is one transaction.

    Every method raises PortError where the database cannot be reached.
    """

    def has_site(self, site_id: str) -> bool: ...

    def add_claim_code(self, code: ClaimCode) -> None:
        """Keep a code, with an entry of the audit log."""

    def find_claimed_site(self, code_hash: bytes, *, now: datetime) -> ClaimedSite | None:
        """Return what an unused, unexpired code stands for. Advice only: :meth:`enrol` judges."""

    def enrol(self, code_hash: bytes, device: NewDevice) -> bool:
        """Use the code up and write the device, or do neither and return False.

        Raises:
            DuplicateDeviceError: the device id is taken.
        """

    def find_devices(self, device_ids: Collection[str]) -> Mapping[str, EnrolledDevice]:
        """Return those that exist, whatever their state."""

    def set_state(self, device_id: str, state: DeviceStateName, *, by: str, reason: str, now: datetime) -> bool:
        """Change a device's state, with an entry of the audit log; False where there is no such device or it is revoked
        already, which is for ever."""

    def revoked_certificate_serials(self) -> Sequence[str]:
        """Serial numbers for the revocation list, sorted."""

    def record_presence(self, presences: Iterable[Presence]) -> None:
        """Write what was last said, one row per device; later ones of the batch win. Unknown devices are skipped."""
