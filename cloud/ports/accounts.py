"""Accounts that are made and changed, and the trail of what happened to them."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from cloud.ports.people import Person
from cloud.ports.programmes import NewStaff

EventKind = Literal[
    "signed_in", "refused", "wrong_door", "signed_out", "proof_refused", "password_changed", "account_added",
    "account_changed", "account_closed", "account_opened", "factors_reset", "totp_set", "totp_removed", "codes_made",
    "code_spent", "passkey_added", "passkey_removed", "sessions_ended",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class AccountEvent:
    """One thing that happened to an account. Never holds a password, a code, or what was typed for a login nobody has."""

    happened_at: datetime
    kind: EventKind
    staff_id: str | None
    door: str = ""
    address: str = ""
    by_staff_id: str | None = None
    """Who did it, where it was not the account's owner."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AccountChange:
    """What an account is to be from now on; the password stays where ``password_hash`` is None."""

    name: str
    login: str
    role: str
    site_id: str | None
    password_hash: str | None = None


class AccountTransaction(Protocol):
    """One open transaction."""

    def add(self, account: NewStaff) -> None: ...

    def change(self, staff_id: str, change: AccountChange) -> None: ...

    def set_password(self, staff_id: str, password_hash: str) -> None: ...

    def set_active(self, staff_id: str, active: bool) -> bool:
        """Open or close an account; False where it was so already."""

    def drop_factors(self, staff_id: str) -> None:
        """Forget second factor, recovery codes and passkeys."""

    def end_sessions(self, staff_id: str, *, but: bytes | None = None) -> int:
        """Sign an account out everywhere (but in one session); return how many sessions that were."""

    def note(self, event: AccountEvent) -> None: ...


class AccountStore(Protocol):
    """Opens transactions on accounts, and reads their trail."""

    def begin(self) -> AbstractContextManager[AccountTransaction]:
        """Open a transaction; leaving it normally commits, an exception rolls back.

        Raises:
            TakenError: on leaving or before: the login belongs to another account.
            PortError: the database failed.
        """

    def events_of(self, staff_id: str, *, limit: int) -> Sequence[AccountEvent]:
        """The newest things that happened to an account, newest first."""


@dataclass(frozen=True, slots=True)
class WebSession:
    """One browser that is signed in."""

    session_hash: bytes
    staff_id: str
    opened_at: datetime
    seen_at: datetime
    address: str
    agent: str


class WebSessions(Protocol):
    """Browsers that are signed in. A session without its row here is none."""

    def open(self, session: WebSession, event: AccountEvent, *, stale_before: datetime) -> None:
        """Open a session and note it; rows last seen before ``stale_before`` are swept out."""

    def find(self, session_hash: bytes) -> tuple[WebSession, Person] | None:
        """The session and whose it is; one query, asked at every request."""

    def seen(self, session_hash: bytes, at: datetime) -> None: ...

    def close(self, session_hash: bytes, event: AccountEvent) -> None: ...

    def open_of(self, staff_id: str) -> Sequence[WebSession]:
        """Newest first."""


@dataclass(frozen=True, slots=True)
class Passkey:
    """One key that a browser or device holds."""

    credential_id: bytes
    staff_id: str
    name: str
    usage: str
    """``first``: instead of the password; ``secondary``: after it."""
    public_key: bytes
    sign_count: int
    transports: str
    """Separated by blanks."""
    device_type: str
    backed_up: bool
    made_at: datetime
    used_at: datetime


@dataclass(frozen=True, slots=True)
class Factors:
    """What somebody proves themselves with beside the password. Secrets and codes are encrypted before they come here."""

    totp_secret: str | None = None
    totp_counter: int = 0
    recovery_codes: tuple[str, ...] = ()
    passkeys: tuple[Passkey, ...] = ()


class FactorStore(Protocol):
    """Second factors and passkeys. Every change is noted in the trail in the same transaction."""

    def find(self, staff_id: str) -> Factors: ...

    def save_totp(self, staff_id: str, totp_secret: str | None, event: AccountEvent) -> None:
        """Set the authenticator's secret, or forget it with the recovery codes (None)."""

    def spend_counter(self, staff_id: str, counter: int) -> bool:
        """Use up the time step of a code; False where it, or a later one, was used before."""

    def save_codes(self, staff_id: str, codes: Sequence[str], event: AccountEvent) -> None: ...

    def spend_code(self, staff_id: str, code: str, event: AccountEvent) -> bool:
        """Use up a recovery code; False where somebody was quicker."""

    def find_passkey(self, credential_id: bytes) -> Passkey | None: ...

    def add_passkey(self, passkey: Passkey, event: AccountEvent) -> None: ...

    def use_passkey(self, credential_id: bytes, *, sign_count: int, backed_up: bool, at: datetime) -> None: ...

    def drop_passkey(self, credential_id: bytes, event: AccountEvent) -> None: ...
