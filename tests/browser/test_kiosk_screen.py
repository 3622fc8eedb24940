"""The kiosk's page in a real browser: every screen in every language and size, keys, languages, silence."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Page

from kiosk.adapters.screen.pages import SILENCE_MS
from kiosk.domain.keys import Key
from kiosk.domain.view import Screen, View
from kiosk.words import LANGUAGES, load_words
from tests.support.browser import axe_violations, watched_page
from tests.support.screens import RecordingBench, Stage, paint_vouchers, screen_stage
from tests.support.views import sample_views

SIZES = {"kiosk": (1280, 800), "upright": (800, 1280), "phone": (390, 844)}
_OUTSIDE = """() => {
  const width = document.documentElement.clientWidth, faults = [];
  if (document.scrollingElement.scrollWidth > width) faults.push('the page is wider than the window');
  for (const element of document.querySelectorAll('body *:not(.unseen, svg *)')) {
    const box = element.getBoundingClientRect();
    let place = element.parentElement; // the nearest one with a box of its own
    while (/inline|contents/.test(getComputedStyle(place).display)) place = place.parentElement;
    const around = place.getBoundingClientRect();
    const hasText = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    const name = `${element.tagName} ${element.id} ${element.className}: ${element.textContent.trim()}`;
    if (!box.width || element.closest('.unseen')) continue;
    if (box.right > width + 1 || box.left < -1) faults.push(`leaves the page: ${name}`);
    if (!hasText) continue;
    if (box.right > around.right + 1) faults.push(`leaves its place: ${name}`);
    if (element.clientWidth && element.scrollWidth > element.clientWidth + 1) faults.push(`is cut: ${name}`);
  }
  return faults;
}"""
_WATCH_SCREENS = """() => {
  window.seen = [];
  const watch = new MutationObserver(() => window.seen.push(document.documentElement.dataset.screen));
  watch.observe(document.documentElement, {attributeFilter: ['data-screen']});
}"""
_WATCH_NOTES = """
  window.heard = [];
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (at) { window.heard.push(Math.round(this.frequency.value)); start.call(this, at); };
"""
_HIDDEN_BELOW = "() => { const s = document.getElementById('stage'); return s.scrollHeight - s.clientHeight; }"


@pytest.fixture
def stage() -> Iterator[Stage]:
    with screen_stage() as running:
        yield running


def walk(stage: Stage, page: Page, language: str) -> Iterator[str]:
    """Show every sample view, one after the other."""
    for name, view in sample_views(language).items():
        stage.show(page, view)
        yield name


def test_the_samples_hold_every_screen() -> None:
    assert {view.screen for view in sample_views("en").values()} == set(Screen)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", SIZES)
def test_every_screen_fits_without_scrolling(browser: Browser, stage: Stage, size: str, language: str) -> None:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
    with watched_page(context) as page:
        page.goto(stage.server.url)
        faults = {}
        for name in walk(stage, page, language):
            found = page.evaluate(_OUTSIDE)
            if page.evaluate(_HIDDEN_BELOW) > 1:
                found.append("the stage must be scrolled")
            if found:
                faults[name] = found
        assert faults == {}
    context.close()


@pytest.mark.parametrize("size", SIZES)
def test_text_at_two_hundred_per_cent_stays_within_the_page(browser: Browser, stage: Stage, size: str) -> None:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
    with watched_page(context) as page:
        page.goto(stage.server.url)
        page.evaluate("""() => { for (const name of ['--text', '--text-small', '--text-key', '--text-big'])
            document.documentElement.style.setProperty(name, '2'); }""")
        faults = {}
        for language in LANGUAGES:
            for name in walk(stage, page, language):
                if found := page.evaluate(_OUTSIDE):
                    faults[f"{language} {name}"] = found
        assert faults == {}
    context.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_screen_passes_the_accessibility_rules(page: Page, stage: Stage, language: str) -> None:
    page.goto(stage.server.url)
    views = sample_views(language)
    if language != LANGUAGES[0]:
        # The hard cases differ in words only: one view of each screen is enough.
        views = {view.screen.value: view for view in reversed(views.values())}
    faults = {}
    for name, view in views.items():
        stage.show(page, view)
        if found := axe_violations(page):
            faults[name] = found
    assert faults == {}


def test_large_text_passes_too_and_ends_with_the_visit(page: Page, stage: Stage) -> None:
    page.goto(stage.server.url)
    views = sample_views("zh-Hant-TW")
    stage.show(page, views["confirm"])
    before = page.locator("#choices button").first.evaluate("button => parseFloat(getComputedStyle(button).fontSize)")
    page.locator("#large-text").click()
    after = page.locator("#choices button").first.evaluate("button => parseFloat(getComputedStyle(button).fontSize)")
    assert after == 2 * before
    faults = {}
    for name, view in views.items():
        if view.screen is not Screen.ATTRACT:
            stage.show(page, view)
            if found := page.evaluate(_OUTSIDE):
                faults[name] = found
    assert faults == {}
    stage.show(page, views["confirm-largest"])
    assert axe_violations(page) == []
    stage.show(page, views["attract"])
    assert page.locator("html[data-text]").count() == 0


def test_the_page_speaks_the_language_of_the_view(page: Page, stage: Stage) -> None:
    page.goto(stage.server.url)
    words = load_words()
    for language in LANGUAGES:
        stage.show(page, sample_views(language)["digits"])
        assert page.locator("html").get_attribute("lang") == language
        assert page.locator("h1").inner_text().replace("\n", "") == words[language].screens[Screen.DIGITS].prompt.replace(
            "|", ""
        )
        assert page.locator("#languages [aria-pressed=true]").inner_text() == words[language].name


def test_the_amounts_that_matter_are_there(page: Page, stage: Stage) -> None:
    page.goto(stage.server.url)
    views = sample_views("zh-Hant-TW")
    stage.show(page, views["confirm"])
    assert "按下確認後，無法退券" in page.locator("#sum").inner_text()
    assert "2,050" in page.locator("#side").inner_text()
    warning, green = page.locator(".warning").bounding_box(), page.locator("#key-ok").bounding_box()
    assert warning is not None
    assert green is not None
    assert 0 <= green["y"] - (warning["y"] + warning["height"]) < 20
    stage.show(page, views["confirm-no-change"])
    assert "差額 500 元不找零" in page.locator("#side").inner_text().replace("\N{NO-BREAK SPACE}", " ")
    stage.show(page, views["done"])
    assert "須補金額" in page.locator("#body").inner_text()
    size = page.locator("#body .huge .figures").evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
    assert size >= 2 * 48
    assert "K7M-2QX" in page.locator("#side").inner_text()
    stage.show(page, views["refused-used"])
    assert "10/5 14:32" in page.locator("#body").inner_text()
    assert "already_redeemed" in page.locator("#sum").inner_text()


def test_an_earlier_outcome_looks_unlike_a_fresh_success(page: Page, stage: Stage) -> None:
    page.goto(stage.server.url)
    views = sample_views("zh-Hant-TW")
    looks = {}
    for name in ("done", "done-earlier"):
        stage.show(page, views[name])
        band = page.locator(".band")
        colours = band.evaluate("e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]")
        shape = band.locator("svg").inner_html()
        size = page.locator("h1").evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
        looks[name] = (*colours, shape, size)
    assert all(new != old for new, old in zip(*looks.values(), strict=True))
    assert looks["done-earlier"][-1] < looks["done"][-1]
    assert page.locator("#body .huge").count() == 0
    assert "這張券先前已完成抵用" in page.locator("h1").inner_text().replace("\n", "")
    assert "10/5 14:32" in page.locator("#body").inner_text()
    assert "K7M-2QX" in page.locator("#side").inner_text()


def test_touch_sends_the_keys_of_the_keypad_in_order(page: Page, stage: Stage) -> None:
    page.goto(stage.server.url)
    stage.show(page, View(screen=Screen.NUMBER, can_clear=True, can_ok=True, step=1, language="en", **_visit()))
    for digit in "1234567890":
        page.locator(f"#pad-{digit}").click()
    for key in ("clear", "ok", "cancel"):
        page.locator(f"#key-{key}").click()
    _wait_for(page, lambda: len(stage.keys) == 13)
    assert stage.keys == [*map(Key, "1234567890"), Key.CLEAR, Key.OK, Key.CANCEL]


def test_a_computer_keyboard_sends_them_too(page: Page, stage: Stage) -> None:
    page.goto(stage.server.url)
    stage.show(page, sample_views("en")["total"])
    page.locator("#pad-7").click()
    for name in ("0", "5", "9", "3", "Backspace", "Enter", "Escape"):
        page.keyboard.press(name)
    _wait_for(page, lambda: len(stage.keys) == 8)
    # Enter confirms although digit 7 was touched last: a touched key keeps no focus.
    assert stage.keys == [*map(Key, "70593"), Key.CLEAR, Key.OK, Key.CANCEL]


def test_enter_on_a_button_reached_by_tab_presses_that_button(page: Page, stage: Stage) -> None:
    page.goto(stage.server.url)
    stage.show(page, sample_views("en")["item"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "item-1"
    page.keyboard.press("Enter")
    _wait_for(page, lambda: stage.keys == [Key.DIGIT_1])
    stage.show(page, sample_views("ko")["item"])
    assert page.evaluate("document.activeElement.id") == "item-1", "the focus must survive a new picture"


def test_language_buttons_tell_the_kiosk(page: Page, stage: Stage) -> None:
    page.goto(stage.server.url)
    page.wait_for_selector("[data-screen=attract]")
    assert page.locator("#languages button").all_inner_texts() == ["繁體中文", "English", "日本語", "한국어"]
    page.get_by_role("button", name="日本語").click()
    _wait_for(page, lambda: stage.languages == ["ja"])


def test_a_wait_that_ends_at_once_is_not_shown(page: Page, stage: Stage) -> None:
    page.goto(stage.server.url)
    views = sample_views("en")
    stage.show(page, views["digits"])
    page.evaluate(_WATCH_SCREENS)
    stage.server.show(views["checking"])
    stage.show(page, views["basket-1"])
    assert page.evaluate("window.seen") == ["basket"]
    stage.show(page, views["checking"])
    assert page.evaluate("window.seen") == ["basket", "checking"]


def test_the_countdown_counts_without_drawing_anew(page: Page, stage: Stage) -> None:
    page.goto(stage.server.url)
    asked = sample_views("en")["more-time"]
    stage.show(page, replace(asked, seconds_left=20))
    page.evaluate("document.querySelector('h1').dataset.same = 'yes'")
    stage.show(page, replace(asked, seconds_left=19))
    assert page.locator(".countdown").inner_text() == "19"
    assert page.locator("h1[data-same]").count() == 1


def test_outcomes_are_heard(page: Page, stage: Stage) -> None:
    page.add_init_script(_WATCH_NOTES)
    page.goto(stage.server.url)
    views = sample_views("en")
    stage.show(page, views["sending"])
    page.evaluate("window.heard = []")
    for name, notes in (("done", [659, 880]), ("refused-used", [220]), ("unknown", [587, 587]), ("done-earlier", [587, 587])):
        stage.show(page, views[name])
        assert page.evaluate("window.heard.splice(0)") == notes


def test_a_reload_shows_the_same_picture(page: Page, stage: Stage) -> None:
    page.goto(stage.server.url)
    stage.show(page, sample_views("ja")["done"])
    page.reload()
    page.wait_for_selector("[data-screen=done]")
    assert "2,050" in page.locator("#body").inner_text()


def test_site_and_item_names_are_text_not_markup(page: Page, stage: Stage) -> None:
    page.goto(stage.server.url)
    stage.show(page, View(screen=Screen.ATTRACT, language="en", site_name="<img src=x onerror=alert(1)> & Co", online=True))
    assert page.locator(".site").inner_text() == "<img src=x onerror=alert(1)> & Co"


def test_a_silent_stream_pauses_the_page_and_a_new_one_wakes_it(browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    page = context.new_page()  # not watched: a lost connection is logged by the browser, and is what is tried here
    with screen_stage() as stage:
        page.goto(stage.server.url)
        stage.show(page, sample_views("zh-Hant-TW")["total"])
        port = int(stage.server.url.rsplit(":", 1)[1])
    page.wait_for_selector("[data-silent]", timeout=SILENCE_MS + 3_000)
    assert "暫停服務" in page.locator("#paused").inner_text()
    assert not page.locator("#keys").is_visible()
    assert axe_violations(page) == []
    with screen_stage(port=port):
        page.wait_for_selector("html:not([data-silent])", timeout=15_000, state="attached")
        page.wait_for_selector("[data-screen=attract]")
    context.close()


def test_a_foreign_page_cannot_press_keys(browser: Browser, stage: Stage) -> None:
    context = browser.new_context()
    page = context.new_page()
    with screen_stage() as other:
        page.goto(other.server.url)
        status = page.evaluate(
            """url => fetch(url + '/keys', {method: 'POST', mode: 'no-cors', headers: {'Content-Type': 'text/plain'},
               body: '{"key": "ok"}'}).then(() => 'sent', () => 'blocked')""",
            stage.server.url,
        )
    assert status in {"sent", "blocked"}
    assert stage.keys == []
    context.close()


def test_view_route_gives_the_current_view(stage: Stage) -> None:
    stage.server.show(sample_views("en")["done"])
    with urllib.request.urlopen(f"{stage.server.url}/view") as answer:
        assert json.load(answer)["topup_twd"] == 2050


def _visit() -> dict[str, Any]:
    return {"can_cancel": True, "online": True}


def _wait_for(page: Page, condition: Callable[[], bool]) -> None:
    """Until the condition holds, at most five seconds."""
    for _ in range(500):
        if condition():
            return
        page.wait_for_timeout(10)
    raise AssertionError("it did not happen within 5 s")


def test_a_person_plays_a_kiosk_on_the_bench(page: Page, tmp_path: Path) -> None:
    paint_vouchers(tmp_path, count=3)
    bench = RecordingBench()
    with screen_stage(bench=bench, voucher_pictures=tmp_path) as stage:
        page.goto(f"{stage.server.url}/bench")
        page.frame_locator("iframe").locator("[data-screen=attract] h1").wait_for()
        picture = page.locator("[data-picture]").nth(1)
        picture.click()
        assert picture.get_attribute("aria-pressed") == "true"
        _wait_for(page, lambda: bench.done == ["take away", "show"])
        assert axe_violations(page) == []
        picture.click()
        page.locator(".keypad [data-key='4']").click()
        page.locator(".keypad [data-key='ok']").click()
        page.keyboard.press("7")
        _wait_for(page, lambda: len(bench.done) == 6)
        assert bench.done[2:] == ["take away", "tap 4", "tap ok", "tap 7"]
        stage.server.show(sample_views("ja")["done"])
        page.frame_locator("iframe").locator("[data-screen=done] .huge").wait_for()
