"""The programme office and money: closing weeks, what each week holds down to its rows, and what the bank says.

Paying takes two people and stands in :mod:`cloud.web.office_payouts`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, get_args
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from cloud.domain.ach import AchError
from cloud.domain.calendar import Period, period_of
from cloud.domain.pain002 import Pain002Error
from cloud.domain.returns import Outcome, ReturnError
from cloud.ports.money_reports import ClaimDetail, PaidTo, PayState
from cloud.ports.people import OFFICE_DOOR
from cloud.services.pay import Preview, find_draft, import_return, keep_draft, preview_return
from cloud.services.settle import settle_due
from cloud.web.access import allow
from cloud.web.exports import FILE_KINDS, FileKind, claim_file_name, claim_filter, statement_file, transactions_file
from cloud.web.formats import money, number
from cloud.web.language import say
from cloud.web.paging import ORDERS, PAGE_SIZES, find_page, some_id, some_text
from cloud.web.parts import WebParts
from cloud.web.session import signed_in

CLAIMS_PER_PAGE: Final = 50
RETURNED_SHOWN_MAX: Final = 200
PAY_STATES: Final[tuple[PayState, ...]] = get_args(PayState)
_FILE_NO_MAX: Final = 10**9


@dataclass(frozen=True, slots=True)
class ReturnedLine:
    """One payout that the bank returns, in a preview."""

    outcome: Outcome
    to: PaidTo | None


def add_settlements(office: Blueprint, parts: WebParts) -> None:
    """Add the routes about weeks and claims."""

    @office.get("/settlements")
    @allow("programme_admin", "finance", "auditor", tenant="programme", door=OFFICE_DOOR)
    def settlements() -> str:
        return render_template(
            "settlements.html",
            settlements=parts.reports.settlements(),
            due=parts.money.settlements.find_open_period(),
            running=period_of(parts.clock.now()),
        )

    @office.post("/settlements")
    @allow("programme_admin", "finance", tenant="programme", door=OFFICE_DOOR)
    def settle() -> Response:
        closed = settle_due(parts.money.settlements, now=parts.clock.now())
        if not closed:
            flash(say("settle.nothing"), "info")
            return redirect(url_for(".settlements"))
        claims, amount = sum(one.claim_count for one in closed), sum(one.claimed_twd for one in closed)
        flash(say("settle.done", weeks=number(len(closed)), claims=number(claims), amount=money(amount)))
        where = url_for(".week", period=closed[-1].period.starts_on) if len(closed) == 1 else url_for(".settlements")
        return redirect(where)

    @office.get("/settlements/<period>")
    @allow("programme_admin", "finance", "auditor", tenant="programme", door=OFFICE_DOOR)
    def week(period: str) -> str:
        row = next((one for one in parts.reports.settlements() if one.period_starts_on.isoformat() == period), None)
        if row is None:
            abort(404)
        state = next((one for one in PAY_STATES if one == some_text("state")), None)
        found = parts.money.reports.week_claims(
            row.period_starts_on, state=state, after=some_id("after"), limit=CLAIMS_PER_PAGE
        )
        return render_template(
            "week.html",
            row=row,
            period=Period(row.period_starts_on),
            found=found,
            state=state,
            states=PAY_STATES,
            more=found.rows[-1].claim.claim_id if len(found.rows) == CLAIMS_PER_PAGE else None,
        )

    @office.get("/claims/<uuid:claim_id>")
    @allow("programme_admin", "finance", "auditor", tenant="programme", door=OFFICE_DOOR)
    def claim(claim_id: UUID) -> str:
        claim = _claim(parts, claim_id)
        found, page = find_page(parts.reports, claim_filter(claim))
        return render_template("office_claim.html", claim=claim, found=found, page=page, sizes=PAGE_SIZES, orders=ORDERS)

    @office.get(f"/claims/<uuid:claim_id>/rows.<{FILE_KINDS}:kind>")
    @allow("programme_admin", "finance", "auditor", tenant="programme", door=OFFICE_DOOR)
    def claim_rows(claim_id: UUID, kind: FileKind) -> Response:
        claim = _claim(parts, claim_id)
        return transactions_file(parts, claim_filter(claim), kind, name=claim_file_name(claim))

    @office.get("/claims/<uuid:claim_id>/statement.pdf")
    @allow("programme_admin", "finance", "auditor", tenant="programme", door=OFFICE_DOOR)
    def claim_statement(claim_id: UUID) -> Response:
        return statement_file(parts, _claim(parts, claim_id))


def _claim(parts: WebParts, claim_id: UUID) -> ClaimDetail:
    found = parts.money.reports.find_claim(claim_id, merchant_id=None)
    if found is None:
        abort(404)
    return found


def add_returns(office: Blueprint, parts: WebParts) -> None:
    """Add the routes about what the bank answers: upload, look, take over."""

    @office.get("/returns")
    @allow("finance", "programme_admin", "auditor", tenant="programme", door=OFFICE_DOOR)
    def returns() -> str:
        return render_template(
            "returns.html", problem="", cases=parts.money.cases.open_cases("returned", limit=RETURNED_SHOWN_MAX)
        )

    @office.post("/returns")
    @allow("finance", tenant="programme", door=OFFICE_DOOR)
    def bring_return() -> str | Response:
        upload = request.files.get("answer")
        content = upload.read() if upload is not None else b""
        if not content:
            return _returns_page(parts, say("returns.no_file"))
        try:
            digest = keep_draft(parts.money.payouts, content, by=signed_in().staff_id, now=parts.clock.now())
        except (AchError, Pain002Error) as problem:
            return _returns_page(parts, say("returns.unreadable"), str(problem))
        return redirect(url_for(".look_at_return", digest=digest.hex()))

    @office.get("/returns/<digest>")
    @allow("finance", tenant="programme", door=OFFICE_DOOR)
    def look_at_return(digest: str) -> str:
        content = _draft(parts, digest)
        file_no = _file_no(request.args.get("file_no", ""))
        try:
            preview = preview_return(parts.money.payouts, content, file_no=file_no)
        except ReturnError as problem:
            return render_template("return_preview.html", digest=digest, preview=None, file_no=file_no, problem=str(problem))
        return render_template(
            "return_preview.html",
            digest=digest,
            preview=preview,
            file_no=file_no,
            returned=_returned(parts, preview),
            problem="",
        )

    @office.post("/returns/<digest>")
    @allow("finance", tenant="programme", door=OFFICE_DOOR)
    def apply_return(digest: str) -> Response:
        content, file_no = _find_draft(parts, digest), _file_no(request.form.get("file_no", ""))
        if content is None:
            # A second click: the first has done it.
            flash(say("returns.before"), "info")
            return redirect(url_for(".returns"))
        try:
            now = parts.clock.now()
            done = import_return(parts.money.payouts, content, by=signed_in().staff_id, now=now, file_no=file_no)
        except ReturnError:
            return redirect(url_for(".look_at_return", digest=digest, file_no=file_no))
        if done.file_no is None:
            flash(say("returns.before"), "info")
        else:
            facts = {"paid": number(done.paid_count), "returned": number(done.returned_count), "number": done.file_no}
            flash(say("returns.done", **facts))
        return redirect(url_for(".returns"))


def _returns_page(parts: WebParts, what: str = "", detail: str = "") -> str:
    cases = parts.money.cases.open_cases("returned", limit=RETURNED_SHOWN_MAX)
    return render_template("returns.html", problem=what, detail=detail, cases=cases)


def _returned(parts: WebParts, preview: Preview) -> Sequence[ReturnedLine]:
    some = [one for one in preview.outcomes if one.state == "returned"][:RETURNED_SHOWN_MAX]
    to = parts.money.reports.paid_to({one.payout.payout_id for one in some})
    return [ReturnedLine(one, to.get(one.payout.payout_id)) for one in some]


def _find_draft(parts: WebParts, digest: str) -> bytes | None:
    try:
        sha256 = bytes.fromhex(digest)
    except ValueError:
        abort(404)
    return find_draft(parts.money.payouts, sha256) if len(sha256) == hashlib.sha256().digest_size else None


def _draft(parts: WebParts, digest: str) -> bytes:
    content = _find_draft(parts, digest)
    if content is None:
        abort(404)
    return content


def _file_no(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 and 0 < int(text) < _FILE_NO_MAX else None
