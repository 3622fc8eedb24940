"""The claim list by period: the running week, a settled one, and sums that are the claims' own."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.services.confirm import confirm_all
from cloud.services.settle import settle_due
from tests.support.setups import PLACES
from tests.support.web import Site, open_site

pytest_plugins = ("tests.support.databases",)

FRIDAY = datetime(2026, 11, 13, 4, 0, tzinfo=UTC)
"""In the week of Wednesday 11 November, Taipei."""


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    engine = make_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def site(engine: Engine) -> Site:
    """Two orders of a week: totals 5,050 and 2,100, one voucher each, as in the source."""
    site = open_site(engine, now=FRIDAY)
    site.till.redeem(FRIDAY, vouchers=1, order_total_twd=5050)
    site.till.redeem(FRIDAY + timedelta(hours=1), vouchers=1, order_total_twd=2100)
    return site


def confirm_and_settle(site: Site) -> None:
    confirm_all(site.parts.confirmations, merchant_id="boan-hotel", staff_id="boan-admin", now=site.clock.now())
    site.clock.advance(days=7)
    settle_due(SqlSettlementStore(site.engine), now=site.clock.now())


def test_running_week_shows_what_will_be_claimed(site: Site) -> None:
    visitor = site.visitor("boan-admin")
    visitor.get("/merchant/claims")
    assert "2026/11/11（三）00:00:00～2026/11/17（二）23:59:59" in visitor.page
    assert "0 張" in visitor.page
    assert "未確認交易（2）" in visitor.page
    assert 'href="/merchant/confirm-all"' in visitor.page
    visitor.get("/merchant/claims?state=unconfirmed")
    assert "5,050\u2009元" in visitor.page


def test_claim_is_vouchers_times_face_value_not_order_totals(site: Site) -> None:
    confirm_and_settle(site)
    visitor = site.visitor("boan-admin")
    visitor.get("/merchant/claims?period=2026-11-11")
    assert "2 張" in visitor.page
    assert "2,000\u2009元" in visitor.page
    assert "7,150" not in visitor.page
    assert "已請款" in visitor.page
    assert "第 1–2 筆，共 2 筆" in visitor.page


def test_period_may_be_named_by_any_of_its_days(site: Site) -> None:
    confirm_and_settle(site)
    visitor = site.visitor("boan-admin")
    for named in ("2026-11-11", "2026-11-17"):
        visitor.get(f"/merchant/claims?period={named}")
        assert "2026/11/11（三）00:00:00" in visitor.page
    for named in ("2026-11-25", "nonsense", ""):
        visitor.get(f"/merchant/claims?period={named}")
        assert "2026/11/18（三）00:00:00" in visitor.page


def test_week_without_claims_lists_nothing(site: Site) -> None:
    confirm_and_settle(site)
    visitor = site.visitor("boan-admin")
    visitor.get("/merchant/claims?period=2026-11-04")
    assert "這一期沒有請款" in visitor.page
    assert "5,050" not in visitor.page


def test_claim_of_another_merchant_is_not_found(site: Site) -> None:
    site.till.redeem(FRIDAY, place=PLACES[2], vouchers=1, order_total_twd=7777)
    confirm_all(site.parts.confirmations, merchant_id="yunling-park", staff_id="yunling-admin", now=site.clock.now())
    confirm_and_settle(site)
    [foreign] = site.parts.reports.claims(merchant_id="yunling-park")
    visitor = site.visitor("boan-admin")
    assert visitor.get(f"/merchant/claims?period=2026-11-11&batch={foreign.claim_id}").status_code == 404
    assert visitor.get("/merchant/claims?period=2026-11-11&batch=nonsense").status_code == 404
    visitor.get(f"/merchant/transactions?claim={foreign.claim_id}")
    assert "7,777" not in visitor.page
    assert "沒有符合條件的交易" in visitor.page
