"""Sessions that end at once, second factors, proving oneself again, staff accounts, and the trail of all of it."""

import re

import pytest
from sqlalchemy import Engine, select, update

from cloud.adapters.sql.tables import account_event, recovery_code, second_factor, staff, web_session
from cloud.web.identity import PENDING_MAX, PROOFS_MAX, RECOVERY_CODES
from tests.support.authenticator import code_of, set_up_totp, sign_in_with_code
from tests.support.web import DOORS, PASSWORD, Site, Visitor, open_site

pytest_plugins = ("tests.support.databases",)

NEW_PASSWORD = "seven quiet herons"


@pytest.fixture
def web(engine: Engine) -> Site:
    return open_site(engine)


def kinds(web: Site, staff_id: str) -> list[str]:
    """What happened to an account, oldest first."""
    with web.engine.connect() as connection:
        wanted = select(account_event.c.kind).where(account_event.c.staff_id == staff_id).order_by(account_event.c.event_id)
        return list(connection.scalars(wanted))


def open_sessions(web: Site) -> int:
    with web.engine.connect() as connection:
        return len(connection.execute(select(web_session)).all())


def copy_of(visitor: Visitor, web: Site) -> Visitor:
    """Another browser with the same cookie: a thief's."""
    thief = Visitor(web.app)
    cookie = visitor.client.get_cookie("vk_session")
    assert cookie is not None
    thief.client.set_cookie("vk_session", cookie.value)
    return thief


def stale(visitor: Visitor) -> None:
    """Let the sign-in be long ago."""
    with visitor.client.session_transaction() as cookie:
        cookie["fs_paa"] = 1.0


# ------------------------------------------------------------------------------------------------------------- sessions


def test_signing_out_ends_every_copy_of_the_cookie(web: Site) -> None:
    visitor = web.visitor("boan-admin")
    visitor.get("/merchant/")
    thief = copy_of(visitor, web)
    assert thief.get("/merchant/").status_code == 200
    visitor.post("/sign-out")
    assert thief.get("/merchant/").status_code == 302
    assert open_sessions(web) == 0
    assert kinds(web, "boan-admin") == ["signed_in", "signed_out"]


def test_closing_an_account_ends_every_session_of_it(web: Site) -> None:
    desk, phone, admin = web.visitor("boan-scan-1"), web.visitor("boan-scan-1"), web.visitor("boan-admin")
    admin.get("/merchant/staff/boan-scan-1")
    admin.post("/merchant/staff/boan-scan-1/active", {"active": "0"}, follow_redirects=True)
    assert "許雅筑 已停用" in admin.page
    assert [one.get("/scan").status_code for one in (desk, phone)] == [302, 302]
    assert open_sessions(web) == 1
    assert web.visitor().sign_in("scan", "boan1").location is None
    admin.get("/merchant/staff/boan-scan-1")
    admin.post("/merchant/staff/boan-scan-1/active", {"active": "1"})
    assert web.visitor().sign_in("scan", "boan1").location == "/scan"
    assert kinds(web, "boan-scan-1") == [
        "signed_in", "signed_in", "account_closed", "refused", "account_opened", "signed_in"
    ]  # fmt: skip


def test_id_of_the_session_changes_at_every_sign_in(web: Site) -> None:
    visitor = web.visitor("boan-admin")
    with visitor.client.session_transaction() as cookie:
        first = cookie["sid"]
    visitor.sign_in("lodging", "boan")
    with visitor.client.session_transaction() as cookie:
        assert cookie["sid"] != first
    assert open_sessions(web) == 1, "the one before was closed"


def test_database_holds_no_session_that_could_be_used(web: Site) -> None:
    visitor = web.visitor("boan-admin")
    with visitor.client.session_transaction() as cookie:
        session_id = str(cookie["sid"])
    with web.engine.connect() as connection:
        [row] = connection.execute(select(web_session)).all()
    assert session_id.encode() not in row.session_hash
    assert len(row.session_hash) == 32


def test_other_devices_are_listed_and_signed_out(web: Site) -> None:
    phone, desk = web.visitor("boan-admin"), web.visitor("boan-admin")
    desk.get("/account/")
    assert desk.page.count('class="agent"') == 2
    assert desk.page.count("這個裝置") == 1
    desk.post("/account/sessions", follow_redirects=True)
    assert "已登出其他 1 個裝置" in desk.page
    assert phone.get("/merchant/").status_code == 302
    assert desk.get("/merchant/").status_code == 200


