"""Pages on which somebody looks after the accounts of others: a merchant's admin (掃票同仁管理, V-S2), the programme office.

Whoever may change an account must have proved themselves within the last minutes: a screen left open at a reception must not
be enough to make an account. Any number of accounts; none is ever deleted.
"""

from collections.abc import Sequence

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from cloud.domain.passwords import PASSWORD_LENGTH_MIN
from cloud.ports.choices import SiteChoice
from cloud.ports.people import OFFICE_ROLES, Person, Role
from cloud.services.accounts import (
    AccountForm,
    FormProblem,
    Hand,
    NotTheirsError,
    add_account,
    change_account,
    may_change,
    reset_factors,
    set_account_active,
)
from cloud.web.access import Tenant, allow
from cloud.web.language import say
from cloud.web.parts import WebParts
from cloud.web.session import signed_in

_ID_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_ID_LENGTH = 12
_EVENTS_SHOWN = 8


def add_people_pages(blueprint: Blueprint, parts: WebParts, *, path: str, role: Role, tenant: Tenant) -> None:
    """Add list, form and the two things that are done with one click."""
    door = "office" if tenant == "programme" else None
    lookers = allow(role, tenant=tenant, door=door)
    changers = allow(role, tenant=tenant, door=door, fresh=True)
    own_endpoint = f"{blueprint.name}.person"

    @blueprint.get(path)
    @lookers
    def people() -> str:
        return render_template("people.html", people=_people(parts), sites=_sites(parts), page=blueprint.name)

    @blueprint.get(f"{path}/new")
    @changers
    def new_person() -> str:
        return _form(parts, blueprint.name, None, _typed(parts))

    @blueprint.post(f"{path}/new")
    @changers
    def add_person() -> str | Response:
        form = _typed(parts)
        problem = add_account(
            parts.accounts.store,
            parts.accounts.rules,
            hand(parts),
            form,
            staff_id=new_id(parts, "p"),
            sites=frozenset(site.site_id for site in _sites(parts)),
        )
        if problem is not None:
            return _form(parts, blueprint.name, None, form, problem)
        flash(say("people.added", name=form.name))
        return redirect(url_for(f"{blueprint.name}.people"))

    @blueprint.get(f"{path}/<staff_id>")
    @changers
    def person(staff_id: str) -> str:
        account = _theirs(parts, staff_id)
        return _form(parts, blueprint.name, account, AccountForm(account.name, account.login, account.role, account.site_id))

    @blueprint.post(f"{path}/<staff_id>")
    @changers
    def change_person(staff_id: str) -> str | Response:
        account, form = _theirs(parts, staff_id), _typed(parts)
        sites = frozenset(site.site_id for site in _sites(parts))
        problem = change_account(parts.accounts.store, parts.accounts.rules, hand(parts), account, form, sites=sites)
        if problem is not None:
            return _form(parts, blueprint.name, account, form, problem)
        flash(say("people.changed", name=form.name))
        return redirect(url_for(f"{blueprint.name}.people"))

    @blueprint.post(f"{path}/<staff_id>/active")
    @changers
    def set_active(staff_id: str) -> Response:
        account, active = _theirs(parts, staff_id), request.form.get("active") == "1"
        try:
            set_account_active(parts.accounts.store, hand(parts), account, active=active)
        except NotTheirsError:
            abort(404)
        flash(say("people.opened" if active else "people.closed", name=account.name))
        return redirect(url_for(own_endpoint, staff_id=staff_id))

    @blueprint.post(f"{path}/<staff_id>/factors")
    @changers
    def forget_factors(staff_id: str) -> Response:
        account = _theirs(parts, staff_id)
        try:
            reset_factors(parts.accounts.store, hand(parts), account)
        except NotTheirsError:
            abort(404)
        flash(say("people.factors_reset", name=account.name))
        return redirect(url_for(own_endpoint, staff_id=staff_id))


def hand(parts: WebParts) -> Hand:
    """Who does this, now, from where."""
    return Hand(signed_in(), parts.wall_clock.now(), request.remote_addr or "")


def _people(parts: WebParts) -> Sequence[Person]:
    merchant_id = signed_in().merchant_id
    return parts.people.office_people() if merchant_id is None else parts.people.staff_of(merchant_id)


def _sites(parts: WebParts) -> Sequence[SiteChoice]:
    merchant_id = signed_in().merchant_id
    return () if merchant_id is None else parts.choices.sites(merchant_id)


def _theirs(parts: WebParts, staff_id: str) -> Person:
    account = parts.people.find_person(staff_id) if staff_id.isprintable() else None
    if account is None or not may_change(signed_in(), account):
        abort(404)
    return account


def _typed(parts: WebParts) -> AccountForm:
    sites = _sites(parts)
    # With one site there is nothing to choose.
    site_id = sites[0].site_id if len(sites) == 1 else request.form.get("site") or None
    role = "scan_staff" if signed_in().merchant_id is not None else request.form.get("role", "")
    if role == "merchant_admin":
        site_id = None
    return AccountForm(
        request.form.get("name", "").strip(),
        request.form.get("login", "").strip(),
        role,
        site_id,
        request.form.get("password", ""),
    )


def _form(parts: WebParts, page: str, account: Person | None, form: AccountForm, problem: FormProblem | None = None) -> str:
    own = account is not None and account.staff_id == signed_in().staff_id
    keeps_role = own or (account is not None and account.role not in OFFICE_ROLES)
    return render_template(
        "person.html",
        account=account,
        form=form,
        problem=problem,
        sites=_sites(parts),
        roles=() if signed_in().merchant_id is not None else ((form.role,) if keeps_role else OFFICE_ROLES),
        own=own,
        events=() if account is None else parts.accounts.store.events_of(account.staff_id, limit=_EVENTS_SHOWN),
        length_min=PASSWORD_LENGTH_MIN,
        page=page,
    )


def new_id(parts: WebParts, kind: str) -> str:
    """An id that nobody has: ``kind``, a hyphen, twelve characters."""
    # 256 is not a multiple of 31: the first letters are a little likelier, which an id does not mind.
    return f"{kind}-" + "".join(_ID_ALPHABET[byte % len(_ID_ALPHABET)] for byte in parts.randomness(_ID_LENGTH))
