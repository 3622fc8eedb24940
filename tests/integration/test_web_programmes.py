"""Programmes on the web: made, changed, refused; what their page says; items; signals; the audit log."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, insert, text

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.retention import SqlRetentionStore
from cloud.adapters.sql.tables import issue_batch
from cloud.ports.audit import AuditSearch
from tests.support.web import NOW, Site, Visitor, enrol_device, issue, open_site

pytest_plugins = ("tests.support.databases",)

NEW: dict[str, Any] = {
    "programme_id": "autumn-2027", "name_zh": "秋遊券", "name_en": "Autumn", "face_value_twd": "500",
    "starts_on": "2027-09-01", "ends_on": "2027-11-30", "dispute_days": "120", "merchant_categories": ["lodging", "amusement"],
    "budget_twd": "50,000", "vouchers_per_order_max": "4", "vouchers_per_holder_max": "", "signing_key_id": "",
    "offline_order_max_twd": "0", "offline_kiosk_max_twd": "0", "offline_age_max_h": "0",
}  # fmt: skip


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    engine = make_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def site(engine: Engine) -> Site:
    return open_site(engine)


@pytest.fixture
def officer(site: Site) -> Visitor:
    visitor = site.visitor("office-1")
    visitor.get("/office/new-programme")
    return visitor


def plain(page: str) -> str:
    """A page's words, without its tags."""
    return re.sub(r"[ \n]+", " ", re.sub(r"<[^>]+>", " ", page))


def typed(visitor: Visitor, path: str) -> dict[str, Any]:
    """The form as it stands."""
    visitor.get(path)
    fields = dict(re.findall(r'<input id="([a-z_]+)" name="[a-z_]+" type="[a-z]+" value="([^"]*)"', visitor.page))
    return fields | {
        "merchant_categories": re.findall(r'value="([a-z_]+)" checked', visitor.page),
        "signing_key_id": "".join(re.findall(r'<option selected value="([^"]*)"', visitor.page)),
    }


def test_a_programme_is_opened_and_changed(site: Site, officer: Visitor) -> None:
    assert officer.post("/office/new-programme", NEW, follow_redirects=True).status_code == 200
    assert "計畫已建立" in officer.page
    page = plain(officer.page)
    assert "秋遊券" in page
    assert "50,000\u2009元" in page
    path = "/office/programmes/autumn-2027/change"
    fields = typed(officer, path)
    assert fields["budget_twd"] == "50000"
    assert fields["merchant_categories"] == ["lodging", "amusement"]
    officer.post(path, fields | {"budget_twd": "80000", "ends_on": "2027-12-31", "dispute_days": "60"}, follow_redirects=True)
    assert "立即生效" in officer.page
    assert "預算（元）：50,000\u2009元 → 80,000\u2009元" in plain(officer.page)
    assert "爭議處理天數：120 天 → 60 天" in plain(officer.page)
    state = site.parts.programmes.office.find("autumn-2027")
    assert state is not None
    assert (state.version_no, state.terms.budget_twd, state.terms.ends_on.isoformat()) == (2, 80_000, "2027-12-31")
    days = [version.terms.dispute_days for version in site.parts.programmes.office.versions("autumn-2027")]
    assert (state.terms.dispute_days, days) == (60, [60, 120])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"programme_id": "New Year"}, "請用 3 到 32 個小寫英文字母"),
        ({"programme_id": "travel-2026"}, "這個代碼已有計畫使用"),
        ({"face_value_twd": "a lot"}, "請填整數金額"),
        ({"face_value_twd": "99999999999999999999"}, "請填整數金額"),
        ({"dispute_days": "3651"}, "請填 0 到 3,650 天"),
        ({"dispute_days": ""}, "請填整數"),
        ({"budget_twd": "0"}, "請填 1 元以上的金額"),
        ({"ends_on": "2027-02-30"}, "請選擇日期"),
        ({"ends_on": "2027-08-31"}, "最後一日不能早於開始日"),
        ({"merchant_categories": []}, "請至少選一個業別"),
        ({"merchant_categories": ["bakery"]}, "有業別還沒有消費品項"),
        ({"signing_key_id": "stolen"}, "找不到這把金鑰"),
        ({"offline_order_max_twd": "10"}, "每台上限不能低於每筆上限"),
        ({"name_zh": "<script>alert(1)</script>", "name_en": ""}, "請填寫英文名稱"),
    ],
)
def test_what_is_not_sound_is_said_beside_its_field(site: Site, officer: Visitor, change: dict[str, Any], says: str) -> None:
    officer.post("/office/new-programme", NEW | change)
    assert officer.status == 200
    assert says in officer.page
    assert "<script>alert" not in officer.page
    assert f'value="{NEW["starts_on"]}"' in officer.page, "what was typed is still there"
    assert site.parts.programmes.office.find("autumn-2027") is None


