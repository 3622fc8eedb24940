"""A merchant's own business (您的業者資料): how it is reached, its sites with their kiosks, the account it is paid to.

The account's page asks for the password again, to look as well as to change: its form holds the whole number.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from cloud.domain.business import Contact, Slip, mask_owner_id
from cloud.ports.merchants import AccountChange, Merchant, MerchantEvent, MerchantEventKind, Place
from cloud.services.accounts import Hand
from cloud.services.apply import StaleError
from cloud.services.business import (
    NOTICE_FOR,
    AccountForm,
    add_site,
    change_contact,
    change_site,
    payee_ids,
    set_payout_account,
)
from cloud.web.access import allow
from cloud.web.language import say
from cloud.web.parts import WebParts
from cloud.web.people_pages import new_id
from cloud.web.session import merchant_of, signed_in

_MINTED: Final = re.compile(r"s-[a-z2-9]{12}")
"""A site's id, as its form carries it."""

_OF_BUSINESS: Final = frozenset[MerchantEventKind](
    {"approved", "suspended", "resumed", "terminated", "profile_changed", "site_added", "site_changed", "account_changed"}
)


@dataclass(frozen=True, slots=True)
class Notices:
    """What a merchant's first page says above everything else."""

    merchant: Merchant
    ruling: MerchantEvent | None
    """Why it is suspended or terminated."""
    change: AccountChange | None
    """The newest payout account, while that is news."""


def find_notices(parts: WebParts, merchant_id: str) -> Notices:
    """Look for what has to be said."""
    store = parts.merchants.store
    merchant = _found(parts, merchant_id)
    since = parts.clock.now() - NOTICE_FOR
    changes = store.account_changes(merchant_id=merchant_id, since=since, limit=1)
    told = () if merchant.state == "approved" else store.trail(merchant_id=merchant_id)
    ruling = next((one.event for one in told if one.event.kind in ("suspended", "terminated")), None)
    return Notices(merchant, ruling, changes[0] if changes else None)


def make_business(parts: WebParts) -> Blueprint:
    """Build the blueprint."""
    business = Blueprint("business", __name__, url_prefix="/merchant")
    _add_profile(business, parts)
    _add_sites(business, parts)
    _add_account(business, parts)
    return business


def _add_profile(business: Blueprint, parts: WebParts) -> None:
    @business.get("/business")
    @allow("merchant_admin", tenant="merchant")
    def profile() -> str:
        return _profile_page(parts, _own(parts).contact, [])

    @business.post("/business")
    @allow("merchant_admin", tenant="merchant")
    def save_profile() -> str | Response:
        typed = Contact(_text("name_en"), _text("address"), _text("contact_name"), _text("phone"), _text("email"))
        found = change_contact(parts.merchants.store, _own(parts).merchant_id, typed, hand=_hand(parts))
        if found:
            return _profile_page(parts, typed, found)
        flash(say("business.saved"))
        return redirect(url_for(".profile"))


def _add_sites(business: Blueprint, parts: WebParts) -> None:
    admins = allow("merchant_admin", tenant="merchant")

    @business.get("/sites")
    @admins
    def sites() -> str:
        merchant = _own(parts)
        return render_template(
            "sites.html",
            merchant=merchant,
            places=parts.merchants.store.places(merchant.merchant_id),
            devices=parts.reports.devices(merchant_id=merchant.merchant_id),
        )

    @business.get("/sites/new")
    @admins
    def new_site() -> str:
        return _site_page(Place("", _own(parts).merchant_id, ""), [], new_id(parts, "s"))

    @business.post("/sites/new")
    @admins
    def add_one() -> str | Response:
        minted = request.form.get("minted", "")
        if _MINTED.fullmatch(minted) is None:
            abort(400)
        place = _typed_place(minted, _own(parts).merchant_id)
        try:
            found = add_site(parts.merchants.store, place, hand=_hand(parts))
        except StaleError:
            flash(say("sites.not_now"), "error")
            return redirect(url_for(".sites"))
        return _site_page(replace(place, site_id=""), found, minted) if found else _done("sites.added", place)

    @business.get("/sites/<site_id>")
    @admins
    def site(site_id: str) -> str:
        return _site_page(_own_place(parts, site_id), [])

    @business.post("/sites/<site_id>")
    @admins
    def save_site(site_id: str) -> str | Response:
        before = _own_place(parts, site_id)
        place = _typed_place(before.site_id, before.merchant_id)
        found = change_site(parts.merchants.store, place, hand=_hand(parts))
        return _site_page(place, found) if found else _done("sites.changed", place)


