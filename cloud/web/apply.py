"""Apply (申請成為合作業者): a public page that begins an application, and the pages on which its applicant goes on with it.

The one form keeps what was typed and the files that were chosen, whatever else is missing; a second button sends it. It works
without JavaScript. Files go out again as nameless bytes to be saved, never as something that a browser would show: see
:func:`send_paper`.
"""

from typing import Final
from uuid import UUID

from flask import Blueprint, Response, abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from cloud.domain.attachments import BYTES_MAX, FILES_MAX, PAPERS
from cloud.domain.business import Business, Contact, Slip
from cloud.domain.calendar import day_of
from cloud.domain.merchants import EDITABLE, ApplicationState, standing
from cloud.domain.passwords import PASSWORD_LENGTH_MIN
from cloud.ports.accounts import AccountEvent
from cloud.ports.merchants import Application, SentPaper
from cloud.ports.people import MERCHANT_DOORS, Person
from cloud.services.accounts import Hand
from cloud.services.apply import (
    FirstAccount,
    NewIds,
    StaleError,
    add_paper,
    open_slips,
    remove_paper,
    save_draft,
    start_again,
    start_application,
    submit,
)
from cloud.services.sign_in import SignInTry, sign_in
from cloud.web.access import allow, everybody
from cloud.web.identity import enter
from cloud.web.language import say
from cloud.web.parts import WebParts
from cloud.web.people_pages import new_id
from cloud.web.session import signed_in
from protocol.ids import uuid7

STARTS_MAX: Final = 10
"""Applications that one address may begin within the throttle's window; a business begins one."""

MERCHANTS_DOOR: Final = "merchants"


def make_apply(parts: WebParts) -> Blueprint:
    """Build the blueprint."""
    apply = Blueprint("apply", __name__)
    _add_beginning(apply, parts)
    _add_own(apply, parts)
    _add_papers(apply, parts)
    return apply


def _add_beginning(apply: Blueprint, parts: WebParts) -> None:
    @apply.get("/apply")
    @everybody
    def form() -> str:
        category = request.args.get("category", "")
        return _first_page(parts, Business(category, "", ""), FirstAccount("", "", ""), [])

    @apply.post("/apply")
    @everybody
    def begin() -> str | AnyResponse:
        if not _is_open(parts):
            abort(404)
        now, address = parts.clock.now(), request.remote_addr or ""
        business = Business(request.form.get("merchant_category", ""), request.form.get("ubn", ""), _text("name_zh"))
        account = FirstAccount(_text("login"), _text("name"), request.form.get("password", ""))
        if parts.throttle.admit(f"apply {address}", tries_max=STARTS_MAX, now=parts.wall_clock.now()):
            abort(429)
        ids = NewIds(_new_uuid(parts), new_id(parts, "p"))
        by = AccountEvent(now, "account_added", None, address=address, detail="applicant")
        found = start_application(parts.merchants.store, parts.accounts.rules, business, account, ids=ids, hand=by)
        person = parts.people.find_person(ids.staff_id) or _begun_before(parts, business, account, found)
        if person is None:
            return _first_page(parts, business, account, found)
        entered = enter(person, parts, wanted=None, start=url_for("apply.own"))
        # After it: signing in throws away what the session had before.
        flash(say("apply.begun"))
        return entered


def _add_own(apply: Blueprint, parts: WebParts) -> None:
    @apply.get("/application/")
    @allow("applicant", tenant="self")
    def own() -> str:
        application = _own(parts)
        return _own_page(parts, application, application.business, [])

    @apply.post("/application/")
    @allow("applicant", tenant="self")
    def save() -> str | AnyResponse:
        application, typed, hand = _own(parts), _typed(), _hand(parts)
        try:
            version = int(request.form.get("version", ""))
            found = save_draft(parts.merchants.store, application.application_id, typed, version=version, hand=hand)
            found += _add_files(parts, application.application_id, hand)
            if found:
                return _own_page(parts, _own(parts), typed, found)
            if "submit" not in request.form:
                flash(say("application.saved"))
                return redirect(url_for(".own"))
            missing, papers = submit(parts.merchants.store, application.application_id, hand=hand)
        except (StaleError, ValueError):
            # Sent twice: the first click has done it.
            return redirect(url_for(".own")) if _own(parts).state == "submitted" else _stale()
        if missing or papers:
            slips = [*missing, *(Slip(f"paper_{paper}", "missing") for paper in papers)]
            return _own_page(parts, _own(parts), typed, slips)
        flash(say("application.sent"))
        return redirect(url_for(".own"))

    @apply.post("/application/again")
    @allow("applicant", tenant="self")
    def again() -> AnyResponse:
        try:
            start_again(parts.merchants.store, _own(parts).application_id, hand=_hand(parts))
        except StaleError:
            return _stale()
        return redirect(url_for(".own"))


