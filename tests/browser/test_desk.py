"""The voucher desk in a real browser: a whole order by the phone's camera, by keyboard alone, and over a line that fails.

The camera is Chromium's own pretended one, which plays a film of vouchers; decoder, judge and database are real.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from sqlalchemy import Engine, func, select

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.tables import digit_try, inbox, redemption
from tests.fakes.web_store import Unreachable
from tests.support.browser import axe_violations, watched_page
from tests.support.desk_video import film, open_filming
from tests.support.web import DOORS, PASSWORD, Site, issue, open_site, serving, signed_path, with_parts

pytest_plugins = ("tests.support.databases",)

SIZES = {"desktop": (1280, 800), "phone": (360, 740)}
DIGITS = {"566780776770": "1234", "409842918253": "0007", "000000000001": "0001"}
A = "566780776770"
TOLERATED = "Failed to load resource"
"""What the browser itself remarks on a request that this test cuts off."""


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    engine = make_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def site(engine: Engine) -> Site:
    site = open_site(engine)
    issue(site, DIGITS)
    return site


@pytest.fixture
def address(site: Site) -> Iterator[str]:
    with serving(site) as address:
        yield address


@pytest.fixture(scope="module")
def filming(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser whose camera sees the three vouchers, and a code that is none, again and again."""
    path = tmp_path_factory.mktemp("film") / "desk.y4m"
    film(path, ["https://example.tw/menu", *(f"https://pay.example.tw{signed_path(number)}" for number in DIGITS)])
    other = open_filming(browser, path)
    yield other
    other.close()


@contextmanager
def desk(browser: Browser, address: str, size: str = "phone", *, tolerated: str = "") -> Iterator[Page]:
    """A watched page on which scan staff are signed in."""
    context = _context(browser, size)
    try:
        with watched_page(context, tolerated=tolerated) as page:
            _enter(page, address)
            yield page
    finally:
        context.close()


def _context(browser: Browser, size: str) -> BrowserContext:
    width, height = SIZES[size]
    return browser.new_context(
        viewport={"width": width, "height": height}, locale="zh-TW", reduced_motion="reduce", has_touch=size == "phone"
    )


def _enter(page: Page, address: str) -> None:
    door, login = DOORS["boan-scan-1"]
    page.goto(f"{address}/sign-in/{door}")
    page.get_by_label("帳號").fill(login)
    page.get_by_label("密碼").fill(PASSWORD)
    page.get_by_role("button", name="登入掃票機").click()
    expect(page.get_by_role("heading", name="抵用國旅券")).to_be_visible()


def look(page: Page) -> None:
    assert axe_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out sideways"


def count(site: Site, table: object) -> int:
    with site.engine.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)  # type: ignore[arg-type]


def take(page: Page, voucher_no: str = A) -> None:
    """Take a voucher by its number."""
    page.get_by_label("國旅券號").fill(voucher_no)
    page.keyboard.press("Enter")
    page.get_by_label("身分證後四碼").fill(DIGITS[voucher_no])
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="準備結算")).to_be_visible()


def go_to_review(page: Page, total: str = "5050") -> None:
    page.get_by_role("button", name="準備結算").click()
    page.get_by_role("button", name="住宿", exact=True).click()
    page.get_by_label("消費總金額").fill(total)
    page.get_by_role("button", name="下一步").click()
    expect(page.get_by_role("button", name="確認抵用")).to_be_visible()


@pytest.mark.parametrize("size", sorted(SIZES))
def test_three_vouchers_by_the_camera(filming: Browser, address: str, site: Site, size: str) -> None:
    with desk(filming, address, size) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for place in range(3):
            assert any(".wasm" in url for url in asked) == (place > 0), "the decoder is fetched when the camera is opened, once"
            page.get_by_role("button", name="再掃一張" if place else "掃描二維碼").click()
            if place == 0:
                expect(page.get_by_role("region", name="相機畫面")).to_be_visible()
                look(page)
            expect(page.get_by_label("身分證後四碼")).to_be_focused(timeout=30_000)
            number = page.locator("dd.large").inner_text()
            page.get_by_label("身分證後四碼").fill(DIGITS[number])
            page.get_by_role("button", name="確認身分證後四碼").click()
            expect(page.get_by_text(f"{place + 1} 張")).to_be_visible()
            look(page)
        assert sum(".wasm" in url for url in asked) == 1
        go_to_review(page)
        look(page)
        expect(page.locator(".bill")).to_contain_text("2,050")
        page.get_by_role("button", name="確認抵用").click()
        expect(page.get_by_role("heading", name="折抵國旅券成功")).to_be_visible()
        expect(page.locator(".topup")).to_contain_text("2,050")
        look(page)
        page.get_by_role("link", name="下一位客戶掃票").click()
        expect(page.get_by_role("button", name="掃描二維碼")).to_be_visible()
    with site.engine.connect() as connection:
        assert connection.execute(select(redemption.c.voucher_count, redemption.c.topup_twd)).all() == [(3, 2050)]