def test_sessions_nobody_closed_are_swept_out(web: Site) -> None:
    web.visitor("boan-admin")
    web.clock.advance(hours=13)
    web.visitor("yunling-admin")
    assert open_sessions(web) == 1


# -------------------------------------------------------------------------------------------------------- own password


def test_new_password_ends_every_other_session(web: Site) -> None:
    phone, desk = web.visitor("boan-admin"), web.visitor("boan-admin")
    desk.get("/account/password")
    answer = desk.post("/account/password", {"password": NEW_PASSWORD})
    assert answer.location == "/account/"
    assert desk.get("/merchant/").status_code == 200
    assert phone.get("/merchant/").status_code == 302
    assert web.visitor().sign_in("lodging", "boan").location is None
    assert web.visitor().sign_in("lodging", "boan", NEW_PASSWORD).location == "/merchant/"
    assert "password_changed" in kinds(web, "boan-admin")


@pytest.mark.parametrize(
    ("password", "says"),
    [("short", "密碼太短"), ("Passw0rd1234", "太常見"), ("abababababab", "重複")],
)
def test_weak_password_is_explained(web: Site, password: str, says: str) -> None:
    visitor = web.visitor("boan-admin")
    visitor.get("/account/password")
    visitor.post("/account/password", {"password": password})
    assert says in visitor.page
    assert web.visitor().sign_in("lodging", "boan").location == "/merchant/"


# ---------------------------------------------------------------------------------------------------- proving oneself again


@pytest.mark.parametrize("path", ["/merchant/staff/new", "/merchant/staff/boan-scan-1", "/account/password"])
def test_what_changes_accounts_asks_for_the_password_again(web: Site, path: str) -> None:
    visitor = web.visitor("boan-admin")
    stale(visitor)
    assert visitor.get("/merchant/staff").status_code == 200, "looking is not changing"
    answer = visitor.get(path)
    assert answer.location == f"/account/verify?next={path}"
    visitor.get(answer.location)
    visitor.post(f"/account/verify?next={path}", {"password": "wrong"})
    assert "密碼不符" in visitor.page
    assert visitor.post(f"/account/verify?next={path}", {"password": PASSWORD}).location == path
    assert visitor.get(path).status_code == 200
    assert kinds(web, "boan-admin") == ["signed_in", "proof_refused"]


def test_stale_form_changes_nothing(web: Site) -> None:
    visitor = web.visitor("boan-admin")
    visitor.get("/merchant/staff/boan-scan-1")
    token = visitor.hidden_fields("/merchant/staff/boan-scan-1/active")
    stale(visitor)
    sent = visitor.post("/merchant/staff/boan-scan-1/active", token | {"active": "0"}, hidden=False)
    assert sent.location == "/account/verify?next=/merchant/staff/boan-scan-1"
    with web.engine.connect() as connection:
        assert connection.scalar(select(staff.c.active).where(staff.c.staff_id == "boan-scan-1"))


def test_repeated_password_is_throttled(web: Site) -> None:
    visitor = web.visitor("boan-admin")
    for _ in range(PROOFS_MAX):
        visitor.get("/account/verify")
        assert visitor.post("/account/verify", {"password": "wrong"}).status_code == 200
    visitor.get("/account/verify")
    assert visitor.post("/account/verify", {"password": PASSWORD}).status_code == 429
    assert "嘗試次數較多" in visitor.page


# ------------------------------------------------------------------------------------------------------------ second factor


def test_sign_in_with_a_code_from_the_phone(web: Site) -> None:
    key = set_up_totp(web.visitor("boan-admin"))
    visitor = web.visitor()
    assert visitor.sign_in("lodging", "boan", next_path="/merchant/claims").status_code == 302
    assert visitor.get("/merchant/").status_code == 302, "the password alone lets nobody in"
    assert sign_in_with_code(visitor, "lodging", "boan", code_of(key, step=1)) == "/start"
    assert visitor.get("/start").location == "/merchant/"
    assert visitor.get("/merchant/").status_code == 200


def test_wish_survives_the_second_factor(web: Site) -> None:
    key = set_up_totp(web.visitor("boan-scan-1"))
    visitor = web.visitor()
    answer = visitor.sign_in("scan", "boan1", next_path="/v/566780776770?k=a&s=b")
    visitor.get(answer.location)
    [action] = re.findall(r'action="(/account/tf-validate[^"]*)"', visitor.page)
    assert visitor.post(action, {"code": code_of(key, step=1)}).location == "/v/566780776770?k=a&s=b"


