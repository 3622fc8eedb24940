"""Masks hide the last four characters of an ID, always."""

import pytest

from cloud.domain.masking import mask_name, mask_national_id


def test_a_name_keeps_its_first_character() -> None:
    assert mask_name("王小明") == "王●●"
    assert mask_name(" 歐陽娜娜 ") == "歐●●"
    assert mask_name("Ada") == "A●●"


def test_an_id_keeps_its_first_letter_and_its_length() -> None:
    assert mask_national_id("A") == "A●●●●●●●●●"
    assert mask_national_id(None) == "●●●●●●●●●●"


@pytest.mark.parametrize("letter", ["", "AB", "1", "a", "Ａ", "A123456789"])
def test_more_than_a_letter_is_refused(letter: str) -> None:
    with pytest.raises(ValueError, match="first letter"):
        mask_national_id(letter)


def test_no_name_is_refused() -> None:
    with pytest.raises(ValueError, match="has a name"):
        mask_name("  ")
