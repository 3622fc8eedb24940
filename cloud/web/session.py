"""The browser's session: who is signed in, until when.

The cookie (signed, HttpOnly, SameSite=Lax, Secure where the pages are served over HTTPS) carries a random id, the secret behind
the forms, and what Flask-Security remembers of a sign-in that is under way. The session itself is a row in the database: its
id's hash, whose it is, when it was opened and last seen. Without the row the cookie is nothing. So signing out, closing the
account or giving it a new password ends a session at once, wherever a copy of its cookie may be.

Rules: signing in throws away everything the browser had before, the CSRF secret with it, and makes a new id (no fixation). A
session ends after :data:`IDLE_MAX` without a request and :data:`AGE_MAX` in any case.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta
from typing import cast

from flask import Flask, abort, g, request, session

from cloud.ports.accounts import AccountEvent, EventKind, WebSession
from cloud.ports.people import Person
from cloud.web.parts import WebParts

IDLE_MAX = timedelta(minutes=30)
AGE_MAX = timedelta(hours=12)
"""One shift."""

_RENEW_AFTER = timedelta(seconds=30)
"""How stale "last seen" may be: not every request has to write."""

PASSIVE_HEADER = "X-Passive"
"""Set by the page's own refresh: looking on is no sign that somebody is there."""

HTTP_API = "http_api"
"""The blueprint of merchants' programs: a cookie is nothing to it."""

_ID_BYTES = 32
_AGENT_LENGTH_MAX = 200
_KEPT_AT_SIGN_IN = ("_user_id", "_fresh", "_id", "fs_cc", "fs_paa")
"""What Flask-Login and Flask-Security have just written down about the sign-in itself."""


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
        if request.endpoint != "static" and request.blueprint != HTTP_API:
            g.person = _read_person(parts)


def open_session(person: Person, parts: WebParts) -> None:
    """Sign this browser in, under a new id, with nothing left of what it was before."""
    now, session_id = parts.wall_clock.now(), parts.randomness(_ID_BYTES)
    kept = {name: session[name] for name in _KEPT_AT_SIGN_IN if name in session}
    session.clear()
    session.update(kept, sid=urlsafe_b64encode(session_id).decode("ascii"))
    row = WebSession(_hash(session_id), person.staff_id, now, now, _address(), request.user_agent.string[:_AGENT_LENGTH_MAX])
    parts.accounts.sessions.open(row, event_of(parts, "signed_in", person), stale_before=now - AGE_MAX)
    g.person, g.session_hash = person, row.session_hash


def close_session(parts: WebParts) -> None:
    """Sign this browser out."""
    person, here = find_person(), session_hash()
    if person is not None and here is not None:
        parts.accounts.sessions.close(here, event_of(parts, "signed_out", person))
    session.clear()
    g.person = None


def find_person() -> Person | None:
    """Who is signed in, if anybody."""
    return cast("Person | None", g.get("person"))


def signed_in() -> Person:
    """Who is signed in; for views that strangers do not reach."""
    person = find_person()
    if person is None:
        abort(401)
    return person


def session_hash() -> bytes | None:
    """The database's key of this browser's session."""
    return cast("bytes | None", g.get("session_hash"))


def merchant_of(person: Person) -> str:
    """The merchant whose rows this person may see.

    Whoever has none is shown none: 404, like for any other merchant's rows.
    """
    if person.merchant_id is None:
        abort(404)
    return person.merchant_id


def event_of(parts: WebParts, kind: EventKind, person: Person, detail: str = "") -> AccountEvent:
    """A line for the trail about somebody's own doing, now, from where this request comes."""
    return AccountEvent(parts.wall_clock.now(), kind, person.staff_id, person.door, _address(), None, detail)


def uniquifier(person: Person, parts: WebParts) -> str:
    """What Flask-Security knows an account by: changes with the password, and tells nothing of it."""
    mark = hashlib.blake2b(
        person.password_hash.encode(), key=parts.web_secret[:64], digest_size=12, person=b"vk1 session"
    ).hexdigest()
    return f"{person.staff_id}.{mark}"


def _address() -> str:
    return request.remote_addr or ""


def _read_person(parts: WebParts) -> Person | None:
    if "sid" not in session:
        return None
    g.session_hash = _hash(urlsafe_b64decode(str(session["sid"])))
    found = parts.accounts.sessions.find(g.session_hash)
    now = parts.wall_clock.now()
    if found is not None:
        row, person = found
        in_time = now < min(row.seen_at + IDLE_MAX, row.opened_at + AGE_MAX)
        if in_time and person.active and session.get("_user_id") == uniquifier(person, parts):
            if now > row.seen_at + _RENEW_AFTER and PASSIVE_HEADER not in request.headers:
                parts.accounts.sessions.seen(row.session_hash, now)
            return person
    session.clear()
    return None


def _hash(session_id: bytes) -> bytes:
    return hashlib.sha256(session_id).digest()
