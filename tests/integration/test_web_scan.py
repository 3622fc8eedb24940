"""The staff scan page over HTTP: a whole order, every way it can go, on the judge and database that kiosks use."""

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape

import pytest
from sqlalchemy import Engine, delete, func, select

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.tables import digit_try, hold, inbox, item_category, redemption
from cloud.web.staff import CHECKS_MAX
from tests.fakes.web_store import Unreachable
from tests.support.web import Site, Visitor, issue, open_site, signed_path, with_parts

pytest_plugins = ("tests.support.databases",)

A, B, C = "566780776770", "409842918253", "000000000001"
DIGITS = {A: "1234", B: "ᚠᚢᚦᚨ", C: "0001"}
ITEM = "room"


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
def clerk(site: Site) -> Visitor:
    visitor = site.visitor("boan-scan-1")
    visitor.get("/scan")
    return visitor


def take(clerk: Visitor, voucher_no: str, digits: str | None = None) -> None:
    clerk.post("/scan/voucher", {"code": voucher_no})
    clerk.post("/scan/check", {"digits": DIGITS[voucher_no] if digits is None else digits})


def ask(clerk: Visitor, total: str, *, item: str = ITEM) -> None:
    """Up to the page with the button that cannot be taken back."""
    clerk.post("/scan/total", {"item": item})
    clerk.post("/scan/review", {"total": total})


def buy(clerk: Visitor, total: str, *, item: str = ITEM) -> None:
    ask(clerk, total, item=item)
    clerk.post("/scan/redeem")


def count(site: Site, table: object) -> int:
    with site.engine.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)  # type: ignore[arg-type]


def test_whole_order_of_two_vouchers(site: Site, clerk: Visitor) -> None:
    take(clerk, A)
    assert "●●●●●●●●" in clerk.page
    take(clerk, B)
    assert "2,000\u2009元" in clerk.page
    clerk.post("/scan/checkout")
    ask(clerk, "5,050")
    assert "按下確認抵用之後，無法退券給消費者!" in clerk.page
    assert "3,050\u2009元" in clerk.page, "what the customer will pay is said before it is asked"
    clerk.post("/scan/redeem")
    assert "折抵國旅券成功" in clerk.page
    assert "3,050\u2009元" in clerk.page
    assert "抵用完成，應注意消費者須補差額" in clerk.page
    assert "下一位客戶掃票" in clerk.page
    assert count(site, redemption) == 1
    assert count(site, hold) == 0
    admin = site.visitor("boan-admin")
    admin.get("/merchant/transactions")
    assert f"{A}</span>" in admin.page or f"{B}</span>" in admin.page
    assert "許雅筑" in admin.page


def test_clicking_twice_and_reloading_repeat_the_same_request(site: Site, clerk: Visitor) -> None:
    clerk.post("/scan/voucher", {"code": A})
    form = clerk.hidden_fields("/scan/check") | {"digits": "9999"}
    for _ in range(3):
        clerk.post("/scan/check", form, hidden=False)
        assert "還可以輸入 4 次" in clerk.page
    assert count(site, digit_try) == 1
    clerk.post("/scan/check", {"digits": DIGITS[A]})
    clerk.post("/scan/checkout")
    ask(clerk, "1500")
    form = clerk.hidden_fields("/scan/redeem")
    pages = []
    for _ in range(3):
        clerk.post("/scan/redeem", form, hidden=False)
        pages.append(clerk.page)
    assert "折抵國旅券成功" in pages[0]
    assert _without_csrf(pages[0]) == _without_csrf(pages[1]) == _without_csrf(pages[2])
    assert count(site, redemption) == 1


@pytest.mark.parametrize("back_to", ["/scan/redeem", "/scan/review", "/scan/total"])
def test_going_back_and_changing_the_total_shows_what_was_done(site: Site, clerk: Visitor, back_to: str) -> None:
    take(clerk, A)
    pages: dict[str, str] = {}
    for path, answer in (
        ("/scan/checkout", {}),
        ("/scan/total", {"item": ITEM}),
        ("/scan/review", {"total": "1500"}),
        ("/scan/redeem", {}),
    ):
        pages[path] = clerk.page
        clerk.post(path, answer)
    assert "折抵國旅券成功" in clerk.page
    clerk.page = pages[back_to]
    if back_to == "/scan/redeem":
        clerk.post("/scan/redeem", clerk.hidden_fields("/scan/redeem") | {"total": "9000"}, hidden=False)
    else:
        if back_to == "/scan/total":
            clerk.post("/scan/total", {"item": ITEM})
        clerk.post("/scan/review", {"total": "9000"})
        clerk.post("/scan/redeem")
    assert "先前已抵用成功" in clerk.page
    assert "1,500\u2009元" in clerk.page
    assert "9,000" not in clerk.page
    assert count(site, redemption) == 1


