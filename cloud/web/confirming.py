"""Confirming some or all with a look at what it is, taking a confirmation back, and disputing instead.

* What is confirmed is what was looked at: a preview carries the moment it was made, and what arrives later waits.
* Each click confirms at one instant, which names it; for some minutes the same pages offer to take it back whole.
* A dispute keeps a transaction out of every confirmation until the programme office has looked.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from cloud.domain.calendar import TAIPEI
from cloud.ports.confirmations import Confirmed
from cloud.ports.money_reports import Undoable
from cloud.ports.reports import TransactionFilter, TransactionRow
from cloud.services.confirm import UNDO_WINDOW, confirm, confirm_all, undo
from cloud.services.dispute import REASON_LENGTH_MAX, open_dispute, withdraw_dispute
from cloud.web.access import allow
from cloud.web.exports import as_uuid
from cloud.web.formats import money, number
from cloud.web.language import say
from cloud.web.paging import find_page, kept_filter, transaction_filter
from cloud.web.parts import WebParts
from cloud.web.security import own_path
from cloud.web.session import merchant_of, signed_in

SELECTED_MAX: Final = 100
"""One page of the list; more are confirmed by filter."""

_NARROWING: Final = ("from", "to", "by", "site", "voucher")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def add_confirming(merchant: Blueprint, parts: WebParts) -> None:
    """Add the routes."""
    _add_all(merchant, parts)
    _add_some(merchant, parts)
    _add_disputes(merchant, parts)

    @merchant.post("/undo")
    @allow("merchant_admin", tenant="merchant")
    def undo_confirmation() -> Response:
        done = Confirmed(0, 0, 0)
        instant = _read_instant(request.form.get("confirmed_at", ""))
        if instant is not None:
            done = undo(parts.confirmations, instant, merchant_id=_own(), staff_id=signed_in().staff_id, now=parts.clock.now())
        if done.redemption_count:
            flash(say("undo.done", count=number(done.redemption_count), amount=money(done.amount_twd)))
        else:
            flash(say("undo.late"), "info")
        return redirect(own_path(request.form.get("back")) or url_for(".transactions"))


def undoable(parts: WebParts, merchant_id: str) -> Sequence[Undoable]:
    """What this merchant can still take back."""
    return parts.money.reports.undoable(merchant_id, since=parts.clock.now() - UNDO_WINDOW)


def undo_until(one: Undoable) -> str:
    """Until when, as people say it: today is meant."""
    return f"{(one.confirmed_at + UNDO_WINDOW).astimezone(TAIPEI):%H:%M}"


def write_instant(instant: datetime) -> str:
    """An instant in a form, to the microsecond."""
    return str((instant - _EPOCH) // _MICROSECOND)


def _read_instant(text: str) -> datetime | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        return None
    return _EPOCH + int(text) * _MICROSECOND


def _add_all(merchant: Blueprint, parts: WebParts) -> None:
    @merchant.get("/confirm-all")
    @allow("merchant_admin", tenant="merchant")
    def confirm_all_preview() -> str:
        through = _read_instant(request.args.get("through", "")) or parts.clock.now()
        wanted = _waiting(through)
        found, page = find_page(parts.reports, wanted)
        return render_template(
            "confirm_all.html",
            found=found,
            page=page,
            kept=kept_filter(*_NARROWING),
            through=write_instant(through),
            disputed=parts.reports.find_transactions(TransactionFilter(_own(), state="disputed"), page_size=1).row_count,
        )

    @merchant.post("/confirm-all")
    @allow("merchant_admin", tenant="merchant")
    def confirm_every() -> Response:
        now = parts.clock.now()
        done = confirm_all(
            parts.confirmations,
            merchant_id=_own(),
            staff_id=signed_in().staff_id,
            now=now,
            among=_waiting(_read_instant(request.form.get("through", "")) or now),
        )
        flash(said(done))
        return redirect(url_for(".claims"))


def _waiting(through: datetime) -> TransactionFilter:
    """What waits for confirmation, of what the address asks for, up to an instant."""
    asked = transaction_filter(_own())
    return TransactionFilter(
        asked.merchant_id,
        state="unconfirmed",
        first_day=asked.first_day,
        last_day=asked.last_day,
        taken_by=asked.taken_by,
        site_id=asked.site_id,
        voucher_no=asked.voucher_no,
        redeemed_through=through,
    )


def _add_some(merchant: Blueprint, parts: WebParts) -> None:
    @merchant.get("/confirm")
    @allow("merchant_admin", tenant="merchant")
    def confirm_some_preview() -> str | Response:
        back = own_path(request.args.get("back")) or url_for(".transactions")
        rows = [row for row in _chosen(parts, request.args.getlist("id")) if row.state == "unconfirmed"]
        if not rows:
            flash(say("confirm.none_chosen"), "info")
            return redirect(back)
        return render_template(
            "confirm_some.html",
            rows=rows,
            vouchers=sum(row.voucher_count for row in rows),
            amount=sum(row.redeemed_twd for row in rows),
            back=back,
        )

    @merchant.post("/confirm")
    @allow("merchant_admin", tenant="merchant")
    def confirm_some() -> Response:
        ids = [row.redemption_id for row in _chosen(parts, request.form.getlist("id"))]
        now = parts.clock.now()
        done = confirm(parts.confirmations, ids, merchant_id=_own(), staff_id=signed_in().staff_id, now=now)
        flash(said(done))
        return redirect(own_path(request.form.get("back")) or url_for(".transactions"))


def _chosen(parts: WebParts, ids: Sequence[str]) -> list[TransactionRow]:
    """The rows that were ticked. An id of another merchant is no row, like one that does not exist."""
    known = [redemption_id for text in ids[:SELECTED_MAX] if (redemption_id := as_uuid(text)) is not None]
    rows = [parts.reports.find_transaction(one, merchant_id=_own()) for one in dict.fromkeys(known)]
    return [row for row in rows if row is not None]


def _add_disputes(merchant: Blueprint, parts: WebParts) -> None:
    @merchant.get("/transactions/<uuid:redemption_id>/dispute")
    @allow("merchant_admin", tenant="merchant")
    def ask_dispute(redemption_id: UUID) -> str:
        return _dispute_page(_row(parts, redemption_id))

    @merchant.post("/transactions/<uuid:redemption_id>/dispute")
    @allow("merchant_admin", tenant="merchant")
    def dispute(redemption_id: UUID) -> str | Response:
        row, reason = _row(parts, redemption_id), request.form.get("reason", "")
        problem = open_dispute(
            parts.money.disputes,
            redemption_id,
            reason,
            merchant_id=_own(),
            by=signed_in().staff_id,
            now=parts.clock.now(),
        )
        if problem == "no_reason":
            return _dispute_page(row, problem=say("dispute.no_reason"))
        if problem is None:
            flash(say("dispute.done"))
        else:
            flash(say(f"dispute.{problem}"), "info")
        return redirect(url_for(".transaction", redemption_id=redemption_id))

    @merchant.post("/transactions/<uuid:redemption_id>/withdraw")
    @allow("merchant_admin", tenant="merchant")
    def withdraw(redemption_id: UUID) -> Response:
        _row(parts, redemption_id)
        done = withdraw_dispute(
            parts.money.disputes, redemption_id, merchant_id=_own(), by=signed_in().staff_id, now=parts.clock.now()
        )
        flash(say("dispute.withdrawn" if done else "dispute.ended_before"))
        return redirect(url_for(".transaction", redemption_id=redemption_id))


def _dispute_page(row: TransactionRow, *, problem: str = "") -> str:
    return render_template("dispute.html", row=row, problem=problem, reason_length_max=REASON_LENGTH_MAX)


def _row(parts: WebParts, redemption_id: UUID) -> TransactionRow:
    row = parts.reports.find_transaction(redemption_id, merchant_id=_own())
    if row is None:
        abort(404)
    return row


def said(done: Confirmed) -> str:
    """What one click added."""
    if not done.redemption_count:
        return say("confirm.done_none")
    return say("confirm.done_all", count=number(done.redemption_count), amount=money(done.amount_twd))


def _own() -> str:
    return merchant_of(signed_in())
