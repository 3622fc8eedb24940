"""A programme's terms as a form: what was typed, what it means, and how each field is written for people.

What cannot be read at all (letters for a number) is a problem of its field like every other, so that a form comes back as it
was sent, with the fix beside the field.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from flask import request

from cloud.domain.programmes import TermsProblem
from cloud.domain.retention import DISPUTE_DAYS
from cloud.domain.setup import ProgrammeSetup
from cloud.web import formats
from cloud.web.language import say
from protocol.limits import VOUCHERS_PER_ORDER_MAX

TEXTS: Final = ("programme_id", "name_zh", "name_en")
NUMBERS: Final = (
    "face_value_twd", "dispute_days", "budget_twd", "vouchers_per_order_max", "vouchers_per_holder_max",
    "offline_order_max_twd", "offline_kiosk_max_twd", "offline_age_max_h",
)  # fmt: skip
OPTIONAL: Final = frozenset({"budget_twd", "vouchers_per_holder_max"})
"""Empty means: no limit."""

DAYS: Final = ("starts_on", "ends_on")
FIELDS: Final = (*TEXTS, *DAYS, *NUMBERS, "merchant_categories", "signing_key_id")
SHOWN: Final = (
    "name_zh", "name_en", "face_value_twd", "starts_on", "ends_on", "dispute_days", "merchant_categories", "budget_twd",
    "vouchers_per_order_max", "vouchers_per_holder_max", "signing_key_id", "offline_order_max_twd", "offline_kiosk_max_twd",
    "offline_age_max_h",
)  # fmt: skip
"""What a version may change, in the order of the page."""

_NUMBER_LENGTH_MAX: Final = 13


@dataclass(frozen=True, slots=True)
class TypedTerms:
    """The form as it stands."""

    texts: dict[str, str]
    categories: Sequence[str]

    def __getitem__(self, field: str) -> str:
        return self.texts.get(field, "")


def typed_terms(programme_id: str | None = None) -> TypedTerms:
    """What was sent; the id is not the form's to change where it is given."""
    texts = {field: request.form.get(field, "").strip() for field in (*TEXTS, *DAYS, *NUMBERS, "signing_key_id")}
    if programme_id is not None:
        texts["programme_id"] = programme_id
    return TypedTerms(texts, request.form.getlist("merchant_categories"))


def terms_as_typed(terms: ProgrammeSetup) -> TypedTerms:
    """The form of terms that hold."""
    texts = {field: "" if getattr(terms, field) is None else str(getattr(terms, field)) for field in (*TEXTS, *DAYS, *NUMBERS)}
    return TypedTerms(texts | {"signing_key_id": terms.signing_key_id or ""}, list(terms.merchant_categories))


def fresh_form(today: date) -> TypedTerms:
    """An empty form, with what is usual filled in."""
    texts = {"starts_on": today.isoformat(), "face_value_twd": "1000", "vouchers_per_order_max": str(VOUCHERS_PER_ORDER_MAX)}
    texts["dispute_days"] = str(DISPUTE_DAYS)
    return TypedTerms(texts | dict.fromkeys(("offline_order_max_twd", "offline_kiosk_max_twd", "offline_age_max_h"), "0"), ())


def read_terms(typed: TypedTerms) -> ProgrammeSetup | list[TermsProblem]:
    """Understand what was typed, or say which fields cannot be read."""
    problems: list[TermsProblem] = []
    values: dict[str, Any] = {field: typed[field] for field in TEXTS}
    for field in NUMBERS:
        values[field] = _number(field, typed[field], problems)
    for field in DAYS:
        values[field] = _day(field, typed[field], problems)
    if problems:
        return problems
    return ProgrammeSetup(
        merchant_categories=sorted(set(typed.categories)), signing_key_id=typed["signing_key_id"] or None, **values
    )


def show_term(terms: ProgrammeSetup, field: str) -> str:
    """Write one field for people."""
    value = getattr(terms, field)
    if field == "merchant_categories":
        return say("programme.between").join(say(f"door.{name}") for name in value)
    if field in OPTIONAL and value is None:
        return say("programme.no_limit")
    if field == "signing_key_id":
        return say("programme.signed", key=value) if value else say("programme.unsigned")
    if isinstance(value, date):
        return formats.day(value)
    if field.endswith("_twd"):
        return formats.money(value)
    units = {"dispute_days": "programme.dispute_days", "offline_age_max_h": "programme.hours"}
    return say(units[field], count=value) if field in units else str(value)


def _number(field: str, text: str, problems: list[TermsProblem]) -> int | None:
    # As people write amounts: 1,000,000.
    plain = text.replace(",", "").replace(" ", "")
    if not plain and field in OPTIONAL:
        return None
    if not (plain.isascii() and plain.isdigit()) or len(plain) > _NUMBER_LENGTH_MAX:
        problems.append(TermsProblem(field, "number"))
        return None
    return int(plain)


def _day(field: str, text: str, problems: list[TermsProblem]) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or not 2000 <= day.year < 2200:
        problems.append(TermsProblem(field, "day"))
        return None
    return day
