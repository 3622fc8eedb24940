"""The dashboard in a real browser: sign in, confirm one and all, a whole order at the desk, on desktop and phone.

At every stop the page has no accessibility fault, nothing sticks out sideways, and (by ``watched_page``) nothing was logged as
an error and nobody else was asked for anything.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from cloud.adapters.sql.engine import make_engine
from tests.support.browser import axe_violations, watched_page
from tests.support.web import DOORS, NOW, PASSWORD, Site, enrol_device, issue, open_site, serving, signed_path

pytest_plugins = ("tests.support.databases",)

SIZES = {"desktop": (1280, 800), "phone": (360, 740)}
A, B = "566780776770", "409842918253"


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    engine = make_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def site(engine: Engine) -> Site:
    site = open_site(engine)
    issue(site, {A: "1234", B: "0007"})
    for hours in range(12):
        site.till.redeem(NOW - timedelta(hours=hours), vouchers=1 + hours % 3, order_total_twd=4050)
    enrol_device(site, "kiosk-boan22", "boan-lobby", presence="lost")
    return site


@pytest.fixture
def address(site: Site) -> Iterator[str]:
    with serving(site) as address:
        yield address


@pytest.fixture(params=sorted(SIZES))
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A watched page of each size in turn."""
    width, height = SIZES[request.param]
    context = browser.new_context(viewport={"width": width, "height": height}, locale="zh-TW", reduced_motion="reduce")
    try:
        with watched_page(context) as page:
            yield page
    finally:
        context.close()


def look(page: Page) -> None:
    """Check the page as it stands."""
    assert axe_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out sideways"


def enter(page: Page, address: str, staff_id: str) -> None:
    door, login = DOORS[staff_id]
    page.goto(f"{address}/sign-in/{door}")
    look(page)
    page.get_by_label("帳號").fill(login)
    page.get_by_label("密碼").fill(PASSWORD)
    page.locator("main").get_by_role("button").click()


def test_merchant_confirms_one_and_all(page: Page, address: str) -> None:
    page.goto(address)
    look(page)
    enter(page, address, "boan-admin")
    expect(page.get_by_role("heading", name="總覽")).to_be_visible()
    look(page)
    page.get_by_role("link", name="交易紀錄").click()
    expect(page.get_by_text("共 12 筆")).to_have_count(2)
    look(page)
    page.get_by_role("link", name="檢視券號").first.click()
    look(page)
    page.get_by_role("button", name="確認這筆交易").click()
    expect(page.get_by_role("status")).to_contain_text("已確認。")
    expect(page.get_by_role("button", name="確認這筆交易")).to_have_count(0)
    page.get_by_role("link", name="返回").click()
    page.get_by_label("請款進度").select_option(label="未確認")
    page.get_by_role("button", name="更新").click()
    expect(page.get_by_text("共 11 筆，")).to_be_visible()
    page.get_by_role("link", name="請款列表").click()
    look(page)
    page.get_by_role("link", name="一鍵確認").click()
    expect(page.get_by_text("將確認 11 筆交易")).to_be_visible()
    look(page)
    page.get_by_role("button", name="確認 11 筆").click()
    expect(page.get_by_role("status")).to_contain_text("已確認 11 筆交易")
    look(page)
    page.get_by_role("link", name="機台").click()
    expect(page.get_by_text("連線中斷")).to_be_visible()
    look(page)


