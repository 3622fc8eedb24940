"""Payouts by two people: finance prepares a pay run, somebody else of finance looks at it, proves who they are, and
releases it.

The file for the bank does not exist before that; afterwards it can be fetched again and again, byte for byte. The
rule is judged in the use case and once more by the database, so these pages only offer what can be done.
"""

from typing import Final, get_args
from uuid import UUID

from flask import Blueprint, abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from cloud.domain.pay_runs import RUN_REASON_LENGTH_MAX, PayRunError
from cloud.domain.payouts import PayoutFormat
from cloud.ports.money_reports import PayRunRow
from cloud.ports.people import OFFICE_DOOR
from cloud.services.pay import kept_payout_file, prepare_pay_run, release_pay_run, withdraw_pay_run
from cloud.web.access import allow
from cloud.web.formats import money, number
from cloud.web.language import say
from cloud.web.parts import WebParts
from cloud.web.session import signed_in

RUNS_SHOWN: Final = 50
LINES_SHOWN: Final = 200
FORMATS: Final[tuple[PayoutFormat, ...]] = get_args(PayoutFormat)
_ENDINGS: Final[dict[str, tuple[str, str]]] = {"ach_p01": ("txt", "text/plain"), "pain_001": ("xml", "application/xml")}


def add_payouts(office: Blueprint, parts: WebParts) -> None:
    """Add the routes."""

    @office.get("/payouts")
    @allow("finance", "programme_admin", "auditor", tenant="programme", door=OFFICE_DOOR)
    def payouts() -> str:
        return _payouts_page(parts)

    @office.post("/payouts")
    @allow("finance", tenant="programme", door=OFFICE_DOOR)
    def prepare() -> str | Response:
        wanted = next((one for one in FORMATS if one == request.form.get("format")), None)
        if wanted is None:
            abort(400)
        try:
            run = prepare_pay_run(
                parts.money.payouts,
                wanted,
                parts.money.originator(),
                by=signed_in().staff_id,
                now=parts.clock.now(),
                unmended=bool(request.form.get("unmended")),
            )
        except PayRunError as problem:
            return _payouts_page(parts, say(f"payout.problem.{problem.problem}"))
        except ValueError as problem:
            return _payouts_page(parts, say("payout.problem.unfit"), str(problem))
        if run is None:
            flash(say("payout.nothing"), "info")
            return redirect(url_for(".payouts"))
        flash(say("payout.prepared", number=run.run_no, count=number(len(run.lines)), amount=money(run.total_twd)))
        return redirect(url_for(".pay_run", run_id=run.run_id))

    @office.get("/payouts/<uuid:run_id>")
    @allow("finance", "programme_admin", "auditor", tenant="programme", door=OFFICE_DOOR)
    def pay_run(run_id: UUID) -> str:
        return _run_page(parts, run_id)

    @office.get("/payouts/<uuid:run_id>/file")
    @allow("finance", tenant="programme", door=OFFICE_DOOR)
    def payout_file(run_id: UUID) -> Response:
        return _file(parts, _run(parts, run_id))

    _add_endings(office, parts)


def _add_endings(office: Blueprint, parts: WebParts) -> None:
    @office.post("/payouts/<uuid:run_id>/release")
    @allow("finance", tenant="programme", fresh=True, door=OFFICE_DOOR)
    def release(run_id: UUID) -> str | Response:
        _run(parts, run_id)
        try:
            file = release_pay_run(
                parts.money.payouts, run_id, parts.money.originator(), by=signed_in().staff_id, now=parts.clock.now()
            )
        except PayRunError as problem:
            return _run_page(parts, run_id, say(f"payout.problem.{problem.problem}"))
        flash(say("payout.released", number=file.file_no, amount=money(file.total_twd)))
        return redirect(url_for(".pay_run", run_id=run_id))

    @office.post("/payouts/<uuid:run_id>/withdraw")
    @allow("finance", tenant="programme", door=OFFICE_DOOR)
    def withdraw_run(run_id: UUID) -> str | Response:
        _run(parts, run_id)
        reason = request.form.get("reason", "").strip()[:RUN_REASON_LENGTH_MAX]
        if not reason:
            return _run_page(parts, run_id, say("payout.no_reason"))
        try:
            withdraw_pay_run(parts.money.payouts, run_id, by=signed_in().staff_id, reason=reason, now=parts.clock.now())
        except PayRunError as problem:
            return _run_page(parts, run_id, say(f"payout.problem.{problem.problem}"))
        flash(say("payout.withdrawn"))
        return redirect(url_for(".payouts"))


def _file(parts: WebParts, run: PayRunRow) -> Response:
    file = kept_payout_file(parts.money.payouts, run.file_no) if run.file_no is not None else None
    if file is None:
        abort(404)
    ending, mimetype = _ENDINGS[run.format]
    response = make_response(file.content)
    response.headers["Content-Type"] = mimetype
    response.headers["Content-Disposition"] = f'attachment; filename="payout-{file.file_no}.{ending}"'
    return response


def _payouts_page(parts: WebParts, problem: str = "", detail: str = "") -> str:
    runs = parts.money.reports.pay_runs(limit=RUNS_SHOWN)
    return render_template(
        "payouts.html",
        runs=runs,
        waiting=next((run for run in runs if run.outcome is None), None),
        to_pay=parts.money.reports.to_pay(),
        formats=FORMATS,
        problem=problem,
        detail=detail,
    )


def _run_page(parts: WebParts, run_id: UUID, problem: str = "") -> str:
    run = _run(parts, run_id)
    after = request.args.get("after", "")
    lines = parts.money.reports.pay_run_lines(
        run_id, after=int(after) if after.isascii() and after.isdigit() and len(after) < 9 else 0, limit=LINES_SHOWN
    )
    return render_template(
        "pay_run.html",
        run=run,
        lines=lines,
        is_own=run.prepared_by_id == signed_in().staff_id,
        more=lines[-1].line_no if lines and lines[-1].line_no < run.line_count else None,
        problem=problem,
        reason_length_max=RUN_REASON_LENGTH_MAX,
    )


def _run(parts: WebParts, run_id: UUID) -> PayRunRow:
    found = parts.money.reports.find_pay_run(run_id)
    if found is None:
        abort(404)
    return found
