"""A tag depends on pepper, number and digits, and matches nothing where there is no voucher."""

import hashlib
import hmac

import pytest

from cloud.domain.digits import TAG_BYTES, digit_tag, matches

PEPPER = bytes(range(32))


def test_the_tag_is_the_hmac_that_is_documented() -> None:
    expected = hmac.new(PEPPER, b"566780776770\x001234", hashlib.sha256).digest()
    assert digit_tag(PEPPER, "566780776770", "1234") == expected
    assert len(expected) == TAG_BYTES


def test_digits_may_be_any_characters() -> None:
    expected = hmac.new(PEPPER, b"566780776770\x00" + "鑫淼焱垚".encode(), hashlib.sha256).digest()
    assert digit_tag(PEPPER, "566780776770", "鑫淼焱垚") == expected


def test_every_part_counts() -> None:
    tags = {
        digit_tag(PEPPER, "566780776770", "1234"),
        digit_tag(PEPPER, "566780776771", "1234"),
        digit_tag(PEPPER, "566780776770", "1235"),
        digit_tag(PEPPER[::-1], "566780776770", "1234"),
    }
    assert len(tags) == 4


def test_a_short_pepper_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        digit_tag(b"", "566780776770", "1234")


def test_only_the_same_tag_of_a_voucher_matches() -> None:
    tag = digit_tag(PEPPER, "566780776770", "1234")
    assert matches(tag, tag)
    assert not matches(tag, digit_tag(PEPPER, "566780776770", "1235"))
    assert not matches(tag, b"")


def test_where_there_is_no_voucher_nothing_matches_not_even_the_stand_in() -> None:
    assert not matches(None, bytes(TAG_BYTES))
