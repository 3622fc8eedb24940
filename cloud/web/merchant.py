"""A merchant's own pages: overview, transactions (V-S9), claims by period (V-S10), kiosks, and the daily confirmation.

Every query carries the merchant of the person who is signed in, and nothing from the address can change it: another
merchant's id is answered like one that does not exist. Confirming is idempotent (V-R17): the number that is reported is what
this click added.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from cloud.domain.calendar import day_of, period_of
from cloud.ports.reports import DeviceRow
from cloud.services.confirm import confirm
from cloud.web.access import allow
from cloud.web.business_pages import find_notices
from cloud.web.charts import Column, columns
from cloud.web.claims import render_claims, waiting_of
from cloud.web.confirming import add_confirming, undoable
from cloud.web.exports import FILE_KINDS, FileKind, statement_file, transactions_file
from cloud.web.language import say
from cloud.web.paging import CLAIM_STATES, ORDERS, PAGE_SIZES, find_page, kept_filter, transaction_filter
from cloud.web.parts import WebParts
from cloud.web.people_pages import add_people_pages
from cloud.web.security import own_path
from cloud.web.session import merchant_of, signed_in
from protocol.ids import reference

_FORTNIGHT: Final = timedelta(days=13)
"""From its first day to its last."""

_TROUBLED_MAX: Final = 3
"""Kiosks that the overview names; all of them have a page."""


def make_merchant(parts: WebParts) -> Blueprint:
    """Build the blueprint."""
    merchant = Blueprint("merchant", __name__, url_prefix="/merchant")

    @merchant.get("/")
    @allow("merchant_admin", tenant="merchant")
    def overview() -> str:
        merchant_id, now = _own(), parts.clock.now()
        waiting = parts.reports.find_transactions(waiting_of(merchant_id), page_size=5)
        overview = parts.reports.overview(merchant_id=merchant_id, now=now)
        return render_template(
            "overview.html",
            overview=overview,
            troubled=_troubled(parts, merchant_id) if overview.devices_not_online else (),
            today=day_of(now),
            columns=_last_days(parts, merchant_id, day_of(now)),
            settles_on=period_of(now).following.starts_on,
            waiting=waiting,
            notices=find_notices(parts, merchant_id),
            banks=parts.merchants.banks,
        )

    @merchant.get("/transactions")
    @allow("merchant_admin", tenant="merchant")
    def transactions() -> str:
        wanted = transaction_filter(_own())
        found, page = find_page(parts.reports, wanted)
        return render_template(
            "transactions.html",
            wanted=wanted,
            found=found,
            page=page,
            states=CLAIM_STATES,
            sizes=PAGE_SIZES,
            orders=ORDERS,
            kept=kept_filter(),
            takers=parts.money.reports.takers(_own()),
            sites=parts.choices.sites(_own()),
            undoable=undoable(parts, _own()),
        )

    @merchant.get(f"/transactions.<{FILE_KINDS}:kind>")
    @allow("merchant_admin", tenant="merchant")
    def transactions_as(kind: FileKind) -> Response:
        name = f"transactions-{day_of(parts.clock.now())}"
        return transactions_file(parts, transaction_filter(_own()), kind, name=name)

    @merchant.get("/transactions/<uuid:redemption_id>")
    @allow("merchant_admin", tenant="merchant")
    def transaction(redemption_id: UUID) -> str:
        row = parts.reports.find_transaction(redemption_id, merchant_id=_own())
        if row is None:
            abort(404)
        return render_template(
            "transaction.html",
            row=row,
            trail=parts.reports.find_trail(redemption_id, merchant_id=_own()),
            reference=reference(redemption_id),
            back=own_path(request.args.get("back")),
        )

    @merchant.post("/transactions/<uuid:redemption_id>/confirm")
    @allow("merchant_admin", tenant="merchant")
    def confirm_one(redemption_id: UUID) -> Response:
        person, merchant_id = signed_in(), _own()
        if parts.reports.find_transaction(redemption_id, merchant_id=merchant_id) is None:
            abort(404)
        confirm(
            parts.confirmations,
            [redemption_id],
            merchant_id=merchant_id,
            staff_id=person.staff_id,
            now=parts.clock.now(),
        )
        flash(say("confirm.done_one"))
        return redirect(own_path(request.form.get("back")) or url_for(".transactions"))

    @merchant.get("/claims")
    @allow("merchant_admin", tenant="merchant")
    def claims() -> str:
        return render_claims(parts, _own())

    @merchant.get("/claims/<uuid:claim_id>/statement.pdf")
    @allow("merchant_admin", tenant="merchant")
    def statement(claim_id: UUID) -> Response:
        claim = parts.money.reports.find_claim(claim_id, merchant_id=_own())
        if claim is None:
            abort(404)
        return statement_file(parts, claim)

    @merchant.get("/kiosks")
    @allow("merchant_admin", tenant="merchant")
    def kiosks() -> str:
        return render_template("kiosks.html", devices=parts.reports.devices(merchant_id=_own()))

    add_confirming(merchant, parts)
    add_people_pages(merchant, parts, path="/staff", role="merchant_admin", tenant="merchant")
    return merchant


def _troubled(parts: WebParts, merchant_id: str) -> Sequence[DeviceRow]:
    """Some kiosks that are in use and not connected."""
    devices = parts.reports.devices(merchant_id=merchant_id)
    return [one for one in devices if one.state != "revoked" and one.presence != "online"][:_TROUBLED_MAX]


def _last_days(parts: WebParts, merchant_id: str, today: date) -> Sequence[Column]:
    """One column per day of the fortnight that ends today."""
    days = parts.reports.days(merchant_id=merchant_id, first_day=today - _FORTNIGHT, last_day=today)
    return columns([(day.day, day.redeemed_twd, day.redemption_count) for day in days])


def _own() -> str:
    return merchant_of(signed_in())
