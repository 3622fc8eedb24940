"""Merchants, their bank and the programme office of the demo: what happens in the evenings and on Wednesdays."""

import http.cookiejar
import re
import urllib.parse
import urllib.request
from dataclasses import dataclass
from datetime import date

from tests.demo.processes import DemoError
from tests.demo.world import DEMO_PASSWORD, World
from tests.support.bank import answer_p01

ACCOUNT_CLOSED = "22"
_CSRF = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class MerchantLogin:
    """How one merchant's admin signs in."""

    door: str
    login: str


class MerchantAtDesk:
    """A merchant's administrator with a browser, without the browser: forms and cookies over HTTP."""

    def __init__(self, world: World, who: MerchantLogin) -> None:
        self._url = world.web_url
        self._who = who
        self._http = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def confirm_all(self) -> None:
        """Sign in and press 一鍵確認."""
        self._submit(f"/sign-in/{self._who.door}", {"login": self._who.login, "password": DEMO_PASSWORD})
        self._submit("/merchant/confirm-all", {})

    def _submit(self, path: str, fields: dict[str, str]) -> str:
        form = self._get(path)
        token = _CSRF.search(form)
        if token is None:
            raise DemoError(f"the page {path} holds no form")
        body = urllib.parse.urlencode({**fields, "csrf_token": token[1]}).encode()
        request = urllib.request.Request(self._url + path, body, {"Origin": self._url, "Referer": self._url + path})
        with self._http.open(request, timeout=20) as answer:
            page: str = answer.read().decode("utf-8")
            return page

    def _get(self, path: str) -> str:
        with self._http.open(self._url + path, timeout=20) as answer:
            page: str = answer.read().decode("utf-8")
            return page


def pay_and_hear(world: World, *, refuse_accounts: set[str], today: date) -> bool:
    """Make the payout file, give it to the bank, import what the bank returns. False: there was nothing to pay."""
    sent, returned = world.root / f"payout-{today}.txt", world.root / f"return-{today}.txt"
    # Two people of finance, as in life: without both there is no file.
    people = ("--prepared-by", "finance-1", "--released-by", "finance-2")
    world.cloud("pay", "--format", "ach_p01", "--out", str(sent), *people)
    if not sent.exists():
        return False
    answer = answer_p01(sent.read_bytes(), failures=dict.fromkeys(refuse_accounts, ACCOUNT_CLOSED), answered_on=today)
    returned.write_bytes(answer)
    world.cloud("import-return", str(returned))
    return True
