"""Where the programme says so (``[web] second_factor = "required"``), a password alone opens nothing.

It holds for the office's people and the merchants' admins: who can move money, or make accounts that can. Until they have set
up an authenticator or a passkey that is asked for after the password, every page leads to the one that explains how. A
passkey that replaces the password does not count: beside it the password alone would still open the door.
"""

from typing import Final

from flask import Flask, redirect, request, url_for
from werkzeug.wrappers import Response

from cloud.ports.people import OFFICE_ROLES, Role
from cloud.web.parts import WebParts
from cloud.web.session import find_person

MUST: Final = frozenset[Role]({*OFFICE_ROLES, "merchant_admin"})
_OPEN: Final = frozenset({"static", "account.protect", "account.password_form", "account.change_password"})
_OPEN_PARTS: Final = ("public.", "security.")
"""Home, language and signing out; and the library's pages, on which a factor is set up."""


def install_second_factor_rule(app: Flask, parts: WebParts) -> None:
    """Lead to the set-up whoever must have a second factor and has none. Call it after the guard of the routes."""
    if not parts.second_factor_required:
        return

    @app.before_request
    def lead() -> Response | None:
        person, endpoint = find_person(), request.endpoint or ""
        if person is None or person.role not in MUST or endpoint in _OPEN or endpoint.startswith(_OPEN_PARTS):
            return None
        factors = parts.accounts.factors.find(person.staff_id)
        if factors.totp_secret is not None or any(one.usage == "secondary" for one in factors.passkeys):
            return None
        return redirect(url_for("account.protect"))