def test_code_is_good_once(web: Site) -> None:
    key = set_up_totp(web.visitor("boan-admin"))
    code = code_of(key, step=1)
    assert sign_in_with_code(web.visitor(), "lodging", "boan", code) == "/start"
    second = web.visitor()
    assert sign_in_with_code(second, "lodging", "boan", code) is None
    assert "不符或已用過" in second.page
    assert "proof_refused" in kinds(web, "boan-admin")


def test_codes_are_throttled(web: Site) -> None:
    key = set_up_totp(web.visitor("boan-admin"))
    visitor = web.visitor()
    for _ in range(PROOFS_MAX):
        assert sign_in_with_code(visitor, "lodging", "boan", "000000") is None
    visitor.sign_in("lodging", "boan")
    visitor.get("/account/tf-validate")
    assert visitor.post("/account/tf-validate", {"code": code_of(key, step=1)}).status_code == 429


def test_right_password_does_not_wait_for_ever(web: Site) -> None:
    key = set_up_totp(web.visitor("boan-admin"))
    visitor = web.visitor()
    visitor.sign_in("lodging", "boan")
    visitor.get("/account/tf-validate")
    web.clock.advance(seconds=PENDING_MAX.total_seconds() + 1)
    assert visitor.post("/account/tf-validate", {"code": code_of(key, step=1)}).location == "/"
    assert visitor.get("/merchant/").status_code == 302


def test_new_password_ends_what_waits_for_a_code(web: Site) -> None:
    key = set_up_totp(web.visitor("boan-admin"))
    visitor = web.visitor()
    visitor.sign_in("lodging", "boan")
    visitor.get("/account/tf-validate")
    with web.engine.begin() as connection:
        connection.execute(update(staff).where(staff.c.staff_id == "boan-admin").values(password_hash="x"))
    assert visitor.post("/account/tf-validate", {"code": code_of(key, step=1)}).location == "/"


def test_recovery_code_is_good_once(web: Site) -> None:
    visitor = web.visitor("boan-admin")
    set_up_totp(visitor)
    visitor.get("/account/mf-recovery-codes")
    visitor.post("/account/mf-recovery-codes")
    codes = re.findall(r"<li><code>([^<]+)</code>", visitor.page)
    assert len(set(codes)) == RECOVERY_CODES
    with web.engine.connect() as connection:
        stored = connection.scalars(select(recovery_code.c.code)).all()
        secret = connection.scalar(select(second_factor.c.totp_secret))
    assert not set(codes) & set(stored), "kept encrypted"
    assert "enckey" in str(secret)
    for expected in ("/start", None):
        someone = web.visitor()
        someone.sign_in("lodging", "boan")
        someone.get("/account/mf-recovery")
        assert someone.post("/account/mf-recovery", {"code": codes[0]}).location == expected
    visitor.get("/account/")
    assert f"還有 {RECOVERY_CODES - 1} 組" in visitor.page
    assert "code_spent" in kinds(web, "boan-admin")


def test_admin_resets_what_somebody_lost(web: Site) -> None:
    clerk, admin = web.visitor("boan-scan-1"), web.visitor("boan-admin")
    set_up_totp(clerk)
    admin.get("/merchant/staff/boan-scan-1")
    admin.post("/merchant/staff/boan-scan-1/factors", follow_redirects=True)
    assert "已重設 許雅筑 的驗證方式" in admin.page
    assert clerk.get("/scan").status_code == 302
    assert web.visitor().sign_in("scan", "boan1").location == "/scan"


def test_codes_can_be_turned_off(web: Site) -> None:
    visitor = web.visitor("boan-admin")
    set_up_totp(visitor)
    visitor.get("/account/tf-setup")
    visitor.post("/account/tf-setup", {"setup": "disable"}, follow_redirects=True)
    assert "手機驗證碼已停用" in visitor.page
    assert web.visitor().sign_in("lodging", "boan").location == "/merchant/"
    assert kinds(web, "boan-admin") == ["signed_in", "totp_set", "totp_removed", "signed_in"]


# --------------------------------------------------------------------------------------------------------- library's doors