def test_going_back_after_a_refusal_is_a_new_request(site: Site, clerk: Visitor) -> None:
    take(clerk, A)
    clerk.post("/scan/checkout")
    ask(clerk, "1500")
    form = clerk.hidden_fields("/scan/redeem")
    clerk.post("/scan/redeem", form | {"total": "99999999"}, hidden=False)
    assert "total_not_allowed" in clerk.page
    clerk.post("/scan/redeem", form | {"total": "1500"}, hidden=False)
    assert "折抵國旅券成功" in clerk.page


def test_going_back_after_wrong_digits_is_a_new_try(site: Site, clerk: Visitor) -> None:
    clerk.post("/scan/voucher", {"code": A})
    form = clerk.hidden_fields("/scan/check")
    clerk.post("/scan/check", form | {"digits": "9999"}, hidden=False)
    clerk.post("/scan/check", form | {"digits": "8888"}, hidden=False)
    assert "還可以輸入 3 次" in clerk.page
    clerk.post("/scan/check", form | {"digits": DIGITS[A]}, hidden=False)
    assert "總計折抵" in clerk.page


def test_total_below_the_vouchers_is_said_before_it_is_asked(site: Site, clerk: Visitor) -> None:
    take(clerk, A)
    clerk.post("/scan/checkout")
    ask(clerk, "300")
    assert "差額不找零" in clerk.page
    unsaid = {name: value for name, value in clerk.hidden_fields("/scan/redeem").items() if name != "no_change"}
    clerk.post("/scan/redeem", unsaid, hidden=False)
    assert "差額不找零" in clerk.page
    assert count(site, redemption) == 0
    clerk.post("/scan/redeem")
    assert "折抵國旅券成功" in clerk.page
    assert "不須補差額" in clerk.page


@pytest.mark.parametrize("total", ["", "abc", "0", "-5", "1e3", "999999999"])
def test_missing_or_odd_total_keeps_the_order(site: Site, clerk: Visitor, total: str) -> None:
    take(clerk, A)
    clerk.post("/scan/checkout")
    ask(clerk, total)
    assert 'name="total"' in clerk.page
    assert 'action="/scan/redeem"' not in clerk.page
    clerk.post("/scan/review", {"total": "1000"})
    form = clerk.hidden_fields("/scan/redeem")
    clerk.post("/scan/redeem", form | {"total": total, "no_change": "said"}, hidden=False)
    assert count(site, redemption) == 0
    clerk.post("/scan/redeem", form, hidden=False)
    assert "折抵國旅券成功" in clerk.page


def test_unknown_number_and_wrong_digits_read_the_same(site: Site, clerk: Visitor) -> None:
    clerk.post("/scan/voucher", {"code": A})
    clerk.post("/scan/check", {"digits": "9999"})
    known = clerk.page
    clerk.get("/scan")
    clerk.post("/scan/voucher", {"code": "999999999999"})
    clerk.post("/scan/check", {"digits": "9999"})
    assert "券號與末四碼不符" in clerk.page
    assert _without_csrf(known).replace(A, "") == _without_csrf(clerk.page).replace("999999999999", "")


def test_five_wrong_tries_lock_the_voucher(clerk: Visitor) -> None:
    clerk.post("/scan/voucher", {"code": A})
    for _ in range(5):
        clerk.post("/scan/check", {"digits": "9999"})
    assert "收取國旅券" in clerk.page
    take(clerk, A)
    assert "tries_exhausted" in clerk.page


def test_trying_digits_over_many_numbers_is_slowed_down(site: Site, clerk: Visitor) -> None:
    clerk.post("/scan/voucher", {"code": A})
    form = clerk.hidden_fields("/scan/check") | {"digits": "9999"}
    for _ in range(CHECKS_MAX):
        clerk.post("/scan/check", form, hidden=False)
        assert "no_match" in clerk.page
    clerk.post("/scan/check", form | {"digits": DIGITS[A]}, hidden=False)
    assert "busy" in clerk.page
    other = site.visitor("yunling-scan-1")
    other.get("/scan")
    take(other, B)
    assert "總計折抵" in other.page, "nobody else waits"
    site.clock.advance(minutes=16)
    clerk.post("/scan/check", form | {"digits": DIGITS[A]}, hidden=False)
    assert "總計折抵" in clerk.page


