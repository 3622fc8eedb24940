"""One whole visit in a real browser on the whole real system: broker, cloud and a kiosk as they are shipped.

A customer at the bench page holds printed vouchers to the camera and presses the keys of the matrix; then the merchant and the
programme office look at their pages. At every stop the page has no accessibility fault, and (by ``watched_page``) nothing was
logged as an error.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, BrowserContext, Frame, Page, expect

from kiosk.domain.view import Screen
from tests.demo.cast import OFFICE, SITES, fill_gallery, prepare
from tests.demo.orders import Voucher
from tests.demo.world import DEMO_PASSWORD, Ports, World, open_world
from tests.support.browser import axe_violations, watched_page

SITE = "boan-lobby"
DIGITS, WRONG_DIGITS = "4827", "4828"
TOTAL_TWD = 4_050
UNHURRIED = "[timing]\nconfirm_guard_s = 0\nresult_guard_s = 0\nidle_s = 300\ndone_s = 300\nrefused_s = 300"
"""Examining a page takes time, and a screen must not end meanwhile."""


@dataclass(slots=True)
class Visitor:
    """A person at the bench: holds up vouchers, presses keys, looks at the screen."""

    page: Page
    screen: Frame

    def hold(self, voucher: Voucher) -> None:
        self.page.locator(f'[data-picture="{voucher.voucher_no}.png"]').click()

    def put_away(self) -> None:
        self.page.get_by_role("button", name="Take away").click()

    def press(self, keys: str, *, ok: bool = True) -> None:
        """Press digit keys, and then the green one."""
        for key in [*keys, *(["ok"] if ok else [])]:
            self.page.locator(f'.keypad [data-key="{key}"]').click()

    def sees(self, screen: Screen, *words: str) -> None:
        """Wait for a screen with these words, and examine it."""
        self.screen.wait_for_selector(f'html[data-screen="{screen}"]')
        for word in words:
            expect(self.screen.locator("body")).to_contain_text(word)
        assert axe_violations(self.screen) == []


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[World, list[Voucher]]]:
    """A world with three vouchers in the bench's gallery."""
    rng = random.Random(20261120)
    folder, ports = tmp_path / "world", Ports.free(1)
    with open_world(folder, database="sqlite", ports=ports, sites=[SITE], by_hand=True, fresh=True) as world:
        today = datetime.now(ZoneInfo("Asia/Taipei")).date()
        cast = prepare(world, orders=1, first_day=today, rng=rng, digits=DIGITS)
        vouchers = list(islice(cast.hand.fresh, 3))
        fill_gallery(world.kiosks[0], vouchers)
        with world.kiosks[0].config.open("a", encoding="utf-8") as config:
            config.write(UNHURRIED)
        world.start_cloud()
        world.start_kiosk(world.kiosks[0])
        yield world, vouchers


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="zh-TW", reduced_motion="reduce")
    yield context
    context.close()


def test_one_visit_from_the_voucher_to_the_merchant_s_page(
    opened: tuple[World, list[Voucher]], context: BrowserContext
) -> None:
    world, (first, second, _) = opened
    with bench(world, context) as visitor:
        bring_two_vouchers(visitor, first, second)
        reference = pay(visitor)
        bring_a_used_voucher(visitor, first)
    with watched_page(context) as page:
        sign_in(page, world, SITES[SITE].door, SITES[SITE].login)
        confirm(page, reference)
        page.get_by_role("button", name="登出").click()
        sign_in(page, world, "office", OFFICE)
        find_kiosk_online(page)


@contextmanager
def bench(world: World, context: BrowserContext) -> Iterator[Visitor]:
    """The bench page, with the kiosk's first screen on it."""
    with watched_page(context) as page:
        page.goto(f"{world.kiosks[0].url}/bench")
        page.wait_for_selector("iframe")
        screen = page.frame(url=f"{world.kiosks[0].url}/")
        assert screen is not None
        yield Visitor(page, screen)


