"""What everybody may open: the home page with its doors, sign-in and sign-out, language, and where a voucher's QR code leads.

A voucher's address (V-E4) is opened by an ordinary phone camera. It leads through the scan door and back to itself, number and
signature still in it, and then shows the scan page with the voucher filled in. It never shows anything of a voucher to a
stranger.
"""

import re

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from cloud.ports.people import DOORS, MERCHANT_DOORS, Person
from cloud.services.sign_in import LOGIN_LENGTH_MAX, Denied, SignInTry, sign_in
from cloud.web.language import LANGUAGE_COOKIE, LANGUAGES
from cloud.web.parts import WebParts
from cloud.web.scheme import SCHEME_COOKIE, SCHEMES
from cloud.web.security import own_path
from cloud.web.session import close_session, find_person, open_session

_CHOICE_COOKIE_S = 365 * 24 * 3600
_VOUCHER_PATH = re.compile(r"/v/([0-9]{12})(?:\?|\Z)")
_START = {"merchant_admin": "merchant.overview", "scan_staff": "staff.start", "office": "office.overview"}


def make_public(parts: WebParts) -> Blueprint:
    """Build the blueprint."""
    public = Blueprint("public", __name__)

    @public.get("/")
    def home() -> str:
        return render_template(
            "home.html", doors=MERCHANT_DOORS, next=own_path(request.args.get("next")), start=_start_of(find_person())
        )

    @public.get("/healthz")
    def health() -> dict[str, str]:
        return {"state": "up"}

    @public.get("/sign-in/<door>")
    def sign_in_form(door: str) -> str:
        _known(door)
        return _sign_in_page(door, own_path(request.args.get("next")))

    @public.post("/sign-in/<door>")
    def sign_in_sent(door: str) -> Response | tuple[str, int]:
        _known(door)
        attempt = SignInTry(
            door, request.form.get("login", "").strip(), request.form.get("password", ""), request.remote_addr or ""
        )
        wanted = own_path(request.form.get("next"))
        outcome = sign_in(parts.people, parts.throttle, parts.passwords, attempt, now=parts.wall_clock.now())
        if isinstance(outcome, Denied):
            parts.meters.sign_in_refused(throttled=outcome.wait_s > 0)
            return _sign_in_page(door, wanted, attempt.login, outcome), 429 if outcome.wait_s else 200
        open_session(outcome, parts)
        return redirect(wanted or _start_of(outcome))

    @public.post("/sign-out")
    def sign_out() -> Response:
        close_session()
        return redirect(url_for("public.home"))

    @public.get("/language/<language>")
    def set_language(language: str) -> Response:
        if language not in LANGUAGES:
            abort(404)
        return _back_with(LANGUAGE_COOKIE, language)

    @public.get("/scheme/<scheme>")
    def set_scheme(scheme: str) -> Response:
        if scheme not in SCHEMES:
            abort(404)
        return _back_with(SCHEME_COOKIE, scheme)

    def _back_with(cookie: str, choice: str) -> Response:
        response = redirect(own_path(request.args.get("next")) or url_for("public.home"))
        response.set_cookie(cookie, choice, max_age=_CHOICE_COOKIE_S, httponly=True, samesite="Lax", secure=parts.https)
        return response

    return public


def _sign_in_page(door: str, wanted: str | None, login: str = "", denied: Denied | None = None) -> str:
    carried = _VOUCHER_PATH.match(wanted or "")
    return render_template(
        "sign_in.html",
        door=door,
        next=wanted or "",
        login=login[:LOGIN_LENGTH_MAX],
        denied=denied,
        carried=carried[1] if carried else "",
    )


def _known(door: str) -> None:
    if door not in DOORS:
        abort(404)


def _start_of(person: Person | None) -> str:
    return url_for("public.home" if person is None else _START[person.role])
