"""The kiosk's catalogues: complete, the same fields in every language, and in the tone that was agreed."""

import re
from string import Formatter

import msgspec
import pytest

from kiosk.domain.view import Screen
from kiosk.words import LANGUAGES, Words, load_words
from protocol.words import LANGUAGES as REASON_LANGUAGES

WORDS = load_words()


def texts(words: Words) -> dict[str, str]:
    """All texts of a language, by their path."""

    def walk(path: str, value: object) -> dict[str, str]:
        if isinstance(value, str):
            return {path: value}
        assert isinstance(value, dict)
        return {name: text for key, inner in value.items() for name, text in walk(f"{path}.{key}", inner).items()}

    return walk("", msgspec.to_builtins(words))


def test_the_languages_are_those_of_the_reasons() -> None:
    assert LANGUAGES == REASON_LANGUAGES == tuple(WORDS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_same_things(language: str) -> None:
    own, first = texts(WORDS[language]), texts(WORDS[LANGUAGES[0]])
    assert own.keys() == first.keys()
    units = {".units.before", ".units.after"}
    assert {path for path, text in own.items() if not text} - units == {
        path for path, text in first.items() if not text
    } - units
    for path, text in own.items():
        places = {name for _, name, _, _ in Formatter().parse(text) if name}
        assert {name.split(".")[0] for name in places} == {
            name.split(".")[0] for _, name, _, _ in Formatter().parse(first[path]) if name
        }, path


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_blames_or_says_error(language: str) -> None:
    for path, text in texts(WORDS[language]).items():
        assert not re.search(
            r"無效|錯誤|失敗|\b(invalid|error|failed)\b|無効|エラー|失敗|무효|오류|실패", text, re.IGNORECASE
        ), path


def test_english_prompts_have_at_most_twelve_words() -> None:
    for screen, words in WORDS["en"].screens.items():
        assert len(words.prompt.split()) <= 12, screen


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_screen_has_words(language: str) -> None:
    assert set(WORDS[language].screens) == set(Screen)


def test_amounts_are_written_one_way_per_language() -> None:
    assert [WORDS[language].amount(1234567) for language in LANGUAGES] == [
        "1,234,567\N{NO-BREAK SPACE}元",
        *["NT$1,234,567"] * 3,
    ]


def test_counts_stand_after_the_word_for_voucher() -> None:
    assert [WORDS[language].count(3) for language in LANGUAGES] == ["3 張", "× 3", "3 枚", "3장"]


def test_the_warning_is_the_agreed_one() -> None:
    assert WORDS["zh-Hant-TW"].warning == "按下確認後，無法退券"