def test_what_is_fixed_once_vouchers_are_out(site: Site, officer: Visitor) -> None:
    issue(site, {"566780776770": "1234", "409842918253": "0007"})
    path = "/office/programmes/travel-2026/change"
    fields = typed(officer, path)
    assert "已發行 2 張券" in officer.page
    assert "readonly" in officer.page
    officer.post(path, fields | {"face_value_twd": "2000", "ends_on": "2027-04-29", "budget_twd": "1999"})
    for says in ("面額不能變更", "最後一日不能提前", "預算不能低於已發行的金額"):
        assert says in officer.page
    typed(officer, path)
    officer.post(path, fields | {"budget_twd": "2000"}, follow_redirects=True)
    assert "預算已用完，無法再發券" in officer.page
    officer.get("/office/")
    assert "1 個計畫的預算已用完" in officer.page


def test_how_long_holders_are_known_is_fixed_once_they_are_forgotten(site: Site, officer: Visitor, engine: Engine) -> None:
    issue(site, {"566780776770": "1234"})
    path = "/office/programmes/travel-2026/change"
    fields = typed(officer, path)
    retention = SqlRetentionStore(engine)
    retention.finish([one.issue_id for one in retention.known_issues()], now=NOW)
    officer.post(path, fields | {"dispute_days": "365", "ends_on": "2027-05-31"})
    assert officer.page.count("持券人資料已刪除，不能再變更") == 2
    assert "最後一日與爭議處理天數不能再變更" in officer.page
    officer.post(path, fields | {"name_en": "Travelled"}, follow_redirects=True)
    state = site.parts.programmes.office.find("travel-2026")
    assert state is not None
    assert (state.terms.name_en, state.terms.dispute_days) == ("Travelled", 90)


def test_a_form_that_is_out_of_date_changes_nothing(site: Site, officer: Visitor) -> None:
    path = "/office/programmes/travel-2026/change"
    fields = typed(officer, path)
    stale = officer.hidden_fields(path)
    officer.post(path, fields | {"budget_twd": "9000000"})
    officer.post(path, fields | {"budget_twd": "8000000"} | stale, hidden=False)
    assert "已由其他人修改" in officer.page
    state = site.parts.programmes.office.find("travel-2026")
    assert state is not None
    assert state.terms.budget_twd == 9_000_000


def test_the_page_of_a_programme_tells_where_the_money_is(site: Site, officer: Visitor) -> None:
    site.till.redeem(NOW, vouchers=3)
    with site.engine.begin() as connection:
        connection.execute(text("DELETE FROM site_place"))
    for visitor in (officer, site.visitor("finance-1"), site.visitor("auditor-1")):
        assert visitor.get("/office/programmes/travel-2026").status_code == 200
        assert "3,000\u2009元" in plain(visitor.page)
        assert "未填縣市" in visitor.page
    assert officer.get("/office/programmes/nothing").status_code == 404
    assert officer.get("/office/programmes/nothing/change").status_code == 404
    officer.get("/office/programmes")
    assert "國旅券" in officer.page


def test_items_are_added_renamed_and_moved(site: Site, officer: Visitor) -> None:
    officer.get("/office/items")
    spa = {
        "merchant_category": "lodging", "item_category": "spa", "is_new": "1",
        "name_zh": "三溫暖", "name_en": "Spa", "name_ja": "スパ", "name_ko": "스파",
    }  # fmt: skip
    officer.post("/office/items", spa, follow_redirects=True)
    assert "「三溫暖」已儲存" in officer.page
    officer.post("/office/items", spa)
    assert "已有相同代碼的品項" in officer.page
    officer.get("/office/items")
    officer.post("/office/items", spa | {"is_new": "", "name_en": "Sauna"})
    officer.post("/office/items/move", {"merchant_category": "lodging", "item_category": "spa", "where": "up"})
    items = [item.item_category for item in site.parts.programmes.office.item_categories()["lodging"]]
    assert items == ["room", "room_and_meals", "spa", "dining"]
    assert [choice.code for choice in site.parts.choices.item_categories("lodging")] == items
    assert officer.post("/office/items", spa | {"is_new": "", "item_category": "nothing"}).status_code == 404
    assert officer.post("/office/items", spa | {"merchant_category": "bakery"}).status_code == 400


