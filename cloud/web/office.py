"""The programme office: issue vouchers and print them, look after the kiosks, see the settlements.

What cannot be taken back is asked on a page of its own: revoking a kiosk is for ever. A claim code is shown once, on the answer
to the click that made it, and kept nowhere.
"""

from uuid import UUID

from flask import Blueprint, Response, abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from cloud.ports.reports import DeviceRow
from cloud.services.enrol import make_claim_code, revoke_device
from cloud.web.language import say
from cloud.web.parts import HoldersFileError, WebParts
from cloud.web.session import only, signed_in

REASON_LENGTH_MAX = 200


def make_office(parts: WebParts) -> Blueprint:
    """Build the blueprint."""
    office = Blueprint("office", __name__, url_prefix="/office")
    office.before_request(only("office", door="office"))
    _add_issues(office, parts)
    _add_kiosks(office, parts)

    @office.get("/settlements")
    def settlements() -> str:
        return render_template("settlements.html", settlements=parts.reports.settlements())

    return office


def _add_issues(office: Blueprint, parts: WebParts) -> None:
    @office.get("/")
    def issues() -> str:
        return _issues_page(parts)

    @office.post("/issues")
    def issue() -> str | AnyResponse:
        programme_id, upload = request.form.get("programme", ""), request.files.get("holders")
        if programme_id not in {choice.programme_id for choice in parts.choices.programmes()}:
            abort(400)
        content = upload.read() if upload is not None else b""
        if not content:
            return _issues_page(parts, say("office.issue.no_file"))
        try:
            parts.office.issue(programme_id, content, staff_id=signed_in().staff_id, now=parts.clock.now())
        except HoldersFileError as problem:
            return _issues_page(parts, say("office.issue.bad_file", line=problem.line, problem=problem))
        flash(say("office.issue.done"))
        return redirect(url_for(".issues"))

    @office.get("/issues/<uuid:issue_id>/sheets.pdf")
    def sheets(issue_id: UUID) -> Response:
        document = parts.office.sheets(issue_id)
        if document is None:
            abort(404)
        response = make_response(document)
        response.headers["Content-Type"] = "application/pdf"
        response.headers["Content-Disposition"] = f'attachment; filename="vouchers-{issue_id}.pdf"'
        return response


def _issues_page(parts: WebParts, problem: str = "") -> str:
    return render_template(
        "issues.html",
        issues=parts.reports.issues(),
        programmes=parts.choices.programmes(),
        chosen=request.form.get("programme", ""),
        problem=problem,
    )


def _add_kiosks(office: Blueprint, parts: WebParts) -> None:
    @office.get("/kiosks")
    def kiosks() -> str:
        return _kiosks_page(parts)

    @office.post("/claim-codes")
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
    def ask_revoke(device_id: str) -> str:
        return render_template("revoke.html", device=_device(parts, device_id), problem="")

    @office.post("/kiosks/<device_id>/revoke")
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
