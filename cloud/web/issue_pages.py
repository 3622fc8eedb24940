"""Issuing: hand a list or a draw in, look at what would be issued, issue it; print what was issued."""

from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, Response, abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from cloud.domain.draws import SuffixProblem, read_suffixes
from cloud.ports.drafts import DraftKind, DraftView
from cloud.ports.people import OFFICE_DOOR
from cloud.services.drafts import discard_draft, is_stale, issue_draft, refusal_of
from cloud.web.access import allow
from cloud.web.language import say
from cloud.web.parts import HandedIn, HoldersFileError, WebParts
from cloud.web.session import signed_in
from protocol.ids import uuid7


@dataclass(frozen=True, slots=True)
class Problem:
    """Why nothing was read."""

    field: str
    what: str
    detail: str = ""


def add_issue_pages(office: Blueprint, parts: WebParts) -> None:
    """Add the pages."""
    lookers = allow("programme_admin", "auditor", tenant="programme", door=OFFICE_DOOR)
    changers = allow("programme_admin", tenant="programme", door=OFFICE_DOOR)

    @office.get("/issues")
    @lookers
    def issues() -> str:
        return _page(parts)

    @office.post("/issues")
    @changers
    def issue() -> str | AnyResponse:
        programme_id = request.form.get("programme", "")
        if programme_id not in {choice.programme_id for choice in parts.choices.programmes()}:
            abort(400)
        draft_id = _draft_of_form()
        problem = _hand_in(parts, programme_id, draft_id)
        return _page(parts, problem) if problem is not None else redirect(url_for(".draft", draft_id=draft_id))

    @office.get("/issues/<uuid:issue_id>/sheets-<int:part>.pdf")
    @changers
    def sheets(issue_id: UUID, part: int) -> Response:
        document = parts.office.sheets(issue_id, part)
        if document is None:
            abort(404)
        response = make_response(document)
        response.headers["Content-Type"] = "application/pdf"
        response.headers["Content-Disposition"] = f'attachment; filename="vouchers-{issue_id}-{part}.pdf"'
        return response

    _add_draft_pages(office, parts)


def _add_draft_pages(office: Blueprint, parts: WebParts) -> None:
    changers = allow("programme_admin", tenant="programme", door=OFFICE_DOOR)

    @office.get("/issues/drafts/<uuid:draft_id>")
    @allow("programme_admin", "auditor", tenant="programme", door=OFFICE_DOOR)
    def draft(draft_id: UUID) -> str | AnyResponse:
        view = parts.programmes.drafts.find_view(draft_id)
        if view is None:
            abort(404)
        if view.draft.state in ("issued", "discarded"):
            return redirect(url_for(".issues"))
        return _draft_page(parts, view)

    @office.post("/issues/drafts/<uuid:draft_id>/issue")
    @changers
    def issue_one(draft_id: UUID) -> AnyResponse:
        refusal = issue_draft(parts.programmes.drafts, draft_id, by=signed_in().staff_id, now=parts.clock.now())
        if refusal is None:
            flash(say("office.issue.done"))
        elif refusal == "gone":
            abort(404)
        elif refusal == "changed":
            flash(say("draft.changed"), "error")
        return redirect(url_for(".issues") if refusal is None else url_for(".draft", draft_id=draft_id))

    @office.post("/issues/drafts/<uuid:draft_id>/discard")
    @changers
    def discard_one(draft_id: UUID) -> AnyResponse:
        if not discard_draft(parts.programmes.drafts, draft_id, by=signed_in().staff_id, now=parts.clock.now()):
            abort(404)
        flash(say("draft.discarded"))
        return redirect(url_for(".issues"))


def _hand_in(parts: WebParts, programme_id: str, draft_id: UUID) -> Problem | None:
    kind: DraftKind = "draw" if request.form.get("kind") == "draw" else "list"
    suffixes: tuple[str, ...] = ()
    if kind == "draw":
        read = read_suffixes(request.form.get("suffixes", ""), before=parts.programmes.drafts.suffixes_drawn(programme_id))
        # A form that is sent twice finds its own suffixes drawn: what it made stays as it is.
        if isinstance(read, SuffixProblem):
            return None if parts.programmes.drafts.find_view(draft_id) else _suffix_problem(read)
        suffixes = read
    upload = request.files.get("holders")
    content = upload.read() if upload is not None else b""
    if not content:
        return Problem("holders", say("office.issue.no_file"))
    try:
        parts.programmes.hand_in(HandedIn(draft_id, programme_id, kind, suffixes, content, signed_in().staff_id))
    except HoldersFileError as problem:
        return Problem("holders", say("office.issue.bad_file", line=problem.line), str(problem))
    return None


def _suffix_problem(problem: SuffixProblem) -> Problem:
    return Problem("suffixes", say(f"draft.suffixes_problem.{problem.why}", suffix=problem.suffix))


def _draft_of_form() -> UUID:
    try:
        return UUID(request.form.get("batch", ""))
    except ValueError:
        abort(400)


def _page(parts: WebParts, problem: Problem | None = None) -> str:
    return render_template(
        "issues.html",
        issues=parts.reports.issues(),
        drafts=parts.programmes.drafts.open_drafts(),
        programmes=parts.programmes.office.programmes(),
        chosen=request.values.get("programme", ""),
        kind=request.form.get("kind", "list"),
        suffixes=request.form.get("suffixes", ""),
        batch=uuid7(int(parts.wall_clock.now().timestamp() * 1000), parts.randomness(10)),
        sheet_vouchers_max=parts.office.sheet_vouchers_max,
        problem=problem,
        is_stale=lambda draft: is_stale(draft, now=parts.wall_clock.now()),
    )


def _draft_page(parts: WebParts, view: DraftView) -> str:
    return render_template(
        "draft.html",
        view=view,
        refusal=refusal_of(view, now=parts.clock.now()),
        stale=is_stale(view.draft, now=parts.wall_clock.now()),
    )