def test_signals_lead_to_their_rows(site: Site, officer: Visitor) -> None:
    for number in range(6):
        site.till.redeem(NOW - timedelta(minutes=number), vouchers=1)
    officer.get("/office/signals?burst_count=6&burst_minutes=x&days=9999999999999")
    assert "10 分鐘內抵用 6 筆以上" in officer.page
    (path,) = {found.replace("&amp;", "&") for found in re.findall(r'href="(/office/signals/burst[^"]+)"', officer.page)}
    officer.get(path)
    assert "顯示 6 筆，共 6 筆" in officer.page
    for wrong in (
        "/office/signals/burst",
        "/office/signals/nothing",
        path.replace("merchant=", "merchant=x"),
        "/office/signals/pair?holder=zz",
    ):
        assert officer.get(wrong).status_code == 404, wrong
    officer.get("/office/signals?burst_count=7")
    assert "/office/signals/burst" not in officer.page


def test_the_audit_log_is_searched_and_checked(site: Site, officer: Visitor) -> None:
    path = "/office/programmes/travel-2026/change"
    officer.post(path, typed(officer, path) | {"budget_twd": "9000000"})
    auditor = site.visitor("auditor-1")
    auditor.get("/office/audit?action=programme.changed&object=travel-2026&from=2026-11-20&to=2026-11-20")
    page = plain(auditor.page)
    assert "共 1 筆" in page
    assert "修改計畫" in page
    assert "9,000,000" in page
    auditor.get("/office/audit?action=nothing&below=5")
    assert "沒有符合的紀錄" in auditor.page
    auditor.get("/office/audit?check=1")
    assert "紀錄完整" in auditor.page
    with site.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER audit_entry_keeps_facts_on_update"))
        connection.execute(text("UPDATE audit_entry SET actor = 'nobody' WHERE entry_no = 2"))
    auditor.get("/office/audit?check=1")
    assert "第 2 筆起與原始紀錄不符" in auditor.page


def test_what_is_done_to_kiosks_and_accounts_is_in_the_log(site: Site, officer: Visitor) -> None:
    enrol_device(site, "kiosk-boan22", "boan-lobby")
    officer.get("/office/kiosks")
    officer.post("/office/claim-codes", {"site": "boan-lobby"})
    officer.get("/office/kiosks/kiosk-boan22/revoke")
    officer.post("/office/kiosks/kiosk-boan22/revoke", {"reason": "王小明 lost it"})
    officer.get("/office/people/finance-1")
    officer.post("/office/people/finance-1/active", {"active": "0"})
    officer.get("/office/audit")
    page = plain(officer.page)
    for says in ("產生啟用碼 boan-lobby", "停用機台 kiosk-boan22 狀態 active → revoked", "停用帳號 finance-1"):
        assert says in page, says
    assert "王小明" not in page
    rows = site.parts.programmes.audit.search(AuditSearch(actor="office-1"), page_size=9).rows
    assert [row.entry.fact.action for row in rows] == ["account.closed", "kiosk.revoked", "kiosk.code_made"]


def test_a_programme_near_its_budget_is_told_of(site: Site, officer: Visitor) -> None:
    path = "/office/programmes/travel-2026/change"
    officer.post(path, typed(officer, path) | {"budget_twd": "10000"})
    with site.engine.begin() as connection:
        made = {"issued_at": NOW, "issued_by": "office-1", "voucher_count": 8}
        connection.execute(insert(issue_batch).values(issue_id=UUID(int=1), programme_id="travel-2026", **made))
    officer.get("/office/")
    assert "1 個計畫的預算已使用八成以上" in officer.page
    officer.get("/office/programmes/travel-2026")
    assert "還可發行 2,000\u2009元" in officer.page
