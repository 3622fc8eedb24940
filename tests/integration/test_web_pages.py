"""The merchant's, the office's and everybody's pages, over HTTP on a real database."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import Engine

from cloud.adapters.sql.engine import make_engine
from protocol.errors import PortError
from tests.support.setups import PLACES
from tests.support.web import NOW, Site, Visitor, enrol_device, open_site, with_parts

pytest_plugins = ("tests.support.databases",)

BOAN, YUNLING = PLACES[1], PLACES[2]


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    """One fresh SQLite database; the queries themselves are held to both databases by their own contract suites."""
    engine = make_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def site(engine: Engine) -> Site:
    return open_site(engine)


def test_home_shows_the_six_doors(site: Site) -> None:
    visitor = site.visitor()
    assert visitor.get("/").status_code == 200
    for door in ("travel_agency", "lodging", "amusement", "hotspring_or_ppp", "scan", "office"):
        assert f'href="/sign-in/{door}"' in visitor.page
    assert "0800-211734" in visitor.page
    assert visitor.get("/healthz").json == {"state": "up"}


def test_language_follows_browser_then_choice(site: Site) -> None:
    visitor = site.visitor()
    visitor.get("/", headers={"Accept-Language": "zh-TW,zh;q=0.9"})
    assert '<html lang="zh-Hant-TW" ' in visitor.page
    visitor.get("/", headers={"Accept-Language": "en-GB,en"})
    assert '<html lang="en" ' in visitor.page
    visitor.get("/language/zh-Hant-TW?next=/sign-in/scan")
    visitor.get("/", headers={"Accept-Language": "en-GB,en"})
    assert '<html lang="zh-Hant-TW" ' in visitor.page
    assert visitor.get("/language/xx").status_code == 404


def test_transactions_have_the_columns_of_the_source(site: Site) -> None:
    site.till.redeem(NOW - timedelta(hours=1), vouchers=3, order_total_twd=5050)
    visitor = site.visitor("boan-admin")
    visitor.get("/merchant/transactions")
    for column in ("序號", "交易券號", "抵用張數", "交易日期", "交易總額", "掃票同仁", "請款進度", "確認交易"):
        assert f">{column}<" in visitor.page
    for cell in ("等 3 張", "2026/11/20 11:00", "5,050\u2009元", "許雅筑", "未確認", "檢視", "確認"):
        assert cell in visitor.page


def test_filter_and_page_live_in_the_address(site: Site) -> None:
    for hours in range(12):
        site.till.redeem(NOW - timedelta(hours=hours), vouchers=1)
    visitor = site.visitor("boan-admin")
    visitor.get("/merchant/transactions?state=unconfirmed")
    assert "第 1–10 筆，共 12 筆" in visitor.page
    visitor.get(link(visitor, "next"))
    assert "第 11–12 筆，共 12 筆" in visitor.page
    visitor.get("/merchant/transactions?size=25")
    assert "第 1–12 筆，共 12 筆" in visitor.page
    visitor.get("/merchant/transactions?state=paid")
    assert "沒有符合條件的交易" in visitor.page


def link(visitor: Visitor, rel: str) -> str:
    """Where the pager's link leads."""
    found = re.search(rf'rel="{rel}" href="([^"]+)"', visitor.page)
    assert found is not None, rel
    return unescape(found[1])


def numbers(visitor: Visitor) -> list[str]:
    """序號 and amount of every row shown."""
    return re.findall(r'class="num serial"[^>]*>([0-9,]+)<.*?元', visitor.page, re.DOTALL)


def test_pages_lead_forth_and_back_and_do_not_move(site: Site) -> None:
    for minutes in range(25):
        site.till.redeem(NOW - timedelta(minutes=minutes), order_total_twd=1_000 + minutes)
    visitor = site.visitor("boan-admin")
    visitor.get("/merchant/transactions?state=unconfirmed&sort=-order_total")
    assert 'aria-sort="descending"' in visitor.page
    assert "1,024\u2009元" in visitor.page
    visitor.get(link(visitor, "next"))
    assert "第 11–20 筆，共 25 筆" in visitor.page
    assert numbers(visitor) == [str(number) for number in range(11, 21)]
    assert "1,014\u2009元" in visitor.page
    site.till.redeem(NOW, order_total_twd=9_999)  # in front of everything: this page stays what it was
    last = link(visitor, "next")
    visitor.get(last)
    assert "第 22–26 筆，共 26 筆" in visitor.page, "the last page counts from the end"
    assert 'rel="next"' not in visitor.page
    visitor.get(link(visitor, "prev"))
    assert "1,014\u2009元" in visitor.page
    visitor.get(link(visitor, "prev"))
    assert "第 2–11 筆，共 26 筆" in visitor.page
    visitor.get(link(visitor, "prev"))
    assert "9,999\u2009元" in visitor.page
    assert "sort=-order_total" in visitor.page, "the order stays in the address"


@pytest.mark.parametrize("name", ["zh-Hant-TW", "en", "ja", "ko"])
def test_language_and_scheme_keep_the_page_and_its_filters(site: Site, name: str) -> None:
    visitor = site.visitor("boan-admin")
    visitor.get("/merchant/transactions?state=paid&sort=order_total")
    back = "/merchant/transactions?state%3Dpaid%26sort%3Dorder_total"
    assert f'href="/language/{name}?next={back}"' in visitor.page
    assert visitor.get(f"/language/{name}?next={back}").location == "/merchant/transactions?state=paid&sort=order_total"
    assert visitor.get(f"/scheme/dark?next={back}").location == "/merchant/transactions?state=paid&sort=order_total"
    visitor.get("/merchant/")
    assert f'<html lang="{name}" data-scheme="dark">' in visitor.page
    assert visitor.get("/scheme/sepia").status_code == 404


