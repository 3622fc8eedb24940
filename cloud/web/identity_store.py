"""Accounts as Flask-Security sees them: its datastore and its models, on our ports.

Nothing is kept between requests, and nothing is collected until a commit: each change is one call of a port, which is one
transaction with its line in the trail.
"""

import hashlib
from functools import cached_property
from typing import Any

import segno
from flask_security.core import UserMixin, WebAuthnMixin
from flask_security.datastore import UserDatastore
from flask_security.totp import Totp
from passlib.exc import TokenError  # type: ignore[import-untyped]

from cloud.ports.accounts import AccountEvent, EventKind, Factors, Passkey
from cloud.ports.people import Person
from cloud.web.parts import WebParts
from cloud.web.session import event_of, uniquifier

_TOTP_METHOD = "authenticator"
_TRANSPORTS_LENGTH_MAX = 100


class Account(UserMixin):
    """One person. Factors are read when they are first asked for, which ordinary pages never do."""

    tf_phone_number = None
    fs_uniquifier = ""

    def __init__(self, person: Person, parts: WebParts) -> None:
        self.person = person
        self.parts = parts
        self.fs_uniquifier = uniquifier(person, parts)
        self.active = person.active
        self.roles = []
        # Nothing is ever mailed. But the library compares accounts by this when a passkey is used to prove oneself again: left
        # empty for all, anybody's passkey would do for everybody's session.
        self.email = person.staff_id
        self.password = None

    @cached_property
    def factors(self) -> Factors:
        """What the database holds now."""
        return self.parts.accounts.factors.find(self.person.staff_id)

    @property
    def tf_totp_secret(self) -> str | None:  # type: ignore[override]  # the library's model has a plain attribute
        return self.factors.totp_secret

    @property
    def tf_primary_method(self) -> str | None:  # type: ignore[override]
        return _TOTP_METHOD if self.factors.totp_secret else None

    @property
    def mf_recovery_codes(self) -> list[str]:  # type: ignore[override]
        return list(self.factors.recovery_codes)

    @property
    def webauthn(self) -> list["Key"]:  # type: ignore[override]
        return [Key(one) for one in self.factors.passkeys]

    @property
    def fs_webauthn_user_handle(self) -> str:  # type: ignore[override]
        """What an authenticator remembers the account by; tells nothing of it to whoever finds the authenticator."""
        key = self.parts.web_secret[:64]
        return hashlib.blake2b(self.person.staff_id.encode(), key=key, digest_size=32, person=b"vk1 handle").hexdigest()

    def calc_username(self) -> str:
        """What an authenticator app shows."""
        return self.person.login

    def verify_and_update_password(self, password: str) -> bool:
        return self.parts.passwords.verify(self.person.password_hash, password)

    def track_failed_authn(self, auth_type: str, tfa: bool = False) -> None:
        detail = f"{auth_type} {'second' if tfa else 'again'}"
        with self.parts.accounts.store.begin() as transaction:
            transaction.note(self.event("proof_refused", detail))

    def event(self, kind: EventKind, detail: str = "") -> AccountEvent:
        """A line for the trail."""
        return event_of(self.parts, kind, self.person, detail)


class Key(WebAuthnMixin):
    """One passkey; the library changes count, state and time of use on it and puts it back."""

    extensions = None

    def __init__(self, stored: Passkey) -> None:
        self.stored = stored
        self.name = stored.name
        self.credential_id = stored.credential_id
        self.public_key = stored.public_key
        self.sign_count = stored.sign_count
        self.transports = stored.transports.split()
        self.backup_state = stored.backed_up
        self.device_type = stored.device_type
        self.lastuse_datetime = stored.used_at
        self.usage = stored.usage


