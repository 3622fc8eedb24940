"""Make and change programmes and item categories.

Each use case is one transaction that nobody issues in meanwhile: what may change hangs on what was issued. Whatever changes is
a version of its own, and an entry of the audit log. Changes hold at once: the judge reads a programme's rules in the very
transaction that judges by them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import msgspec

from cloud.domain.audit import Facts
from cloud.domain.programmes import TermsProblem, forbidden_changes, problems_of
from cloud.domain.setup import ItemCategorySetup, ProgrammeSetup
from cloud.ports.programme_office import ProgrammeOffice, ProgrammeTransaction
from cloud.services.audit import Act, record

ITEM_NAMES = ("name_zh", "name_en", "name_ja", "name_ko")


@dataclass(frozen=True, slots=True)
class By:
    """Who does it, and when."""

    actor: str
    at: datetime


def facts_of(terms: ProgrammeSetup) -> Facts:
    """A programme's terms for the audit log."""
    facts: dict[str, Any] = msgspec.structs.asdict(terms)
    return facts | {"merchant_categories": tuple(sorted(terms.merchant_categories))}


def count_notices(office: ProgrammeOffice, *, today: date) -> tuple[int, int]:
    """How many programmes that are not over are near the end of their budget, and how many are at it.

    Raises:
        PortError: the database failed.
    """
    notices = [state.budget.notice for state in office.programmes() if state.terms.ends_on >= today]
    return notices.count("near"), notices.count("full")


def make_programme(
    office: ProgrammeOffice, terms: ProgrammeSetup, by: By, *, sold: Collection[str], keys: Collection[str]
) -> Sequence[TermsProblem]:
    """Open a programme, or say what is wrong; see :func:`cloud.domain.programmes.problems_of`.

    Raises:
        PortError: the database failed.
    """
    problems = problems_of(terms, sold=sold, keys=keys)
    with office.begin() as transaction:
        if not problems and transaction.find(terms.programme_id) is not None:
            problems = [TermsProblem("programme_id", "taken")]
        if not problems:
            transaction.save(terms, by=by.actor, at=by.at)
            record(transaction.audit, Act(by.actor, "programme.made", terms.programme_id, by.at), after=facts_of(terms))
    return problems


def change_programme(
    office: ProgrammeOffice, terms: ProgrammeSetup, by: By, *, sold: Collection[str], keys: Collection[str], seen_version: int
) -> Sequence[TermsProblem]:
    """Change a programme's terms, or say what is wrong or may not change any more.

    Args:
        seen_version: what stood on the form. Where somebody else was quicker nothing is changed.

    Raises:
        LookupError: there is no such programme.
        PortError: the database failed.
    """
    with office.begin() as transaction:
        state = transaction.find(terms.programme_id)
        if state is None:
            raise LookupError(terms.programme_id)
        known = {*keys, *([state.terms.signing_key_id] if state.terms.signing_key_id else [])}
        problems = [
            *problems_of(terms, sold=sold, keys=known),
            *forbidden_changes(state.terms, terms, issued_twd=state.issued_twd, forgotten=state.forgotten),
        ]
        if problems or facts_of(terms) == facts_of(state.terms):
            return problems
        if seen_version != state.version_no:
            return [TermsProblem("form", "changed_meanwhile")]
        transaction.save(terms, by=by.actor, at=by.at)
        act = Act(by.actor, "programme.changed", terms.programme_id, by.at)
        record(transaction.audit, act, before=facts_of(state.terms), after=facts_of(terms))
    return []


def save_item_category(office: ProgrammeOffice, item: ItemCategorySetup, by: By, *, is_new: bool) -> TermsProblem | None:
    """Add an item category behind the others of its merchant category, or give one other names.

    None is ever removed: orders name it.

    Raises:
        LookupError: there is no such item category.
        PortError: the database failed.
    """
    problem = _item_problem(item)
    if problem is not None:
        return problem
    with office.begin() as transaction:
        every = [one for one in transaction.item_categories() if one.merchant_category == item.merchant_category]
        codes = [one.item_category for one in every]
        if is_new and item.item_category in codes:
            return TermsProblem("item_category", "taken")
        if not is_new and item.item_category not in codes:
            raise LookupError(item.item_category)
        place = len(every) if is_new else codes.index(item.item_category)
        before = {} if is_new else _item_facts(every[place])
        if before == _item_facts(item):
            return None
        every[place : place + 1] = [item]
        _save_in_order(transaction, every)
        act = Act(by.actor, "item.added" if is_new else "item.changed", _item_id(item), by.at)
        record(transaction.audit, act, before=before, after=_item_facts(item))
    return None


def move_item_category(
    office: ProgrammeOffice, merchant_category: str, item_category: str, by: By, *, where: Literal[-1, 1]
) -> None:
    """Let an item category change places with the one in front of it (-1) or behind it; at an end nothing happens.

    Raises:
        LookupError: there is no such item category.
        PortError: the database failed.
    """
    with office.begin() as transaction:
        every = [one for one in transaction.item_categories() if one.merchant_category == merchant_category]
        codes = [one.item_category for one in every]
        if item_category not in codes:
            raise LookupError(item_category)
        place = codes.index(item_category)
        other = place + where
        if not 0 <= other < len(every):
            return
        every[place], every[other] = every[other], every[place]
        _save_in_order(transaction, every)
        act = Act(by.actor, "item.moved", _item_id(every[other]), by.at)
        record(transaction.audit, act, before={"place": place + 1}, after={"place": other + 1})


def _save_in_order(transaction: ProgrammeTransaction, every: Sequence[ItemCategorySetup]) -> None:
    # All of them: a setup file numbers over all merchant categories.
    for position, one in enumerate(every, start=1):
        transaction.save_item_category(one, position=position)


def _item_problem(item: ItemCategorySetup) -> TermsProblem | None:
    for field in ITEM_NAMES:
        text = getattr(item, field)
        if not text.strip() or len(text) > 200 or not text.isprintable():
            return TermsProblem(field, "length")
    try:
        msgspec.convert(msgspec.structs.asdict(item), type=ItemCategorySetup)
    except msgspec.ValidationError:
        return TermsProblem("item_category", "slug")
    return None


def _item_facts(item: ItemCategorySetup) -> Facts:
    return {field: getattr(item, field) for field in ITEM_NAMES}


def _item_id(item: ItemCategorySetup) -> str:
    return f"{item.merchant_category}/{item.item_category}"[:64]
