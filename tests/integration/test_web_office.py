"""The programme office's pages: issuing by file, sheets, settlements."""

import io
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, func, select

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.tables import issue_batch, voucher
from tests.support.web import Site, Visitor, enrol_device, open_site

pytest_plugins = ("tests.support.databases",)

HOLDERS = "name,last_four\n王小明,1234\n陳大文,0007\n"


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
    visitor.get("/office/issues")
    return visitor


def form(holders: str | bytes, programme: str = "travel-2026") -> dict[str, Any]:
    content = holders.encode() if isinstance(holders, str) else holders
    return {"programme": programme, "holders": (io.BytesIO(content), "holders.csv")}


def issued(site: Site) -> tuple[int, int]:
    """Batches and vouchers."""
    with site.engine.connect() as connection:
        batches = connection.scalar(select(func.count()).select_from(issue_batch))
        return int(batches or 0), int(connection.scalar(select(func.count()).select_from(voucher)) or 0)


def hand_in(officer: Visitor, holders: str | bytes = HOLDERS, **fields: Any) -> str:
    """Hand a list in, and look at what would be issued; returns where that is."""
    officer.get("/office/issues")
    path = officer.post("/office/issues", form(holders) | fields).location or ""
    officer.get(path)
    return path


def test_vouchers_are_issued_and_can_be_printed(site: Site, officer: Visitor) -> None:
    path = hand_in(officer)
    assert "發行 2 張，共 2,000\u2009元" in officer.page
    assert issued(site) == (0, 0), "looking at it issues nothing"
    officer.post(f"{path}/issue", follow_redirects=True)
    assert "已發行" in officer.page
    assert issued(site) == (1, 2)
    [batch] = site.parts.reports.issues()
    path = f"/office/issues/{batch.issue_id}/sheets-1.pdf"
    assert f'href="{path}"' in officer.page
    answer = officer.get(path)
    assert answer.status_code == 200
    assert answer.mimetype == "application/pdf"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert officer.get(path.replace("-1.pdf", "-2.pdf")).status_code == 404
    assert officer.get("/office/issues/00000000-0000-0000-0000-000000000009/sheets-1.pdf").status_code == 404


def test_clicking_twice_issues_once(site: Site, officer: Visitor) -> None:
    paths = {officer.post("/office/issues", form(HOLDERS)).location or "" for _ in range(3)}
    (path,) = paths
    officer.get(path)
    token = officer.hidden_fields(f"{path}/issue")
    for _ in range(3):
        assert officer.post(f"{path}/issue", token, hidden=False).status_code == 302
    assert issued(site) == (1, 2)
    assert officer.post(f"{path}/discard", token, hidden=False).status_code == 404
    path = hand_in(officer)
    officer.post(f"{path}/issue")
    assert issued(site) == (2, 4), "the page that is opened again issues again"


def test_what_is_discarded_is_not_issued(site: Site, officer: Visitor) -> None:
    path = hand_in(officer)
    officer.get("/office/issues")
    assert "等待確認" in officer.page
    officer.get(path)
    officer.post(f"{path}/discard", follow_redirects=True)
    assert "沒有發行任何券" in officer.page
    assert issued(site) == (0, 0)
    assert officer.get(path).status_code == 302
    assert officer.get("/office/issues/drafts/00000000-0000-0000-0000-000000000009").status_code == 404


REGISTERED = "name,national_id\n王小明,A123456789\n陳美玲,A223456781\n林大同,F131104093\n"


def test_a_draw_issues_to_who_is_drawn(site: Site, officer: Visitor) -> None:
    path = hand_in(officer, REGISTERED, kind="draw", suffixes="89 93")
    assert "發行 2 張，共 2,000\u2009元" in officer.page
    officer.post(f"{path}/issue")
    assert issued(site) == (1, 2)
    for suffixes, says in {
        "89": "先前已經抽出",
        "189": "已包含在另一組",
        "": "請填寫中籤末碼",
        "x1": "不是二到四位數字",
    }.items():
        officer.get("/office/issues")
        officer.post("/office/issues", form(REGISTERED) | {"kind": "draw", "suffixes": suffixes})
        assert says in officer.page, suffixes
    officer.get("/office/issues")
    officer.post("/office/issues", form(HOLDERS) | {"kind": "draw", "suffixes": "81"})
    assert "名冊第 1 列需要修正" in officer.page


