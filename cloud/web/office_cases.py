"""The exceptions queue (待處理事項): what came back, what is disputed, what waits in kiosks, what nobody understood.

Each has an age, somebody who looks after it, and a trail of what was said and done. A dispute and a message are
resolved here, with a reason. What came back and what waits in a kiosk go by themselves once they are paid and
answered; here they are taken and noted.
"""

from typing import Final, get_args
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from cloud.ports.cases import Case, CaseEvent, CaseKind, CaseVerb
from cloud.ports.people import OFFICE_DOOR
from cloud.ports.reports import TransactionRow
from cloud.services.dispute import REASON_LENGTH_MAX, resolve_dispute
from cloud.web.access import allow
from cloud.web.language import say
from cloud.web.paging import some_text
from cloud.web.parts import WebParts
from cloud.web.session import signed_in

CASES_SHOWN_MAX: Final = 200
KINDS: Final[tuple[CaseKind, ...]] = get_args(CaseKind)
_VERBS: Final[tuple[CaseVerb, ...]] = get_args(CaseVerb)


def add_cases(office: Blueprint, parts: WebParts) -> None:
    """Add the routes."""

    @office.get("/cases")
    @allow("programme_admin", "finance", "auditor", tenant="programme", door=OFFICE_DOOR)
    def cases() -> str:
        kind = next((one for one in KINDS if one == some_text("kind")), None)
        found = parts.money.cases.open_cases(kind, limit=CASES_SHOWN_MAX)
        return render_template(
            "cases.html", cases=found, kind=kind, kinds=KINDS, now=parts.clock.now(), shown_max=CASES_SHOWN_MAX
        )

    @office.get("/cases/<case_kind>/<case_id>")
    @allow("programme_admin", "finance", "auditor", tenant="programme", door=OFFICE_DOOR)
    def case(case_kind: str, case_id: str) -> str:
        return _case_page(parts, _case(parts, case_kind, case_id))

    @office.post("/cases/<case_kind>/<case_id>")
    @allow("programme_admin", "finance", tenant="programme", door=OFFICE_DOOR)
    def act_on_case(case_kind: str, case_id: str) -> str | Response:
        found = _case(parts, case_kind, case_id)
        verb, detail = request.form.get("verb", ""), request.form.get("detail", "").strip()[:REASON_LENGTH_MAX]
        if found.kind == "disputed" and verb in ("stands", "set_aside"):
            return _decide(parts, found, verb, detail)
        known = next((one for one in _VERBS if one == verb), None)
        if known is None or (known == "resolve" and found.kind != "parked"):
            abort(400)
        if known in ("note", "resolve") and not detail:
            return _case_page(parts, found, say("case.no_detail"))
        event = CaseEvent(found.kind, found.case_id, known, signed_in().staff_id, parts.clock.now(), detail)
        flash(say(f"case.did.{known}" if parts.money.cases.add(event) else "case.resolved_before"))
        return redirect(
            url_for(".cases") if known == "resolve" else url_for(".case", case_kind=found.kind, case_id=found.case_id)
        )


def _decide(parts: WebParts, found: Case, verb: str, reason: str) -> str | Response:
    if not reason:
        return _case_page(parts, found, say("case.no_detail"))
    done = resolve_dispute(
        parts.money.disputes,
        UUID(found.case_id),
        "stands" if verb == "stands" else "set_aside",
        reason,
        by=signed_in().staff_id,
        now=parts.clock.now(),
    )
    flash(say(f"case.did.{verb}" if done else "case.resolved_before"))
    return redirect(url_for(".cases"))


def _case(parts: WebParts, case_kind: str, case_id: str) -> Case:
    kind = next((one for one in KINDS if one == case_kind), None)
    found = None if kind is None else parts.money.cases.find_case(kind, case_id)
    if found is None:
        abort(404)
    return found


def _case_page(parts: WebParts, found: Case, problem: str = "") -> str:
    return render_template(
        "case.html",
        case=found,
        trail=parts.money.cases.trail(found.kind, found.case_id),
        row=_row(parts, found),
        is_own=found.owner_id == signed_in().staff_id,
        now=parts.clock.now(),
        problem=problem,
        reason_length_max=REASON_LENGTH_MAX,
    )


def _row(parts: WebParts, found: Case) -> TransactionRow | None:
    """The transaction that is disputed."""
    if found.kind != "disputed":
        return None
    redemption_id = UUID(found.case_id)
    merchant_id = parts.money.reports.merchant_of(redemption_id)
    return None if merchant_id is None else parts.reports.find_transaction(redemption_id, merchant_id=merchant_id)
