"""Weeks tile time: no instant is in two of them, none is in no one."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cloud.domain.calendar import day_bounds, day_of, decode_roc, decode_roc_compact, encode_roc, encode_roc_compact, period_of

INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
DAYS = st.dates(date(1912, 1, 1), date(2900, 1, 1))


@given(INSTANTS)
def test_an_instant_is_in_its_week_and_in_no_other(instant: datetime) -> None:
    week = period_of(instant)
    assert week.starts_at <= instant < week.ends_at
    assert week.following.starts_at == week.ends_at
    assert week.ends_at - week.starts_at == timedelta(days=7)


@given(INSTANTS)
def test_an_instant_is_in_its_day(instant: datetime) -> None:
    start, end = day_bounds(day_of(instant))
    assert start <= instant < end


@given(INSTANTS, INSTANTS)
def test_weeks_keep_the_order_of_time(one: datetime, other: datetime) -> None:
    first, second = sorted((one, other))
    assert period_of(first) <= period_of(second)


@given(DAYS)
def test_roc_dates_round_trip(day: date) -> None:
    assert decode_roc(encode_roc(day)) == day
    assert decode_roc_compact(encode_roc_compact(day)) == day
