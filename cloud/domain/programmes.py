"""Rules of a programme's terms: which are sound, which may still change, how far the budget is used. Pure.

**A voucher that was issued is a promise.** So the budget stops *issuing*: face value issued never passes it, and what is
redeemed never passes what was issued: nothing must be counted, or refused for want of money, while somebody stands at a kiosk.
For the same reason, once vouchers are out: the face value is fixed; the dates may only move apart; merchants' categories may
only be added; the budget may move either way but not below what was issued. Once the holders are forgotten, the last
day and the days of disputes are fixed, too. Everything else may change for what comes later.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from cloud.domain.retention import DISPUTE_DAYS_MAX, moved_after_forgetting
from cloud.domain.setup import (
    BUDGET_MAX_TWD,
    OFFLINE_AGE_MAX_H,
    OFFLINE_MAX_TWD,
    VOUCHERS_PER_HOLDER_MAX,
    KeyId,
    Name,
    ProgrammeSetup,
    Slug,
)
from protocol.limits import VOUCHERS_PER_ORDER_MAX

FACE_VALUE_MAX_TWD: Final = 1_000_000
NOTICE_PERCENT: Final = 80
"""From this share of the budget on, the office is told."""


@dataclass(frozen=True, slots=True)
class TermsProblem:
    """What is wrong with one field; both are words of the page."""

    field: str
    why: str


@dataclass(frozen=True, slots=True)
class BudgetMeter:
    """How much of a budget is issued."""

    budget_twd: int | None
    """None: there is no limit."""
    issued_twd: int

    @property
    def remaining_twd(self) -> int | None:
        """What may still be issued; None: as much as one likes."""
        return None if self.budget_twd is None else max(0, self.budget_twd - self.issued_twd)

    @property
    def percent(self) -> int | None:
        """Share that is issued, rounded down; so 100 means all of it."""
        return None if self.budget_twd is None else self.issued_twd * 100 // max(1, self.budget_twd)

    @property
    def notice(self) -> Literal["near", "full"] | None:
        """Whether the office is to be told."""
        if self.percent is None or self.percent < NOTICE_PERCENT:
            return None
        return "full" if self.percent >= 100 else "near"

    def allows(self, amount_twd: int) -> bool:
        """Tell whether that much more may be issued."""
        return self.remaining_twd is None or amount_twd <= self.remaining_twd


def problems_of(terms: ProgrammeSetup, *, sold: Collection[str], keys: Collection[str]) -> list[TermsProblem]:
    """Look at terms by themselves.

    Args:
        sold: merchant categories that have item categories.
        keys: ids of the keys that can sign codes.
    """
    return list(_unsound(terms, sold, keys))


def forbidden_changes(before: ProgrammeSetup, after: ProgrammeSetup, *, issued_twd: int, forgotten: bool) -> list[TermsProblem]:
    """Return what may not change any more. Without vouchers everything may, but for the id.

    Args:
        forgotten: whether holders of its vouchers are forgotten.
    """
    fixed = moved_after_forgetting(before, after) if forgotten else []
    problems = [TermsProblem(field, "forgotten") for field in fixed]
    if issued_twd:
        problems += [problem for problem in _forbidden(before, after, issued_twd) if problem.field not in fixed]
    return problems


def _unsound(terms: ProgrammeSetup, sold: Collection[str], keys: Collection[str]) -> Iterator[TermsProblem]:
    if not _is(terms.programme_id, Slug):
        yield TermsProblem("programme_id", "slug")
    for field in ("name_zh", "name_en"):
        name = getattr(terms, field)
        if not _is(name, Name) or not name.strip() or not name.isprintable():
            yield TermsProblem(field, "length")
    if terms.ends_on < terms.starts_on:
        yield TermsProblem("ends_on", "before_start")
    if not terms.merchant_categories:
        yield TermsProblem("merchant_categories", "none")
    elif not set(terms.merchant_categories) <= set(sold):
        yield TermsProblem("merchant_categories", "no_items")
    if terms.signing_key_id is not None and (not _is(terms.signing_key_id, KeyId) or terms.signing_key_id not in keys):
        yield TermsProblem("signing_key_id", "unknown")
    yield from _beyond_limits(terms)


def _beyond_limits(terms: ProgrammeSetup) -> Iterator[TermsProblem]:
    limits = {
        "face_value_twd": (1, FACE_VALUE_MAX_TWD),
        "vouchers_per_order_max": (1, VOUCHERS_PER_ORDER_MAX),
        "vouchers_per_holder_max": (1, VOUCHERS_PER_HOLDER_MAX),
        "budget_twd": (1, BUDGET_MAX_TWD),
        "dispute_days": (0, DISPUTE_DAYS_MAX),
        "offline_order_max_twd": (0, OFFLINE_MAX_TWD),
        "offline_kiosk_max_twd": (0, OFFLINE_MAX_TWD),
        "offline_age_max_h": (0, OFFLINE_AGE_MAX_H),
    }
    for field, (least, most) in limits.items():
        value = getattr(terms, field)
        if value is not None and not least <= value <= most:
            yield TermsProblem(field, "range")
    if terms.offline_order_max_twd > terms.offline_kiosk_max_twd:
        yield TermsProblem("offline_kiosk_max_twd", "below_order")
    if terms.offline_order_max_twd > 0 and terms.offline_age_max_h == 0:
        yield TermsProblem("offline_age_max_h", "needed")


def _forbidden(before: ProgrammeSetup, after: ProgrammeSetup, issued_twd: int) -> Iterator[TermsProblem]:
    if after.face_value_twd != before.face_value_twd:
        yield TermsProblem("face_value_twd", "fixed")
    if after.starts_on > before.starts_on:
        yield TermsProblem("starts_on", "later")
    if after.ends_on < before.ends_on:
        yield TermsProblem("ends_on", "earlier")
    if not set(before.merchant_categories) <= set(after.merchant_categories):
        yield TermsProblem("merchant_categories", "removed")
    if after.budget_twd is not None and after.budget_twd < issued_twd:
        yield TermsProblem("budget_twd", "below_issued")


def _is(value: str, kind: object) -> bool:
    try:
        msgspec.convert(value, type=kind)
    except msgspec.ValidationError:
        return False
    return True