@pytest.mark.parametrize(
    "address",
    ["row=0", "row=-1&after=1-00000000000000000000000000000000", "row=99999999999999999999", "after=x", "before=", "sort=by",
     "after=9999999999999999-00000000000000000000000000000000",
     "sort=order_total&after=9999999999-00000000000000000000000000000001",
     "before=0-ffffffffffffffffffffffffffffffff&row=7", "size=7", "size=1000000", "state=nonsense", "from=yesterday",
     "from=2026-02-30", "row=%00", "after=%F0%9F%98%80", "to=9999-12-31"],
)  # fmt: skip
def test_edited_addresses_show_the_default(site: Site, address: str) -> None:
    site.till.redeem(NOW, vouchers=1)
    assert site.visitor("boan-admin").get(f"/merchant/transactions?{address}").status_code == 200


def test_page_that_is_gone_shows_the_first(site: Site) -> None:
    redemption_id = site.till.redeem(NOW, vouchers=1)
    visitor = site.visitor("boan-admin")
    for place in (f"after=1-{redemption_id.hex}&row=11", f"before=9000000000000000-{redemption_id.hex}&row=11"):
        visitor.get(f"/merchant/transactions?{place}")
        assert "第 1–1 筆，共 1 筆" in visitor.page


def test_confirm_one_is_idempotent_and_keeps_the_place(site: Site) -> None:
    redemption_id = site.till.redeem(NOW, vouchers=1)
    visitor = site.visitor("boan-admin")
    visitor.get("/merchant/transactions?state=unconfirmed")
    path = f"/merchant/transactions/{redemption_id}/confirm"
    assert visitor.hidden_fields(path)["back"] == "/merchant/transactions?state=unconfirmed"
    assert visitor.post(path).location == "/merchant/transactions?state=unconfirmed"
    assert visitor.post(path).status_code == 302, "the page that still shows the button is pressed again"
    visitor.get("/merchant/transactions?state=confirmed")
    assert "共 1 筆，1 張" in visitor.page


def test_confirm_all_previews_count_and_sum(site: Site) -> None:
    for _ in range(3):
        site.till.redeem(NOW, vouchers=2, order_total_twd=2500)
    site.till.redeem(NOW, place=YUNLING, vouchers=1)
    visitor = site.visitor("boan-admin")
    visitor.get("/merchant/confirm-all")
    assert "將確認 3 筆交易，抵用 6 張，共 6,000\u2009元" in visitor.page
    visitor.post("/merchant/confirm-all", follow_redirects=True)
    assert "已確認 3 筆交易，共 6,000\u2009元" in visitor.page
    assert "總請款金額" in visitor.page
    visitor.get("/merchant/confirm-all")
    assert "沒有待確認的交易" in visitor.page
    other = site.visitor("yunling-admin")
    other.get("/merchant/transactions?state=unconfirmed")
    assert "共 1 筆，1 張" in other.page


def test_overview_links_every_number_to_its_rows(site: Site) -> None:
    site.till.redeem(NOW, vouchers=2, order_total_twd=3000)
    enrol_device(site, "kiosk-lost22", "boan-lobby", presence="lost")
    visitor = site.visitor("boan-admin")
    visitor.get("/merchant/")
    assert "2,000\u2009元" in visitor.page
    for address in (
        "/merchant/transactions?from=2026-11-20&amp;to=2026-11-20",
        "/merchant/transactions?state=unconfirmed",
        "/merchant/claims",
        "/merchant/kiosks",
    ):
        assert f'href="{address}"' in visitor.page
    visitor.get("/merchant/transactions?from=2026-11-20&to=2026-11-20")
    assert "共 1 筆，2 張，抵用 2,000\u2009元" in visitor.page
    visitor.get("/merchant/kiosks")
    assert "kiosk-lost22" in visitor.page
    assert "連線中斷" in visitor.page


def test_unreachable_database_is_said_calmly(site: Site) -> None:
    class Broken:
        def __getattr__(self, name: str) -> object:
            raise PortError("the database failed", retry=True)

    visitor = with_parts(site, reports=Broken()).visitor("boan-admin")
    assert visitor.get("/merchant/").status_code == 503
    assert "您的資料是安全的" in visitor.page


def test_every_answer_carries_the_headers(site: Site) -> None:
    visitor = site.visitor("boan-admin")
    for path in ("/", "/merchant/", "/nowhere", "/static/style.css", "/healthz"):
        headers = visitor.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert visitor.get("/merchant/").headers["Cache-Control"] == "no-store"


def test_pages_hold_no_inline_script_or_style(site: Site) -> None:
    site.till.redeem(NOW, vouchers=2)
    visitor = site.visitor("boan-admin")
    for path in ("/", "/merchant/", "/merchant/transactions", "/merchant/claims", "/merchant/confirm-all"):
        visitor.get(path)
        assert "<style" not in visitor.page
        assert " style=" not in visitor.page
        assert "<script>" not in visitor.page
        assert " onclick" not in visitor.page
        assert "https://" not in visitor.page
