"""What everybody may open: the home page with its doors, sign-in and sign-out, language, and where a voucher's QR code leads.

A voucher's address (V-E4) is opened by an ordinary phone camera. It leads through the scan door and back to itself, number and
signature still in it, and then shows the scan page with the voucher filled in. It never shows anything of a voucher to a
stranger.
"""

import re

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from cloud.domain.calendar import day_of
from cloud.ports.accounts import AccountEvent
from cloud.ports.choices import DoorDates
from cloud.ports.people import DOORS, MERCHANT_DOORS, Person, Role
from cloud.services.sign_in import LOGIN_LENGTH_MAX, Denied, SignInTry, WrongDoor, sign_in
from cloud.web.access import everybody
from cloud.web.identity import enter
from cloud.web.language import LANGUAGE_COOKIE, LANGUAGES
from cloud.web.parts import WebParts
from cloud.web.public_pages import add_public_pages
from cloud.web.scheme import SCHEME_COOKIE, SCHEMES
from cloud.web.security import own_path
from cloud.web.session import close_session, event_of, find_person

_CHOICE_COOKIE_S = 365 * 24 * 3600
_VOUCHER_PATH = re.compile(r"/v/([0-9]{12})(?:\?|\Z)")
_START: dict[Role, str] = {
    "merchant_admin": "merchant.overview",
    "scan_staff": "staff.start",
    "programme_admin": "office.overview",
    "reviewer": "review.queue",
    "finance": "office.overview",
    "technician": "office.kiosks",
    "auditor": "office.overview",
    "applicant": "apply.own",
}
"""What each role sees first."""

_PUBLIC_DOORS = {"winners": "public.winners", "shops": "public.shops"}
"""Doors of the home page beside the sign-in, and the route behind each (V-E2). One whose route is not built is shown while it
waits for its day, and not after."""


_ALWAYS = DoorDates("", None, None)


def make_public(parts: WebParts) -> Blueprint:
    """Build the blueprint."""
    public = Blueprint("public", __name__)

    @public.get("/")
    @everybody
    def home() -> str:
        today = day_of(parts.clock.now())
        dated = {dates.door: dates for dates in parts.choices.doors()}
        return render_template(
            "home.html",
            doors=MERCHANT_DOORS,
            merchants=dated.get("merchants", _ALWAYS),
            public_doors=[(dated.get(door, _ALWAYS), door, page) for door, page in _PUBLIC_DOORS.items()],
            built=current_app.view_functions,
            today=today,
            next=own_path(request.args.get("next")),
            start=_start_of(find_person()),
        )

    @public.get("/start")
    @everybody
    def start() -> Response:
        return redirect(_start_of(find_person()))

    @public.get("/healthz")
    @everybody
    def health() -> dict[str, str]:
        return {"state": "up"}

    @public.get("/sign-in/<door>")
    @everybody
    def sign_in_form(door: str) -> str:
        _known(door)
        return _sign_in_page(door, own_path(request.args.get("next")))

    @public.post("/sign-in/<door>")
    @everybody
    def sign_in_sent(door: str) -> Response | tuple[str, int]:
        _known(door)
        attempt = SignInTry(
            door, request.form.get("login", "").strip(), request.form.get("password", ""), request.remote_addr or ""
        )
        wanted = own_path(request.form.get("next"))
        outcome = sign_in(parts.people, parts.throttle, parts.passwords, attempt, now=parts.wall_clock.now())
        match outcome:
            case Denied():
                parts.meters.sign_in_refused(throttled=outcome.wait_s > 0)
                _note_refusal(parts, attempt, outcome)
                return _sign_in_page(door, wanted, attempt.login, outcome), 429 if outcome.wait_s else 200
            case WrongDoor():
                with parts.accounts.store.begin() as transaction:
                    transaction.note(event_of(parts, "wrong_door", outcome.person, door))
                return _sign_in_page(door, wanted, right_door=outcome.person.door), 200
            case person:
                return enter(person, parts, wanted=wanted, start=_start_of(person))

    @public.post("/sign-out")
    @everybody
    def sign_out() -> Response:
        close_session(parts)
        return redirect(url_for("public.home"))

    _add_choices(public, parts)
    add_public_pages(public, parts)
    return public


def _add_choices(public: Blueprint, parts: WebParts) -> None:
    """Language and colour scheme: a cookie each, and back to where one was."""

    @public.get("/language/<language>")
    @everybody
    def set_language(language: str) -> Response:
        if language not in LANGUAGES:
            abort(404)
        return _back_with(LANGUAGE_COOKIE, language)

    @public.get("/scheme/<scheme>")
    @everybody
    def set_scheme(scheme: str) -> Response:
        if scheme not in SCHEMES:
            abort(404)
        return _back_with(SCHEME_COOKIE, scheme)

    def _back_with(cookie: str, choice: str) -> Response:
        response = redirect(own_path(request.args.get("next")) or url_for("public.home"))
        response.set_cookie(cookie, choice, max_age=_CHOICE_COOKIE_S, httponly=True, samesite="Lax", secure=parts.https)
        return response


def _note_refusal(parts: WebParts, attempt: SignInTry, denied: Denied) -> None:
    if denied.wait_s:
        # Slowed down, and counted by a meter: a row for each would let a guesser fill the disk.
        return
    now, address = parts.wall_clock.now(), attempt.address
    with parts.accounts.store.begin() as transaction:
        transaction.note(AccountEvent(now, "refused", denied.staff_id, attempt.door, address))


def _sign_in_page(door: str, wanted: str | None, login: str = "", denied: Denied | None = None, *, right_door: str = "") -> str:
    carried = _VOUCHER_PATH.match(wanted or "")
    return render_template(
        "sign_in.html",
        door=door,
        next=wanted or "",
        login=login[:LOGIN_LENGTH_MAX],
        denied=denied,
        right_door=right_door,
        carried=carried[1] if carried else "",
    )


def _known(door: str) -> None:
    if door not in DOORS:
        abort(404)


def _start_of(person: Person | None) -> str:
    return url_for("public.home" if person is None else _START[person.role])