def bring_two_vouchers(visitor: Visitor, first: Voucher, second: Voucher) -> None:
    """Scan one, with a slip at its digits; show it twice; type the other."""
    visitor.sees(Screen.ATTRACT, "請將券對準掃描窗")
    visitor.hold(first)
    visitor.sees(Screen.DIGITS, "請輸入身分證末四碼")
    visitor.put_away()
    visitor.press(WRONG_DIGITS)
    expect(visitor.screen.locator(".notice")).to_contain_text("券號與末四碼不符。請再確認一次，還可以輸入 4 次。")
    visitor.sees(Screen.DIGITS)
    visitor.press(DIGITS)
    visitor.sees(Screen.BASKET, f"末三碼 {first.voucher_no[-3:]}")
    visitor.hold(first)
    visitor.sees(Screen.BASKET, "這張券已在清單中，不會重複抵用")
    visitor.put_away()
    visitor.press(second.voucher_no, ok=False)
    visitor.sees(Screen.NUMBER, second.voucher_no)
    visitor.press("")
    visitor.sees(Screen.DIGITS)
    visitor.press(DIGITS)
    visitor.screen.wait_for_selector(".ticket:nth-child(2)")
    visitor.sees(Screen.BASKET, f"末三碼 {second.voucher_no[-3:]}", "旅遊券 2 張")


def pay(visitor: Visitor) -> str:
    """From the basket to the outcome; returns its reference."""
    visitor.press("")
    visitor.sees(Screen.ITEM, "住宿", "一泊二食", "餐飲")
    visitor.press("2", ok=False)
    visitor.sees(Screen.TOTAL)
    visitor.press(str(TOTAL_TWD))
    visitor.sees(Screen.CONFIRM, "一泊二食", "按下確認後，無法退券")
    expect(visitor.screen.locator(".huge .figures")).to_have_text("2,050")
    visitor.press("")
    visitor.sees(Screen.DONE, "抵用完成", "須補金額", "請向店員支付")
    expect(visitor.screen.locator(".huge .figures")).to_have_text("2,050")
    reference = visitor.screen.locator(".reference").inner_text()
    visitor.press("")
    visitor.sees(Screen.ATTRACT)
    return reference


def bring_a_used_voucher(visitor: Visitor, used: Voucher) -> None:
    """It is refused, and says when it was used."""
    visitor.hold(used)
    visitor.screen.wait_for_selector('html[data-screen="digits"]')
    visitor.put_away()
    visitor.press(DIGITS)
    visitor.sees(Screen.REFUSED, "這張券已於", "already_redeemed")
    visitor.press("")
    visitor.screen.wait_for_selector('html[data-screen="attract"]')


def sign_in(page: Page, world: World, door: str, login: str) -> None:
    page.goto(f"{world.web_url}/sign-in/{door}")
    page.get_by_label("帳號").fill(login)
    page.get_by_label("密碼").fill(DEMO_PASSWORD)
    page.locator("main").get_by_role("button").click()
    expect(page.get_by_role("button", name="登出")).to_be_visible()
    assert axe_violations(page) == []


def confirm(page: Page, reference: str) -> None:
    """The one transaction is there, with the customer's figures and reference; confirm it."""
    page.get_by_role("link", name="交易紀錄").click()
    expect(page.get_by_text("共 1 筆")).to_have_count(2)
    assert axe_violations(page) == []
    page.get_by_role("link", name="檢視券號").click()
    for fact in (reference, "泊岸旅館 一樓大廳", "一泊二食", "4,050", "2,000", "2,050"):
        expect(page.locator("main")).to_contain_text(fact)
    page.get_by_role("button", name="確認這筆交易").click()
    expect(page.get_by_role("status")).to_contain_text("已確認。")
    expect(page.get_by_role("button", name="確認這筆交易")).to_have_count(0)
    assert axe_violations(page) == []


def find_kiosk_online(page: Page) -> None:
    page.get_by_role("link", name="機台", exact=True).click()
    kiosk = page.get_by_role("row").filter(has_text="泊岸旅館 一樓大廳")
    expect(kiosk).to_contain_text("連線中")
    assert axe_violations(page) == []
