"""A walk through every page of the web in every state that it has, for pictures and for checks.

The site has three weeks of real life behind it (:mod:`tests.support.web_life`); a second one is empty. At every stop the walker
says where it is; what is done there, a picture or a check, is the caller's.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args
from uuid import UUID

from playwright.sync_api import Browser, BrowserContext, Page

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.migrations import migrate
from cloud.ports.people import Throttle
from tests.fakes.web_store import Away, Unreachable
from tests.support.applying import CATEGORY, application_id, play_applications
from tests.support.applying import PASSWORD as APPLICANT_PASSWORD
from tests.support.authenticator import code_of, key_of
from tests.support.web import DOORS, PASSWORD, open_site, serving, with_parts
from tests.support.web_api import connect_life
from tests.support.web_life import Life, live

SIZES = {"desktop": (1280, 800), "phone": (360, 740)}
TOLERATED = "Failed to load resource: the server responded with a status of"
"""What the browser itself remarks on a page that answers 404, 403 or 503; the pages log nothing."""

PUBLIC_PAGES = {
    "shops": "/shops",
    "shops-found": "/shops?category=lodging&county=ILA",
    "shops-none": "/shops?q=%E6%B2%92%E6%9C%89",
    "voucher-status": "/voucher-status",
    "accessibility": "/accessibility",
    "privacy": "/privacy",
    "guide": "/how-to-use",
}
MERCHANT_PAGES = {
    "merchant-overview": "/merchant/",
    "merchant-transactions": "/merchant/transactions",
    "merchant-transactions-filtered": "/merchant/transactions?state=unconfirmed",
    "merchant-transactions-sorted": "/merchant/transactions?sort=-order_total&size=25",
    "merchant-transactions-none": "/merchant/transactions?state=returned",
    "merchant-confirm-all": "/merchant/confirm-all",
    "merchant-claims-running": "/merchant/claims",
    "merchant-claims-unconfirmed": "/merchant/claims?state=unconfirmed",
    "merchant-claims-sent": "/merchant/claims?period=2026-11-11",
    "merchant-claims-paid": "/merchant/claims?period=2026-11-04",
    "merchant-claims-none": "/merchant/claims?period=2026-10-28",
    "merchant-transactions-narrowed": "/merchant/transactions?by=boan-scan-1&site=boan-lobby&from=2026-11-18&voucher=12",
    "merchant-kiosks": "/merchant/kiosks",
    "merchant-staff": "/merchant/staff",
    "merchant-staff-new": "/merchant/staff/new",
    "merchant-staff-change": "/merchant/staff/boan-scan-1",
}
ACCOUNT_PAGES = {
    "account": "/account/",
    "account-password": "/account/password",
    "account-codes": "/account/mf-recovery-codes",
    "account-passkeys": "/account/wan-register",
    "account-prove": "/account/verify",
    "account-phone": "/account/tf-setup",
}
OFFICE_PAGES = {
    "office-overview": "/office/",
    "office-programmes": "/office/programmes",
    "office-programme": "/office/programmes/travel-2026",
    "office-programme-change": "/office/programmes/travel-2026/change",
    "office-programme-new": "/office/new-programme",
    "office-items": "/office/items",
    "office-signals": "/office/signals?burst_count=2&burst_minutes=60&days=3&pair_count=2",
    "office-signals-none": "/office/signals",
    "office-audit": "/office/audit?check=1",
    "office-audit-none": "/office/audit?object=nothing",
    "office-issue": "/office/issues",
    "office-kiosks": "/office/kiosks",
    "office-revoke": "/office/kiosks/kiosk-c4n6ta/revoke",
    "office-settlements": "/office/settlements",
    "office-week": "/office/settlements/2026-11-04",
    "office-week-none": "/office/settlements/2026-11-04?state=sent",
    "office-payouts": "/office/payouts",
    "office-returns": "/office/returns",
    "office-cases": "/office/cases",
    "office-cases-none": "/office/cases?kind=parked",
    "office-merchants": "/office/merchants",
    "office-people": "/office/people",
    "office-people-new": "/office/people/new",
    "office-people-change": "/office/people/finance-1",
}
CONNECT_PAGES = {
    "connect": "/merchant/connect",
    "connect-key-new": "/merchant/connect/keys/new",
    "connect-key": "/merchant/connect/keys/k-lobby",
    "connect-key-revoked": "/merchant/connect/keys/k-old",
    "connect-webhook-new": "/merchant/connect/webhooks/new",
    "connect-webhook": "/merchant/connect/webhooks/w-pos",
    "api-docs": "/api/docs",
}
STARTS = {"reviewer-1": "reviewer-start", "finance-1": "finance-start", "auditor-1": "auditor-start"}
"""Where the office's other roles arrive; a technician does so in the chapter on accounts."""

