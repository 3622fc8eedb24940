"""What is drawn for a view: words, figures, shapes; nothing that a view does not hold."""

import re

import msgspec
import pytest

from kiosk.adapters.screen.audience import Scene
from kiosk.adapters.screen.drawing import Artist, Picture, moment, phrases
from kiosk.adapters.screen.sounds import Sound
from kiosk.domain.keys import Key
from kiosk.domain.view import ItemView, RefusalView, Screen, View
from kiosk.words import LANGUAGES, load_words
from protocol.reasons import Reason
from tests.support.views import sample_views

ARTIST = Artist(touch_digits=True)


def draw(view: View) -> Picture:
    return ARTIST.draw(Scene(1, view, None))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sample_has_all_parts_and_no_inline_style_or_script(language: str) -> None:
    for name, view in sample_views(language).items():
        html = draw(view).html
        assert re.findall(r'data-part="(\w+)"', html) == ["top", "prompt", "body", "side", "sum"], name
        assert not re.search(r"<script|\sstyle=|\son\w+=|https?:", html), name
        assert not re.search(r"\{[a-z_.]+\}", html), f"{name}: a place was not filled"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", list(Reason))
def test_every_refusal_has_a_sentence_and_a_code(reason: Reason, language: str) -> None:
    refusal = RefusalView(reason=reason, at="2025-10-05T06:32:10Z", site="A & B", tries_left=2)
    html = draw(View(screen=Screen.REFUSED, language=language, refusal=refusal)).html
    assert f" {reason}</p>" in html
    assert re.search(r'<p class="what">.+</p><p class="next">.+</p>', html)


def test_keys_mirror_what_the_view_allows() -> None:
    keys = draw(View(screen=Screen.CONFIRM, language="zh-Hant-TW", can_cancel=True, can_ok=True)).keys
    assert [(key.key, key.label, key.enabled) for key in keys] == [
        (Key.CANCEL, "取消", True),
        (Key.CLEAR, "更正", False),
        (Key.OK, "確認抵用", True),
    ]


def test_digits_are_dots_only() -> None:
    view = View(screen=Screen.DIGITS, language="en", entry="••", entry_length=4)
    html = draw(view).html
    assert html.count("slot filled") == 2
    assert html.count('"slot') == 4


def test_the_loss_is_named_when_vouchers_exceed_the_total() -> None:
    view = View(screen=Screen.CONFIRM, language="en", redeemed_twd=3000, total_twd=2500, topup_twd=0, no_change=True)
    assert "no change for NT$500" in draw(view).html


def test_a_screen_reader_hears_the_question_and_what_is_owed() -> None:
    said = draw(sample_views("zh-Hant-TW")["confirm"]).say
    assert said == "請核對金額 須補金額 2,050\N{NO-BREAK SPACE}元 按下確認後，無法退券"
    assert draw(sample_views("en")["done-no-topup"]).say.endswith("Nothing more to pay")
    assert "Tries left: 3" in draw(sample_views("en")["digits-no-match"]).say


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_earlier_outcome_asks_for_no_money_and_does_not_look_new(language: str) -> None:
    words, views = load_words()[language], sample_views(language)
    fresh, earlier = draw(views["done"]), draw(views["done-earlier"])
    for text in (words.screens[Screen.DONE].prompt, words.bill.pay_counter, "shape done"):
        assert text not in earlier.html
    assert f"<dt>{words.bill.topup}</dt>" not in earlier.html
    assert 'class="owed"' not in earlier.html
    for fact in (words.bill.topup_then, "2,050", "K7M-2QX", moment("2025-10-05T06:32:10Z", words)):
        assert fact in earlier.html
    assert words.bill.topup in fresh.say
    assert words.bill.topup not in earlier.say.replace(words.bill.topup_then, "")
    assert earlier.keys[-1].label != fresh.keys[-1].label


@pytest.mark.parametrize("name", ["done-earlier-basket", "refused-basket", "unknown-basket"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_result_says_that_the_visit_goes_on(name: str, language: str) -> None:
    words = load_words()[language]
    picture = draw(sample_views(language)[name])
    assert words.back_to_basket in picture.html
    assert picture.say.endswith(words.back_to_basket)
    assert picture.keys[-1].label == words.keys.to_list
    over = draw(sample_views(language)["refused-used"])
    assert words.back_to_basket not in over.html
    assert over.keys[-1].label == words.screens[Screen.REFUSED].ok


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_voucher_shown_twice_is_told(language: str) -> None:
    words, views = load_words()[language], sample_views(language)
    again = draw(views["basket-3-again"])
    assert words.already_added in again.html
    assert again.say.startswith(words.already_added)
    assert words.already_added not in draw(views["basket-3"]).html


def test_wrong_digits_are_told_where_they_are_typed_again() -> None:
    html = draw(sample_views("zh-Hant-TW")["digits-no-match"]).html
    assert "券號與末四碼不符。請再確認一次，還可以輸入 3 次。" in html


def test_the_chosen_item_is_shown_by_its_name() -> None:
    assert "<dd>住宿</dd>" in draw(sample_views("zh-Hant-TW")["confirm"]).html


def test_an_unknown_language_is_drawn_in_the_first() -> None:
    assert draw(View(screen=Screen.ATTRACT, language="xx")).language == "zh-Hant-TW"


def test_an_item_without_a_name_in_the_language_keeps_its_first_name() -> None:
    only_chinese = ItemView(key="1", code="meal", names={"zh-Hant-TW": "餐飲"})
    nameless = ItemView(key="2", code="room", names={})
    html = draw(View(screen=Screen.ITEM, language="ko", items=[only_chinese, nameless])).html
    assert "餐飲" in html
    assert "<span>room</span>" in html


def test_texts_from_outside_are_escaped() -> None:
    html = draw(View(screen=Screen.ATTRACT, language="en", site_name="<b>&")).html
    assert "&lt;b&gt;&amp;" in html
    assert str(phrases("<a|b>")) == "&lt;a<wbr>b&gt;"


def test_times_are_taipei_s() -> None:
    words = load_words()
    assert moment("2025-10-05T16:32:10Z", words["zh-Hant-TW"]) == "10/6 00:32"
    assert moment("2025-10-05T16:32:10Z", words["en"]) == "6 Oct 00:32"
    assert moment("soon", words["en"]) == "soon"


def test_without_touch_there_is_no_pad() -> None:
    view = sample_views("en")["total"]
    assert "data-key" in draw(view).html
    assert "data-key" not in Artist(touch_digits=False).draw(Scene(1, view, None)).html


def test_a_picture_is_one_line_of_json() -> None:
    encoded = msgspec.json.encode(ARTIST.draw(Scene(3, sample_views("ja")["basket-20"], Sound.ACCEPT)))
    assert b"\n" not in encoded
    assert len(encoded) < 20_000
