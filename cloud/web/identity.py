"""Flask-Security: second factors, recovery codes, passkeys, and proving oneself again before what must not be done lightly.

What is ours and what is the library's. The doors are ours (:mod:`cloud.web.public`): login belongs to a door, tries are
counted, the answer to a stranger is always the same. From the right password on it is the library's: whether a second factor
is asked for, authenticator codes, recovery codes, passkeys as first or second factor, and how long a sign-in counts as fresh.
Its pages are our templates and speak our words; its own sign-in page, its JSON interface and its login by a key in the
address are closed. The session it opens is a row of ours (:mod:`cloud.web.session`).
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from flask import Flask, abort, redirect, request, session, url_for
from flask_security import Security, current_user
from flask_security.signals import user_authenticated
from flask_security.tf_plugin import tf_clean_session
from flask_security.utils import check_and_update_authn_fresh, login_user, set_request_attr
from flask_security.webauthn_util import WebauthnUtil
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from werkzeug.wrappers import Response

from cloud.ports.people import Person
from cloud.services.sign_in import ADDRESS_TRIES_MAX
from cloud.web.access import EVERYBODY, SIGNED_IN, Access
from cloud.web.identity_store import Account, Accounts, CodeSpentError, OneTimeCodes
from cloud.web.language import catalogues, choose_language, say
from cloud.web.parts import WebParts
from cloud.web.security import own_path
from cloud.web.session import close_session, find_person, open_session

FRESH_FOR: Final = timedelta(minutes=10)
"""How long proving oneself counts."""

PENDING_MAX: Final = timedelta(minutes=10)
"""How long a right password waits for its second factor."""

PROOFS_MAX: Final = 8
"""Codes, passkeys and repeated passwords that one account may try within the throttle's window."""

CODE_WINDOW_S: Final = 30
"""How far an authenticator's clock may be off."""

RECOVERY_CODES: Final = 8

_FOR_STRANGERS = ("login", "tf_select", "two_factor_token_validation", "two_factor_rescue", "mf_recovery", "wan_signin")
_FOR_STRANGERS_TOO = ("wan_signin_response",)
_FOR_OWNERS = (
    "verify",
    "two_factor_setup",
    "two_factor_setup_validate",
    "mf_recovery_codes",
    "wan_register",
    "wan_register_response",
    "wan_delete",
    "wan_verify",
    "wan_verify_response",
)
_PROOFS = frozenset(
    f"security.{name}"
    for name in ("two_factor_token_validation", "mf_recovery", "verify", "wan_signin_response", "wan_verify_response")
)

LIBRARY_ACCESS: Final[Mapping[str, Access]] = {
    **{f"security.{name}": EVERYBODY for name in (*_FOR_STRANGERS, *_FOR_STRANGERS_TOO)},
    **{f"security.{name}": SIGNED_IN for name in _FOR_OWNERS},
}
"""Who may open the library's routes. A new version with a new route keeps the app from starting until it is named here."""

_SAYINGS: Final = {
    "REAUTHENTICATION_REQUIRED": ("prove_again", "info"),
    "REAUTHENTICATION_SUCCESSFUL": ("proved", "success"),
    "INVALID_PASSWORD": ("wrong_password", "error"),
    "PASSWORD_NOT_PROVIDED": ("wrong_password", "error"),
    "TWO_FACTOR_INVALID_TOKEN": ("wrong_code", "error"),
    "INVALID_CODE": ("wrong_code", "error"),
    "INVALID_RECOVERY_CODE": ("wrong_recovery_code", "error"),
    "TWO_FACTOR_LOGIN_SUCCESSFUL": ("code_right", "success"),
    "TWO_FACTOR_CHANGE_METHOD_SUCCESSFUL": ("totp_on", "success"),
    "TWO_FACTOR_DISABLED": ("totp_off", "success"),
    "TWO_FACTOR_SETUP_EXPIRED": ("too_late", "error"),
    "WEBAUTHN_EXPIRED": ("too_late", "error"),
    "WEBAUTHN_NAME_REQUIRED": ("passkey_name", "error"),
    "WEBAUTHN_NAME_DISALLOWED_CHARACTERS": ("passkey_name", "error"),
    "INVALID_INPUT": ("passkey_name", "error"),
    "INVALID_INPUT_LENGTH": ("passkey_name", "error"),
    "WEBAUTHN_NAME_INUSE": ("passkey_name_used", "error"),
    "WEBAUTHN_REGISTER_SUCCESSFUL": ("passkey_added", "success"),
    "WEBAUTHN_CREDENTIAL_DELETED": ("passkey_removed", "success"),
    "WEBAUTHN_CREDENTIAL_ID_INUSE": ("passkey_known", "error"),
}
"""The library's messages in our words; whatever is not listed says "please begin again"."""