EMPTY_MERCHANT_PAGES = {
    "empty-merchant-overview": "/merchant/",
    "empty-merchant-transactions": "/merchant/transactions",
    "empty-merchant-confirm-all": "/merchant/confirm-all",
    "empty-merchant-claims": "/merchant/claims",
    "empty-merchant-claims-unconfirmed": "/merchant/claims?state=unconfirmed",
    "empty-merchant-kiosks": "/merchant/kiosks",
    "empty-merchant-connect": "/merchant/connect",
}
EMPTY_OFFICE_PAGES = {
    "empty-office-overview": "/office/",
    "empty-office-programme": "/office/programmes/spring-2025",
    "empty-office-signals": "/office/signals",
    "empty-office-issue": "/office/issues",
    "empty-office-kiosks": "/office/kiosks",
    "empty-office-settlements": "/office/settlements",
    "empty-office-payouts": "/office/payouts",
    "empty-office-returns": "/office/returns",
    "empty-office-cases": "/office/cases",
}

REVIEW_PAGES = {
    "review-queue": "/office/applications?state=all",
    "review-none": "/office/applications?search=nobody",
    "review-merchant": "/office/merchants/boan-hotel",
}
BUSINESS_PAGES = {
    "business-profile": "/merchant/business",
    "business-sites": "/merchant/sites",
    "business-protect": "/account/protect",
}

_SAY = """what => {
  const line = document.querySelector("[data-line]");
  line.hidden = false;
  for (const part of line.children) part.hidden = part.dataset.says !== what || part.dataset.final !== "true";
  for (const part of document.querySelector("[data-desk]").children) part.inert = !part.matches(".head, [data-line]");
}"""
"""Makes the desk say what its script says while there is no answer."""

_NO_CAMERA = """() => {
  navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", "NotAllowedError"));
}"""
_ASK_NOTHING = "() => document.querySelectorAll('form[data-ask-again-s]').forEach(one => one.replaceWith(one.cloneNode(true)))"
"""Keeps the page of an unknown outcome from asking by itself while it is looked at."""

Chapter = Literal[
    "public", "accounts", "merchant", "scan", "office", "apply", "review", "business", "connect", "money", "problems", "empty"
]
CHAPTERS: tuple[Chapter, ...] = get_args(Chapter)
"""The parts of a walk, each of which stands for itself."""


class Look(NamedTuple):
    """How somebody sees the pages."""

    size: Literal["desktop", "phone"]
    scheme: Literal["light", "dark"]
    language: str

    def context(self, browser: Browser) -> BrowserContext:
        """A browser of its own that looks so."""
        width, height = SIZES[self.size]
        locale = {"zh-Hant-TW": "zh-TW", "en": "en-GB", "ja": "ja-JP", "ko": "ko-KR"}[self.language]
        return browser.new_context(
            viewport={"width": width, "height": height}, locale=locale, color_scheme=self.scheme, reduced_motion="reduce"
        )


@dataclass(frozen=True)
class Stage:
    """The site that is walked through, and what can be made to fail."""

    address: str
    empty_address: str
    life: Life
    submitted_id: UUID
    """An application that waits for the office."""
    store: Unreachable
    reports: Away
    throttles: tuple[Throttle, ...]
    disputed: list[str] = field(default_factory=list)
    """The one transaction that a walk disputes; a transaction is disputed once."""


