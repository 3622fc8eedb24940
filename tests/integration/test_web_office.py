"""The programme office's pages: issuing by file, sheets, settlements."""

import io
import re
from collections.abc import Iterator
from typing import Any

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


def test_vouchers_are_issued_and_can_be_printed(site: Site, officer: Visitor) -> None:
    officer.post("/office/issues", form(HOLDERS), follow_redirects=True)
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
    for _ in range(3):
        assert officer.post("/office/issues", form(HOLDERS)).status_code == 302
    assert issued(site) == (1, 2)
    officer.get("/office/issues")
    officer.post("/office/issues", form(HOLDERS))
    assert issued(site) == (2, 4), "the page that is opened again issues again"


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
    assert issued(site) == (0, 0)
    officer.post("/office/issues", form(HOLDERS))
    assert issued(site) == (1, 2)


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
    ("staff_id", "lists"), [("office-1", {"issues", "settlements", "kiosks"}), ("finance-1", {"settlements"})]
)
def test_sums_of_the_overview_lead_where_the_reader_may_go(site: Site, staff_id: str, lists: set[str]) -> None:
    enrol_device(site, "kiosk-boan22", "boan-lobby", presence="lost")
    visitor = site.visitor(staff_id)
    visitor.get("/office/")
    main = visitor.page.split("<main", 1)[1]
    assert set(re.findall(r'href="/office/([a-z]+)', main)) == lists
