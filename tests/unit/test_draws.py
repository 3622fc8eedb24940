"""Suffixes as they are typed, and whom they draw."""

import pytest

from cloud.domain.digits import digit_tag, holder_tagger
from cloud.domain.draws import SUFFIXES_MAX, SuffixProblem, is_drawn, read_suffixes


@pytest.mark.parametrize("typed", ["21 32 410", "410,21、32", " 32，21;410\n", "21\n32\n410"])
def test_suffixes_are_read_as_people_type_them(typed: str) -> None:
    assert read_suffixes(typed) == ("21", "32", "410")


@pytest.mark.parametrize(
    ("typed", "why", "suffix"),
    [
        ("  ", "none", ""),
        ("1", "shape", "1"),
        ("12345", "shape", "12345"),
        ("21 A2", "shape", "A2"),
        ("٢٣", "shape", "٢٣"),
        ("21 32 21", "twice", "21"),
        ("67", "drawn", "67"),
        ("167", "covered", "167"),
        ("21 921", "covered", "921"),
        (" ".join(f"{number:04}" for number in range(SUFFIXES_MAX + 1)), "many", ""),
    ],
)
def test_suffixes_that_cannot_be_drawn(typed: str, why: str, suffix: str) -> None:
    assert read_suffixes(typed, before=["67"]) == SuffixProblem(why, suffix)


def test_a_shorter_suffix_may_follow_a_longer_one() -> None:
    assert read_suffixes("67", before=["167"]) == ("67",)


def test_who_is_drawn() -> None:
    assert is_drawn("A123456789", ("21", "89"))
    assert is_drawn("A123456789", ("6789",))
    assert not is_drawn("A123456789", ("98", "678"))


def test_tags_of_people_tell_them_apart_within_one_programme_only() -> None:
    pepper = bytes(range(32))
    here, there = holder_tagger(pepper, "travel-2026"), holder_tagger(pepper, "spring-2025")
    assert here("A123456789") == here("A123456789")
    assert len({here("A123456789"), there("A123456789"), here("A123456788"), digit_tag(pepper, "A123456789", "6789")}) == 4
    assert holder_tagger(bytes(32), "travel-2026")("A123456789") != here("A123456789")
