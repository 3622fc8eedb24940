"""Programmes: the list, one programme with its use and its history, the form to make or change one, the item categories."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from cloud.domain.calendar import day_of
from cloud.domain.programmes import TermsProblem
from cloud.domain.setup import ItemCategorySetup, ProgrammeSetup
from cloud.ports.people import MERCHANT_DOORS, OFFICE_DOOR
from cloud.ports.programme_office import ProgrammeState, ProgrammeVersion
from cloud.ports.programme_use import ItemAmount
from cloud.ports.reports import ProgrammeUse
from cloud.services.programmes import (
    ITEM_NAMES,
    By,
    change_programme,
    make_programme,
    move_item_category,
    save_item_category,
)
from cloud.web.access import allow
from cloud.web.charts import Rank, Segment, columns, ranks, segments
from cloud.web.language import choose_language, say
from cloud.web.parts import WebParts
from cloud.web.programme_form import (
    SHOWN,
    TypedTerms,
    fresh_form,
    read_terms,
    show_term,
    terms_as_typed,
    typed_terms,
)
from cloud.web.session import signed_in

DAYS_SHOWN: Final = 14


@dataclass(frozen=True, slots=True)
class Listed:
    """One programme in the list, with how much of it is redeemed."""

    state: ProgrammeState
    bar: Sequence[Segment]
    used: ProgrammeUse | None


@dataclass(frozen=True, slots=True)
class Change:
    """One field that a version changed; ``before`` is empty in the first version."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version in the history."""

    version: ProgrammeVersion
    changes: Sequence[Change]


def add_programme_pages(blueprint: Blueprint, parts: WebParts) -> None:
    """Add list, detail and forms."""
    lookers = allow("programme_admin", "finance", "auditor", tenant="programme", door=OFFICE_DOOR)
    changers = allow("programme_admin", tenant="programme", door=OFFICE_DOOR)

    @blueprint.get("/programmes")
    @lookers
    def programmes() -> str:
        uses = {use.programme_id: use for use in parts.reports.programme_uses()}
        listed = [_listed(state, uses.get(state.terms.programme_id)) for state in parts.programmes.office.programmes()]
        return render_template("programmes.html", programmes=listed)

    @blueprint.get("/programmes/<programme_id>")
    @lookers
    def one(programme_id: str) -> str:
        return _render_one(parts, _state(parts, programme_id))

    @blueprint.get("/new-programme")
    @changers
    def new() -> str:
        return _form(parts, None, fresh_form(day_of(parts.clock.now())))

    @blueprint.post("/new-programme")
    @changers
    def make() -> str | Response:
        typed = typed_terms()
        terms = read_terms(typed)
        problems = (
            terms
            if isinstance(terms, list)
            else make_programme(parts.programmes.office, terms, _by(parts), sold=_sold(parts), keys=_keys(parts))
        )
        if problems or isinstance(terms, list):
            return _form(parts, None, typed, problems)
        flash(say("programme.made"))
        return redirect(url_for(".one", programme_id=terms.programme_id))

    @blueprint.get("/programmes/<programme_id>/change")
    @changers
    def edit(programme_id: str) -> str:
        state = _state(parts, programme_id)
        return _form(parts, state, terms_as_typed(state.terms))

    @blueprint.post("/programmes/<programme_id>/change")
    @changers
    def change(programme_id: str) -> str | Response:
        state, typed = _state(parts, programme_id), typed_terms(programme_id)
        terms = read_terms(typed)
        if isinstance(terms, list):
            return _form(parts, state, typed, terms)
        problems = change_programme(
            parts.programmes.office, terms, _by(parts), sold=_sold(parts), keys=_keys(parts), seen_version=_seen_version()
        )
        if problems:
            return _form(parts, state, typed, problems)
        flash(say("programme.changed"))
        return redirect(url_for(".one", programme_id=programme_id))


def add_item_pages(blueprint: Blueprint, parts: WebParts) -> None:
    """Add the item categories: one page, on which they are added, renamed and moved."""
    changers = allow("programme_admin", tenant="programme", door=OFFICE_DOOR)

    @blueprint.get("/items")
    @allow("programme_admin", "auditor", tenant="programme", door=OFFICE_DOOR)
    def items() -> str:
        return _items(parts)

    @blueprint.post("/items")
    @changers
    def save_item() -> str | Response:
        item = _typed_item()
        if item.merchant_category not in MERCHANT_DOORS:
            abort(400)
        try:
            problem = save_item_category(parts.programmes.office, item, _by(parts), is_new=request.form.get("is_new") == "1")
        except LookupError:
            abort(404)
        if problem is not None:
            return _items(parts, item, problem)
        flash(say("items.saved", name=item.name_zh if choose_language() in ("zh-Hant-TW", "ja") else item.name_en))
        return redirect(url_for(".items", _anchor=item.merchant_category))

    @blueprint.post("/items/move")
    @changers
    def move_item() -> Response:
        category, code = request.form.get("merchant_category", ""), request.form.get("item_category", "")
        if category not in MERCHANT_DOORS:
            abort(400)
        where: Literal[-1, 1] = -1 if request.form.get("where") == "up" else 1
        try:
            move_item_category(parts.programmes.office, category, code, _by(parts), where=where)
        except LookupError:
            abort(404)
        return redirect(url_for(".items", _anchor=category))