@pytest.mark.parametrize("path", ["/account/login", "/account/tf-validate", "/account/tf-select", "/account/mf-recovery"])
def test_library_has_no_door_of_its_own(web: Site, path: str) -> None:
    visitor = web.visitor()
    assert visitor.get(path).location == "/"
    visitor.get("/sign-in/lodging")
    token = visitor.hidden_fields("/sign-in/lodging")
    typed = token | {"email": "boan-admin", "username": "boan", "password": PASSWORD, "code": "000000"}
    assert visitor.post(path, typed, hidden=False).location == "/"
    assert visitor.get("/merchant/").status_code == 302


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_proving_oneself_leads_nobody_elsewhere(web: Site, elsewhere: str) -> None:
    visitor = web.visitor("boan-admin")
    visitor.get("/account/verify")
    token = visitor.hidden_fields("/sign-out") | {"password": PASSWORD}
    for sent in (
        visitor.post("/account/verify", token, hidden=False, query_string={"next": elsewhere}),
        visitor.post("/account/verify", token | {"next": elsewhere}, hidden=False),
        visitor.get("/account/verify", query_string={"next": elsewhere}),
    ):
        assert sent.status_code == 400
    assert visitor.post("/account/verify", token, hidden=False).location == "/account/"


def test_no_key_in_an_address_or_header_signs_anybody_in(web: Site) -> None:
    admin = web.visitor("boan-admin")
    with web.app.test_request_context():
        from flask_security import Security

        from cloud.web.identity_store import Account

        person = web.parts.people.find_person("boan-admin")
        assert person is not None
        security: Security = web.app.extensions["security"]
        assert security.datastore.find_user(fs_uniquifier=Account(person, web.parts).fs_uniquifier) is not None
        key = Account(person, web.parts).get_auth_token()
    stranger = web.visitor()
    assert stranger.get("/merchant/", query_string={"auth_token": key}).status_code == 302
    assert stranger.get("/merchant/", headers={"Authentication-Token": str(key)}).status_code == 302
    assert stranger.get("/account/verify", query_string={"auth_token": key}).status_code == 302
    assert admin.get("/merchant/").status_code == 200


def test_answers_are_pages_whoever_asks_for_json(web: Site) -> None:
    visitor = web.visitor()
    answer = visitor.get("/account/wan-signin", headers={"Accept": "application/json"})
    assert answer.mimetype == "text/html"


# ------------------------------------------------------------------------------------------------------------ staff accounts


def test_admin_makes_a_scan_account_that_opens_the_desk_at_once(web: Site) -> None:
    admin = web.visitor("boan-admin")
    admin.get("/merchant/staff/new")
    typed = {"name": "高子涵", "login": "boan9", "password": NEW_PASSWORD, "site": "boan-harbour"}
    assert admin.post("/merchant/staff/new", typed).location == "/merchant/staff"
    admin.get("/merchant/staff")
    assert "高子涵" in admin.page
    clerk = web.visitor()
    assert clerk.sign_in("scan", "boan9", NEW_PASSWORD).location == "/scan"
    clerk.get("/scan")
    assert "港邊別館" in clerk.page
    [made] = [one for one in web.parts.people.staff_of("boan-hotel") if one.login == "boan9"]
    assert (made.role, made.merchant_id, made.site_id) == ("scan_staff", "boan-hotel", "boan-harbour")
    assert made.password_hash.startswith("$argon2id$")
    assert kinds(web, made.staff_id) == ["account_added", "signed_in"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": ""}, "請填寫姓名"),
        ({"name": "zero\x00"}, "請填寫姓名"),
        ({"login": "two words"}, "不含空格"),
        ({"login": "zero\x00"}, "不含空格"),
        ({"login": "yunling1"}, "已有人使用"),
        ({"password": "password123"}, "太常見"),
        ({"password": "boan9boan9"}, "不要與帳號"),
        ({"site": "yunling-gate"}, "請選擇同仁所在的地點"),
        ({"site": ""}, "請選擇同仁所在的地點"),
    ],
)
def test_form_says_what_to_correct_and_keeps_what_was_typed(web: Site, wrong: dict[str, str], says: str) -> None:
    admin = web.visitor("boan-admin")
    admin.get("/merchant/staff/new")
    typed = {"name": "高子涵", "login": "boan9", "password": NEW_PASSWORD, "site": "boan-harbour"} | wrong
    assert admin.post("/merchant/staff/new", typed).status_code == 200
    assert says in admin.page
    assert "高子涵" in admin.page or "name" in wrong
    assert NEW_PASSWORD not in admin.page
    assert len(web.parts.people.staff_of("boan-hotel")) == 2