def test_by_keyboard_alone(filming: Browser, address: str, site: Site) -> None:
    with desk(filming, address, "desktop") as page:

        def tab_to(name: str) -> None:
            for _ in range(40):
                if page.evaluate(
                    "name => document.activeElement.matches('button, a') && document.activeElement.innerText.includes(name)",
                    name,
                ):
                    return
                page.keyboard.press("Tab")
            raise AssertionError(f"no key leads to {name}")

        page.keyboard.type(A)  # the field for the number has the focus
        page.keyboard.press("Enter")
        expect(page.get_by_label("身分證後四碼")).to_be_focused()
        page.keyboard.type(DIGITS[A])
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="準備結算")).to_be_visible()
        tab_to("再掃一張")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="關閉相機")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("region", name="相機畫面")).to_be_hidden()
        expect(page.get_by_role("button", name="再掃一張")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_label("身分證後四碼")).to_be_focused(timeout=30_000)
        page.keyboard.type(DIGITS[page.locator("dd.large").inner_text()])
        page.keyboard.press("Enter")
        expect(page.get_by_text("2 張")).to_be_visible()
        tab_to("準備結算")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="消費品項")).to_be_visible()
        tab_to("住宿")
        page.keyboard.press("Enter")
        expect(page.get_by_label("消費總金額")).to_be_focused()
        page.keyboard.type("2,500")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="確認抵用")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="下一位客戶掃票")).to_be_focused()
        expect(page.locator(".topup")).to_contain_text("500")
        page.keyboard.press("Enter")
        expect(page.get_by_label("國旅券號")).to_be_focused()
    assert count(site, redemption) == 1


def test_camera_that_cannot_be_had_is_said_and_the_number_typed(browser: Browser, address: str) -> None:
    faults = {"NotAllowedError": "相機未獲允許", "NotFoundError": "沒有相機", "NotReadableError": "其他程式"}
    with desk(browser, address) as page:
        for name, said in faults.items():
            page.evaluate(
                "name => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', name)); }", name
            )
            page.get_by_role("button", name="掃描二維碼").click()
            expect(page.get_by_role("region", name="相機畫面")).to_contain_text(said)
        look(page)
        take(page)


def test_decoder_that_cannot_be_fetched_is_said_and_fetched_again(filming: Browser, address: str) -> None:
    with desk(filming, address, tolerated=TOLERATED) as page:
        page.route("**/*.wasm", lambda route: route.abort())
        page.get_by_role("button", name="掃描二維碼").click()
        expect(page.get_by_role("region", name="相機畫面")).to_contain_text("掃描功能沒有載入")
        page.unroute("**/*.wasm")
        page.get_by_role("button", name="掃描二維碼").click()
        expect(page.get_by_label("身分證後四碼")).to_be_focused(timeout=30_000)


def lose_answers(page: Page, path: str, times: int) -> list[str]:
    """Let the next requests for a path arrive and lose their answers; returns what was sent."""
    sent: list[str] = []

    def lose(route: Route) -> None:
        sent.append(route.request.post_data or "")
        if len(sent) > times:
            route.continue_()
            return
        route.fetch()
        route.abort()

    page.route(f"**{path}", lose)
    return sent


def test_lost_answer_is_asked_for_again_by_itself(browser: Browser, address: str, site: Site) -> None:
    with desk(browser, address, tolerated=TOLERATED) as page:
        take(page)
        go_to_review(page)
        sent = lose_answers(page, "/scan/redeem", 2)
        page.get_by_role("button", name="確認抵用").dblclick()
        expect(page.get_by_text("正在再查一次結果")).to_be_visible()
        look(page)
        expect(page.get_by_role("heading", name="折抵國旅券成功")).to_be_visible(timeout=20_000)
        assert len(sent) == 3
        assert len(set(sent)) == 1, "the same request each time"
    assert count(site, redemption) == 1


