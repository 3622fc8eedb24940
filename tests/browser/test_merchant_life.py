"""The life of a merchant in a real browser: apply, correct, be approved, sign in, add a site, name the payout account.

The way is gone at 1280 px and on a phone of 360 px. What a database does is shown elsewhere, so SQLite is enough. Every page
that is stopped at has no accessibility fault and nothing sticks out sideways.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from cloud.adapters.sql.engine import make_engine
from tests.support.applying import JPEG, LOGIN, NAME, OWNER_ID, PASSWORD, PDF, UBN
from tests.support.browser import axe_violations, watched_page
from tests.support.web import DOORS, Site, open_site, serving
from tests.support.web import PASSWORD as OFFICE_PASSWORD
from tests.support.web_tour import SIZES

pytest_plugins = ("tests.support.databases",)


@pytest.fixture
def site(sqlite_url: str) -> Iterator[Site]:
    engine = make_engine(sqlite_url)
    yield open_site(engine)
    engine.dispose()


@pytest.fixture(params=SIZES)
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
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


def sign_in(page: Page, address: str, door: str, login: str, password: str) -> None:
    page.goto(f"{address}/sign-in/{door}")
    page.get_by_label("帳號", exact=True).fill(login)
    page.get_by_label("密碼", exact=True).fill(password)
    page.locator("main").get_by_role("button").click()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="登出", exact=True).click()


def test_from_application_to_payout_account(page: Page, site: Site, tmp_path: Path) -> None:
    registration, licence, script = tmp_path / "登記.pdf", tmp_path / "執照.jpg", tmp_path / "licence.pdf"
    registration.write_bytes(PDF)
    licence.write_bytes(JPEG)
    script.write_bytes(b"<script>alert(1)</script>")
    with serving(site) as address:
        _apply(page, address, registration, script)
        _complete(page, licence)
        _review(page, address, "退回補正", "登記證看不清楚，請重新上傳。")
        _correct(page, address, registration)
        _review(page, address, "核准", "")
        _first_day(page, address)
        _name_account(page)


def _apply(page: Page, address: str, registration: Path, script: Path) -> None:
    page.goto(address)
    page.get_by_role("link", name="申請成為合作業者").click()
    page.get_by_label("業者類別").select_option(label="旅宿業")
    page.get_by_label("事業名稱").fill(NAME)
    page.get_by_label("統一編號").fill("13572468")
    page.get_by_label("您的姓名").fill("鄭宇恩")
    page.get_by_label("登入帳號").fill(LOGIN)
    page.get_by_label("登入密碼").fill(PASSWORD)
    page.get_by_role("button", name="開始申請").click()
    expect(page.get_by_role("alert")).to_contain_text("不是統一編號")
    look(page)
    page.get_by_label("統一編號").fill(UBN)
    page.get_by_label("登入密碼").fill(PASSWORD)
    page.get_by_role("button", name="開始申請").click()
    expect(page.get_by_role("status")).to_contain_text("保留一份草稿")
    page.get_by_label("營業地址").fill("南投縣仁愛鄉信義路 8 號")
    page.get_by_label("登記證明", exact=True).set_input_files(registration)
    page.get_by_label("營業執照或登記證").set_input_files(script)
    page.get_by_role("button", name="送出審查").click()
    expect(page.get_by_text("不是完整的 PDF、JPEG 或 PNG")).to_be_visible()
    look(page)


def _complete(page: Page, licence: Path) -> None:
    sign_out(page)
    sign_in(page, page.url.rsplit("/", 1)[0], "lodging", LOGIN, PASSWORD)
    expect(page.get_by_role("link", name="登記.pdf")).to_be_visible()
    expect(page.get_by_label("營業地址")).to_have_value("南投縣仁愛鄉信義路 8 號")
    page.get_by_label("執照或登記證號碼").fill("南投縣民宿 1234 號")
    page.get_by_label("這是獨資商號").check()
    page.get_by_label("負責人身分證").fill(OWNER_ID)
    page.get_by_label("聯絡人").fill("鄭宇恩")
    page.get_by_label("聯絡電話").fill("049-2801-234")
    page.get_by_label("電子郵件").fill("stay@shanlan.example.tw")
    page.get_by_label("營業執照或登記證", exact=True).set_input_files(licence)
    page.get_by_role("button", name="送出審查").click()
    expect(page.get_by_role("status")).to_contain_text("已送出")
    expect(page.get_by_text("審查中。")).to_be_visible()
    look(page)
    sign_out(page)


def _review(page: Page, address: str, decision: str, reason: str) -> None:
    sign_in(page, address, *DOORS["reviewer-1"], OFFICE_PASSWORD)
    page.get_by_role("link", name=f"審查 {NAME}").click()
    with page.expect_download() as saved:
        page.get_by_role("link", name="登記.pdf").first.click()
    assert saved.value.path().read_bytes() == PDF
    page.get_by_label("說明（業者會看到）").fill(reason)
    look(page)
    page.get_by_role("button", name=decision).click()
    expect(page.get_by_role("status")).to_contain_text(NAME)
    expect(page.get_by_text("目前沒有待審查的申請。")).to_be_visible()
    look(page)
    sign_out(page)


def _correct(page: Page, address: str, registration: Path) -> None:
    sign_in(page, address, "lodging", LOGIN, PASSWORD)
    expect(page.get_by_text("登記證看不清楚，請重新上傳。").first).to_be_visible()
    expect(page.get_by_text("請於 2026/12/1（二）前補正。")).to_be_visible()
    look(page)
    page.get_by_role("button", name="移除 登記.pdf").click()
    expect(page.get_by_role("status")).to_contain_text("已移除")
    page.get_by_label("登記證明", exact=True).set_input_files(registration)
    page.get_by_role("button", name="補正完成").click()
    expect(page.get_by_role("status")).to_contain_text("已送出")
    sign_out(page)


def _first_day(page: Page, address: str) -> None:
    sign_in(page, address, "lodging", LOGIN, PASSWORD)
    expect(page.get_by_role("heading", name="總覽")).to_be_visible()
    look(page)
    page.goto(f"{address}/merchant/sites")
    expect(page.get_by_role("heading", name=NAME, exact=True)).to_be_visible()
    expect(page.get_by_text("南投縣仁愛鄉信義路 8 號")).to_be_visible()
    page.get_by_role("link", name="新增地點").click()
    page.get_by_label("地點名稱").fill("山嵐民宿 櫃台")
    page.get_by_label("營業地址").fill("南投縣仁愛鄉信義路 10 號")
    page.get_by_label("對外電話").fill("049-2801-234")
    look(page)
    page.get_by_role("button", name="確認新增").click()
    expect(page.get_by_role("heading", name="山嵐民宿 櫃台")).to_be_visible()


def _name_account(page: Page) -> None:
    page.get_by_role("link", name="撥款帳戶").click()
    page.get_by_label("銀行").select_option(label="812 台新國際商業銀行")
    page.get_by_label("分行代碼").fill("0012")
    page.get_by_label("帳號", exact=True).fill("20881001234567")
    page.get_by_label("再輸入一次帳號").fill("20881001234568")
    page.get_by_role("button", name="儲存撥款帳戶").click()
    expect(page.get_by_role("alert")).to_contain_text("兩次輸入的帳號不同")
    look(page)
    page.get_by_label("再輸入一次帳號").fill("2088-1001-2345-67")
    page.get_by_role("button", name="儲存撥款帳戶").click()
    expect(page.get_by_role("status")).to_contain_text("撥款帳戶已儲存")
    look(page)
    page.get_by_role("link", name="總覽").click()
    expect(page.get_by_text("撥款帳戶已變更。")).to_be_visible()
    look(page)