def test_clerk_takes_a_whole_order(page: Page, address: str) -> None:
    enter(page, address, "boan-scan-1")
    look(page)
    page.get_by_label("國旅券號").fill("5667 8077 6770")
    page.keyboard.press("Enter")
    expect(page.get_by_label("身分證後四碼")).to_be_focused()
    look(page)
    page.get_by_label("身分證後四碼").fill("9999")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("券號與末四碼不符")
    look(page)
    page.get_by_label("身分證後四碼").fill("1234")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="這筆訂單")).to_be_visible()
    look(page)
    page.get_by_label("國旅券號").fill(address + signed_path(B))
    page.get_by_role("button", name="再收一張").click()
    page.get_by_label("身分證後四碼").fill("0007")
    page.get_by_role("button", name="確認身分證後四碼").click()
    page.get_by_role("button", name="準備結算").click()
    expect(page.get_by_role("heading", name="消費品項")).to_be_visible()
    look(page)
    page.get_by_role("button", name="住宿", exact=True).click()
    page.get_by_label("消費總金額").fill("1500")
    look(page)
    page.get_by_role("button", name="下一步").click()
    expect(page.get_by_role("alert").last).to_contain_text("差額不找零")
    look(page)
    page.get_by_role("button", name="修改金額").click()
    page.get_by_label("消費總金額").fill("5,050")
    page.get_by_role("button", name="下一步").click()
    page.get_by_role("button", name="確認抵用").dblclick()
    expect(page.get_by_role("heading", name="折抵國旅券成功")).to_be_visible()
    expect(page.locator(".topup")).to_contain_text("3,050")
    look(page)
    page.reload()
    expect(page.get_by_role("heading", name="折抵國旅券成功")).to_be_visible()
    page.get_by_role("link", name="下一位客戶掃票").click()
    page.get_by_label("國旅券號").fill(A)
    page.keyboard.press("Enter")
    page.get_by_label("身分證後四碼").fill("1234")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("泊岸旅館 一樓大廳")
    look(page)


def test_phone_camera_opens_the_voucher_through_sign_in(page: Page, address: str) -> None:
    page.goto(address + signed_path(A))
    expect(page.get_by_text(f"登入後會繼續收取券號 {A}")).to_be_visible()
    look(page)
    page.get_by_label("帳號").fill("boan1")
    page.get_by_label("密碼").fill(PASSWORD)
    page.get_by_role("button", name="登入掃票機").click()
    expect(page.get_by_label("身分證後四碼")).to_be_focused()
    expect(page.get_by_text(A)).to_be_visible()


def test_order_works_without_javascript(browser: Browser, address: str, site: Site) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en-GB", viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(f"{address}/sign-in/scan")
    page.get_by_label("Login").fill("boan1")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Open the voucher desk").click()
    page.get_by_label("Voucher number").fill(A)
    page.get_by_role("button", name="Take voucher").click()
    page.get_by_label("Last four of the ID").fill("1234")
    page.get_by_role("button", name="Check the last four").click()
    page.get_by_role("button", name="Check out").click()
    page.get_by_role("button", name="Room", exact=True).click()
    page.get_by_label("Total for Room").fill("1000")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Confirm and redeem").click()
    expect(page.get_by_role("heading", name="Vouchers redeemed")).to_be_visible()
    context.close()


def test_overview_shows_what_happens_elsewhere(browser: Browser, address: str, site: Site) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="zh-TW")
    with watched_page(context) as page:
        page.clock.install()
        enter(page, address, "boan-admin")
        expect(page.locator(".figures")).to_contain_text("12 筆交易")
        site.till.redeem(NOW, vouchers=1)
        page.clock.run_for(10_000)
        expect(page.locator(".figures")).to_contain_text("13 筆交易")
    context.close()


def test_office_adds_and_revokes_a_kiosk(page: Page, address: str) -> None:
    enter(page, address, "office-1")
    look(page)
    page.get_by_role("link", name="機台", exact=True).click()
    look(page)
    page.get_by_role("button", name="產生啟用碼").click()
    expect(page.get_by_text("只顯示這一次")).to_be_visible()
    look(page)
    page.get_by_role("link", name="停用 kiosk-boan22").click()
    look(page)
    page.get_by_label("停用原因").fill("機器遺失")
    page.get_by_role("button", name="停用這台機器").click()
    expect(page.get_by_role("status").first).to_contain_text("kiosk-boan22 已停用")
    page.get_by_role("link", name="結算").click()
    look(page)
