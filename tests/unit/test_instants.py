"""One spelling of an instant."""

from datetime import UTC, datetime

import pytest

from cloud.domain.calendar import TAIPEI
from cloud.domain.instants import encode_instant


def test_one_instant_has_one_spelling_whatever_its_zone() -> None:
    noon = datetime(2021, 11, 1, 12, 30, 0, 7, tzinfo=TAIPEI)
    assert encode_instant(noon) == encode_instant(noon.astimezone(UTC)) == "2021-11-01T04:30:00.000007Z"


def test_the_text_says_the_instant_exactly() -> None:
    instant = datetime(2021, 11, 1, 4, 30, 59, 999_999, tzinfo=UTC)
    assert datetime.fromisoformat(encode_instant(instant)) == instant


def test_a_naive_time_is_no_instant() -> None:
    with pytest.raises(ValueError, match="zone"):
        encode_instant(datetime(2021, 11, 1))  # noqa: DTZ001 - that it is naive is the point