def _listed(state: ProgrammeState, used: ProgrammeUse | None) -> Listed:
    redeemed = 0 if used is None else used.redeemed_twd
    whole = max(state.issued_twd, state.terms.budget_twd or 0)
    bar = segments((("redeemed", redeemed), ("unused", state.issued_twd - redeemed)), whole)
    return Listed(state, bar, used)


def _render_one(parts: WebParts, state: ProgrammeState) -> str:
    programme_id, today = state.terms.programme_id, day_of(parts.clock.now())
    uses = parts.programmes.uses
    used = uses.find_use(programme_id)
    if used is None:
        abort(404)
    days = uses.days(programme_id, first_day=today - timedelta(days=DAYS_SHOWN - 1), last_day=today)
    items, counties = uses.items(programme_id), uses.counties(programme_id)
    return render_template(
        "programme.html",
        state=state,
        used=used,
        money_bar=_money_bar(state, used),
        days=columns([(row.day, row.redeemed_twd, row.redemption_count) for row in days]),
        today=today,
        items=_ranked([(_item_name(row), row) for row in items], [row.redeemed_twd for row in items]),
        counties=_ranked([(_county_name(row.county), row) for row in counties], [row.redeemed_twd for row in counties]),
        history=_history(parts.programmes.office.versions(programme_id)),
        shown=SHOWN,
        show_term=show_term,
    )


def _money_bar(state: ProgrammeState, used: ProgrammeUse) -> Sequence[Segment]:
    """The way of the money, from its end: paid, claimed, redeemed, issued and not used, and what may still be issued."""
    open_twd = max(0, (state.terms.budget_twd or 0) - state.issued_twd)
    stretch = (
        ("paid", used.paid_twd),
        ("claimed", used.claimed_twd - used.paid_twd),
        ("redeemed", used.redeemed_twd - used.claimed_twd),
        ("unused", state.issued_twd - used.redeemed_twd),
        ("open", open_twd),
    )
    return segments(stretch, state.issued_twd + open_twd)


def _ranked(rows: Sequence[tuple[str, object]], values: Sequence[int]) -> Sequence[tuple[Rank, object]]:
    drawn = ranks([(name, value) for (name, _), value in zip(rows, values, strict=True)])
    return [(rank, row) for rank, (_, row) in zip(drawn, rows, strict=True)]


def _item_name(row: ItemAmount) -> str:
    names = {"zh-Hant-TW": row.name_zh, "en": row.name_en, "ja": row.name_ja, "ko": row.name_ko}
    return say("programme.item_of", item=names[choose_language()], category=say(f"door.{row.merchant_category}"))


def _county_name(county: str | None) -> str:
    return say("programme.no_county") if county is None else say(f"county.{county}")


def _history(versions: Sequence[ProgrammeVersion]) -> Sequence[Version]:
    found: list[Version] = []
    for version, before in zip(versions, [*versions[1:], None], strict=True):
        found.append(Version(version, () if before is None else _changes(before.terms, version.terms)))
    return found


def _changes(before: ProgrammeSetup, after: ProgrammeSetup) -> Sequence[Change]:
    return [
        Change(field, show_term(before, field), show_term(after, field))
        for field in SHOWN
        if getattr(before, field) != getattr(after, field)
    ]


def _form(parts: WebParts, state: ProgrammeState | None, typed: TypedTerms, problems: Sequence[TermsProblem] = ()) -> str:
    return render_template(
        "programme_form.html",
        state=state,
        typed=typed,
        problems={problem.field: problem.why for problem in reversed(problems)},
        categories=MERCHANT_DOORS,
        keys=sorted({*_keys(parts), *([typed["signing_key_id"]] if typed["signing_key_id"] else [])}),
    )


def _items(parts: WebParts, typed: ItemCategorySetup | None = None, problem: TermsProblem | None = None) -> str:
    known = parts.programmes.office.item_categories()
    return render_template(
        "items.html",
        known=[(category, known.get(category, ())) for category in MERCHANT_DOORS],
        names=ITEM_NAMES,
        typed=typed,
        problem=problem,
    )


def _typed_item() -> ItemCategorySetup:
    fields = ("merchant_category", "item_category", *ITEM_NAMES)
    return ItemCategorySetup(**{field: request.form.get(field, "").strip() for field in fields})


def _state(parts: WebParts, programme_id: str) -> ProgrammeState:
    state = parts.programmes.office.find(programme_id) if programme_id.isprintable() else None
    if state is None:
        abort(404)
    return state


def _seen_version() -> int:
    text = request.form.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def _by(parts: WebParts) -> By:
    return By(signed_in().staff_id, parts.clock.now())


def _sold(parts: WebParts) -> frozenset[str]:
    return frozenset(parts.programmes.office.item_categories())


def _keys(parts: WebParts) -> frozenset[str]:
    return frozenset(parts.scan.voucher_keys())
