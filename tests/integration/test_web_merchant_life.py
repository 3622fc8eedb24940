"""From a business that applies to a merchant that is paid, through the pages. Where the database decides, on both databases."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select, update

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.payouts import SqlPayoutStore
from cloud.adapters.sql.tables import (
    account_event,
    application,
    application_paper,
    door,
    merchant,
    merchant_event,
    payout_account_change,
    staff,
)
from cloud.domain.attachments import BYTES_MAX, FILES_MAX
from cloud.domain.records import Ask
from cloud.ports.accounts import AccountEvent, Passkey
from cloud.services.pay import make_payout_file
from cloud.services.settle import settle_due
from cloud.web.apply import STARTS_MAX
from cloud.web.asking import Asking, Purchase
from cloud.web.order import Order, OrderLine
from protocol.ids import uuid7
from protocol.messages import Answer, Refused, Release
from protocol.reasons import Reason
from protocol.topics import RequestKind
from tests.support import applying
from tests.support.applying import JPEG, LOGIN, NAME, OWNER_ID, PDF, UBN, WHOLE, approved, begin, decide, send, sign_in
from tests.support.authenticator import set_up_totp
from tests.support.money import HANDS
from tests.support.settling import SqlSettlementStore
from tests.support.web import NOW, Site, Visitor, enrol_device, issue, open_site, with_parts
from tests.support.web_life import ORIGINATOR

pytest_plugins = ("tests.support.databases",)

ACCOUNT = {
    "bank": "812", "branch": "0012", "account_no": "2088 1001-2345-67", "account_no_again": "20881001234567",
    "account_name": "鄭宇恩", "payee_id": OWNER_ID,
}  # fmt: skip
SITE = {"name": "山嵐民宿 櫃台", "name_en": "Mountain Mist desk", "address": "南投縣仁愛鄉信義路 8 號"}


@pytest.fixture
def web(sqlite_url: str) -> Iterator[Site]:
    engine = make_engine(sqlite_url)
    yield open_site(engine)
    engine.dispose()


@pytest.fixture
def everywhere(engine: Engine) -> Site:
    return open_site(engine)


def reviewer(web: Site) -> Visitor:
    return web.visitor("reviewer-1")


def state(web: Site) -> str:
    with web.engine.connect() as connection:
        return str(connection.scalar(select(application.c.state)))


def trail(web: Site) -> list[str]:
    with web.engine.connect() as connection:
        return list(connection.scalars(select(merchant_event.c.kind).order_by(merchant_event.c.event_id)))


# --------------------------------------------------------------------------------------------------------------------- apply


def test_from_application_to_first_sign_in(everywhere: Site) -> None:
    web = everywhere
    applicant = begin(web)
    assert "草稿" in applicant.page
    send(applicant)
    applicant.get("/application/")
    assert "審查中" in applicant.page
    judge = reviewer(web)
    judge.get("/office/applications")
    assert NAME in judge.page
    path = f"/office/applications/{applying.application_id(web)}"
    judge.get(path)
    assert "A●●●●●6789" in judge.page
    assert OWNER_ID not in judge.page
    decide(web, judge, "return", "請補上較清楚的登記證。")
    applicant.get("/application/")
    assert "請補上較清楚的登記證。" in applicant.page
    assert "2026/12/1（二）" in applicant.page, "the seventh working day after the 20th of November"
    applicant.post("/application/", WHOLE | {"paper_other": (io.BytesIO(PDF), "清楚.pdf"), "submit": "1"})
    assert state(web) == "submitted"
    decide(web, judge, "approve")
    assert applicant.get("/application/").status_code == 302, "a new role is signed in for afresh"
    admin = sign_in(web)
    assert admin.get("/start").location == "/merchant/"
    admin.get("/merchant/")
    assert "還沒有撥款帳戶" in admin.page
    assert "先新增一個地點" in admin.page
    assert trail(web) == [
        "started", "saved", "paper_added", "paper_added", "submitted", "returned", "paper_added", "submitted", "approved"
    ]  # fmt: skip


def test_draft_is_left_and_gone_on_with_elsewhere(web: Site) -> None:
    begin(web).post("/application/", {"name_zh": NAME, "ubn": UBN, "address": "南投縣"})
    elsewhere = sign_in(web)
    assert elsewhere.get("/start").location == "/application/"
    elsewhere.get("/application/")
    assert 'value="南投縣"' in elsewhere.page
    assert state(web) == "draft"
    assert elsewhere.get("/merchant/").status_code == 403
    assert elsewhere.get("/office/").status_code in (302, 403)


def test_draft_is_nobody_elses_business(web: Site) -> None:
    begin(web)
    judge = reviewer(web)
    judge.get("/office/applications?state=all")
    assert NAME not in judge.page
    assert judge.get(f"/office/applications/{applying.application_id(web)}").status_code == 404


def test_everything_that_is_missing_is_said_at_once(web: Site) -> None:
    applicant = begin(web)
    applicant.post("/application/", {"name_zh": NAME, "ubn": UBN, "phone": "12", "submit": "1"})
    for said in ("請填寫執照或登記證號碼", "請填寫營業地址", "請填寫完整的電話", "請填寫電子郵件", "請上傳這項文件"):
        assert said in applicant.page, said
    assert 'value="12"' in applicant.page
    assert state(web) == "draft"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"ubn": "13572468"}, "這不是統一編號"),
        ({"ubn": "00683704"}, "已是合作業者"),
        ({"merchant_category": "scan"}, "請選擇業者類別"),
        ({"login": "boan"}, "這個帳號已有人使用"),
        ({"password": "password123"}, "太常見"),
        ({"name_zh": ""}, "請填寫事業名稱"),
    ],
)
def test_beginning_is_refused_with_the_reason(web: Site, change: dict[str, str], says: str) -> None:
    visitor = web.visitor()
    visitor.get("/apply")
    visitor.post("/apply", applying.FIRST | change)
    assert says in visitor.page
    with web.engine.connect() as connection:
        assert connection.execute(select(application)).all() == []
        assert connection.execute(select(staff).where(staff.c.role == "applicant")).all() == []


def test_button_that_is_pressed_twice_does_its_work_once(web: Site) -> None:
    visitor = web.visitor()
    visitor.get("/apply")
    form = visitor.hidden_fields("/apply")
    other = web.visitor()
    other.get("/apply")
    assert visitor.post("/apply", form | applying.FIRST, hidden=False).location == "/application/"
    assert other.post("/apply", applying.FIRST).location == "/application/", "the same person, whose password is right"
    other.get("/apply")
    other.post("/apply", applying.FIRST | {"password": "another long one"})
    assert "已有人使用" in other.page
    visitor.get("/application/")
    form = visitor.hidden_fields("/application/")
    for _ in range(2):
        whole = WHOLE | applying.files() | {"submit": "1"}
        assert visitor.post("/application/", form | whole, hidden=False).location == "/application/"
    visitor.get("/application/")
    assert "剛才有變動" not in visitor.page
    assert trail(web).count("submitted") == 1
    decide(web, reviewer(web), "approve")
    admin = sign_in(web)
    admin.get("/merchant/sites/new")
    form = admin.hidden_fields("/merchant/sites/new")
    for _ in range(2):
        assert admin.post("/merchant/sites/new", form | SITE, hidden=False).location == "/merchant/sites"
    assert trail(web).count("site_added") == 1
    form |= {"minted": "boan-lobby"}
    assert admin.post("/merchant/sites/new", form | SITE, hidden=False).status_code == 400


def test_beginning_is_throttled_by_address(web: Site) -> None:
    visitor = web.visitor()
    visitor.get("/apply")
    for _ in range(STARTS_MAX):
        assert visitor.post("/apply", applying.FIRST | {"ubn": "1"}).status_code == 200
    assert visitor.post("/apply", applying.FIRST).status_code == 429


def test_door_that_is_closed_takes_no_application(web: Site) -> None:
    with web.engine.begin() as connection:
        connection.execute(door.delete().where(door.c.door == "merchants"))
        connection.execute(door.insert().values(door="merchants", opens_on=(NOW + timedelta(days=3)).date()))
    visitor = web.visitor()
    visitor.get("/apply")
    assert "目前沒有開放申請" in visitor.page
    visitor.get("/sign-in/lodging")
    hidden = visitor.hidden_fields("/sign-in/lodging")
    assert visitor.post("/apply", applying.FIRST | {"csrf_token": hidden["csrf_token"]}, hidden=False).status_code == 404


def test_two_pages_of_one_draft_do_not_overwrite_each_other(web: Site) -> None:
    applicant = begin(web)
    old = applicant.hidden_fields("/application/")
    applicant.post("/application/", {"name_zh": NAME, "ubn": UBN, "address": "新"})
    answer = applicant.post("/application/", old | {"name_zh": NAME, "ubn": UBN, "address": "舊"}, hidden=False)
    assert answer.location == "/application/"
    applicant.get("/application/")
    assert 'value="新"' in applicant.page
    assert "剛才有變動" in applicant.page


# -------------------------------------------------------------------------------------------------------------------- papers


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"<html><script>alert(1)</script></html>", "licence.pdf", "不是完整的 PDF"),
        (PDF[:20], "half.pdf", "不是完整的 PDF"),
        (JPEG[:-2] + bytes(BYTES_MAX) + JPEG[-2:], "huge.jpg", "太大"),
    ],
)
def test_what_is_no_paper_is_not_kept(web: Site, content: bytes, name: str, says: str) -> None:
    applicant = begin(web)
    applicant.post("/application/", WHOLE | {"paper_licence": (io.BytesIO(content), name)})
    assert says in applicant.page
    with web.engine.connect() as connection:
        assert connection.execute(select(application_paper)).all() == []
    applicant.get("/application/")
    assert 'value="stay@shanlan.example.tw"' in applicant.page, "what was typed is kept"


def test_paper_goes_out_as_nameless_bytes(web: Site) -> None:
    applicant = begin(web)
    send(applicant)
    applicant.get("/application/")
    judge = reviewer(web)
    path = f"/office/applications/{applying.application_id(web)}"
    judge.get(path)
    [paper, *_] = [part.split('"')[0] for part in judge.page.split(f'href="{path}/papers/')[1:]]
    answer = judge.client.get(f"{path}/papers/{paper}")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert answer.get_data() in (PDF, JPEG)
    assert web.visitor("finance-1").get(f"{path}/papers/{paper}").status_code == 403
    assert web.visitor("boan-admin").get(f"/application/papers/{paper}").status_code == 403


def test_hostile_file_name_is_text(web: Site) -> None:
    applicant = begin(web)
    applicant.post("/application/", WHOLE | {"paper_other": (io.BytesIO(PDF), '"><script>x</script>.pdf')})
    applicant.get("/application/")
    assert "<script>x" not in applicant.page


def test_paper_of_another_applicant_is_not_there(web: Site) -> None:
    send(begin(web))
    with web.engine.connect() as connection:
        paper_id = connection.scalar(select(application_paper.c.paper_id))
    other = begin(web, ubn="10458574", name_zh="另一家", login="another")
    assert other.get(f"/application/papers/{paper_id}").status_code == 404
    other.get("/application/")
    token = other.hidden_fields("/sign-out")
    assert other.post(f"/application/papers/{paper_id}/remove", token, hidden=False).status_code == 404
    assert reviewer(web).get(f"/office/applications/{applying.application_id(web, NAME)}/papers/{paper_id}").status_code == 200


def test_paper_that_a_reviewer_saw_is_kept_for_the_office(everywhere: Site) -> None:
    web = everywhere
    applicant = begin(web)
    applicant.post("/application/", WHOLE | {"paper_other": (io.BytesIO(PDF), "草稿.pdf")})
    remove_first_paper(applicant, web)
    with web.engine.connect() as connection:
        assert connection.execute(select(application_paper)).all() == [], "nobody had seen it"
    send(applicant)
    decide(web, reviewer(web), "return", "請換一份。")
    applicant.get("/application/")
    remove_first_paper(applicant, web)
    applicant.get("/application/")
    judge = reviewer(web)
    judge.get(f"/office/applications/{applying.application_id(web)}")
    assert "申請人已移除" in judge.page


def remove_first_paper(applicant: Visitor, web: Site) -> None:
    with web.engine.connect() as connection:
        paper_id = connection.scalar(select(application_paper.c.paper_id).order_by(application_paper.c.paper_id))
    applicant.get("/application/")
    assert applicant.post(f"/application/papers/{paper_id}/remove").location == "/application/"


def test_same_file_twice_is_one_and_there_is_an_end(web: Site) -> None:
    applicant = begin(web)
    for _ in range(2):
        applicant.post("/application/", WHOLE | {"paper_other": (io.BytesIO(PDF), "a.pdf")})
        applicant.get("/application/")
    for number in range(FILES_MAX):
        applicant.post("/application/", WHOLE | {"paper_other": (io.BytesIO(PDF + b"%d%%%%EOF" % number), "a.pdf")})
        if number < FILES_MAX - 1:
            applicant.get("/application/")
    assert "檔案已達上限" in applicant.page
    with web.engine.connect() as connection:
        assert len(connection.execute(select(application_paper.c.paper_id)).all()) == FILES_MAX


# -------------------------------------------------------------------------------------------------------------------- review


def test_returning_and_rejecting_need_a_reason(web: Site) -> None:
    send(begin(web))
    judge = reviewer(web)
    for decision in ("return", "reject"):
        decide(web, judge, decision, "  ")
        assert "請填寫說明" in judge.page
        assert state(web) == "submitted"
    decide(web, judge, "reject", "x" * 501)
    assert state(web) == "submitted"


def test_nobody_decides_on_what_they_have_not_seen(web: Site) -> None:
    applicant = begin(web)
    send(applicant)
    first, second = reviewer(web), reviewer(web)
    path = f"/office/applications/{applying.application_id(web)}"
    first.get(path)
    seen_before = first.hidden_fields(f"{path}/decide")
    decide(web, second, "return", "請更正地址。")
    applicant.get("/application/")
    applicant.post("/application/", WHOLE | {"address": "別處", "submit": "1"})
    assert state(web) == "submitted"
    answer = first.post(f"{path}/decide", seen_before | {"decision": "approve"}, hidden=False)
    assert answer.location == path
    assert state(web) == "submitted"


def test_correction_that_comes_too_late_is_closed_and_may_begin_again(web: Site) -> None:
    applicant = begin(web)
    send(applicant)
    decide(web, reviewer(web), "return", "請補件。")
    web.clock.at = datetime(2026, 12, 1, 15, 59, tzinfo=UTC)  # one minute before midnight of the last day in Taipei
    late = sign_in(web)
    late.get("/application/")
    form = late.hidden_fields("/application/")
    assert "補正完成" in late.page
    web.clock.advance(minutes=1)
    late.post("/application/", form | WHOLE | {"submit": "1"}, hidden=False)
    assert state(web) == "returned"
    late.get("/application/")
    assert "期限已於 2026/12/1（二）屆滿" in late.page
    judge = reviewer(web)
    judge.get("/office/applications?state=lapsed")
    assert NAME in judge.page
    judge.get("/office/applications?state=returned")
    assert f"檢視 {NAME}" not in judge.page
    late.get("/application/")
    late.post("/application/again")
    late.get("/application/")
    assert 'value="stay@shanlan.example.tw"' in late.page
    late.post("/application/", WHOLE | {"submit": "1"})
    assert state(web) == "submitted", "its papers were still there"


def test_rejected_business_reads_why_and_may_apply_again(web: Site) -> None:
    applicant = begin(web)
    send(applicant)
    decide(web, reviewer(web), "reject", "執照已過期。")
    applicant.get("/application/")
    assert "執照已過期。" in applicant.page
    token = applicant.hidden_fields("/sign-out")
    forced = WHOLE | token | {"submit": "1", "version": "9"}
    assert applicant.post("/application/", forced, hidden=False).location == "/application/"
    assert state(web) == "rejected"
    applicant.get("/application/")
    applicant.post("/application/again")
    assert state(web) == "draft"


def test_one_business_number_becomes_one_merchant(everywhere: Site) -> None:
    web = everywhere
    send(begin(web))
    second = begin(web, login="another", name_zh="山嵐民宿二")
    send(second, name_zh="山嵐民宿二")
    judge = reviewer(web)
    decide(web, judge, "approve")
    path = f"/office/applications/{applying.application_id(web, '山嵐民宿二')}"
    judge.get(path)
    judge.post(f"{path}/decide", {"decision": "approve"})
    assert "這個統一編號已是合作業者" in judge.page
    with web.engine.connect() as connection:
        roles = connection.execute(select(staff.c.role).where(staff.c.login.in_((LOGIN, "another"))))
        assert sorted(roles.scalars()) == ["applicant", "merchant_admin"]


def test_queue_is_filtered_and_searched(everywhere: Site) -> None:
    web = everywhere
    send(begin(web))
    judge = reviewer(web)
    for query, is_there in {
        "": True, "?state=approved": False, "?category=lodging": True, "?category=amusement": False, "?search=山嵐": True,
        "?search=1045": True, "?search=58575": False, "?search=%25": False, "?state=nonsense": True, "?page=2": False,
        "?page=x": True,
    }.items():  # fmt: skip
        judge.get(f"/office/applications{query}")
        assert (f"審查 {NAME}" in judge.page) == is_there, query


# ------------------------------------------------------------------------------------------------- suspended and terminated


def rule(web: Site, action: str, reason: str = "未依約改善。") -> None:
    judge = reviewer(web)
    judge.get("/office/merchants/boan-hotel")
    judge.post("/office/merchants/boan-hotel/rule", {"action": action, "reason": reason})
    if action == "terminate":
        assert "無法恢復" in judge.page
        judge.post("/office/merchants/boan-hotel/rule", {"action": action})


def redeem_by_staff(web: Site, voucher_no: str) -> Answer:
    ids = [uuid7(1_700_000_000_000 + int(voucher_no[-3:]) * 10 + each, web.parts.randomness(10)) for each in range(2)]
    order = Order(ids[0], ids[1], (OrderLine(voucher_no, 1000),), ("1234",))
    return Asking(web.parts.scan, web.clock, "boan-scan-1").redeem(order, Purchase("room", 2000))


def test_suspended_merchant_redeems_nothing_but_sees_its_claims(web: Site) -> None:
    issue(web, {f"566780776{number:03d}": "1234" for number in range(3)})
    assert not isinstance(redeem_by_staff(web, "566780776000"), Refused)
    rule(web, "suspend")
    refused = redeem_by_staff(web, "566780776001")
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.MERCHANT_NOT_ACTIVE
    admin = web.visitor("boan-admin")
    admin.get("/merchant/")
    assert "目前暫停合作" in admin.page
    assert "未依約改善。" in admin.page
    admin.get("/merchant/claims?state=unconfirmed")
    assert "566780776000" in admin.page
    admin.get("/merchant/sites")
    assert "/merchant/sites/new" not in admin.page
    admin.get("/merchant/sites/new")
    assert admin.post("/merchant/sites/new", SITE).location == "/merchant/sites"
    assert len(web.parts.choices.sites("boan-hotel")) == 2, "no site is added meanwhile"
    rule(web, "resume", "已改善。")
    assert not isinstance(redeem_by_staff(web, "566780776002"), Refused)


def test_kiosk_of_a_terminated_merchant_redeems_nothing(web: Site) -> None:
    rule(web, "terminate")
    rule(web, "resume")
    with web.engine.connect() as connection:
        assert connection.scalar(select(merchant.c.state).where(merchant.c.merchant_id == "boan-hotel")) == "terminated"
    enrol_device(web, "kiosk-boan22", "boan-lobby")
    with web.parts.scan.store.begin() as transaction:
        known = transaction.load([_ask_of_kiosk(web)])
    assert not known.senders[("device", "kiosk-boan22")].merchant_approved


def _ask_of_kiosk(web: Site) -> Ask:
    request_id = uuid7(1_700_000_000_000, web.parts.randomness(10))
    body = Release(visit_id=request_id, vouchers=["566780776000"])
    return Ask(request_id, RequestKind.RELEASE, "kiosk-boan22", "device", body, (), bytes(32))


def test_ruling_needs_a_reason(web: Site) -> None:
    rule(web, "suspend", " ")
    with web.engine.connect() as connection:
        assert connection.scalar(select(merchant.c.state).where(merchant.c.merchant_id == "boan-hotel")) == "approved"
    assert trail(web) == []


# ------------------------------------------------------------------------------------------------------------- own business


def test_sites_are_added_and_corrected(web: Site) -> None:
    admin = approved(web)
    admin.get("/merchant/sites/new")
    admin.post("/merchant/sites/new", SITE | {"address": ""})
    assert "請填寫地址" in admin.page
    assert admin.post("/merchant/sites/new", SITE).location == "/merchant/sites"
    admin.get("/merchant/sites")
    assert "Mountain Mist desk" in admin.page
    [place] = [one for one in web.parts.choices.sites() if one.merchant_name == NAME]
    assert place.site_id.startswith("s-")
    admin.get(f"/merchant/sites/{place.site_id}")
    admin.post(f"/merchant/sites/{place.site_id}", SITE | {"name": "山嵐民宿 大廳"})
    admin.get("/merchant/sites")
    assert "山嵐民宿 大廳" in admin.page
    assert admin.get("/merchant/sites/boan-lobby").status_code == 404
    admin.get("/merchant/staff/new")
    typed = {"name": "高子涵", "login": "shanlan1", "password": "eight quiet herons"}
    assert admin.post("/merchant/staff/new", typed).location == "/merchant/staff"
    clerk = web.visitor()
    assert clerk.sign_in("scan", "shanlan1", "eight quiet herons").location == "/scan"
    assert trail(web)[-2:] == ["site_added", "site_changed"]


def test_profile_is_changed_with_a_trail(web: Site) -> None:
    admin = web.visitor("boan-admin")
    admin.get("/merchant/business")
    typed = {"address": "基隆市", "contact_name": "林", "phone": "02-2422-1234", "email": "a@boan.example.tw"}
    admin.post("/merchant/business", typed | {"email": "a"})
    assert "完整的電子郵件" in admin.page
    assert admin.post("/merchant/business", typed).location == "/merchant/business"
    admin.get("/merchant/business")
    assert 'value="02-2422-1234"' in admin.page
    admin.post("/merchant/business", typed)
    assert trail(web) == ["profile_changed"], "what did not change is not noted"
    with web.engine.connect() as connection:
        assert connection.scalar(select(merchant_event.c.detail)) == "address contact_name phone email"


# ----------------------------------------------------------------------------------------------------------- payout account


def test_payout_account_is_proved_checked_noted_and_told(everywhere: Site) -> None:
    web = everywhere
    admin = approved(web)
    with admin.client.session_transaction() as cookie:
        cookie["fs_paa"] = 1.0
    assert admin.get("/merchant/payout-account").location == "/account/verify?next=/merchant/payout-account"
    admin = sign_in(web)
    admin.get("/merchant/payout-account")
    assert admin.post("/merchant/payout-account", ACCOUNT).location == "/merchant/business"
    admin.get("/merchant/")
    assert "撥款帳戶已變更" in admin.page
    assert "台新國際商業銀行，帳號末四碼 4567" in admin.page
    assert "20881001234567" not in admin.page
    finance = web.visitor("finance-1")
    finance.get("/office/payout-accounts")
    assert NAME in finance.page
    assert "20881001234567" in finance.page
    auditor = web.visitor("auditor-1")
    auditor.get("/office/payout-accounts")
    assert "20881001234567" not in auditor.page
    assert trail(web)[-1] == "account_changed"
    web.clock.advance(days=7, seconds=1)
    admin = sign_in(web)
    admin.get("/merchant/")
    assert "撥款帳戶已變更" not in admin.page


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"bank": "999"}, "請選擇銀行"),
        ({"branch": "12"}, "四位數字"),
        ({"account_no_again": "20881001234568"}, "兩次輸入的帳號不同"),
        ({"account_no": "123"}, "6 到 16 位數字"),
        ({"bank": "700"}, None),
        ({"account_name": ""}, "請填寫戶名"),
        ({"payee_id": "A123456788"}, "不是統一編號或證號"),
        ({"payee_id": "04595257"}, "帳戶須為貴單位所有"),
    ],
)
def test_account_that_cannot_be_is_not_taken(web: Site, change: dict[str, str], says: str | None) -> None:
    admin = web.visitor("boan-admin")
    admin.get("/merchant/payout-account")
    own = ACCOUNT | {"payee_id": "00683704"} | change
    answer = admin.post("/merchant/payout-account", own)
    with web.engine.connect() as connection:
        changes = connection.execute(select(payout_account_change)).all()
    if says is None:
        assert answer.status_code == 302, "fourteen digits are a post office account"
        assert len(changes) == 1
    else:
        assert says in admin.page
        assert changes == []


def test_new_account_counts_for_payouts_that_are_not_made_yet(web: Site) -> None:
    redemption_id = web.till.redeem(NOW, vouchers=2)
    admin = web.visitor("boan-admin")
    admin.get("/merchant/transactions")
    admin.get(f"/merchant/transactions/{redemption_id}")
    admin.post(f"/merchant/transactions/{redemption_id}/confirm")
    later = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)
    settle_due(SqlSettlementStore(web.engine), now=later)
    admin.get("/merchant/payout-account")
    admin.post("/merchant/payout-account", ACCOUNT | {"payee_id": "00683704"})
    file = make_payout_file(SqlPayoutStore(web.engine), "ach_p01", ORIGINATOR, hands=HANDS, now=later)
    assert file is not None
    assert [(one.payable.bank_code, one.payable.account_no) for one in file.payouts] == [("8120012", "20881001234567")]


# ------------------------------------------------------------------------------------------------------------ second factor


def test_whoever_must_have_a_second_factor_is_led_to_it(web: Site) -> None:
    web = with_parts(web, second_factor_required=True)
    admin = web.visitor("boan-admin")
    for path in ("/merchant/", "/merchant/staff", "/account/", "/merchant/payout-account"):
        assert admin.get(path).location == "/account/protect", path
    admin.get("/account/protect")
    assert "第二道驗證" in admin.page
    assert web.visitor("office-1").get("/office/").location == "/account/protect"
    assert web.visitor("boan-scan-1").get("/scan").status_code == 200, "scan staff move no money"
    assert begin(web).get("/application/").status_code == 200
    set_up_totp(admin)
    assert admin.get("/merchant/").status_code == 200
    admin.get("/account/tf-setup")
    admin.post("/account/tf-setup", {"setup": "disable"})
    assert admin.get("/merchant/").location == "/account/protect", "turning it off does not open the way"


@pytest.mark.parametrize(("usage", "is_let_in"), [("first", False), ("secondary", True)])
def test_only_a_passkey_beside_the_password_is_a_second_factor(web: Site, usage: str, is_let_in: bool) -> None:
    web = with_parts(web, second_factor_required=True)
    admin = web.visitor("boan-admin")
    key = Passkey(b"id", "boan-admin", "櫃台", usage, b"public", 1, "usb", "single_device", False, NOW, NOW)
    web.parts.accounts.factors.add_passkey(key, AccountEvent(NOW, "passkey_added", "boan-admin"))
    assert (admin.get("/merchant/").status_code == 200) == is_let_in


def test_nobody_is_led_anywhere_where_it_is_optional(web: Site) -> None:
    assert web.visitor("boan-admin").get("/merchant/").status_code == 200


# -------------------------------------------------------------------------------------------------------------------- trail


def test_trail_keeps_no_value_of_a_field(web: Site) -> None:
    approved(web)
    with web.engine.connect() as connection:
        told = repr(connection.execute(select(merchant_event)).all()) + repr(connection.execute(select(account_event)).all())
    assert OWNER_ID not in told
    assert WHOLE["phone"] not in told
    with pytest.raises(Exception, match="never changed"), web.engine.begin() as connection:
        connection.execute(update(merchant_event).values(reason=""))
