"""The programme office: issue vouchers and print them, look after the kiosks, see the businesses and the settlements.

What cannot be taken back is asked on a page of its own: revoking a kiosk is for ever. A claim code is shown once, on the answer
to the click that made it, and kept nowhere.
"""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from cloud.ports.people import OFFICE_DOOR
from cloud.ports.reports import DeviceRow
from cloud.services.enrol import make_claim_code, revoke_device
from cloud.web.access import allow
from cloud.web.issue_pages import add_issue_pages
from cloud.web.language import say
from cloud.web.office_cases import add_cases
from cloud.web.office_money import add_returns, add_settlements
from cloud.web.office_overview import render_overview
from cloud.web.office_payouts import add_payouts
from cloud.web.parts import WebParts
from cloud.web.people_pages import add_people_pages
from cloud.web.review import render_merchants
from cloud.web.session import signed_in

REASON_LENGTH_MAX = 200


def make_office(parts: WebParts) -> Blueprint:
    """Build the blueprint."""
    office = Blueprint("office", __name__, url_prefix="/office")
    add_issue_pages(office, parts)
    _add_kiosks(office, parts)

    @office.get("/")
    @allow("programme_admin", "finance", "auditor", tenant="programme", door=OFFICE_DOOR)
    def overview() -> str:
        return render_overview(parts)

    @office.get("/merchants")
    @allow("programme_admin", "reviewer", "auditor", tenant="programme", door=OFFICE_DOOR)
    def merchants() -> str:
        return render_merchants(parts)

    add_settlements(office, parts)
    add_payouts(office, parts)
    add_returns(office, parts)
    add_cases(office, parts)
    add_people_pages(office, parts, path="/people", role="programme_admin", tenant="programme")
    return office


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
        by, now = signed_in().staff_id, parts.clock.now()
        was_changed = revoke_device(parts.office.fleet, device_id, reason=reason, now=now, by=by)
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