_WORDS = "account.says."


def install_identity(app: Flask, parts: WebParts) -> None:
    """Set the library up. The forms' protection (CSRFProtect) must be there already, and the session be read before."""
    app.config.update(_settings(parts))
    security = Security(app, Accounts(parts), totp_cls=OneTimeCodes, webauthn_util_cls=_passkey_rules(https=parts.https))
    for name, value in list(app.config.items()):
        if name.startswith("SECURITY_MSG_"):
            word, category = _SAYINGS.get(name.removeprefix("SECURITY_MSG_"), ("begin_again", "error"))
            app.config[name] = (_WORDS + word, category if name in _SAYINGS else value[1])
    security.i18n_domain = _Words()  # type: ignore[assignment]  # as much of it as is used
    security.want_json(lambda _request: False)
    manager: Any = security.login_manager
    manager.request_loader(None)
    manager.user_loader(lambda found: _load(parts, found))
    manager.session_protection = None
    # Our doors are the only way in.
    app.view_functions["security.login"] = lambda: redirect(url_for("public.home"))
    _watch(app, parts)


def is_fresh() -> bool:
    """Tell whether whoever is signed in proved themselves within :data:`FRESH_FOR`."""
    return bool(current_user.is_authenticated) and check_and_update_authn_fresh(FRESH_FOR, timedelta(0), "session")


def enter(person: Person, parts: WebParts, *, wanted: str | None, start: str) -> Response:
    """Let somebody in whose password was right, or ask for the second factor that they have set up."""
    if find_person() is not None:
        close_session(parts)
    session.clear()
    account = Account(person, parts)
    security: Security = _security()
    asked: Any = security.two_factor_plugins.tf_enter(account, False, "password", next_loc=wanted)
    if asked is not None:
        session["tf_at"] = int(parts.wall_clock.now().timestamp())
        return asked  # type: ignore[no-any-return]
    login_user(account, remember=False, authn_via=["password"])
    return redirect(wanted or start)


def enter_again(person: Person, parts: WebParts) -> None:
    """Sign somebody in who is signed in, under a new session: their password is another one now."""
    session.clear()
    login_user(Account(person, parts), remember=False, authn_via=["password"])


def _security() -> Security:
    from flask import current_app

    found: Security = current_app.extensions["security"]
    return found


def _settings(parts: WebParts) -> dict[str, object]:
    pages = {
        "TWO_FACTOR_SETUP": "account_totp",
        "TWO_FACTOR_VERIFY_CODE": "account_code",
        "TWO_FACTOR_SELECT": "account_choose",
        "MULTI_FACTOR_RECOVERY": "account_recovery",
        "MULTI_FACTOR_RECOVERY_CODES": "account_codes",
        "VERIFY": "account_verify",
        "WAN_REGISTER": "account_passkeys",
        "WAN_SIGNIN": "account_passkey",
        "WAN_VERIFY": "account_passkey",
    }
    settings: dict[str, object] = {
        "URL_PREFIX": "/account",
        "STATIC_FOLDER": None,
        "LOGOUT_METHODS": None,
        "POST_LOGIN_VIEW": "public.start",
        "POST_VERIFY_VIEW": "account.own",
        "TWO_FACTOR": True,
        "TWO_FACTOR_ENABLED_METHODS": ["authenticator"],
        "TWO_FACTOR_AUTHENTICATOR_VALIDITY": CODE_WINDOW_S,
        "TWO_FACTOR_RESCUE_EMAIL": False,
        "TWO_FACTOR_POST_SETUP_VIEW": "account.own",
        "TWO_FACTOR_ERROR_VIEW": "public.home",
        "TWO_FACTOR_ALWAYS_VALIDATE": True,
        "TOTP_SECRETS": {"1": _derived(parts, b"vk1 totp").hex()},
        "TOTP_ISSUER": "Voucher Kiosk",
        "MULTI_FACTOR_RECOVERY_CODES": True,
        "MULTI_FACTOR_RECOVERY_CODES_N": RECOVERY_CODES,
        "MULTI_FACTOR_RECOVERY_CODES_KEYS": [urlsafe_b64encode(_derived(parts, b"vk1 codes"))],
        "WEBAUTHN": True,
        "WAN_RP_NAME": "Voucher Kiosk",
        "WAN_ALLOW_USER_HINTS": False,
        "WAN_POST_REGISTER_VIEW": "account.own",
        "INPUT_NORMALIZE_FORM": "NFC",
        "FRESHNESS": FRESH_FOR,
        "FRESHNESS_GRACE_PERIOD": timedelta(0),
        "FRESHNESS_ALLOW_AUTH_TOKEN": False,
        "API_ENABLED_METHODS": ["session"],
        "CLI_USERS_NAME": None,
        "CLI_ROLES_NAME": None,
        "CACHE_CONTROL": None,
        **{f"{name}_TEMPLATE": f"{page}.html" for name, page in pages.items()},
    }
    return {f"SECURITY_{name}": value for name, value in settings.items()}


