"""Review (業者審查): the office's queue of applications, what it decides, and the merchants that take part.

Whoever reviews reads papers as saved files and decides on exactly what the page showed: the form carries its version. Reasons
are shown to the business word for word, which the page says beside the field.
"""

from collections.abc import Mapping
from typing import Final, get_args
from uuid import UUID

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from cloud.domain.business import mask_owner_id
from cloud.domain.calendar import day_of
from cloud.domain.merchants import ApplicationState, MerchantAction, MerchantState, merchant_actions
from cloud.ports.merchants import (
    ROWS_PER_PAGE,
    Application,
    ApplicationFilter,
    Merchant,
    MerchantFilter,
)
from cloud.ports.people import MERCHANT_DOORS, OFFICE_DOOR, Role
from cloud.services.accounts import Hand
from cloud.services.apply import StaleError
from cloud.services.review import DECISIONS, REASON_LENGTH_MAX, NoReasonError, TwiceError, Verdict, decide, rule
from cloud.web.access import allow
from cloud.web.apply import send_paper, standing_of
from cloud.web.formats import day
from cloud.web.language import say
from cloud.web.numbered import NumberedPage, page_no
from cloud.web.parts import WebParts
from cloud.web.people_pages import new_id
from cloud.web.session import signed_in

READERS: Final[tuple[Role, ...]] = ("programme_admin", "reviewer", "auditor")
JUDGES: Final[tuple[Role, ...]] = ("programme_admin", "reviewer")
PAYERS: Final[tuple[Role, ...]] = ("programme_admin", "finance", "auditor")
SEE_WHOLE_NUMBERS: Final[tuple[Role, ...]] = ("programme_admin", "finance")
"""Who makes payout files reads the accounts that stand in them."""

STATES: Final[tuple[ApplicationState, ...]] = ("submitted", "returned", "lapsed", "approved", "rejected")
"""That the queue can be filtered by: a draft is nobody's business but its applicant's."""


def make_review(parts: WebParts) -> Blueprint:
    """Build the blueprint."""
    review = Blueprint("review", __name__, url_prefix="/office")
    _add_queue(review, parts)
    _add_decisions(review, parts)
    _add_merchants(review, parts)
    return review


def _add_queue(review: Blueprint, parts: WebParts) -> None:
    readers = allow(*READERS, tenant="programme", door=OFFICE_DOOR)

    @review.get("/applications")
    @readers
    def queue() -> str:
        state = next((one for one in STATES if one == request.args.get("state", "submitted")), None)
        wanted = ApplicationFilter(state, _category(), _search())
        today = day_of(parts.clock.now())
        rows, count = parts.merchants.store.applications(wanted, today=today, page_no=page_no())
        return render_template(
            "review_queue.html",
            rows=rows,
            page=NumberedPage.of(page_no(), ROWS_PER_PAGE, count, len(rows)),
            wanted=wanted,
            waits={row.application_id: (today - day_of(row.submitted_at)).days for row in rows if row.submitted_at},
            state_options=_state_options(parts.merchants.store.application_counts(today=today)),
            category_options=_category_options(),
        )

    @review.get("/applications/<uuid:application_id>")
    @readers
    def application(application_id: UUID) -> str:
        return _application_page(parts, _sent(parts, application_id))

    @review.get("/applications/<uuid:application_id>/papers/<uuid:paper_id>")
    @readers
    def paper(application_id: UUID, paper_id: UUID) -> Response:
        return send_paper(parts, _sent(parts, application_id).application_id, paper_id, taken_back=True)


def _add_decisions(review: Blueprint, parts: WebParts) -> None:
    @review.post("/applications/<uuid:application_id>/decide")
    @allow(*JUDGES, tenant="programme", door=OFFICE_DOOR)
    def decide_on(application_id: UUID) -> str | AnyResponse:
        seen = _sent(parts, application_id)
        decision = next((one for one in DECISIONS if one == request.form.get("decision")), None)
        if decision is None or not request.form.get("version", "").isdecimal():
            abort(400)
        verdict = Verdict(decision, request.form.get("reason", ""), int(request.form["version"]))
        try:
            correct_by = decide(
                parts.merchants.store,
                application_id,
                verdict,
                hand=_hand(parts),
                working_days=parts.merchants.working_days,
                mint_id=lambda kind: new_id(parts, kind),
            )
        except NoReasonError:
            return _application_page(parts, seen, problem="reason", reason=verdict.reason)
        except TwiceError:
            return _application_page(parts, seen, problem="twice", reason=verdict.reason)
        except StaleError:
            flash(say("review.stale"), "error")
            return redirect(url_for(".application", application_id=application_id))
        told = {} if correct_by is None else {"day": day(correct_by)}
        flash(say(f"review.done.{decision}", name=seen.business.name_zh, **told))
        return redirect(url_for(".queue"))