class Accounts(UserDatastore):
    """The datastore."""

    def __init__(self, parts: WebParts) -> None:
        super().__init__(Account, None, Key)  # type: ignore[arg-type]  # roles are ours, not the library's
        self._parts = parts
        self._factors = parts.accounts.factors

    def commit(self) -> None:
        """Everything is written already."""

    def put(self, model: Any) -> Any:
        """Keep what changed on a passkey that was used; accounts never come here."""
        if isinstance(model, Key):
            self._factors.use_passkey(
                model.credential_id,
                sign_count=model.sign_count,
                backed_up=model.backup_state,
                at=self._parts.wall_clock.now(),
            )
        return model

    def find_user(self, case_insensitive: bool = False, **kwargs: Any) -> Account | None:  # noqa: ARG002 - the library's name
        """Find by ``fs_uniquifier``; one from before a change of password finds nobody."""
        wanted = str(kwargs.get("fs_uniquifier", ""))
        person = self._parts.people.find_person(wanted.partition(".")[0])
        if person is None or not person.active or uniquifier(person, self._parts) != wanted:
            return None
        return Account(person, self._parts)

    def tf_set(
        self,
        user: Any,
        primary_method: str,  # noqa: ARG002 - there is one method
        totp_secret: str | None = None,
        phone: str | None = None,  # noqa: ARG002
    ) -> None:
        if totp_secret is not None and totp_secret != user.tf_totp_secret:
            self._factors.save_totp(user.person.staff_id, totp_secret, user.event("totp_set"))

    def tf_reset(self, user: Any) -> None:
        self._factors.save_totp(user.person.staff_id, None, user.event("totp_removed"))

    def mf_set_recovery_codes(self, user: Any, rcs: list[str] | None) -> None:
        self._factors.save_codes(user.person.staff_id, rcs or [], user.event("codes_made"))

    def mf_delete_recovery_code(self, user: Any, idx: int) -> bool:
        """Use a code up.

        Raises:
            CodeSpentError: another request used the same code at the same moment.
        """
        if not self._factors.spend_code(user.person.staff_id, user.mf_recovery_codes[idx], user.event("code_spent")):
            raise CodeSpentError
        return True

    def create_webauthn(
        self,
        user: Any,
        credential_id: bytes,
        public_key: bytes,
        name: str,
        sign_count: int,
        usage: str,
        device_type: str,
        backup_state: bool,
        transports: list[str] | None = None,
        extensions: str | None = None,  # noqa: ARG002 - told by the browser, of no use here
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        now, staff_id = self._parts.wall_clock.now(), user.person.staff_id
        words = " ".join(_plain(one) for one in transports or ())[:_TRANSPORTS_LENGTH_MAX]
        passkey = Passkey(
            credential_id, staff_id, name, usage, public_key, sign_count, words, _plain(device_type), backup_state, now, now
        )
        self._factors.add_passkey(passkey, user.event("passkey_added", usage))

    def find_webauthn(self, credential_id: bytes) -> Key | None:
        stored = self._factors.find_passkey(credential_id)
        return None if stored is None else Key(stored)

    def delete_webauthn(self, webauthn: Any) -> None:
        person = self._parts.people.find_person(webauthn.stored.staff_id)
        if person is not None:
            self._factors.drop_passkey(webauthn.credential_id, event_of(self._parts, "passkey_removed", person))

    def find_user_from_webauthn(self, webauthn: Any) -> Account | None:
        person = self._parts.people.find_person(webauthn.stored.staff_id)
        return None if person is None else Account(person, self._parts)


def _plain(value: object) -> str:
    """The text behind an enumeration of the library's."""
    return str(getattr(value, "value", value))


class CodeSpentError(Exception):
    """A recovery code was used up by another request."""


class OneTimeCodes(Totp):
    """Codes of an authenticator app, each good once: the stored time step moves on in the database, or the code was used."""

    def verify_totp(self, token: str, totp_secret: str, user: Any, window: int = 0) -> bool:
        is_new = totp_secret != user.tf_totp_secret
        try:
            # A new secret is being tried out: it is not stored yet, and none of its codes was used.
            last_counter = None if is_new else user.factors.totp_counter or None
            match = self._totp.verify(token, totp_secret, window=window, last_counter=last_counter)
        except TokenError:
            return False
        return is_new or bool(user.parts.accounts.factors.spend_counter(user.person.staff_id, match.counter))

    def generate_qrcode(self, username: str, totp: str) -> str:
        """An SVG element: the content policy allows no image in a data URL."""
        code = segno.make(self.get_totp_uri(username, totp), error="m")
        return str(code.svg_inline(border=4, dark="#0f2233", light="#ffffff", omitsize=True, svgclass="qr", lineclass=None))
