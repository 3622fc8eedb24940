"""One's own account: second factor, passkeys, where one is signed in, a new password."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from cloud.domain.passwords import PASSWORD_LENGTH_MIN
from cloud.ports.people import ROLES
from cloud.services.accounts import change_own_password, end_other_sessions
from cloud.web.access import allow
from cloud.web.identity import RECOVERY_CODES, enter_again
from cloud.web.language import say
from cloud.web.parts import WebParts
from cloud.web.people_pages import hand
from cloud.web.session import session_hash, signed_in


def make_account(parts: WebParts) -> Blueprint:
    """Build the blueprint; the library's pages lie under the same path."""
    account = Blueprint("account", __name__, url_prefix="/account")

    @account.get("/")
    @allow(*ROLES, tenant="self")
    def own() -> str:
        person = signed_in()
        return render_template(
            "account.html",
            factors=parts.accounts.factors.find(person.staff_id),
            sessions=parts.accounts.sessions.open_of(person.staff_id),
            here_hash=session_hash(),
            codes_max=RECOVERY_CODES,
        )

    @account.get("/protect")
    @allow(*ROLES, tenant="self")
    def protect() -> str:
        return render_template("account_protect.html")

    @account.get("/password")
    @allow(*ROLES, tenant="self", fresh=True)
    def password_form() -> str:
        return render_template("account_password.html", weakness=None, length_min=PASSWORD_LENGTH_MIN)

    @account.post("/password")
    @allow(*ROLES, tenant="self", fresh=True)
    def change_password() -> str | Response:
        person = signed_in()
        weakness = change_own_password(
            parts.accounts.store, parts.accounts.rules, hand(parts), request.form.get("password", "")
        )
        if weakness is not None:
            return render_template("account_password.html", weakness=weakness, length_min=PASSWORD_LENGTH_MIN)
        changed = parts.people.find_person(person.staff_id)
        if changed is not None:
            enter_again(changed, parts)
        flash(say("account.password_changed"))
        return redirect(url_for(".own"))

    @account.post("/sessions")
    @allow(*ROLES, tenant="self")
    def end_others() -> Response:
        here = session_hash()
        if here is not None:
            ended = end_other_sessions(parts.accounts.store, hand(parts), but=here)
            flash(say("account.sessions_ended", count=ended))
        return redirect(url_for(".own"))

    return account
