"""Every refusal has words in every language, and all languages say the same things."""

import re
import string

import pytest

from protocol.reasons import Reason
from protocol.words import LANGUAGES, ReasonWords, Sentence, Words, load_words, sentence

BANNED = {
    "zh-Hant-TW": re.compile("無效|錯誤|失敗|違規"),
    "en": re.compile(r"\binvalid\b|\berror\b|\bfail(ed|ure)?\b|\bwrong\b", re.IGNORECASE),
    "ja": re.compile("無効|エラー|不正|失敗"),
    "ko": re.compile("무효|오류|에러|실패|잘못"),
}
SENTENCE_END = {"zh-Hant-TW": "。", "en": ".", "ja": "。", "ko": "."}


@pytest.fixture(scope="module")
def words() -> Words:
    return load_words()


def _places(template: str) -> set[str]:
    return {re.split(r"[.\[]", name)[0] for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def _texts(entry: ReasonWords) -> list[str]:
    detailed = [entry.detailed.what, entry.detailed.next] if entry.detailed else []
    return [entry.what, entry.next, *detailed]


def test_every_language_has_every_reason(words: Words) -> None:
    assert tuple(words.catalogues) == LANGUAGES
    for catalogue in words.catalogues.values():
        assert set(catalogue) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_all_languages_name_the_same_particulars(words: Words, reason: Reason) -> None:
    entries = [catalogue[reason] for catalogue in words.catalogues.values()]
    places = [
        (_places(entry.detailed.what), _places(entry.detailed.next)) if entry.detailed is not None else None
        for entry in entries
    ]
    assert all(place == places[0] for place in places)
    assert all(not _places(entry.what) and not _places(entry.next) for entry in entries)


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_are_kind_and_whole(words: Words, language: str) -> None:
    for reason, entry in words.catalogues[language].items():
        for text in _texts(entry):
            assert text.strip() == text, reason
            assert text.endswith(SENTENCE_END[language]), reason
            assert not BANNED[language].search(text), reason
        assert entry.what != entry.next, reason


def test_chinese_uses_full_width_punctuation(words: Words) -> None:
    for reason, entry in words.catalogues["zh-Hant-TW"].items():
        for text in _texts(entry):
            assert not re.search(r"[,;?!()]|\.$", re.sub(r"\{[^}]*\}", "", text)), reason


def test_particulars_are_shown_in_taipei_time(words: Words) -> None:
    said = {
        language: words.sentence(Reason.ALREADY_REDEEMED, language, at="2026-10-05T06:32:09Z", site="阿里山站").what
        for language in LANGUAGES
    }
    assert said["zh-Hant-TW"] == "這張券已於 10/5 14:32 在「阿里山站」使用。"
    assert said["en"] == "This voucher was used on 5 Oct at 14:32, at 阿里山站."
    assert all("14:32" in text and "阿里山站" in text for text in said.values())


@pytest.mark.parametrize("at", [None, "yesterday", "2026-10-05T06:32:09", ""])
def test_without_every_particular_the_plain_sentence_is_said(words: Words, at: str | None) -> None:
    plain = words.catalogues["en"][Reason.ALREADY_REDEEMED]
    assert words.sentence(Reason.ALREADY_REDEEMED, "en", at=at, site="Alishan") == Sentence(plain.what, plain.next)
    assert words.sentence(Reason.ALREADY_REDEEMED, "en", at="2026-10-05T06:32:09Z") == Sentence(plain.what, plain.next)


@pytest.mark.parametrize("language", LANGUAGES)
def test_tries_left_are_counted_down_to_where_help_is(words: Words, language: str) -> None:
    assert "3" in words.sentence(Reason.NO_MATCH, language, tries_left=3).next
    assert words.sentence(Reason.NO_MATCH, language, tries_left=0).next == sentence(Reason.TRIES_EXHAUSTED, language).next


def test_a_site_name_is_text_not_a_template(words: Words) -> None:
    said = words.sentence(Reason.ALREADY_REDEEMED, "en", at="2026-10-05T06:32:09Z", site="{at.tzinfo}")
    assert said.what.endswith("at {at.tzinfo}.")


def test_an_unknown_language_is_said_so() -> None:
    with pytest.raises(KeyError):
        sentence(Reason.EXPIRED, "../en")
