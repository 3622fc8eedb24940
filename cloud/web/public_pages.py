"""What citizens look for: where vouchers are taken, what is with a voucher, how it all works, and what we owe them to say.

The search is behind a door with dates (V-E2). It shows places of approved merchants and nothing else about a merchant. Its
filter and its page stand in the address, so that a result can be sent to somebody.

The question about a voucher is answered to whoever knows its number and its holder's last four characters, and is no way to
find them out (ADR 0029): :mod:`cloud.domain.voucher_status` counts wrong ones, and one address may ask so many times in a
quarter of an hour. What is typed stands in no address and in no log.
"""

from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from flask import Blueprint, render_template, request, url_for

from cloud.domain.calendar import day_of
from cloud.domain.places import COUNTIES
from cloud.domain.voucher_status import VoucherStatus
from cloud.ports.choices import ProgrammeChoice
from cloud.ports.people import MERCHANT_DOORS
from cloud.ports.shops import ShopFilter, ShopMark, ShopPage
from cloud.services.voucher_status import Question, find_status
from cloud.web.access import everybody
from cloud.web.parts import WebParts
from cloud.web.scan_input import read_code, read_digits
from protocol.errors import PortError
from protocol.ids import uuid7
from protocol.reasons import Reason

SHOPS_PER_PAGE: Final = 20
TEXT_LENGTH_MAX: Final = 60
QUESTIONS_MAX: Final = 20
"""Questions about vouchers from one address within the throttle's window: a family and a queue before a hotel's one line, not a
machine."""

_IPV6_PREFIX: Final = 64
"""So much of an IPv6 address is one line; the rest its owner chooses."""


def add_public_pages(public: Blueprint, parts: WebParts) -> None:
    """Add them to the public blueprint."""
    _add_search(public, parts)
    _add_status(public, parts)
    for path, template in (("how-to-use", "guide"), ("accessibility", "accessibility"), ("privacy", "privacy")):
        public.add_url_rule(f"/{path}", template, _page(f"{template}.html"))


def _page(template: str) -> Callable[[], str]:
    @everybody
    def show() -> str:
        return render_template(template)

    return show


def _add_search(public: Blueprint, parts: WebParts) -> None:
    @public.get("/shops")
    @everybody
    def shops() -> str:
        today = day_of(parts.clock.now())
        dates = next((dates for dates in parts.choices.doors() if dates.door == "shops"), None)
        if dates is not None and not dates.is_open(today):
            return render_template("shops.html", closed=dates, today=today)
        wanted = _wanted()
        found = parts.shops.find_shops(wanted, page_size=SHOPS_PER_PAGE, mark=_mark())
        return render_template(
            "shops.html",
            closed=None,
            wanted=wanted,
            found=found,
            categories=MERCHANT_DOORS,
            counties=tuple(COUNTIES),
            districts=parts.shops.districts(wanted.county) if wanted.county else (),
            addresses=_addresses(wanted, found),
        )


def _wanted() -> ShopFilter:
    category, county = request.args.get("category", ""), request.args.get("county", "")
    known_county = county if county in COUNTIES else ""
    return ShopFilter(
        category if category in MERCHANT_DOORS else "",
        known_county,
        request.args.get("district", "")[:8] if known_county else "",
        " ".join(request.args.get("q", "")[:TEXT_LENGTH_MAX].replace("\0", " ").split()),
    )


def _mark() -> ShopMark | None:
    for name in ("after", "before"):
        if name in request.args:
            return ShopMark(request.args[name][:32].replace("\0", ""), before=name == "before")
    return None


def _addresses(wanted: ShopFilter, found: ShopPage) -> Mapping[str, str | None]:
    """Where the pages before and behind this one are."""
    terms = {"category": wanted.merchant_category, "county": wanted.county, "district": wanted.district, "q": wanted.text}
    kept = {name: value for name, value in terms.items() if value}

    def address(name: str, site_id: str) -> str:
        return f"{url_for('.shops')}?{urlencode({**kept, name: site_id})}"

    return {
        "previous": address("before", found.shops[0].site_id) if found.shops and found.has_previous else None,
        "next": address("after", found.shops[-1].site_id) if found.shops and found.has_next else None,
    }


def _add_status(public: Blueprint, parts: WebParts) -> None:
    def mint() -> UUID:
        return uuid7(int(parts.wall_clock.now().timestamp() * 1000), parts.randomness(10))

    def form(**seen: object) -> str:
        facts = {"said": "", "number": "", "question": mint(), "wait_s": 0, "status": None, "programme": None}
        return render_template("voucher_status.html", **{**facts, **seen})

    @public.get("/voucher-status")
    @everybody
    def status_form() -> str:
        return form()

    @public.post("/voucher-status")
    @everybody
    def status() -> str | tuple[str, int]:
        typed = request.form.get("code", "")[:64]
        code, digits = read_code(typed, parts.scan.voucher_keys()), read_digits(request.form.get("digits", ""))
        if isinstance(code, Reason) or digits is None:
            return form(said="number" if isinstance(code, Reason) else "digits", number=typed)
        wait_s = parts.throttle.admit(
            f"status {_line_of(request.remote_addr)}", tries_max=QUESTIONS_MAX, now=parts.wall_clock.now()
        )
        if wait_s:
            return form(said="wait", number=code.voucher_no, wait_s=wait_s), 429
        question = Question(code.voucher_no, parts.scan.digit_tag(code.voucher_no, digits), (_carried() or mint(), mint()))
        try:
            found = find_status(parts.scan.store, question, now=parts.clock.now())
        except PortError:
            return form(said="away", number=code.voucher_no, question=question.ids[0]), 503
        if found is None:
            return form(said="nothing", number=code.voucher_no, question=question.ids[0])
        return form(status=found, number=code.voucher_no, programme=_programme(parts, found))


def _programme(parts: WebParts, found: VoucherStatus) -> ProgrammeChoice | None:
    return next((one for one in parts.choices.programmes() if one.programme_id == found.programme_id), None)


def _carried() -> UUID | None:
    try:
        return UUID(request.form.get("question", ""))
    except ValueError:
        return None


def _line_of(address: str | None) -> str:
    """What counts as one who asks."""
    try:
        asked_from = ip_address(address or "")
    except ValueError:
        return address or ""
    return str(asked_from if asked_from.version == 4 else ip_network((asked_from, _IPV6_PREFIX), strict=False))