@contextmanager
def open_stage() -> Iterator[Stage]:
    """Serve the site after three weeks, and an empty one."""
    with tempfile.TemporaryDirectory() as folder:
        engines = [make_engine(f"sqlite:///{Path(folder) / name}.sqlite3") for name in ("lived", "empty")]
        for engine in engines:
            migrate(engine)
        site, empty = map(open_site, engines)
        life = live(site)
        play_applications(site)
        connect_life(site)
        store, reports = Unreachable(site.parts.scan.store), Away(site.parts.reports)
        lived: dict[str, Any] = {"scan": replace(site.parts.scan, store=store), "reports": reports}
        with serving(with_parts(site, **lived)) as address, serving(empty) as empty_address:
            yield Stage(
                address, empty_address, life, application_id(site), store, reports, (site.parts.throttle, empty.parts.throttle)
            )
        for engine in engines:
            engine.dispose()


class Tour:
    """One walk. ``stop`` is called with the name of each page and state, which the page then shows."""

    def __init__(self, page: Page, stage: Stage, stop: Callable[[str], None]) -> None:
        self._page = page
        self._stage = stage
        self._stop = stop
        self._address = stage.address

    def walk(self, *chapters: Chapter) -> None:
        """See everything, or only these chapters."""
        for chapter in chapters or CHAPTERS:
            getattr(self, f"_{chapter}")()

    def _public(self) -> None:
        self._see("home", "/")
        self._page.locator(".settings summary").click()
        self._stop("home-settings")
        for name, path in PUBLIC_PAGES.items():
            self._see(name, path)
        self._page.locator(".question summary").first.click()
        self._stop("guide-question")
        self._ask_about("566780776770", "0000")
        self._stop("voucher-status-nothing")
        free = self._stage.life.free[0]
        self._ask_about(free, self._stage.life.digits[free])
        self._stop("voucher-status-unused")
        used = next(number for number in self._stage.life.digits if number not in self._stage.life.free)
        self._ask_about(used, self._stage.life.digits[used])
        self._stop("voucher-status-used")
        self._see("sign-in", "/sign-in/lodging")
        self._see("sign-in-voucher", "/sign-in/scan?next=/v/566780776770")
        self._enter("boan-admin", "wrong-guess")
        self._stop("sign-in-no-match")

    def _ask_about(self, voucher_no: str, digits: str) -> None:
        for throttle in self._stage.throttles:
            throttle.forget("status 127.0.0.1")
        self._go("/voucher-status")
        self._page.locator("#code").fill(voucher_no)
        self._type("#digits", digits)

    def _accounts(self) -> None:
        self._enter("boan-admin", door="amusement")
        self._stop("sign-in-other-door")
        self._see("sign-in-passkey", "/account/wan-signin")
        self._enter("boan-admin")
        for name, path in ACCOUNT_PAGES.items():
            self._see(name, path)
        self._press()
        self._stop("account-phone-scan")
        self._go("/merchant/staff/new")
        for selector, text in {"#name": "高子涵", "#login": "boan9", "#password": "password123"}.items():
            self._page.locator(selector).fill(text)
        self._page.locator("#site").select_option(index=1)
        self._press()
        self._stop("merchant-staff-new-common")
        self._second_factor()

    def _second_factor(self) -> None:
        """Set codes up, sign in with one that was kept, and leave the account as it was."""
        self._enter("technician-1")
        self._stop("technician-start")
        self._go("/account/tf-setup")
        self._press()
        self._type("#code", code_of(key_of(self._page.content())))
        self._go("/account/mf-recovery-codes")
        self._press()
        self._stop("account-codes-made")
        kept = self._page.locator(".codes code").first.inner_text()
        self._see("account-guarded", "/account/")
        self._enter("technician-1")
        self._stop("sign-in-code")
        with self._page.expect_navigation():
            self._page.locator("main a").click()
        self._stop("sign-in-recovery")
        self._type("#code", kept)
        self._see("account-phone-set", "/account/tf-setup")
        with self._page.expect_navigation():
            self._page.locator("main button[value=disable]").click()

    def _merchant(self) -> None:
        self._enter("boan-admin")
        for name, path in MERCHANT_PAGES.items():
            self._see(name, path)
        for state in ("unconfirmed", "confirmed", "sent", "paid"):
            self._detail(state)
        self._enter("yunling-admin")
        self._detail("returned")
        self._see("merchant-claims-returned", "/merchant/claims?period=2026-11-04")

    def _detail(self, state: str) -> None:
        self._go(f"/merchant/transactions?state={state}")
        with self._page.expect_navigation():
            self._page.locator("td.do a").first.click()
        self._stop(f"merchant-transaction-{state}")

    def _scan(self) -> None:
        """One order of two vouchers, with everything that can be said on the way."""
        life = self._stage.life
        first, second = life.free.pop(), life.free.pop()
        self._enter("boan-scan-1")
        self._stop("scan-1-start")
        self._page.evaluate(_NO_CAMERA)
        self._page.locator("[data-open-camera]").click()
        self._page.locator(".camera.failed").wait_for()
        self._stop("scan-1-camera-denied")
        self._page.locator("[data-close-camera]").click()
        self._page.evaluate("dispatchEvent(new Event('offline')); document.querySelector('[data-offline]').hidden = false")
        self._stop("scan-1-offline")
        self._type("#code", first)
        self._stop("scan-2-digits")
        self._type("#digits", "----")
        self._stop("scan-2-digits-no-match")
        self._type("#digits", life.digits[first])
        self._type("#code", second)
        self._type("#digits", life.digits[second])
        self._stop("scan-3-order")
        self._press()
        self._stop("scan-4-item")
        self._press("main .options button")
        self._stop("scan-4-total")
        self._type("#total", "1500")
        self._stop("scan-4-review-no-change")
        self._press("main form[action='/scan/total'] button")
        self._type("#total", "5050")
        self._stop("scan-4-review")
        for what in ("asking", "waiting", "unanswered"):
            self._page.evaluate(_SAY, what)
            self._stop(f"scan-5-{what}")
        self._page.reload()
        self._stage.store.fails = True
        self._press("main form[data-final] button.primary")
        self._page.evaluate(_ASK_NOTHING)
        self._stop("scan-5-unknown")
        self._stage.store.fails = False
        self._press("main form[data-final] button.primary")
        self._stop("scan-5-done")
        self._go("/scan")
        self._type("#code", first)
        self._type("#digits", life.digits[first])
        self._stop("scan-refused-used")

    def _office(self) -> None:
        self._enter("office-1")
        for name, path in OFFICE_PAGES.items():
            self._see(name, path)
        self._page.locator("#main").evaluate("main => main.focus()")
        self._go("/office/kiosks/kiosk-c4n6ta/revoke")
        self._page.locator("#reason").fill(" ")
        with self._page.expect_navigation():
            self._page.locator("button.danger").click()
        self._stop("office-revoke-no-reason")
        self._go("/office/issues")
        self._page.locator("#holders").set_input_files(
            {"name": "holders.csv", "mimeType": "text/csv", "buffer": b"name,last_four\nA,12\n"}
        )
        self._press()
        self._stop("office-issue-bad-file")
        self._drafts()
        self._go("/office/kiosks")
        self._press()
        self._stop("office-claim-code")
        for staff_id, name in STARTS.items():
            self._enter(staff_id)
            self._stop(name)

    def _apply(self) -> None:
        self._go("/apply")
        self._page.locator("form.form-card").evaluate("form => { form.noValidate = true }")
        self._press()
        self._stop("apply-slips")
        for login, state in {"shanlan": "submitted", "wutai": "returned"}.items():
            self._sign_in(CATEGORY, login, APPLICANT_PASSWORD)
            self._stop(f"application-{state}")
        self._sign_in(CATEGORY, "xitou", APPLICANT_PASSWORD)
        self._press()
        self._stop("application-draft")

    def _review(self) -> None:
        self._enter("reviewer-1")
        for name, path in REVIEW_PAGES.items():
            self._see(name, path)
        self._go(f"/office/applications/{self._stage.submitted_id}")
        with self._page.expect_navigation():
            self._page.locator("button[value=reject]").click()
        self._stop("review-application")
        self._go("/office/merchants/boan-hotel")
        self._page.locator("#reason").fill("終止合約。")
        with self._page.expect_navigation():
            self._page.locator("button[value=terminate]").click()
        self._stop("review-terminate")
        self._enter("finance-1")
        self._see("review-accounts", "/office/payout-accounts")

    def _business(self) -> None:
        self._sign_in(CATEGORY, "sun", APPLICANT_PASSWORD)
        self._stop("business-first-day")
        self._enter("boan-admin")
        for name, path in BUSINESS_PAGES.items():
            self._see(name, path)
        self._go("/merchant/payout-account")
        self._page.locator("#account_no_again").fill("1")
        self._press()
        self._stop("business-account")
        self._enter("yunling-admin")
        self._stop("business-account-notice")

    def _drafts(self) -> None:
        """A draw that is looked at; a programme whose form needs a correction; what is behind a signal."""
        self._go("/office/issues")
        self._page.locator("input[value=draw]").check()
        self._page.locator("#suffixes").fill("89 410")
        registered = "name,national_id\n王小明,A123456789\n陳美玲,A223456781\n".encode()
        self._page.locator("#holders").set_input_files({"name": "draw.csv", "mimeType": "text/csv", "buffer": registered})
        self._press()
        self._stop("office-draft")
        self._see("office-issue-waiting", "/office/issues")
        self._go("/office/new-programme")
        for place, text in {
            "#programme_id": "Autumn",
            "#name_zh": "秋遊券",
            "#name_en": "Autumn",
            "#ends_on": "2026-01-01",
        }.items():
            self._page.locator(place).fill(text)
        self._press()
        self._stop("office-programme-problems")
        self._go("/office/signals?burst_count=2&burst_minutes=60&days=60")
        with self._page.expect_navigation():
            self._page.locator("td.do a").first.click()
        self._stop("office-signal-rows")

    def _connect(self) -> None:
        """Keys and webhooks in every state, what is shown once, and what is said of a form that does not fit."""
        self._enter("boan-admin")
        for name, path in CONNECT_PAGES.items():
            self._see(name, path)
        self._go("/merchant/connect/keys/new")
        self._page.locator("#name").fill("大廳收銀機 4 號")
        self._page.locator("#site").select_option(index=1)
        self._page.locator("#scope-redeem").uncheck()
        self._press()
        self._stop("connect-key-new-no-scope")
        self._page.locator("#scope-redeem").check()
        self._press()
        self._stop("connect-key-made")
        self._go("/merchant/connect/webhooks/new")
        self._type("#url", "https://user@pos.example.tw/")
        self._stop("connect-webhook-new-wrong")
        self._type("#url", "https://book.example.tw/")
        self._stop("connect-webhook-made")
        self._enter("yunling-admin")
        self._stop("merchant-overview-webhook-disabled")
        self._see("connect-disabled", "/merchant/connect")
        self._see("connect-webhook-disabled", "/merchant/connect/webhooks/w-gone")

    def _money(self) -> None:
        """Take back, dispute, prepare and withdraw: everything is left as it was found, for the walk in the next language."""
        self._enter("boan-admin")
        self._go("/merchant/transactions?state=unconfirmed")
        for number in range(2):
            self._page.locator("input[name=id]").nth(number).check()
        self._click("button[form=chosen]")
        self._stop("merchant-confirm-some")
        self._press()
        self._stop("merchant-undo")
        self._click(".undo button")
        self._stop("merchant-undone")
        self._go("/merchant/transactions?state=unconfirmed")
        self._click(".row-actions a")
        self._click(".trail-card .after a")
        self._stop("merchant-dispute")
        self._page.locator("#reason").fill(" ")
        self._press()
        self._stop("merchant-dispute-no-reason")
        if not self._stage.disputed:
            self._page.locator("#reason").fill("金額多打一個零")
            self._press()
            self._stage.disputed.append(self._page.url.rpartition("/")[2])
        self._see("merchant-disputed", f"/merchant/transactions/{self._stage.disputed[0]}")
        self._see("merchant-dispute-not-now", f"/merchant/transactions/{self._stage.disputed[0]}/dispute")
        self._pay_runs()

    def _pay_runs(self) -> None:
        self._enter("finance-1")
        self._see("office-case-disputed", f"/office/cases/disputed/{self._stage.disputed[0]}")
        self._go("/office/cases?kind=returned")
        self._click("td.lead-fact a")
        self._stop("office-case-returned")
        self._go("/office/payouts")
        self._press()
        self._stop("office-run-own")
        run = self._page.url.removeprefix(self._address)
        self._see("office-payouts-waiting", "/office/payouts")
        self._enter("finance-2")
        self._see("office-run-other", run)
        self._click("td.lead-fact a")
        self._stop("office-claim")
        self._go(run)
        self._page.locator("#reason").fill("金額待查")
        self._click("form[action$=withdraw] button")
        self._see("office-run-withdrawn", run)
        self._go("/office/returns")
        file = {"name": "r.txt", "mimeType": "text/plain", "buffer": b"BOF"}
        self._page.locator("#answer").set_input_files(file)
        self._press()
        self._stop("office-return-unreadable")
        self._page.locator("#answer").set_input_files(file | {"buffer": self._stage.life.answer})
        self._press()
        self._stop("office-return-preview")
        self._page.goto(self._page.url + "?file_no=1")
        self._stop("office-return-unfit")

    def _problems(self) -> None:
        self._enter("office-1")
        self._see("problem-403", "/merchant/")
        self._see("problem-404", "/nowhere")
        self._enter("boan-admin")
        self._page.evaluate("document.querySelector('[data-stale]').hidden = false")
        self._stop("merchant-overview-stale")
        self._stage.reports.fails = True
        self._see("problem-503", "/merchant/")
        self._stage.reports.fails = False

    def _empty(self) -> None:
        self._address = self._stage.empty_address
        self._enter("boan-admin")
        for name, path in EMPTY_MERCHANT_PAGES.items():
            self._see(name, path)
        self._enter("office-1")
        for name, path in EMPTY_OFFICE_PAGES.items():
            self._see(name, path)

    def _enter(self, staff_id: str, password: str = PASSWORD, *, door: str = "") -> None:
        own_door, login = DOORS[staff_id]
        self._sign_in(door or own_door, login, password)

    def _sign_in(self, door: str, login: str, password: str) -> None:
        for throttle in self._stage.throttles:
            # The stage's clock stands still, and everybody comes from one address.
            throttle.forget("address 127.0.0.1")
            throttle.forget("apply 127.0.0.1")
        self._go(f"/sign-in/{door}")
        self._page.locator("#login").fill(login)
        self._page.locator("#password").fill(password)
        self._press()

    def _type(self, field: str, text: str) -> None:
        self._page.locator(field).fill(text)
        with self._until_next_page():
            self._page.locator(field).press("Enter")

    def _click(self, selector: str) -> None:
        with self._page.expect_navigation():
            self._page.locator(selector).first.click()

    def _press(self, what: str = "main button.primary:visible") -> None:
        with self._until_next_page():
            self._page.locator(what).first.click()

    @contextmanager
    def _until_next_page(self) -> Iterator[None]:
        """Wait until what stands on the page has gone: with the page, or, at the voucher desk, for the answer in its place."""
        self._page.evaluate("() => { window.before = document.querySelector('main').lastElementChild; }")
        yield
        self._page.wait_for_function("() => !window.before || !window.before.isConnected")
        self._page.wait_for_load_state()

    def _go(self, path: str) -> None:
        self._page.goto(self._address + path)

    def _see(self, name: str, path: str) -> None:
        self._go(path)
        self._stop(name)
