"""Signals of collusion, each with the threshold it was found by, and the redemptions behind each."""

from datetime import date, timedelta

from flask import Blueprint, abort, render_template, request

from cloud.domain.calendar import day_of
from cloud.domain.signals import KINDS, LIMITS, NIGHT_FROM_H, NIGHT_UNTIL_H, SHOWN_MAX, Thresholds
from cloud.ports.people import OFFICE_DOOR
from cloud.ports.signals import SignalRows
from cloud.web.access import allow
from cloud.web.paging import some_day
from cloud.web.parts import WebParts

ROWS_MAX = 200
_TAG_BYTES = 32


def add_signal_pages(blueprint: Blueprint, parts: WebParts) -> None:
    """Add the page of signals and the page of rows."""
    lookers = allow("programme_admin", "auditor", tenant="programme", door=OFFICE_DOOR)

    @blueprint.get("/signals")
    @lookers
    def signals() -> str:
        thresholds, today = _thresholds(), day_of(parts.clock.now())
        return render_template(
            "signals.html",
            found=parts.programmes.signals.find_signals(thresholds, today=today),
            thresholds=thresholds,
            limits=LIMITS,
            first_day=today - timedelta(days=thresholds.days - 1),
            today=today,
            night=(NIGHT_FROM_H, NIGHT_UNTIL_H),
            shown_max=SHOWN_MAX,
        )

    @blueprint.get("/signals/<signal_kind>")
    @lookers
    def signal_rows(signal_kind: str) -> str:
        if signal_kind not in KINDS:
            abort(404)
        wanted = _wanted(signal_kind)
        name, count, rows = parts.programmes.signals.find_rows(wanted, limit=ROWS_MAX)
        if not name:
            abort(404)
        return render_template(
            "signal_rows.html",
            kind=signal_kind,
            wanted=wanted,
            merchant=name,
            count=count,
            rows=rows,
            night=(NIGHT_FROM_H, NIGHT_UNTIL_H),
        )


def _thresholds() -> Thresholds:
    usual = Thresholds()
    return Thresholds(**{name: _number(name, getattr(usual, name), *limits) for name, limits in LIMITS.items()})


def _number(name: str, usual: int, least: int, most: int) -> int:
    text = request.args.get(name, "")
    return min(max(least, int(text)), most) if text.isascii() and text.isdigit() and len(text) < 10 else usual


def _wanted(kind: str) -> SignalRows:
    """What the address asks for. What it lacks or spells wrong names nothing."""
    first, last = some_day("from"), some_day("to")
    till, holder = request.args.get("till") or None, _tag(request.args.get("holder", ""))
    if first is None or last is None or (holder is None if kind == "pair" else till is None):
        abort(404)
    merchant = request.args.get("merchant", "")
    return SignalRows(merchant, first, _not_before(first, last), till if kind != "pair" else None, kind == "night", holder)


def _not_before(first: date, last: date) -> date:
    return max(first, last)


def _tag(text: str) -> bytes | None:
    try:
        tag = bytes.fromhex(text)
    except ValueError:
        return None
    return tag if len(tag) == _TAG_BYTES else None
