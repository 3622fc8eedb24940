"""Who may open what: every route names its roles and its tenant, and one guard before all of them keeps to it.

A route without such a name keeps the app from starting. What a route may show is the second half: ``tenant`` says whose rows
it is about, and the views take the merchant from the person who is signed in, never from the address.

============  =========================================================================================================
tenant        whose rows
============  =========================================================================================================
``none``      nobody's
``self``      the account that is signed in
``merchant``  one merchant's, that of the account; another merchant's ids are answered like ids that do not exist (404)
``programme`` the whole programme's, for the office
============  =========================================================================================================
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from flask import Flask, abort, current_app, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from cloud.ports.people import ROLES, Role
from cloud.web.language import say
from cloud.web.session import find_person, merchant_of

Tenant = Literal["none", "self", "merchant", "programme"]
View = TypeVar("View", bound=Callable[..., object])

_MARK = "vk_access"
_TABLE = "vk_access"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may open a route."""

    roles: tuple[Role, ...] | None
    """None: everybody, signed in or not."""
    tenant: Tenant
    fresh: bool = False
    """Whether one must have proved oneself within the last minutes: for what a colleague at an open screen must not do."""
    door: str | None = None
    """Where strangers are led, and people of another door too; None: to the home page with all doors."""


EVERYBODY = Access(None, "none")
SIGNED_IN = Access(ROLES, "self")


def everybody(view: View) -> View:
    """Open the route to everybody."""
    setattr(view, _MARK, EVERYBODY)
    return view


def allow(*roles: Role, tenant: Tenant, fresh: bool = False, door: str | None = None) -> Callable[[View], View]:
    """Open the route to these roles; see :class:`Access`."""

    def mark(view: View) -> View:
        setattr(view, _MARK, Access(roles, tenant, fresh, door))
        return view

    return mark


def install_access(app: Flask, *, is_fresh: Callable[[], bool], others: Mapping[str, Access]) -> None:
    """Guard every route. Call it last: a route that is not named by now is a mistake.

    Args:
        is_fresh: tells whether whoever is signed in proved themselves just now.
        others: routes that are not ours to decorate, by endpoint.

    Raises:
        RuntimeError: a route names nobody.
    """
    table: dict[str, Access] = {**others, "static": EVERYBODY}
    for endpoint, view in app.view_functions.items():
        access = getattr(view, _MARK, None)
        if access is not None:
            table[endpoint] = access
    unnamed = sorted(set(app.view_functions) - set(table))
    if unnamed:
        raise RuntimeError(f"these routes do not say who may open them: {', '.join(unnamed)}")
    app.extensions[_TABLE] = table

    @app.before_request
    def guard() -> Response | None:
        access = table.get(request.endpoint or "", EVERYBODY)
        return None if access.roles is None else _judge(access, access.roles, is_fresh)


def access_of(app: Flask, endpoint: str) -> Access:
    """What a route says."""
    table: dict[str, Access] = app.extensions[_TABLE]
    return table[endpoint]


def may(endpoint: str) -> bool:
    """Tell whether whoever is signed in may open a route; for templates that offer it."""
    person, access = find_person(), access_of(current_app, endpoint)
    return access.roles is None or (person is not None and person.role in access.roles)


def _judge(access: Access, roles: tuple[Role, ...], is_fresh: Callable[[], bool]) -> Response | None:
    person = find_person()
    if person is None:
        return _to_the_door(access.door)
    if person.role not in roles:
        # Whoever opens a voucher's address while signed in as somebody else wants to scan.
        if access.door not in (None, person.door) and request.method == "GET":
            return _to_the_door(access.door)
        abort(403)
    if access.tenant == "merchant":
        merchant_of(person)
    if access.fresh and not is_fresh():
        flash(say("account.says.prove_again"), "info")
        return redirect(url_for("security.verify", next=_form_of_request()))
    return None


def _form_of_request() -> str:
    """Where the form is that this request sends, or the page itself."""
    has_page = request.url_rule is not None and "GET" in (request.url_rule.methods or ())
    return request.path if has_page else request.path.rpartition("/")[0]


def _to_the_door(door: str | None) -> Response:
    # Only what was asked with GET can be asked again after signing in.
    back = request.full_path.rstrip("?") if request.method == "GET" else None
    if door is None:
        return redirect(url_for("public.home", next=back))
    return redirect(url_for("public.sign_in_form", door=door, next=back))