def test_zero_in_a_login_or_an_id_is_nobodys(web: Site) -> None:
    visitor = web.visitor()
    visitor.sign_in("lodging", "boan\x00")
    assert "帳號與密碼不符" in visitor.page
    assert web.visitor("boan-admin").get("/merchant/staff/boan%00").status_code == 404


def test_admin_changes_name_and_password(web: Site) -> None:
    admin, clerk = web.visitor("boan-admin"), web.visitor("boan-scan-1")
    admin.get("/merchant/staff/boan-scan-1")
    kept = {"name": "許雅竹", "login": "boan1", "site": "boan-lobby"}
    admin.post("/merchant/staff/boan-scan-1", kept)
    assert clerk.get("/scan").status_code == 200, "a new name signs nobody out"
    admin.get("/merchant/staff/boan-scan-1")
    admin.post("/merchant/staff/boan-scan-1", kept | {"password": NEW_PASSWORD})
    assert clerk.get("/scan").status_code == 302
    assert web.visitor().sign_in("scan", "boan1", NEW_PASSWORD).location == "/scan"
    [event, *_] = web.parts.accounts.store.events_of("boan-scan-1", limit=2)
    assert event.kind == "signed_in"
    with web.engine.connect() as connection:
        changes = connection.execute(select(account_event).where(account_event.c.kind == "account_changed")).all()
    assert [(row.by_staff_id, row.detail) for row in changes] == [("boan-admin", "name"), ("boan-admin", "password")]


def test_office_makes_and_moves_its_people(web: Site) -> None:
    admin = web.visitor("office-1")
    admin.get("/office/people/new")
    typed = {"name": "賴柏宇", "login": "lai", "password": NEW_PASSWORD, "role": "reviewer"}
    assert admin.post("/office/people/new", typed).location == "/office/people"
    newcomer = web.visitor()
    assert newcomer.sign_in("office", "lai", NEW_PASSWORD).location == "/office/applications"
    [made] = [one for one in web.parts.people.office_people() if one.login == "lai"]
    admin.get(f"/office/people/{made.staff_id}")
    admin.post(f"/office/people/{made.staff_id}", {"name": "賴柏宇", "login": "lai", "role": "finance"})
    assert newcomer.get("/office/settlements").status_code == 302, "a new role is signed in for afresh"
    assert newcomer.sign_in("office", "lai", NEW_PASSWORD).location == "/office/"
    admin.get("/office/people/new")
    admin.post("/office/people/new", typed | {"login": "lin", "role": "merchant_admin"})
    assert "請選擇角色" in admin.page


# ------------------------------------------------------------------------------------------------------------------- trail


def test_trail_keeps_failures_but_not_what_was_typed(web: Site) -> None:
    visitor = web.visitor()
    visitor.sign_in("lodging", "boan", "my-secret-guess")
    visitor.sign_in("amusement", "boan")
    visitor.sign_in("lodging", "my-password-typed-here", "x")
    assert kinds(web, "boan-admin") == ["refused", "wrong_door"]
    with web.engine.connect() as connection:
        rows = connection.execute(select(account_event)).all()
    assert len(rows) == 3
    assert rows[2].staff_id is None
    assert "my-" not in repr(rows)
    assert {row.address for row in rows} == {"127.0.0.1"}


def test_pages_say_the_same_for_unknown_login_and_wrong_password(web: Site) -> None:
    pages = []
    for login in ("boan", "nobody"):
        visitor = web.visitor()
        visitor.sign_in("lodging", login, "wrong-password")
        page = visitor.page.replace(f'value="{login}"', "")
        pages.append(re.sub(r'name="csrf_token" value="[^"]+"', "", page))
    assert pages[0] == pages[1]


def test_doors_wait_for_their_day(web: Site) -> None:
    visitor = web.visitor()
    visitor.get("/")
    assert "中籤民眾領券" in visitor.page
    assert "12/1" in visitor.page
    assert '<a class="door" href="/shops">合作店家查詢</a>' in visitor.page, "open since October"


def test_every_login_of_the_demo_works(web: Site) -> None:
    for staff_id in DOORS:
        web.clock.advance(minutes=16)
        assert web.visitor(staff_id).get("/account/").status_code == 200, staff_id
