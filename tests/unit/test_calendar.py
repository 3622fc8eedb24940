"""Voucher weeks, days and ROC dates, on the vectors of the domain reference."""

from datetime import UTC, date, datetime

import pytest

from cloud.domain.calendar import (
    TAIPEI,
    Period,
    day_bounds,
    day_of,
    decode_roc,
    decode_roc_compact,
    encode_roc,
    encode_roc_compact,
    next_weekday,
    period_of,
    period_of_day,
)

WEEK = Period(date(2021, 9, 22))


@pytest.mark.parametrize("day", range(22, 29))
def test_wednesday_to_tuesday_is_one_week(day: int) -> None:
    assert period_of_day(date(2021, 9, day)) == WEEK


def test_the_week_is_half_open() -> None:
    assert period_of(datetime(2021, 9, 22, 0, 0, tzinfo=TAIPEI)) == WEEK
    assert period_of(datetime(2021, 9, 21, 23, 59, 59, 999_999, tzinfo=TAIPEI)) == Period(date(2021, 9, 15))
    assert period_of(datetime(2021, 9, 28, 23, 59, 59, 999_999, tzinfo=TAIPEI)) == WEEK
    assert period_of(datetime(2021, 9, 29, 0, 0, tzinfo=TAIPEI)) == WEEK.following


def test_bounds_are_utc_instants() -> None:
    assert WEEK.starts_at == datetime(2021, 9, 21, 16, tzinfo=UTC)
    assert WEEK.ends_at == datetime(2021, 9, 28, 16, tzinfo=UTC)
    assert WEEK.starts_at.tzinfo is UTC
    assert WEEK.ends_on == date(2021, 9, 28)


def test_an_utc_evening_is_the_next_taipei_day() -> None:
    assert day_of(datetime(2021, 9, 21, 16, tzinfo=UTC)) == date(2021, 9, 22)
    assert day_bounds(date(2021, 9, 22)) == (datetime(2021, 9, 21, 16, tzinfo=UTC), datetime(2021, 9, 22, 16, tzinfo=UTC))


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        period_of(datetime(2021, 9, 22))  # noqa: DTZ001 - the point of the test


def test_a_week_starts_on_wednesday() -> None:
    with pytest.raises(ValueError, match="Thursday 2021-09-23"):
        Period(date(2021, 9, 23))


@pytest.mark.parametrize(
    "text",
    ["109.06.10", "109 年 6 月 10 日", "109.6.10", "109/6/10", "中華民國 109 年 06 月 10 日", "民國109年6月10日"],
)
def test_roc_dates_in_every_form(text: str) -> None:
    assert decode_roc(text) == date(2020, 6, 10)


def test_short_roc_year() -> None:
    assert decode_roc("92/5/1") == date(2003, 5, 1)
    assert encode_roc(date(2020, 6, 15)) == "109.06.15"


@pytest.mark.parametrize("text", ["", "2020-06-10", "109.13.01", "109.2.30", "109.6", "0.1.1x"])
def test_what_is_no_roc_date(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_roc(text)


def test_bank_files_write_eight_digits() -> None:
    assert encode_roc_compact(date(2021, 10, 5)) == "01101005"
    assert decode_roc_compact("01101005") == date(2021, 10, 5)


@pytest.mark.parametrize("text", ["0110100", "011010055", "0110100x", "01101305", "０1101005"])
def test_what_is_no_compact_date(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_roc_compact(text)


def test_before_the_first_roc_year() -> None:
    with pytest.raises(ValueError, match="before the first"):
        encode_roc(date(1911, 12, 31))


@pytest.mark.parametrize(
    ("day", "following"),
    [(date(2021, 10, 5), date(2021, 10, 6)), (date(2021, 10, 8), date(2021, 10, 11)), (date(2021, 10, 9), date(2021, 10, 11))],
)
def test_weekends_are_skipped(day: date, following: date) -> None:
    assert next_weekday(day) == following