def _derived(parts: WebParts, purpose: bytes) -> bytes:
    """A key of its own for each purpose, from the vault's web secret. Without it no authenticator is known any more."""
    return hashlib.blake2b(b"", key=parts.web_secret[:64], digest_size=32, person=purpose).digest()


def _passkey_rules(*, https: bool) -> type[WebauthnUtil]:
    class Rules(WebauthnUtil):
        """Instead of a password only a key that asks for its owner's finger, face or number; after one, any key."""

        def origin(self) -> str:
            # As the browser sees it: TLS ends in front of this program.
            return f"{'https' if https else 'http'}://{request.host}"

        def authenticator_selection(self, user: Any, usage: str) -> AuthenticatorSelectionCriteria:  # noqa: ARG002
            if usage == "first":
                return AuthenticatorSelectionCriteria(
                    resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
                )
            return AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.DISCOURAGED, user_verification=UserVerificationRequirement.DISCOURAGED
            )

        def user_verification(self, user: Any, usage: list[str]) -> UserVerificationRequirement:  # noqa: ARG002
            is_first = usage == ["first"]
            return UserVerificationRequirement.REQUIRED if is_first else UserVerificationRequirement.PREFERRED

    return Rules


def _load(parts: WebParts, found: str) -> Account | None:
    """Who is signed in, for the library: whoever our own session says."""
    person = find_person()
    account = None if person is None else Account(person, parts)
    if account is None or account.fs_uniquifier != found:
        return None
    set_request_attr("fs_authn_via", "session")
    set_request_attr("fs_paa", session.get("fs_paa", 0))
    return account


def _watch(app: Flask, parts: WebParts) -> None:
    def opened(_app: Flask, *, user: Account, **_more: object) -> None:
        parts.throttle.forget(_proof_key(user.person.staff_id))
        open_session(user.person, parts)

    user_authenticated.connect(opened, app)
    # The signal holds its listeners weakly.
    app.extensions["vk_identity"] = opened

    @app.before_request
    def slow_down() -> None:
        if "tf_user_id" in session and _is_over(parts):
            tf_clean_session()  # type: ignore[no-untyped-call]
        if request.method == "POST" and request.endpoint in _PROOFS:
            key, tries_max = _proof_limit()
            if parts.throttle.admit(key, tries_max=tries_max, now=parts.wall_clock.now()):
                abort(429)

    @app.before_request
    def stay_here() -> None:
        wanted = request.values.get("next")
        if (request.endpoint or "").startswith("security.") and wanted and own_path(wanted) is None:
            # The library has a judgement of its own, which takes "/\elsewhere" for a path.
            abort(400)

    @app.errorhandler(CodeSpentError)
    def say_spent(_problem: CodeSpentError) -> Response:
        return redirect(url_for("security.mf_recovery"))


def _proof_key(who: str) -> str:
    return f"proof {who}"


def _proof_limit() -> tuple[str, int]:
    """Whose tries count together, and how many there may be."""
    person = find_person()
    staff_id = str(session.get("tf_user_id", "")).partition(".")[0] if person is None else person.staff_id
    if staff_id:
        return _proof_key(staff_id), PROOFS_MAX
    # A passkey from somebody who has not said who they are: counted like any sign-in from this address.
    return f"address {request.remote_addr or ''}", ADDRESS_TRIES_MAX


def _is_over(parts: WebParts) -> bool:
    return parts.wall_clock.now().timestamp() > int(session.get("tf_at", 0)) + PENDING_MAX.total_seconds()


class _Words:
    """Stands in for the library's catalogues, which know neither zh-Hant-TW nor Korean: every message is a key of ours."""

    def gettext(self, string: str, **facts: object) -> str:
        if string in catalogues().pages[choose_language()]:
            return say(string, **facts)
        # Labels of its forms, which our templates do not show.
        return string % facts if facts else string

    def ngettext(self, singular: str, plural: str, num: int, **facts: object) -> str:
        return (singular if num == 1 else plural) % {"num": num, **facts}

    def format_list(self, parts: list[str], **_options: object) -> str:
        return ", ".join(parts)
