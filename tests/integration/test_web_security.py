"""How sessions, forms and names are kept from being turned against people. Who may open what: ``test_web_access``."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, update

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.tables import confirmation, merchant, site, staff
from cloud.services.sign_in import LOGIN_TRIES_MAX
from cloud.web.session import AGE_MAX, IDLE_MAX, PASSIVE_HEADER
from tests.support.web import DOORS, NOW, PASSWORD, PASSWORDS, Site, Visitor, enrol_device, issue, open_site
from tests.support.web_routes import address, routes

pytest_plugins = ("tests.support.databases",)

AUDIENCES = {
    "merchant": "boan-admin",
    "staff": "boan-scan-1",
    "office": "office-1",
    "account": "boan-admin",
    "connect": "boan-admin",
}
"""Blueprint, and the one person of the matrix who may open it."""

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}"


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    engine = make_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def web(engine: Engine) -> Site:
    return open_site(engine)


def test_no_page_shows_another_merchants_rows(web: Site) -> None:
    redemption_id = web.till.redeem(NOW, vouchers=1, order_total_twd=4321)
    enrol_device(web, "kiosk-boan22", "boan-lobby", presence="online")
    visitor = web.visitor("yunling-admin")
    for audience, method, rule in routes(web.app):
        if audience == "merchant" and method == "GET":
            visitor.get(address(web, rule, redemption_id))
            for theirs in ("4,321", "kiosk-boan22", "泊岸"):
                assert theirs not in visitor.page, (rule.rule, theirs)


def test_every_form_needs_its_secret(web: Site) -> None:
    redemption_id = web.till.redeem(NOW, vouchers=1)
    enrol_device(web, "kiosk-boan22", "boan-lobby")
    for audience, method, rule in routes(web.app):
        if method == "POST" and audience != "http_api":  # which takes no cookie: there is nothing to forge
            visitor = web.visitor(AUDIENCES.get(audience, "boan-admin"))
            for fields in ({}, {"csrf_token": ""}, {"csrf_token": "made-up"}):
                answer = visitor.post(address(web, rule, redemption_id), fields, hidden=False)
                assert answer.status_code == 400, rule.rule
                assert "頁面已過期" in visitor.page
    assert not _confirmed(web)


def test_secret_of_one_session_is_nothing_to_another(web: Site) -> None:
    redemption_id = web.till.redeem(NOW, vouchers=1)
    path = f"/merchant/transactions/{redemption_id}/confirm"
    attacker, victim = web.visitor("yunling-admin"), web.visitor("boan-admin")
    attacker.get("/merchant/")
    assert victim.post(path, attacker.hidden_fields("/sign-out"), hidden=False).status_code == 400
    assert not _confirmed(web)


def test_hostile_names_are_text(web: Site) -> None:
    with web.engine.begin() as connection:
        connection.execute(update(merchant).values(name=HOSTILE))
        connection.execute(update(site).values(name=HOSTILE))
        connection.execute(update(staff).values(name=HOSTILE))
    redemption_id = web.till.redeem(NOW, vouchers=1)
    enrol_device(web, "kiosk-boan22", "boan-lobby", presence="online")
    seen = 0
    for audience, method, rule in routes(web.app):
        if method == "GET" and audience in AUDIENCES:
            visitor = web.visitor(AUDIENCES[audience])
            visitor.get(address(web, rule, redemption_id))
            assert "<script>alert" not in visitor.page
            assert "<img src=x" not in visitor.page
            assert "49&lt;" not in visitor.page
            seen += "&lt;script&gt;alert(1)" in visitor.page
    assert seen > 8


def test_what_is_typed_comes_back_as_text(web: Site) -> None:
    visitor = web.visitor()
    visitor.sign_in("lodging", HOSTILE, "x" * 9)
    assert "<script>alert" not in visitor.page
    assert "&lt;script&gt;alert(1)" in visitor.page
    clerk = web.visitor("boan-scan-1")
    clerk.get("/scan")
    clerk.post("/scan/voucher", {"code": HOSTILE})
    assert "<script>alert" not in clerk.page
    assert clerk.get(f"/v/{HOSTILE}").status_code in (200, 404)
    assert "<script>alert" not in clerk.page


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_nobody_is_led_elsewhere(web: Site, elsewhere: str) -> None:
    visitor = web.visitor()
    assert visitor.sign_in("lodging", "boan", next_path=elsewhere).location == "/merchant/"
    visitor.get("/merchant/")
    token = visitor.hidden_fields("/sign-out")
    assert visitor.get("/language/en", query_string={"next": elsewhere}).location == "/"
    redemption_id = web.till.redeem(NOW, vouchers=1)
    answer = visitor.post(f"/merchant/transactions/{redemption_id}/confirm", token | {"back": elsewhere}, hidden=False)
    assert answer.location == "/merchant/transactions"
    visitor.get(f"/merchant/transactions/{redemption_id}", query_string={"back": elsewhere})
    assert '<p class="crumbs"><a href="/merchant/transactions">' in visitor.page
    fresh = web.visitor()
    fresh.get("/sign-in/lodging")
    sent = fresh.hidden_fields("/sign-in/lodging") | {"login": "boan", "password": PASSWORD, "next": elsewhere}
    assert fresh.post("/sign-in/lodging", sent, hidden=False).location == "/merchant/"


def test_signing_in_leaves_nothing_of_the_session_before(web: Site) -> None:
    visitor = web.visitor()
    visitor.get("/sign-in/lodging")
    before, secret = _cookie(visitor), visitor.hidden_fields("/sign-in/lodging")
    visitor.post("/sign-in/lodging", {"login": "boan", "password": PASSWORD})
    assert _cookie(visitor) != before
    planted = web.visitor()
    planted.client.set_cookie("vk_session", before)
    assert planted.get("/merchant/").status_code == 302, "the cookie from before is nobody's"
    assert visitor.post("/merchant/confirm-all", secret, hidden=False).status_code == 400, "nor is its form secret good"


def test_cookie_is_kept_from_scripts_and_other_sites(engine: Engine) -> None:
    secure = open_site(engine, https=True).app.test_client().get("/sign-in/lodging", base_url="https://pay.example.tw")
    [cookie] = [line for line in secure.headers.getlist("Set-Cookie") if line.startswith("vk_session=")]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" in cookie
    assert secure.headers["Strict-Transport-Security"]


def test_changed_cookie_is_nobodys(web: Site) -> None:
    visitor = web.visitor("boan-admin")
    value = _cookie(visitor)
    visitor.client.set_cookie("vk_session", value[:-3] + ("AAA" if value[-3:] != "AAA" else "BBB"))
    assert visitor.get("/merchant/").status_code == 302


def test_session_ends_when_nobody_is_there(web: Site) -> None:
    visitor = web.visitor("boan-admin")
    for _ in range(4):
        web.clock.advance(seconds=IDLE_MAX.total_seconds() - 60)
        assert visitor.get("/merchant/").status_code == 200
    web.clock.advance(seconds=IDLE_MAX.total_seconds())
    assert visitor.get("/merchant/").status_code == 302


def test_looking_on_does_not_keep_a_session_alive(web: Site) -> None:
    visitor = web.visitor("boan-admin")
    for _ in range(29):
        web.clock.advance(minutes=1)
        assert visitor.get("/merchant/", headers={PASSIVE_HEADER: "1"}).status_code == 200
    web.clock.advance(minutes=1)
    assert visitor.get("/merchant/", headers={PASSIVE_HEADER: "1"}).status_code == 302


def test_session_ends_after_a_shift(web: Site) -> None:
    visitor = web.visitor("boan-admin")
    step = timedelta(minutes=20)
    for _ in range(AGE_MAX // step - 1):
        web.clock.advance(minutes=20)
        assert visitor.get("/merchant/").status_code == 200
    web.clock.advance(minutes=20)
    assert visitor.get("/merchant/").status_code == 302


@pytest.mark.parametrize("change", [{"active": False}, {"password_hash": PASSWORDS.hash("another-password")}])
def test_closed_account_and_changed_password_end_sessions(web: Site, change: dict[str, object]) -> None:
    visitor = web.visitor("boan-admin")
    assert visitor.get("/merchant/").status_code == 200
    with web.engine.begin() as connection:
        connection.execute(update(staff).where(staff.c.staff_id == "boan-admin").values(**change))
    assert visitor.get("/merchant/").status_code == 302


def test_signing_out_ends_the_session(web: Site) -> None:
    visitor = web.visitor("boan-admin")
    visitor.get("/merchant/")
    assert visitor.post("/sign-out").location == "/"
    assert visitor.get("/merchant/").status_code == 302


@pytest.mark.parametrize("door", ["travel_agency", "amusement", "hotspring_or_ppp", "scan", "office"])
def test_login_works_at_its_own_door_only(web: Site, door: str) -> None:
    visitor = web.visitor()
    assert visitor.sign_in(door, "boan", "wrong-password").status_code == 200
    assert "帳號與密碼不符" in visitor.page
    assert "旅宿業" not in visitor.page, "nothing is told before the password is right"
    assert visitor.sign_in(door, "boan", next_path="/v/566780776770").status_code == 200
    assert "這個帳號屬於「旅宿業」" in visitor.page
    assert 'href="/sign-in/lodging?next=/v/566780776770"' in visitor.page
    assert visitor.get("/merchant/").status_code == 302, "and nobody is signed in"


def test_every_person_starts_on_their_own_page(web: Site) -> None:
    starts = {
        "boan-admin": "/merchant/",
        "boan-scan-1": "/scan",
        "office-1": "/office/",
        "finance-1": "/office/",
        "technician-1": "/office/kiosks",
        "auditor-1": "/office/",
        "reviewer-1": "/office/applications",
    }
    for staff_id, start in starts.items():
        assert web.visitor().sign_in(*DOORS[staff_id]).location == start


def test_guessing_is_slowed_down(web: Site) -> None:
    visitor = web.visitor()
    for _ in range(LOGIN_TRIES_MAX):
        assert visitor.sign_in("lodging", "boan", "wrong-guess").status_code == 200
    assert visitor.sign_in("lodging", "boan").status_code == 429
    assert "嘗試次數較多" in visitor.page


def test_office_revokes_with_a_reason(web: Site) -> None:
    enrol_device(web, "kiosk-boan22", "boan-lobby", presence="online")
    visitor = web.visitor("office-1")
    visitor.get("/office/kiosks")
    assert "kiosk-boan22" in visitor.page
    visitor.get("/office/kiosks/kiosk-boan22/revoke")
    visitor.post("/office/kiosks/kiosk-boan22/revoke", {"reason": "  "})
    assert "請填寫停用原因" in visitor.page
    visitor.post("/office/kiosks/kiosk-boan22/revoke", {"reason": "機器遺失"}, follow_redirects=True)
    assert "kiosk-boan22 已停用" in visitor.page
    assert visitor.get("/office/kiosks/nobody/revoke").status_code == 404


def test_office_makes_claim_codes_that_are_shown_once(web: Site) -> None:
    visitor = web.visitor("office-1")
    visitor.get("/office/kiosks")
    visitor.post("/office/claim-codes", {"site": "boan-lobby"})
    assert "「泊岸旅館 一樓大廳」的啟用碼" in visitor.page
    visitor.get("/office/kiosks")
    assert "的啟用碼" not in visitor.page
    assert visitor.post("/office/claim-codes", {"site": "nowhere"}).status_code == 400


def test_voucher_address_tells_a_stranger_nothing(web: Site) -> None:
    issue(web, {"566780776770": "1234"})
    known, unknown = web.visitor(), web.visitor()
    there = known.get("/v/566780776770")
    not_there = unknown.get("/v/999999999999")
    assert there.status_code == not_there.status_code == 302
    assert there.location.replace("566780776770", "") == not_there.location.replace("999999999999", "")


def _token_of_a_stranger(visitor: Visitor) -> dict[str, str]:
    visitor.get("/sign-in/lodging")
    return {"csrf_token": visitor.hidden_fields("/sign-in/lodging")["csrf_token"]}


def _cookie(visitor: Visitor) -> str:
    cookie = visitor.client.get_cookie("vk_session")
    assert cookie is not None
    return cookie.value


def _confirmed(web: Site) -> bool:
    with web.engine.connect() as connection:
        return connection.execute(confirmation.select()).first() is not None