def test_reload_while_the_outcome_is_unknown_asks_the_same(browser: Browser, address: str, site: Site) -> None:
    with desk(browser, address, tolerated=TOLERATED) as page:
        take(page)
        go_to_review(page)
        sent = lose_answers(page, "/scan/redeem", 1)
        page.get_by_role("button", name="確認抵用").click()
        expect(page.get_by_text("正在再查一次結果")).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", name="折抵國旅券成功")).to_be_visible(timeout=20_000)
        assert _order_of(sent[0]) == _order_of(sent[-1])
        assert "1234" not in page.evaluate("JSON.stringify(history.state)"), "no digits are noted anywhere"
        page.reload()
        expect(page.get_by_role("heading", name="折抵國旅券成功")).to_be_visible()
        page.go_back()
        page.get_by_role("button", name="確認抵用").click()
        expect(page.get_by_role("heading", name="折抵國旅券成功")).to_be_visible()
    assert count(site, redemption) == 1


def test_order_survives_a_reload_and_the_way_back(browser: Browser, address: str, site: Site) -> None:
    with desk(browser, address) as page:
        take(page)
        page.reload()
        expect(page.get_by_text("1 張")).to_be_visible()
        take(page, "409842918253")
        page.go_back()
        page.get_by_label("身分證後四碼").fill("0007")
        page.keyboard.press("Enter")
        expect(page.get_by_text("2 張")).to_be_visible()
        go_to_review(page)
        page.get_by_role("button", name="修改金額").click()
        expect(page.get_by_label("消費總金額")).to_have_value("5050")
        page.get_by_label("消費總金額").fill("1500")
        page.get_by_role("button", name="下一步").click()
        expect(page.get_by_role("alert").last).to_contain_text("差額不找零")
        page.get_by_role("button", name="確認抵用").click()
        expect(page.get_by_text("不須補差額")).to_be_visible()
    assert count(site, redemption) == 1


def test_form_sent_before_the_script_came_can_be_reloaded(browser: Browser, address: str) -> None:
    with desk(browser, address, tolerated=TOLERATED) as page:
        page.route("**/desk.*.js", lambda route: route.abort())
        page.goto(f"{address}/scan?again")
        page.unroute("**/desk.*.js")
        page.get_by_label("國旅券號").fill(A)
        page.keyboard.press("Enter")
        expect(page.get_by_label("身分證後四碼")).to_be_visible()
        page.reload()
        expect(page.get_by_label("身分證後四碼")).to_be_visible()
        page.get_by_label("身分證後四碼").fill(DIGITS[A])
        page.keyboard.press("Enter")
        expect(page.get_by_text("1 張")).to_be_visible()


def test_digits_are_asked_for_again_as_the_same_try(browser: Browser, address: str, site: Site) -> None:
    with desk(browser, address, tolerated=TOLERATED) as page:
        page.get_by_label("國旅券號").fill(A)
        page.keyboard.press("Enter")
        sent = lose_answers(page, "/scan/check", 1)
        page.get_by_label("身分證後四碼").fill("9999")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("還可以輸入 4 次", timeout=20_000)
        assert len(sent) == 2
    assert count(site, digit_try) == count(site, inbox) == 1


def test_no_network_is_said_and_it_goes_on_by_itself(browser: Browser, address: str, site: Site) -> None:
    with desk(browser, address, tolerated=TOLERATED) as page:
        take(page)
        go_to_review(page)
        page.context.set_offline(True)
        expect(page.get_by_text("目前沒有網路")).to_be_visible()
        page.get_by_role("button", name="確認抵用").click()
        expect(page.get_by_text("正在再查一次結果")).to_be_visible()
        page.context.set_offline(False)
        expect(page.get_by_role("heading", name="折抵國旅券成功")).to_be_visible(timeout=20_000)
    assert count(site, redemption) == 1


def test_unknown_outcome_of_the_desk_itself_is_asked_about(browser: Browser, site: Site) -> None:
    store = Unreachable(site.parts.scan.store)
    shaky = with_parts(site, scan=replace(site.parts.scan, store=store))
    with serving(shaky) as address, desk(browser, address) as page:
        take(page)
        go_to_review(page)
        store.fails = store.after_commit = True
        page.get_by_role("button", name="確認抵用").click()
        expect(page.get_by_role("heading", name="尚未完成")).to_be_visible()
        store.fails = False
        expect(page.get_by_role("heading", name="折抵國旅券成功")).to_be_visible(timeout=20_000)
    assert count(site, redemption) == 1


def _order_of(body: str) -> str:
    found = re.search(r"(?:^|&)order=([^&]+)", body)
    assert found is not None
    return found[1]
