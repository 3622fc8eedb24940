"""What connects a merchant's programs to the cloud: their keys, the answers that they may ask for again, and the trail.

A key is an account without a door: a row of ``staff`` that nobody can sign in with. So the judge knows it as it knows a member
of staff, its name stands on the transactions it made, and revoking it counts inside the very transaction that judges.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, get_args
from uuid import UUID

from cloud.ports.confirmations import Confirmed

Scope = Literal["redeem", "read", "confirm"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

KEY_ROLE = "api_key"
"""Role and door of the account behind a key. No page lets it in."""

ConnectEventKind = Literal[
    "key_made", "key_revoked", "webhook_made", "webhook_changed", "webhook_removed", "secret_rotated", "message_resent",
    "webhook_disabled",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class ConnectEvent:
    """One line of the trail. Never holds a key or a secret."""

    happened_at: datetime
    merchant_id: str
    kind: ConnectEventKind
    subject: str
    by_staff_id: str | None
    address: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key, as its owner sees it; the key itself is kept nowhere."""

    key_id: str
    name: str
    merchant_id: str
    merchant_category: str
    site_id: str
    site_name: str
    prefix: str
    scopes: frozenset[str]
    active: bool
    """Whether the account behind it counts; an expired key's does too."""
    made_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None

    def is_good(self, now: datetime) -> bool:
        """Tell whether the key opens anything at this moment."""
        return self.active and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that is made."""

    key_id: str
    name: str
    merchant_id: str
    site_id: str
    secret_hash: bytes
    prefix: str
    scopes: frozenset[str]
    made_at: datetime
    made_by: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What a request was answered with, and how to tell whether another one is the same."""

    body_hash: bytes
    answer: bytes


class KeyStore(Protocol):
    """Keeps keys. Every method raises PortError where the database cannot be reached."""

    def add(self, key: NewKey, event: ConnectEvent) -> None: ...

    def revoke(self, key_id: str, event: ConnectEvent) -> bool:
        """Take a key's rights away, for ever; False where that was done before or the key is not the event's merchant's."""

    def find_by_hash(self, secret_hash: bytes) -> ApiKey | None: ...

    def keys_of(self, merchant_id: str) -> Sequence[ApiKey]:
        """A merchant's keys, those that count first, then newest first."""

    def used(self, key_id: str, at: datetime) -> None: ...

    def events_of(self, merchant_id: str, *, limit: int) -> Sequence[ConnectEvent]:
        """Newest first."""


class ConfirmOnce(Protocol):
    """Confirms for a program: the answer is kept in the transaction that confirms."""

    def confirm_once(
        self,
        which: "ConfirmRequest",
        *,
        encode: Callable[[Confirmed], bytes],
        now: datetime,
    ) -> KeptAnswer:
        """Confirm and keep the answer, or return the one that is kept for this request.

        Raises:
            PortError: the database failed; asking again is safe.
        """


@dataclass(frozen=True, slots=True)
class ConfirmRequest:
    """What a program wants confirmed, and which request that was."""

    key_id: str
    merchant_id: str
    request_hash: bytes
    body_hash: bytes
    redemption_ids: Sequence[UUID] | None
    """None for everything that waits."""
