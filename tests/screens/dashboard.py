"""The dashboard: every page in every state, desktop and phone, light and dark, in both languages.

The pictures show a real database on which the example programme has run for three weeks: one week paid, one at the bank, one
running.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.migrations import migrate
from tests.fakes.web_store import Unreachable
from tests.support.browser import watched_page
from tests.support.web import DOORS, PASSWORD, open_site, serving, with_parts
from tests.support.web_life import Life, live

SIZES = {"desktop": (1280, 800), "phone": (360, 740)}
WAYS: tuple[tuple[Literal["light", "dark"], str], ...] = (("light", "zh-TW"), ("light", "en-GB"), ("dark", "zh-TW"))
MERCHANT_PAGES = {
    "merchant-overview": "/merchant/",
    "merchant-transactions": "/merchant/transactions",
    "merchant-transactions-filtered": "/merchant/transactions?state=unconfirmed",
    "merchant-transactions-none": "/merchant/transactions?state=returned",
    "merchant-confirm-all": "/merchant/confirm-all",
    "merchant-claims-running": "/merchant/claims",
    "merchant-claims-unconfirmed": "/merchant/claims?state=unconfirmed",
    "merchant-claims-sent": "/merchant/claims?period=2026-11-11",
    "merchant-claims-paid": "/merchant/claims?period=2026-11-04",
    "merchant-claims-none": "/merchant/claims?period=2026-10-28",
    "merchant-kiosks": "/merchant/kiosks",
    "merchant-staff": "/merchant/staff",
    "merchant-staff-new": "/merchant/staff/new",
    "merchant-staff-change": "/merchant/staff/boan-scan-1",
    "account": "/account/",
    "account-password": "/account/password",
    "account-codes": "/account/mf-recovery-codes",
    "account-passkeys": "/account/wan-register",
    "account-prove": "/account/verify",
    "account-phone": "/account/tf-setup",
}
OFFICE_PAGES = {
    "office-issue": "/office/",
    "office-kiosks": "/office/kiosks",
    "office-revoke": "/office/kiosks/kiosk-c4n6ta/revoke",
    "office-settlements": "/office/settlements",
    "office-people": "/office/people",
    "office-people-new": "/office/people/new",
}


def render(outdir: Path, browser: Browser) -> None:
    """Write ``<size>/<scheme>-<language>/<page>.png``."""
    with open_dashboard() as (address, life, store):
        for size, (width, height) in SIZES.items():
            for scheme, locale in WAYS:
                context = browser.new_context(
                    viewport={"width": width, "height": height}, locale=locale, color_scheme=scheme, reduced_motion="reduce"
                )
                folder = outdir / size / f"{scheme}-{locale.partition('-')[0]}"
                folder.mkdir(parents=True, exist_ok=True)
                with watched_page(context) as page:
                    _Album(page, address, folder, store).fill(life)
                context.close()


class _Album:
    def __init__(self, page: Page, address: str, folder: Path, store: Unreachable) -> None:
        self._page = page
        self._store = store
        self._address = address
        self._folder = folder

    def fill(self, life: Life) -> None:
        self._shoot("home", "/")
        self._shoot("sign-in", "/sign-in/lodging")
        self._shoot("sign-in-voucher", "/sign-in/scan?next=/v/566780776770")
        self._enter("boan-admin", "wrong-guess")
        self._shoot("sign-in-no-match")
        self._enter("boan-admin", door="amusement")
        self._shoot("sign-in-other-door")
        self._shoot("sign-in-passkey", "/account/wan-signin")
        self._enter("boan-admin")
        for name, path in MERCHANT_PAGES.items():
            self._shoot(name, path)
        self._press()
        self._shoot("account-phone-scan")
        self._page.goto(f"{self._address}/merchant/transactions?state=unconfirmed")
        self._page.locator("td.do a").first.click()
        self._shoot("merchant-transaction")
        self._scan(life)
        self._enter("office-1")
        for name, path in OFFICE_PAGES.items():
            self._shoot(name, path)
        self._page.goto(f"{self._address}/office/kiosks")
        self._press()
        self._shoot("office-claim-code")

    def _scan(self, life: Life) -> None:
        """One order of two vouchers, with everything that can be said on the way."""
        first, second = life.free.pop(), life.free.pop()
        self._enter("boan-scan-1")
        self._shoot("scan-1-start")
        self._type("#code", first)
        self._shoot("scan-2-digits")
        self._type("#digits", "----")
        self._shoot("scan-2-digits-no-match")
        self._type("#digits", life.digits[first])
        self._type("#code", second)
        self._type("#digits", life.digits[second])
        self._shoot("scan-3-order")
        self._press()
        self._shoot("scan-4-checkout")
        self._page.locator("#item").select_option(index=1)
        self._type("#total", "1500")
        self._shoot("scan-4-checkout-no-change")
        self._store.fails = True
        self._type("#total", "5050")
        self._shoot("scan-5-unknown")
        self._store.fails = False
        self._press()
        self._shoot("scan-5-done")
        self._page.goto(f"{self._address}/scan")
        self._type("#code", first)
        self._type("#digits", life.digits[first])
        self._shoot("scan-refused-used")

    def _enter(self, staff_id: str, password: str = PASSWORD, *, door: str = "") -> None:
        own_door, login = DOORS[staff_id]
        self._page.goto(f"{self._address}/sign-in/{door or own_door}")
        self._page.locator("#login").fill(login)
        self._page.locator("#password").fill(password)
        self._press()

    def _type(self, field: str, text: str) -> None:
        self._page.locator(field).fill(text)
        with self._page.expect_navigation():
            self._page.locator(field).press("Enter")

    def _press(self) -> None:
        with self._page.expect_navigation():
            self._page.locator("main button.primary").first.click()

    def _shoot(self, name: str, path: str | None = None) -> None:
        if path is not None:
            self._page.goto(self._address + path)
        self._page.screenshot(path=self._folder / f"{name}.png", full_page=True)


@contextmanager
def open_dashboard() -> Iterator[tuple[str, Life, Unreachable]]:
    """Serve the dashboard after three weeks: its address, the life behind it, and the store that can be made to fail."""
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(f"sqlite:///{folder}/pictures.sqlite3")
        migrate(engine)
        site = open_site(engine)
        life = live(site)
        store = Unreachable(site.parts.scan.store)
        with serving(with_parts(site, scan=replace(site.parts.scan, store=store))) as address:
            yield address, life, store
        engine.dispose()
