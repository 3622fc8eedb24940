"""The programme office: issue vouchers and print them, look after the kiosks, see the businesses and the settlements.

What cannot be taken back is asked on a page of its own: revoking a kiosk is for ever. A claim code is shown once, on the answer
to the click that made it, and kept nowhere.
"""

import threading
from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, Response, abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from cloud.ports.people import OFFICE_DOOR
from cloud.ports.reports import DeviceRow
from cloud.services.enrol import make_claim_code, revoke_device
from cloud.web.access import allow
from cloud.web.language import say
from cloud.web.office_cases import add_cases
from cloud.web.office_money import add_returns, add_settlements
from cloud.web.office_overview import render_overview
from cloud.web.office_payouts import add_payouts
from cloud.web.parts import HoldersFileError, WebParts
from cloud.web.people_pages import add_people_pages
from cloud.web.session import signed_in
from protocol.ids import uuid7

REASON_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """Why nothing was issued."""

    what: str
    detail: str = ""


def make_office(parts: WebParts) -> Blueprint:
    """Build the blueprint."""
    office = Blueprint("office", __name__, url_prefix="/office")
    _add_issues(office, parts)
    _add_kiosks(office, parts)

    @office.get("/")
    @allow("programme_admin", "finance", "auditor", tenant="programme", door=OFFICE_DOOR)
    def overview() -> str:
        return render_overview(parts)

    @office.get("/merchants")
    @allow("programme_admin", "reviewer", "auditor", tenant="programme", door=OFFICE_DOOR)
    def merchants() -> str:
        sites = parts.choices.sites()
        return render_template("merchants.html", sites=sites, merchants=len({site.merchant_id for site in sites}))

    add_settlements(office, parts)
    add_payouts(office, parts)
    add_returns(office, parts)
    add_cases(office, parts)
    add_people_pages(office, parts, path="/people", role="programme_admin", tenant="programme")
    return office


def _add_issues(office: Blueprint, parts: WebParts) -> None:
    @office.get("/issues")
    @allow("programme_admin", "auditor", tenant="programme", door=OFFICE_DOOR)
    def issues() -> str:
        return _issues_page(parts)

    one_at_a_time = threading.Lock()

    @office.post("/issues")
    @allow("programme_admin", tenant="programme", door=OFFICE_DOOR)
    def issue() -> str | AnyResponse:
        programme_id, upload = request.form.get("programme", ""), request.files.get("holders")
        if programme_id not in {choice.programme_id for choice in parts.choices.programmes()}:
            abort(400)
        content = upload.read() if upload is not None else b""
        if not content:
            return _issues_page(parts, Problem(say("office.issue.no_file")))
        try:
            # The form names the batch. A second click waits for the first and finds it done: nobody gets two vouchers.
            with one_at_a_time:
                _issue_once(parts, programme_id, content, _batch_of_form())
        except HoldersFileError as problem:
            return _issues_page(parts, Problem(say("office.issue.bad_file", line=problem.line), str(problem)))
        flash(say("office.issue.done"))
        return redirect(url_for(".issues"))

    @office.get("/issues/<uuid:issue_id>/sheets-<int:part>.pdf")
    @allow("programme_admin", tenant="programme", door=OFFICE_DOOR)
    def sheets(issue_id: UUID, part: int) -> Response:
        document = parts.office.sheets(issue_id, part)
        if document is None:
            abort(404)
        response = make_response(document)
        response.headers["Content-Type"] = "application/pdf"
        response.headers["Content-Disposition"] = f'attachment; filename="vouchers-{issue_id}-{part}.pdf"'
        return response


def _batch_of_form() -> UUID:
    try:
        return UUID(request.form.get("batch", ""))
    except ValueError:
        abort(400)


def _issue_once(parts: WebParts, programme_id: str, holders_csv: bytes, issue_id: UUID) -> None:
    if issue_id not in {known.issue_id for known in parts.reports.issues()}:
        parts.office.issue(programme_id, holders_csv, issue_id=issue_id, staff_id=signed_in().staff_id, now=parts.clock.now())


def _issues_page(parts: WebParts, problem: Problem | None = None) -> str:
    return render_template(
        "issues.html",
        issues=parts.reports.issues(),
        programmes=parts.choices.programmes(),
        chosen=request.form.get("programme", ""),
        batch=uuid7(int(parts.wall_clock.now().timestamp() * 1000), parts.randomness(10)),
        sheet_vouchers_max=parts.office.sheet_vouchers_max,
        problem=problem,
    )


def _add_kiosks(office: Blueprint, parts: WebParts) -> None:
    @office.get("/kiosks")
    @allow("programme_admin", "technician", "auditor", tenant="programme", door=OFFICE_DOOR)
    def kiosks() -> str:
        return _kiosks_page(parts)

    @office.post("/claim-codes")
    @allow("programme_admin", "technician", tenant="programme", door=OFFICE_DOOR)
    def claim_code() -> str:
        site_id = request.form.get("site", "")
        code = make_claim_code(
            parts.office.fleet,
            site_id,
            made_by=signed_in().staff_id,
            now=parts.clock.now(),
            randomness=parts.randomness,
        )
        if code is None:
            abort(400)
        return _kiosks_page(parts, code, site_id)

    @office.get("/kiosks/<device_id>/revoke")
    @allow("programme_admin", "technician", tenant="programme", door=OFFICE_DOOR)
    def ask_revoke(device_id: str) -> str:
        return render_template("revoke.html", device=_device(parts, device_id), problem="")

    @office.post("/kiosks/<device_id>/revoke")
    @allow("programme_admin", "technician", tenant="programme", door=OFFICE_DOOR)
    def revoke(device_id: str) -> str | AnyResponse:
        device, reason = _device(parts, device_id), request.form.get("reason", "").strip()[:REASON_LENGTH_MAX]
        if not reason:
            return render_template("revoke.html", device=device, problem=say("office.revoke.no_reason"))
        was_changed = revoke_device(parts.office.fleet, device_id, reason=reason, now=parts.clock.now())
        flash(say("office.revoke.done" if was_changed else "office.revoke.before", device=device_id))
        return redirect(url_for(".kiosks"))


def _kiosks_page(parts: WebParts, code: str = "", site_id: str = "") -> str:
    return render_template(
        "fleet.html", devices=parts.reports.devices(), sites=parts.choices.sites(), code=code, code_site=site_id
    )


def _device(parts: WebParts, device_id: str) -> DeviceRow:
    found = next((device for device in parts.reports.devices() if device.device_id == device_id), None)
    if found is None:
        abort(404)
    return found
