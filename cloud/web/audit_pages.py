"""The audit log for who has to look at it: search, and a check of the whole chain."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from flask import Blueprint, render_template, request

from cloud.domain.audit import AuditFact, Break, Head
from cloud.ports.audit import AuditRow, AuditSearch
from cloud.ports.people import OFFICE_DOOR
from cloud.services.audit import verify
from cloud.web.access import allow
from cloud.web.language import catalogues, choose_language, say
from cloud.web.paging import some_day
from cloud.web.parts import WebParts

ROWS: Final = 50
_TEXT_LENGTH_MAX: Final = 64
_NUMBER_LENGTH_MAX: Final = 15


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of an entry, before and after."""

    field: str
    before: str
    after: str


def add_audit_pages(blueprint: Blueprint, parts: WebParts) -> None:
    """Add the page."""

    @blueprint.get("/audit")
    @allow("programme_admin", "auditor", tenant="programme", door=OFFICE_DOOR)
    def audit() -> str:
        wanted = _search()
        found = parts.programmes.audit.search(wanted, page_size=ROWS, below_no=_below())
        return render_template(
            "audit.html",
            wanted=wanted,
            found=found,
            names=parts.programmes.audit.names(),
            older=_older(found.rows),
            checked=_check(parts) if request.args.get("check") else None,
            action_name=action_name,
            differences=differences,
        )


def action_name(action: str) -> str:
    """An action in the language of this request; one that has no word there is shown as it is."""
    key = f"audit.action.{action}"
    return say(key) if key in catalogues().pages[choose_language()] else action


def differences(fact: AuditFact) -> Sequence[Difference]:
    """What an entry says that changed."""
    before, after = json.loads(fact.before), json.loads(fact.after)
    names = sorted({*before, *after})
    return [
        Difference(
            _field_name(name), _text(before[name]) if name in before else "", _text(after[name]) if name in after else ""
        )
        for name in names
    ]


def _field_name(name: str) -> str:
    known = catalogues().pages[choose_language()]
    return next((say(key) for key in (f"programme.field.{name}", f"audit.field_{name}") if key in known), name)


def _text(value: object) -> str:
    match value:
        case None:
            return say("site.optional_none")
        case list():
            return ", ".join(map(str, value))
        case bool():
            return str(value).lower()
        case int():
            return f"{value:,}"
        case _:
            return str(value)


def _check(parts: WebParts) -> tuple[Head, Break | None]:
    return verify(parts.programmes.audit)


def _search() -> AuditSearch:
    def text(name: str) -> str | None:
        typed = request.args.get(name, "").strip()[:_TEXT_LENGTH_MAX]
        return typed if typed and typed.isprintable() else None

    return AuditSearch(
        actor=text("actor"),
        action=text("action"),
        object_id=text("object"),
        first_day=some_day("from"),
        last_day=some_day("to"),
    )


def _below() -> int | None:
    text = request.args.get("below", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _NUMBER_LENGTH_MAX else None


def _older(rows: Sequence[AuditRow]) -> str | None:
    """Where older entries are, if there may be any."""
    if len(rows) < ROWS:
        return None
    kept = {name: value for name, value in request.args.items() if name not in ("below", "check") and value}
    return f"{request.path}?{urlencode(kept | {'below': rows[-1].entry.entry_no})}"