def _add_account(business: Blueprint, parts: WebParts) -> None:
    provers = allow("merchant_admin", tenant="merchant", fresh=True)

    @business.get("/payout-account")
    @provers
    def account() -> str:
        merchant = _own(parts)
        now = merchant.account
        payee = payee_ids(merchant)[0]
        form = (
            AccountForm("", "", "", "", merchant.name, payee)
            if now is None
            else AccountForm(
                now.bank_code[:3], now.bank_code[3:], now.account_no, now.account_no, now.account_name, now.payee_id
            )
        )
        return _account_page(parts, form, [])

    @business.post("/payout-account")
    @provers
    def save_account() -> str | Response:
        names = ("bank", "branch", "account_no", "account_no_again", "account_name", "payee_id")
        form = AccountForm(**{name: _text(name) for name in names})
        found = set_payout_account(
            parts.merchants.store, parts.merchants.banks, _own(parts).merchant_id, form, hand=_hand(parts)
        )
        if found:
            return _account_page(parts, form, found)
        flash(say("payout_account.saved"))
        return redirect(url_for(".profile"))


def _profile_page(parts: WebParts, typed: Contact, found: list[Slip]) -> str:
    merchant = _own(parts)
    trail = parts.merchants.store.trail(merchant_id=merchant.merchant_id)
    return render_template(
        "business.html",
        merchant=merchant,
        owner=mask_owner_id(merchant.owner_id) if merchant.owner_id else "",
        typed=typed,
        slips=_by_field(found),
        banks=parts.merchants.banks,
        trail=[one for one in trail if one.event.kind in _OF_BUSINESS],
    )


def _site_page(place: Place, found: list[Slip], minted: str = "") -> str:
    return render_template("site.html", place=place, slips=_by_field(found), minted=minted)


def _account_page(parts: WebParts, form: AccountForm, found: list[Slip]) -> str:
    merchant = _own(parts)
    return render_template(
        "payout_account.html",
        merchant=merchant,
        form=form,
        slips=_by_field(found),
        banks=parts.merchants.banks,
        payees=[(one, mask_owner_id(one) if one == merchant.owner_id else one) for one in payee_ids(merchant)],
        changes=parts.merchants.store.account_changes(merchant_id=merchant.merchant_id, limit=5),
    )


def _done(word: str, place: Place) -> Response:
    flash(say(word, name=place.name))
    return redirect(url_for("business.sites"))


def _typed_place(site_id: str, merchant_id: str) -> Place:
    return Place(site_id, merchant_id, _text("name"), _text("name_en"), _text("address"), _text("phone"))


def _own_place(parts: WebParts, site_id: str) -> Place:
    merchant_id = merchant_of(signed_in())
    found = next((one for one in parts.merchants.store.places(merchant_id) if one.site_id == site_id), None)
    if found is None:
        abort(404)
    return found


def _own(parts: WebParts) -> Merchant:
    return _found(parts, merchant_of(signed_in()))


def _found(parts: WebParts, merchant_id: str) -> Merchant:
    merchant = parts.merchants.store.find_merchant(merchant_id)
    if merchant is None:
        abort(404)
    return merchant


def _by_field(found: list[Slip]) -> dict[str, str]:
    return {slip.field: slip.why for slip in reversed(found)}


def _text(name: str) -> str:
    return request.form.get(name, "").strip()


def _hand(parts: WebParts) -> Hand:
    return Hand(signed_in(), parts.clock.now(), request.remote_addr or "")