def _add_merchants(review: Blueprint, parts: WebParts) -> None:
    @review.get("/merchants/<merchant_id>")
    @allow(*READERS, "finance", tenant="programme", door=OFFICE_DOOR)
    def merchant(merchant_id: str) -> str:
        return _merchant_page(parts, _merchant(parts, merchant_id))

    @review.post("/merchants/<merchant_id>/rule")
    @allow(*JUDGES, tenant="programme", door=OFFICE_DOOR)
    def rule_on(merchant_id: str) -> str | AnyResponse:
        seen = _merchant(parts, merchant_id)
        actions: tuple[MerchantAction, ...] = get_args(MerchantAction)
        action = next((one for one in actions if one == request.form.get("action")), None)
        if action is None:
            abort(400)
        reason = request.form.get("reason", "")
        if action == "terminate" and reason.strip() and "sure" not in request.form:
            # What cannot be taken back is asked on a page of its own.
            return render_template("review_terminate.html", merchant=seen, reason=reason[:REASON_LENGTH_MAX])
        try:
            rule(parts.merchants.store, merchant_id, action, reason=reason, hand=_hand(parts))
        except NoReasonError:
            return _merchant_page(parts, seen, problem="reason")
        except StaleError:
            flash(say("review.stale"), "error")
        else:
            flash(say(f"review.ruled.{action}", name=seen.name))
        return redirect(url_for(".merchant", merchant_id=merchant_id))

    @review.get("/payout-accounts")
    @allow(*PAYERS, tenant="programme", door=OFFICE_DOOR)
    def accounts() -> str:
        return render_template(
            "payout_changes.html",
            changes=parts.merchants.store.account_changes(),
            banks=parts.merchants.banks,
            whole=signed_in().role in SEE_WHOLE_NUMBERS,
        )


def render_merchants(parts: WebParts) -> str:
    """The list of merchants that take part."""
    states: tuple[MerchantState, ...] = get_args(MerchantState)
    state = next((one for one in states if one == request.args.get("state")), None)
    wanted = MerchantFilter(state, _category(), _search())
    rows, count = parts.merchants.store.merchants(wanted, page_no=page_no())
    return render_template(
        "merchants.html",
        rows=rows,
        page=NumberedPage.of(page_no(), ROWS_PER_PAGE, count, len(rows)),
        wanted=wanted,
        state_options=[("", say("review.all")), *((one, say(f"merchant_state.{one}")) for one in states)],
        category_options=_category_options(),
        sites=len(parts.choices.sites()),
    )


def _application_page(parts: WebParts, application: Application, *, problem: str = "", reason: str = "") -> str:
    person = signed_in()
    return render_template(
        "review_application.html",
        application=application,
        state=standing_of(parts, application),
        owner=mask_owner_id(application.business.owner_id) if application.business.owner_id else "",
        papers=parts.merchants.store.papers(application.application_id),
        trail=parts.merchants.store.trail(application_id=application.application_id),
        judges=person.role in JUDGES,
        problem=problem,
        reason=reason,
        reason_max=REASON_LENGTH_MAX,
    )


def _merchant_page(parts: WebParts, merchant: Merchant, *, problem: str = "") -> str:
    role = signed_in().role
    store = parts.merchants.store
    return render_template(
        "review_merchant.html",
        merchant=merchant,
        owner=mask_owner_id(merchant.owner_id) if merchant.owner_id else "",
        places=store.places(merchant.merchant_id),
        devices=parts.reports.devices(merchant_id=merchant.merchant_id),
        trail=store.trail(merchant_id=merchant.merchant_id),
        banks=parts.merchants.banks,
        actions=merchant_actions(merchant.state) if role in JUDGES else (),
        whole=role in SEE_WHOLE_NUMBERS,
        problem=problem,
        reason_max=REASON_LENGTH_MAX,
    )


def _sent(parts: WebParts, application_id: UUID) -> Application:
    """An application that was sent at least once; a draft is not there for the office."""
    found = parts.merchants.store.find_application(application_id)
    if found is None or found.submitted_at is None:
        abort(404)
    return found


def _merchant(parts: WebParts, merchant_id: str) -> Merchant:
    found = parts.merchants.store.find_merchant(merchant_id) if merchant_id.isprintable() else None
    if found is None:
        abort(404)
    return found


def _hand(parts: WebParts) -> Hand:
    return Hand(signed_in(), parts.clock.now(), request.remote_addr or "")


def _state_options(counts: Mapping[ApplicationState, int]) -> list[tuple[str, str]]:
    named = [
        (one, say("review.state_count", state=say(f"application_state.{one}"), count=counts.get(one, 0))) for one in STATES
    ]
    return [("all", say("review.all")), *named]


def _category_options() -> list[tuple[str, str]]:
    return [("", say("review.all_categories")), *((one, say(f"door.{one}")) for one in MERCHANT_DOORS)]


def _category() -> str:
    wanted = request.args.get("category", "")
    return wanted if wanted in MERCHANT_DOORS else ""


def _search() -> str:
    typed = request.args.get("search", "").strip()
    return typed[:60] if typed.isprintable() else ""
