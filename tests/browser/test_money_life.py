"""The whole way of money in a real browser: confirm, take back, confirm again, settle, release by a second person, the bank
returns, the account is mended, another run by the other two hands, paid. On desktop and at 360 px; once on PostgreSQL.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine, update

from cloud.adapters.sql.books import SqlBooks
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.tables import merchant
from cloud.services.reconcile import reconcile
from tests.support.bank import answer_p01
from tests.support.browser import axe_violations, watched_page
from tests.support.setups import PLACES
from tests.support.web import DOORS, PASSWORD, Site, open_site, serving

pytest_plugins = ("tests.support.databases",)

FRIDAY = datetime(2026, 11, 13, 4, 0, tzinfo=UTC)
HOTEL_ACCOUNT = "3001987654"
SIZES = {"desktop": (1280, 800), "phone": (360, 740)}


@pytest.fixture(params=["sqlite-desktop", "sqlite-phone", "postgres-desktop"])
def stage(request: pytest.FixtureRequest, browser: Browser) -> Iterator[tuple[Page, str, Site]]:
    """A page, the site's address, and the site."""
    kind, size = request.param.split("-")
    engine: Engine = make_engine(request.getfixturevalue(f"{kind}_url"))
    site = open_site(engine, now=FRIDAY)
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, locale="zh-TW", reduced_motion="reduce")
    with serving(site) as address, watched_page(context) as page:
        yield page, address, site
    context.close()
    engine.dispose()


def look(page: Page) -> None:
    assert axe_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out sideways"


def enter(page: Page, address: str, staff_id: str) -> None:
    door, login = DOORS[staff_id]
    page.goto(f"{address}/sign-in/{door}")
    page.locator("#login").fill(login)
    page.locator("#password").fill(PASSWORD)
    page.locator("main button.primary").click()
    expect(page.get_by_role("heading", name="總覽")).to_be_visible()


def test_money_from_confirmation_to_the_bank_and_back(stage: tuple[Page, str, Site]) -> None:
    page, address, site = stage
    for vouchers in (1, 2, 3):
        site.till.redeem(FRIDAY, vouchers=vouchers)
    site.till.redeem(FRIDAY, place=PLACES[2], vouchers=4)
    enter(page, address, "boan-admin")
    confirm_with_second_thoughts(page)
    enter(page, address, "yunling-admin")
    page.get_by_role("link", name="請款列表").click()
    page.get_by_role("link", name="一鍵確認").click()
    page.get_by_role("button", name="確認 1 筆").click()
    site.clock.advance(days=6)
    enter(page, address, "finance-1")
    page.get_by_role("link", name="結算").first.click()
    page.get_by_role("button", name="立即結算").click()
    expect(page.get_by_role("status")).to_contain_text("2 筆請款，共 10,000")
    look(page)
    run = prepare(page)
    first = release(page, address, run, "finance-2", "10,000")
    hear(page, site, first)
    with site.engine.begin() as connection:
        connection.execute(update(merchant).where(merchant.c.merchant_id == "boan-hotel").values(account_no="30019876"))
    run = prepare(page)
    second = release(page, address, run, "finance-1", "6,000")
    assert b"30019876" in second
    page.get_by_role("link", name="銀行回覆").first.click()
    bring(page, answer_p01(second, failures={}, answered_on=site.clock.now().date() + timedelta(days=1)))
    page.get_by_role("button", name="套用").click()
    expect(page.get_by_text("沒有退匯中的撥款")).to_be_visible()
    look(page)
    enter(page, address, "boan-admin")
    page.goto(f"{address}/merchant/claims?period=2026-11-11")
    expect(page.get_by_text("已撥款").first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="請款明細 PDF").click()
    assert download.value.path().read_bytes().startswith(b"%PDF-")
    assert site.till.balance("bank:in_transit") == 0
    assert reconcile(SqlBooks(site.engine), now=site.clock.now()).breach is None


def confirm_with_second_thoughts(page: Page) -> None:
    """Tick two, confirm, take it back; then confirm everything."""
    page.get_by_role("link", name="交易紀錄").click()
    for number in range(2):
        page.locator("input[name=id]").nth(number).check()
    page.get_by_role("button", name="確認勾選的交易").click()
    expect(page.get_by_text("將確認 2 筆交易")).to_be_visible()
    look(page)
    page.get_by_role("button", name="確認 2 筆").click()
    expect(page.locator(".undo")).to_contain_text("前可以復原")
    look(page)
    page.get_by_role("button", name="復原").click()
    expect(page.get_by_role("status")).to_contain_text("已復原 2 筆")
    page.get_by_role("link", name="請款列表").click()
    page.get_by_role("link", name="一鍵確認").click()
    page.get_by_role("button", name="確認 3 筆，共 6,000").click()
    expect(page.get_by_role("status")).to_contain_text("已確認 3 筆交易")


def prepare(page: Page) -> str:
    """Prepare a run as whoever is signed in, who cannot release it; return where it is."""
    page.get_by_role("link", name="撥款", exact=True).first.click()
    page.get_by_role("button", name="製作這一批").click()
    expect(page.get_by_text("您製作的批次不能由您放行")).to_be_visible()
    expect(page.get_by_role("button", name="放行")).to_have_count(0)
    look(page)
    return page.url


def release(page: Page, address: str, run: str, staff_id: str, amount: str) -> bytes:
    """Somebody else looks, releases, and fetches the bank's file."""
    enter(page, address, staff_id)
    page.goto(run)
    page.get_by_role("button", name=f"放行 {amount}").click()
    expect(page.get_by_text("已放行").first).to_be_visible()
    look(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="下載撥款檔").click()
    return download.value.path().read_bytes()


def hear(page: Page, site: Site, content: bytes) -> None:
    """The bank returns the hotel's payout: look at what that changes, take it over, find it among the exceptions."""
    page.get_by_role("link", name="銀行回覆").first.click()
    day = site.clock.now().date() + timedelta(days=1)
    bring(page, answer_p01(content, failures={HOTEL_ACCOUNT: "22"}, answered_on=day))
    expect(page.get_by_text("帳戶已結清")).to_be_visible()
    look(page)
    page.get_by_role("button", name="套用").click()
    expect(page.get_by_role("status")).to_contain_text("1 筆入帳，1 筆退匯")
    page.get_by_role("link", name="待處理").first.click()
    page.locator("td.lead-fact a").click()
    page.get_by_role("button", name="由我承辦").click()
    expect(page.get_by_text("開始承辦")).to_be_visible()
    look(page)
    page.get_by_role("link", name="撥款", exact=True).first.click()
    expect(page.get_by_text("帳戶尚未更正")).to_be_visible()


def bring(page: Page, content: bytes) -> None:
    page.locator("#answer").set_input_files({"name": "return.txt", "mimeType": "text/plain", "buffer": content})
    page.get_by_role("button", name="上傳並預覽").click()
