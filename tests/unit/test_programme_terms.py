"""Which terms of a programme are sound, what may still change once vouchers are out, and when the budget speaks up."""

from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.domain.programmes import NOTICE_PERCENT, BudgetMeter, TermsProblem, forbidden_changes, problems_of
from cloud.domain.setup import ProgrammeSetup

SOLD = {"lodging", "amusement", "travel_agency"}
KEYS = {"travel-2026"}
TERMS = ProgrammeSetup(
    programme_id="travel-2026",
    name_zh="國旅券",
    name_en="Travel",
    face_value_twd=1000,
    starts_on=date(2026, 10, 1),
    ends_on=date(2027, 4, 30),
    merchant_categories=["amusement", "lodging"],
    vouchers_per_order_max=10,
    signing_key_id="travel-2026",
    budget_twd=1_000_000,
)


def changed(**values: object) -> ProgrammeSetup:
    return msgspec.structs.replace(TERMS, **values)


def found(terms: ProgrammeSetup) -> list[tuple[str, str]]:
    return [(problem.field, problem.why) for problem in problems_of(terms, sold=SOLD, keys=KEYS)]


def may_not(after: ProgrammeSetup, *, issued_twd: int = 300_000, forgotten: bool = False) -> list[TermsProblem]:
    return forbidden_changes(TERMS, after, issued_twd=issued_twd, forgotten=forgotten)


def test_sound_terms() -> None:
    assert found(TERMS) == []
    assert found(changed(budget_twd=None, signing_key_id=None, vouchers_per_holder_max=1, dispute_days=0)) == []
    assert found(changed(offline_order_max_twd=2000, offline_kiosk_max_twd=9000, offline_age_max_h=4)) == []


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"programme_id": "X"}, ("programme_id", "slug")),
        ({"programme_id": "a b c"}, ("programme_id", "slug")),
        ({"name_zh": " "}, ("name_zh", "length")),
        ({"name_en": "a\nb"}, ("name_en", "length")),
        ({"face_value_twd": 0}, ("face_value_twd", "range")),
        ({"face_value_twd": 1_000_001}, ("face_value_twd", "range")),
        ({"ends_on": date(2026, 9, 30)}, ("ends_on", "before_start")),
        ({"merchant_categories": []}, ("merchant_categories", "none")),
        ({"merchant_categories": ["lodging", "bakery"]}, ("merchant_categories", "no_items")),
        ({"vouchers_per_order_max": 21}, ("vouchers_per_order_max", "range")),
        ({"vouchers_per_holder_max": 0}, ("vouchers_per_holder_max", "range")),
        ({"budget_twd": 0}, ("budget_twd", "range")),
        ({"dispute_days": -1}, ("dispute_days", "range")),
        ({"dispute_days": 3_651}, ("dispute_days", "range")),
        ({"signing_key_id": "unheard-of"}, ("signing_key_id", "unknown")),
        (
            {"offline_order_max_twd": 5, "offline_kiosk_max_twd": 4, "offline_age_max_h": 1},
            ("offline_kiosk_max_twd", "below_order"),
        ),
        ({"offline_order_max_twd": 5, "offline_kiosk_max_twd": 5}, ("offline_age_max_h", "needed")),
        ({"offline_age_max_h": -1}, ("offline_age_max_h", "range")),
    ],
)  # fmt: skip
def test_unsound_terms(values: dict[str, object], problem: tuple[str, str]) -> None:
    assert found(changed(**values)) == [problem]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"face_value_twd": 2000}, ("face_value_twd", "fixed")),
        ({"starts_on": date(2026, 10, 2)}, ("starts_on", "later")),
        ({"ends_on": date(2027, 4, 29)}, ("ends_on", "earlier")),
        ({"merchant_categories": ["lodging"]}, ("merchant_categories", "removed")),
        ({"budget_twd": 299_999}, ("budget_twd", "below_issued")),
    ],
)
def test_what_is_fixed_once_vouchers_are_out(values: dict[str, object], problem: tuple[str, str]) -> None:
    after = changed(**values)
    assert [(one.field, one.why) for one in may_not(after)] == [problem]
    assert may_not(after, issued_twd=0) == []


@pytest.mark.parametrize(
    "values", [{"dispute_days": 89}, {"dispute_days": 91}, {"ends_on": date(2027, 5, 1)}, {"ends_on": date(2027, 4, 29)}]
)
def test_how_long_holders_are_known_is_fixed_once_they_are_forgotten(values: dict[str, object]) -> None:
    fields = [(field, "forgotten") for field in values]
    assert [(one.field, one.why) for one in may_not(changed(**values), forgotten=True)] == fields
    assert may_not(changed(name_en="Gone"), forgotten=True) == []
    assert may_not(changed(**values), issued_twd=0) == []


def test_what_may_change_with_vouchers_out() -> None:
    after = changed(
        name_zh="國旅加碼券",
        starts_on=date(2026, 9, 1),
        ends_on=date(2027, 5, 31),
        merchant_categories=["amusement", "lodging", "travel_agency"],
        budget_twd=300_000,
        vouchers_per_order_max=1,
        vouchers_per_holder_max=1,
        signing_key_id=None,
        dispute_days=30,
    )
    assert may_not(after) == []
    assert may_not(changed(budget_twd=None)) == []


@given(st.integers(1, 10**7), st.integers(0, 10**7))
def test_the_meter_allows_exactly_what_remains(budget_twd: int, issued_twd: int) -> None:
    meter = BudgetMeter(budget_twd, issued_twd)
    remaining = meter.remaining_twd
    assert remaining is not None
    assert meter.allows(remaining)
    assert not meter.allows(remaining + 1)
    assert (meter.notice == "full") == (issued_twd >= budget_twd)
    assert (meter.notice is not None) == (issued_twd * 100 >= budget_twd * NOTICE_PERCENT)


def test_no_budget_no_notice() -> None:
    meter = BudgetMeter(None, 10**9)
    assert (meter.remaining_twd, meter.percent, meter.notice) == (None, None, None)
    assert meter.allows(10**12)