def test_beyond_the_budget_nothing_is_issued(site: Site, officer: Visitor) -> None:
    state = site.parts.programmes.office.find("travel-2026")
    assert state is not None
    with site.parts.programmes.office.begin() as transaction:
        transaction.save(msgspec.structs.replace(state.terms, budget_twd=1_500), by="office-1", at=site.clock.now())
    path = hand_in(officer)
    assert "超過預算" in officer.page
    assert f'action="{path}/issue"' not in officer.page
    token = officer.hidden_fields(f"{path}/discard")
    officer.post(f"{path}/issue", token, hidden=False)
    assert issued(site) == (0, 0)


def test_an_auditor_sees_drafts_and_changes_none(site: Site, officer: Visitor) -> None:
    path = hand_in(officer)
    auditor = site.visitor("auditor-1")
    assert auditor.get(path).status_code == 200
    assert '<form method="post" action="/office/issues' not in auditor.page


@pytest.mark.parametrize(
    ("holders", "line"),
    [
        ("name,last_four\n王小明,1234\n陳大文,12\n", 3),
        ("who,what\n", 1),
        (b"\xff\xfe\x00", 1),
        ("name,national_id\n王小明,A123456780\n", 2),
    ],
)
def test_broken_list_names_its_line_and_issues_nothing(site: Site, officer: Visitor, holders: str | bytes, line: int) -> None:
    officer.post("/office/issues", form(holders))
    assert f"名冊第 {line} 列需要修正" in officer.page
    officer.get("/office/issues")
    assert "等待確認的發券" not in officer.page
    assert issued(site) == (0, 0)


def test_missing_list_and_foreign_programme(site: Site, officer: Visitor) -> None:
    officer.post("/office/issues", {"programme": "travel-2026"})
    assert "請選擇持券人名冊" in officer.page
    assert officer.post("/office/issues", form(HOLDERS, "no-such-programme")).status_code == 400
    assert officer.post("/office/issues", form(HOLDERS) | {"batch": "nonsense"}).status_code == 400
    assert issued(site) == (0, 0)


def test_too_large_upload_is_said(site: Site, officer: Visitor) -> None:
    officer.post("/office/issues", form(b"x" * (5 * 1024 * 1024)))
    assert officer.status == 413
    assert "檔案太大" in officer.page
    assert issued(site) == (0, 0)


def test_settlements_start_empty(officer: Visitor) -> None:
    officer.get("/office/settlements")
    assert "還沒有結算紀錄" in officer.page


def test_reviewers_start_on_the_businesses_that_take_part(site: Site) -> None:
    reviewer = site.visitor("reviewer-1")
    reviewer.get("/office/merchants")
    sites = site.parts.choices.sites()
    assert len(sites) == 5
    assert all(one.name in reviewer.page and one.merchant_name in reviewer.page for one in sites)
    assert f"業者共 {len({one.merchant_id for one in sites})} 家、5 處地點" in reviewer.page
    assert "旅宿業" in reviewer.page


@pytest.mark.parametrize(
    ("staff_id", "lists"),
    [
        ("office-1", {"issues", "settlements", "kiosks", "programmes", "signals", "audit"}),
        ("finance-1", {"settlements", "programmes"}),
    ],
)
def test_sums_of_the_overview_lead_where_the_reader_may_go(site: Site, staff_id: str, lists: set[str]) -> None:
    enrol_device(site, "kiosk-boan22", "boan-lobby", presence="lost")
    visitor = site.visitor(staff_id)
    visitor.get("/office/")
    main = visitor.page.split("<main", 1)[1]
    assert set(re.findall(r'href="/office/([a-z]+)', main)) == lists