def test_used_voucher_is_refused_with_time_and_place(site: Site, clerk: Visitor) -> None:
    take(clerk, A)
    clerk.post("/scan/checkout")
    buy(clerk, "1000")
    clerk.get("/scan")
    take(clerk, A)
    assert "already_redeemed" in clerk.page
    assert "泊岸旅館 一樓大廳" in clerk.page


def test_voucher_held_by_another_clerk(site: Site, clerk: Visitor) -> None:
    take(clerk, A)
    other = site.visitor("yunling-scan-1")
    other.get("/scan")
    take(other, A)
    assert "held_elsewhere" in other.page
    clerk.post("/scan/cancel")
    other.get("/scan")
    take(other, A)
    assert "總計折抵" in other.page


def test_removing_a_voucher_lets_go_of_it(site: Site, clerk: Visitor) -> None:
    take(clerk, A)
    take(clerk, B)
    clerk.post("/scan/remove", {"voucher_no": A})
    assert A not in clerk.page
    assert count(site, hold) == 1
    clerk.post("/scan/checkout")
    buy(clerk, "1000")
    assert "折抵國旅券成功" in clerk.page
    with site.engine.connect() as connection:
        assert connection.scalar(select(redemption.c.voucher_count)) == 1


def test_same_voucher_twice_in_one_order(clerk: Visitor) -> None:
    take(clerk, A)
    clerk.post("/scan/voucher", {"code": A})
    assert "這張券已在這筆訂單裡" in clerk.page


def test_foreign_item_is_refused_and_the_order_kept(site: Site, clerk: Visitor) -> None:
    take(clerk, A)
    clerk.post("/scan/checkout")
    clerk.post("/scan/total", {"item": "admission"})
    assert "還沒有選擇消費品項" in clerk.page
    ask(clerk, "1000")
    clerk.post("/scan/redeem", clerk.hidden_fields("/scan/redeem") | {"item": "admission"}, hidden=False)
    assert "item_not_allowed" in clerk.page
    assert count(site, redemption) == 0
    buy(clerk, "1000")
    assert "折抵國旅券成功" in clerk.page


@pytest.mark.parametrize("code", ["https://evil.example/v/1", "hello", "12345"])
def test_other_codes_are_no_vouchers(clerk: Visitor, code: str) -> None:
    clerk.post("/scan/voucher", {"code": code})
    assert "not_a_voucher" in clerk.page


def test_printed_code_leads_through_sign_in_to_the_digits(site: Site) -> None:
    visitor, path = site.visitor(), signed_path(A)
    answer = visitor.get(path)
    assert answer.status_code == 302
    visitor.get(answer.location)
    assert f"登入後會繼續收取券號 {A}" in visitor.page
    landed = visitor.post("/sign-in/scan", {"login": "boan1", "password": "voucher-demo"})
    assert landed.location == path
    visitor.get(landed.location)
    assert A in visitor.page
    visitor.post("/scan/check", {"digits": DIGITS[A]})
    assert "總計折抵" in visitor.page


def test_printed_code_survives_a_wrong_password(site: Site) -> None:
    visitor, path = site.visitor(), signed_path(A)
    visitor.get(visitor.get(path).location)
    visitor.post("/sign-in/scan", {"login": "boan1", "password": "wrong-password"})
    assert f"登入後會繼續收取券號 {A}" in visitor.page
    assert visitor.post("/sign-in/scan", {"login": "boan1", "password": "voucher-demo"}).location == path


def test_printed_code_leads_somebody_else_to_the_scan_door(site: Site) -> None:
    answer = site.visitor("boan-admin").get(signed_path(A))
    assert answer.location.startswith("/sign-in/scan?next=")


def test_forged_code_is_refused_and_never_taken_for_a_bare_number(clerk: Visitor) -> None:
    forged = signed_path(A).replace(A, B)
    clerk.get(forged)
    assert "forged" in clerk.page
    assert 'name="digits"' not in clerk.page
    clerk.post("/scan/voucher", {"code": f"https://x{forged}"})
    assert "forged" in clerk.page
    clerk.get(f"/v/{A}?k=travel-2026")
    assert "not_a_voucher" in clerk.page
    assert 'name="digits"' not in clerk.page


