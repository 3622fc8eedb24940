"""The browser's session: who is signed in, until when.

What it keeps is four short values in Flask's signed cookie (HttpOnly, SameSite=Lax, Secure where the pages are served over
HTTPS): the account, when it signed in, when it was last seen, and a mark of the password. The account itself is read from
the database at every request, so that closing it or changing its password ends its sessions at once.

Rules: signing in throws away everything the browser had before, the CSRF secret with it (no fixation). A session ends after
:data:`IDLE_MAX` without a request and :data:`AGE_MAX` in any case. Not done here: ending one stolen cookie by signing out
elsewhere; that needs a table of sessions.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import cast

from flask import Flask, abort, g, redirect, request, session, url_for
from werkzeug.wrappers import Response

from cloud.ports.people import Person, Role
from cloud.web.parts import WebParts

IDLE_MAX = timedelta(minutes=30)
AGE_MAX = timedelta(hours=12)
"""One shift."""

_RENEW_AFTER = timedelta(seconds=30)
"""How stale "last seen" may be: not every answer has to carry a cookie."""

PASSIVE_HEADER = "X-Passive"
"""Set by the page's own refresh: looking on is no sign that somebody is there."""


def install_session(app: Flask, parts: WebParts) -> None:
    """Read who is signed in before every request."""
    app.secret_key = parts.web_secret
    app.config.update(
        SESSION_COOKIE_NAME="vk_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=parts.https,
        SESSION_REFRESH_EACH_REQUEST=False,
    )

    @app.before_request
    def read_session() -> None:
        if request.endpoint != "static":
            g.person = _read_person(parts)


def open_session(person: Person, parts: WebParts) -> None:
    """Sign this browser in, with nothing left of what it was before."""
    now = int(parts.wall_clock.now().timestamp())
    session.clear()
    session.update(staff_id=person.staff_id, since=now, seen=now, mark=_mark(person, parts))
    g.person = person


def close_session() -> None:
    """Sign this browser out."""
    session.clear()
    g.person = None


def find_person() -> Person | None:
    """Who is signed in, if anybody."""
    return cast("Person | None", g.get("person"))


def signed_in() -> Person:
    """Who is signed in; for views behind :func:`only`."""
    person = find_person()
    if person is None:
        abort(401)
    return person


def merchant_of(person: Person) -> str:
    """The merchant whose rows this person may see.

    Whoever has none is shown none: 404, like for any other merchant's rows.
    """
    if person.merchant_id is None:
        abort(404)
    return person.merchant_id


def only(role: Role, *, door: str | None = None) -> Callable[[], Response | None]:
    """Make the guard of a blueprint: strangers are led to a door and back, other roles are told that this is not theirs.

    Where the audience has one door of its own (``door``), other roles are led there too: whoever opens a voucher's address
    while signed in as somebody else wants to scan.
    """

    def guard() -> Response | None:
        person = find_person()
        elsewhere = person is not None and person.role != role and door is not None and request.method == "GET"
        if person is None or elsewhere:
            return _to_the_door(door)
        if person.role != role:
            abort(403)
        return None

    return guard


def _to_the_door(door: str | None) -> Response:
    # Only what was asked with GET can be asked again after signing in.
    back = request.full_path.rstrip("?") if request.method == "GET" else None
    if door is None:
        return redirect(url_for("public.home", next=back))
    return redirect(url_for("public.sign_in_form", door=door, next=back))


def _read_person(parts: WebParts) -> Person | None:
    if "staff_id" not in session:
        return None
    now = parts.wall_clock.now()
    seen, since = _instant("seen"), _instant("since")
    person = parts.people.find_person(str(session["staff_id"])) if now < min(seen + IDLE_MAX, since + AGE_MAX) else None
    if person is None or not person.active or session.get("mark") != _mark(person, parts):
        session.clear()
        return None
    if now > seen + _RENEW_AFTER and PASSIVE_HEADER not in request.headers:
        session["seen"] = int(now.timestamp())
    return person


def _instant(name: str) -> datetime:
    return datetime.fromtimestamp(session.get(name, 0), UTC)


def _mark(person: Person, parts: WebParts) -> str:
    """A fingerprint of the password's hash: changes with the password, tells nothing of it."""
    return hashlib.blake2b(
        person.password_hash.encode(), key=parts.web_secret[:64], digest_size=12, person=b"vk1 session"
    ).hexdigest()
