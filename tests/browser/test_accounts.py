"""Accounts in a real browser: codes from a phone, passkeys (Chromium's virtual authenticator), staff accounts, the wrong door.

Passkeys need a name instead of a number: the pages are asked for at ``localhost``. Every page that is stopped at has no
accessibility fault and nothing sticks out sideways.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from tests.support.authenticator import code_of, key_of
from tests.support.browser import axe_violations, watched_page
from tests.support.web import DOORS, PASSWORD, Site, open_site, serving, signed_path

pytest_plugins = ("tests.support.databases",)

SIZES = {"postgres": (1280, 800), "sqlite": (360, 740)}
"""Each database with one size of screen: what a page looks like does not depend on the database."""

VOUCHER = "566780776770"


@pytest.fixture
def site(engine: Engine) -> Site:
    return open_site(engine)


@pytest.fixture
def address(site: Site) -> Iterator[str]:
    with serving(site) as address:
        yield address.replace("127.0.0.1", "localhost")


@pytest.fixture
def page(engine: Engine, browser: Browser) -> Iterator[Page]:
    """A watched page of the size that goes with the database."""
    width, height = SIZES["sqlite" if engine.dialect.name == "sqlite" else "postgres"]
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


def sign_in(page: Page, address: str, staff_id: str, *, door: str = "") -> None:
    own_door, login = DOORS[staff_id]
    page.goto(f"{address}/sign-in/{door or own_door}")
    page.get_by_label("帳號", exact=True).fill(login)
    page.get_by_label("密碼", exact=True).fill(PASSWORD)
    page.locator("main").get_by_role("button").click()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="登出", exact=True).click()


def add_authenticator(page: Page, *, verifies: bool = True) -> None:
    """Plug a key into the browser, whose owner is always there and always says yes."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal" if verifies else "usb",
        "hasResidentKey": verifies,
        "hasUserVerification": verifies,
        "isUserVerified": verifies,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def test_codes_from_a_phone(page: Page, address: str) -> None:
    sign_in(page, address, "boan-admin")
    page.goto(f"{address}/account/")
    look(page)
    page.get_by_role("link", name="設定手機驗證碼").click()
    look(page)
    page.get_by_role("button", name="設定手機驗證碼").click()
    expect(page.locator(".qr-frame svg")).to_be_visible()
    look(page)
    key = key_of(page.content())
    page.get_by_label("App 上的六位數字").fill("000000")
    page.get_by_role("button", name="完成設定").click()
    expect(page.get_by_role("status")).to_contain_text("驗證碼不符")
    page.get_by_role("button", name="設定手機驗證碼").click()
    key = key_of(page.content())
    page.get_by_label("App 上的六位數字").fill(code_of(key))
    page.get_by_role("button", name="完成設定").click()
    expect(page.get_by_role("status")).to_contain_text("手機驗證碼已啟用")
    look(page)
    page.get_by_role("link", name="產生備用碼").click()
    look(page)
    page.get_by_role("button", name="產生備用碼").click()
    expect(page.locator(".codes li")).to_have_count(8)
    look(page)
    recovery_code = page.locator(".codes code").first.inner_text()
    sign_out(page)
    sign_in(page, address, "boan-admin")
    expect(page.get_by_role("heading", name="輸入驗證碼")).to_be_visible()
    look(page)
    page.get_by_label("App 上的六位數字").fill(code_of(key, step=1))
    page.locator("main").get_by_role("button").click()
    expect(page.get_by_role("heading", name="總覽")).to_be_visible()
    sign_out(page)
    sign_in(page, address, "boan-admin")
    page.get_by_role("link", name="使用備用碼").click()
    look(page)
    page.get_by_label("備用碼").fill(recovery_code)
    page.locator("main").get_by_role("button").click()
    expect(page.get_by_role("heading", name="總覽")).to_be_visible()


def test_passkey_instead_of_a_password(page: Page, address: str) -> None:
    add_authenticator(page)
    sign_in(page, address, "boan-scan-1")
    page.goto(f"{address}/account/wan-register")
    look(page)
    page.get_by_label("名稱").fill("櫃台電腦")
    page.get_by_role("button", name="新增：代替密碼登入").click()
    expect(page.get_by_role("status")).to_contain_text("已新增通行密鑰「櫃台電腦」")
    sign_out(page)
    page.goto(address + signed_path(VOUCHER))
    page.get_by_role("link", name="使用通行密鑰登入").click()
    look(page)
    page.get_by_role("button", name="使用通行密鑰").click()
    expect(page.get_by_text(VOUCHER)).to_be_visible()
    expect(page.get_by_label("身分證後四碼")).to_be_visible()
    page.goto(f"{address}/account/wan-register")
    look(page)
    page.get_by_role("button", name="移除通行密鑰：櫃台電腦").click()
    expect(page.get_by_role("status")).to_contain_text("已移除通行密鑰")


def test_passkey_after_the_password_and_to_prove_oneself(page: Page, address: str) -> None:
    add_authenticator(page, verifies=False)
    sign_in(page, address, "boan-admin")
    page.goto(f"{address}/account/wan-register")
    page.get_by_label("名稱").fill("key-1")
    page.get_by_role("button", name="新增：輸入密碼後再確認").click()
    expect(page.get_by_role("status")).to_contain_text("已新增通行密鑰")
    sign_out(page)
    sign_in(page, address, "boan-admin")
    expect(page.get_by_role("heading", name="使用通行密鑰")).to_be_visible()
    page.get_by_role("button", name="使用通行密鑰").click()
    expect(page.get_by_role("heading", name="總覽")).to_be_visible()
    page.goto(f"{address}/account/verify?next=/merchant/staff")
    look(page)
    page.get_by_role("button", name="使用通行密鑰確認").click()
    expect(page.get_by_role("heading", name="掃票同仁管理")).to_be_visible()


def test_no_passkey_on_this_device(page: Page, address: str) -> None:
    add_authenticator(page)
    page.goto(f"{address}/account/wan-signin")
    page.get_by_role("button", name="使用通行密鑰").click()
    expect(page.get_by_text("這次沒有完成。")).to_be_visible()
    look(page)


def test_admin_looks_after_the_scan_staff(page: Page, address: str) -> None:
    sign_in(page, address, "boan-admin")
    page.get_by_role("link", name="掃票同仁", exact=True).click()
    look(page)
    page.get_by_role("link", name="新增掃票同仁").click()
    look(page)
    page.get_by_label("姓名").fill("高子涵")
    page.get_by_label("登入帳號").fill("boan9")
    page.get_by_label("登入密碼").fill("password123")
    page.get_by_label("地點").select_option(label="泊岸旅館 港邊別館")
    page.get_by_role("button", name="確認新增").click()
    expect(page.get_by_role("alert")).to_contain_text("太常見")
    look(page)
    page.get_by_label("登入密碼").fill("seven quiet herons")
    page.get_by_role("button", name="確認新增").click()
    expect(page.get_by_role("status")).to_contain_text("已新增 高子涵")
    page.get_by_role("link", name="修改 高子涵").click()
    look(page)
    page.get_by_role("button", name="停用帳號").click()
    expect(page.get_by_role("status")).to_contain_text("已停用")
    look(page)


def test_wrong_door_leads_to_the_right_one(page: Page, address: str) -> None:
    sign_in(page, address, "yunling-admin", door="lodging")
    expect(page.get_by_role("alert")).to_contain_text("屬於「觀光遊樂業」")
    look(page)
    page.get_by_role("link", name="前往「觀光遊樂業」登入").click()
    expect(page.get_by_role("heading", name="觀光遊樂業登入")).to_be_visible()