@pytest.mark.parametrize("after_commit", [False, True])
def test_unknown_outcome_is_said_and_asked_again(site: Site, after_commit: bool) -> None:
    store = Unreachable(site.parts.scan.store)
    scan = _replaced(site, store)
    clerk = scan.visitor("boan-scan-1")
    clerk.get("/scan")
    take(clerk, A)
    clerk.post("/scan/checkout")
    ask(clerk, "1500")
    store.fails, store.after_commit = True, after_commit
    clerk.post("/scan/redeem")
    assert "連線較慢，尚未完成。您的券是安全的，請再掃一次查看結果。" in clerk.page
    assert count(site, redemption) == int(after_commit)
    clerk.post("/scan/redeem")
    assert "尚未完成" in clerk.page
    store.fails = False
    clerk.post("/scan/redeem")
    assert "折抵國旅券成功" in clerk.page
    assert "500\u2009元" in clerk.page
    assert count(site, redemption) == 1


@pytest.mark.parametrize("after_commit", [False, True])
def test_slow_check_keeps_the_voucher_and_asks_the_same_again(site: Site, after_commit: bool) -> None:
    store = Unreachable(site.parts.scan.store)
    clerk = _replaced(site, store).visitor("boan-scan-1")
    clerk.get("/scan")
    clerk.post("/scan/voucher", {"code": A})
    store.fails, store.after_commit = True, after_commit
    clerk.post("/scan/check", {"digits": "9999"})
    assert "還沒有結果" in clerk.page
    store.fails = False
    clerk.post("/scan/check", {"digits": "9999"})
    assert "還可以輸入 4 次" in clerk.page
    assert count(site, digit_try) == 1, "one try, however often it was asked"
    clerk.post("/scan/check", {"digits": DIGITS[A]})
    assert "總計折抵" in clerk.page


def test_one_thing_that_is_sold_is_not_asked_for(site: Site, clerk: Visitor) -> None:
    with site.engine.begin() as connection:
        connection.execute(delete(item_category).where(item_category.c.item_category.not_in([ITEM])))
    take(clerk, A)
    clerk.post("/scan/checkout")
    clerk.post("/scan/review", {"total": "1200"})
    clerk.post("/scan/redeem")
    assert "折抵國旅券成功" in clerk.page


def test_camera_and_compiled_code_are_for_the_desk_alone(site: Site, clerk: Visitor) -> None:
    for answer in (clerk.get("/scan"), clerk.get(f"/v/{A}"), clerk.post("/scan/check", {"digits": "9999"})):
        assert "script-src 'self' 'wasm-unsafe-eval';" in answer.headers["Content-Security-Policy"]
        assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["Permissions-Policy"].startswith("camera=(self)")
    for visitor, path in ((clerk, "/"), (site.visitor("boan-admin"), "/merchant/"), (site.visitor(), "/scan")):
        headers = visitor.get(path).headers
        assert "unsafe" not in headers["Content-Security-Policy"], path
        assert headers["Permissions-Policy"].startswith("camera=()"), path


def test_order_of_one_clerk_is_nothing_to_another(site: Site, clerk: Visitor) -> None:
    take(clerk, A)
    clerk.post("/scan/checkout")
    ask(clerk, "1000")
    order = clerk.hidden_fields("/scan/redeem")["order"]
    other = site.visitor("yunling-scan-1")
    other.get("/scan")
    assert other.post("/scan/redeem", {"order": order, "item": "admission", "total": "1000"}).status_code == 400
    assert other.post("/scan/checkout", {"order": order[:-2] + "xx"}).status_code == 400
    assert other.post("/scan/checkout", {"order": ""}).status_code == 400


def test_digits_stand_nowhere_in_clear(site: Site, clerk: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    take(clerk, B)
    pages = [clerk.page]
    clerk.post("/scan/checkout")
    pages.append(clerk.page)
    buy(clerk, "1000")
    pages.append(clerk.page)
    cookie = clerk.client.get_cookie("vk_session")
    assert cookie is not None
    for text in (*pages, cookie.value, caplog.text, *map(unescape, pages)):
        assert DIGITS[B] not in text
        assert "\\u16a0" not in text
    with site.engine.connect() as connection:
        for answer in connection.scalars(select(inbox.c.answer)):
            assert DIGITS[B].encode() not in answer


def _replaced(site: Site, store: Unreachable) -> Site:
    return with_parts(site, scan=replace(site.parts.scan, store=store))


def _without_csrf(page: str) -> str:
    return re.sub(r'name="(csrf_token|order)" value="[^"]*"', "", page)