def _add_papers(apply: Blueprint, parts: WebParts) -> None:
    @apply.get("/application/papers/<uuid:paper_id>")
    @allow("applicant", tenant="self")
    def paper(paper_id: UUID) -> Response:
        return send_paper(parts, _own(parts).application_id, paper_id, taken_back=False)

    @apply.post("/application/papers/<uuid:paper_id>/remove")
    @allow("applicant", tenant="self")
    def take_back(paper_id: UUID) -> AnyResponse:
        try:
            was_there = remove_paper(parts.merchants.store, _own(parts).application_id, paper_id, hand=_hand(parts))
        except StaleError:
            return _stale()
        if not was_there:
            abort(404)
        flash(say("application.paper_removed"))
        return redirect(url_for(".own"))


def send_paper(parts: WebParts, application_id: UUID, paper_id: UUID, *, taken_back: bool) -> Response:
    """Send a paper to be saved: as bytes of no type, under a name of ours. Nothing that was uploaded is shown in a page."""
    found = parts.merchants.store.find_paper(paper_id)
    if found is None or found[0].application_id != application_id or (found[0].removed_at and not taken_back):
        abort(404)
    paper, content = found
    response = make_response(content)
    response.headers["Content-Type"] = "application/octet-stream"
    name = f"{paper.paper}-{paper.paper_id.hex[-8:]}.{paper.file_kind}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def standing_of(parts: WebParts, application: Application) -> ApplicationState:
    """Where an application stands today."""
    return standing(application.state, application.correct_by, day_of(parts.clock.now()))


def _begun_before(parts: WebParts, business: Business, account: FirstAccount, found: list[Slip]) -> Person | None:
    """Who pressed the button twice: the login is taken by an applicant who gives its password."""
    if found != [Slip("login", "taken")]:
        return None
    attempt = SignInTry(business.merchant_category, account.login, account.password, request.remote_addr or "")
    outcome = sign_in(parts.people, parts.throttle, parts.passwords, attempt, now=parts.wall_clock.now())
    return outcome if isinstance(outcome, Person) and outcome.role == "applicant" else None


def _is_open(parts: WebParts) -> bool:
    doors = {dates.door: dates for dates in parts.choices.doors()}
    return MERCHANTS_DOOR not in doors or doors[MERCHANTS_DOOR].is_open(day_of(parts.clock.now()))


def _first_page(parts: WebParts, business: Business, account: FirstAccount, found: list[Slip]) -> str:
    return render_template(
        "apply.html",
        is_open=_is_open(parts),
        business=business,
        account=account,
        slips=_by_field(found),
        categories=MERCHANT_DOORS,
        length_min=PASSWORD_LENGTH_MIN,
    )


def _own_page(parts: WebParts, application: Application, typed: Business, found: list[Slip]) -> str:
    papers = [one for one in parts.merchants.store.papers(application.application_id) if one.removed_at is None]
    state = standing_of(parts, application)
    missing, missing_papers = open_slips(application, papers)
    return render_template(
        "application.html",
        application=application,
        state=state,
        is_editable=state in EDITABLE,
        typed=typed,
        slips=_by_field(found),
        missing={slip.field for slip in missing},
        missing_papers=missing_papers,
        papers=_by_paper(papers),
        trail=parts.merchants.store.trail(application_id=application.application_id),
        bytes_max_mb=BYTES_MAX // 2**20,
        files_max=FILES_MAX,
    )


def _by_field(found: list[Slip]) -> dict[str, str]:
    """The first slip of each field."""
    return {slip.field: slip.why for slip in reversed(found)}


def _by_paper(papers: list[SentPaper]) -> dict[str, list[SentPaper]]:
    return {paper: [one for one in papers if one.paper == paper] for paper in PAPERS}


def _add_files(parts: WebParts, application_id: UUID, hand: Hand) -> list[Slip]:
    found = []
    for paper in PAPERS:
        for upload in request.files.getlist(f"paper_{paper}"):
            if not upload.filename:
                continue
            # One byte more than may be: enough to know that it is too large.
            content, name = upload.read(BYTES_MAX + 1), upload.filename
            slip = add_paper(
                parts.merchants.store,
                application_id,
                content,
                paper_id=_new_uuid(parts),
                paper=paper,
                file_name=name,
                hand=hand,
            )
            if slip is not None:
                found.append(Slip(f"paper_{paper}", slip.why))
    return found


def _typed() -> Business:
    contact = Contact(_text("name_en"), _text("address"), _text("contact_name"), _text("phone"), _text("email"))
    return Business(
        "",
        _text("ubn"),
        _text("name_zh"),
        sole_owner=request.form.get("sole_owner") == "1",
        owner_id=_text("owner_id"),
        licence_no=_text("licence_no"),
        contact=contact,
    )


def _text(name: str) -> str:
    return request.form.get(name, "").strip()


def _own(parts: WebParts) -> Application:
    found = parts.merchants.store.application_of(signed_in().staff_id)
    if found is None:
        abort(404)
    return found


def _hand(parts: WebParts) -> Hand:
    return Hand(signed_in(), parts.clock.now(), request.remote_addr or "")


def _stale() -> AnyResponse:
    flash(say("application.stale"), "error")
    return redirect(url_for("apply.own"))


def _new_uuid(parts: WebParts) -> UUID:
    return uuid7(int(parts.wall_clock.now().timestamp() * 1000), parts.randomness(10))
