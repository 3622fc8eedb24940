"""What a merchant sees of a correction: why, how much, and what is paid instead."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from cloud.adapters.sql.corrections import SqlCorrectionStore
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.people import SqlPeople
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.services.confirm import confirm_all
from cloud.services.correct import Wish, correct
from cloud.services.settle import settle_due
from tests.support.web import open_site

pytest_plugins = ("tests.support.databases",)

FRIDAY = datetime(2026, 11, 13, 4, 0, tzinfo=UTC)


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    engine = make_engine(sqlite_url)
    yield engine
    engine.dispose()


def test_a_merchant_sees_what_is_deducted_and_why(engine: Engine) -> None:
    site = open_site(engine, now=FRIDAY)
    wrong = site.till.redeem(FRIDAY, vouchers=1)
    site.till.redeem(FRIDAY + timedelta(hours=1), vouchers=2)
    confirm_all(site.parts.confirmations, merchant_id="boan-hotel", staff_id="boan-admin", now=FRIDAY)
    reason = "房客未入住 <b>申訴成立</b>"
    correct(SqlCorrectionStore(engine), SqlPeople(engine), Wish(wrong, reason, "office-1"), now=FRIDAY + timedelta(days=1))
    site.clock.advance(days=7)
    settle_due(SqlSettlementStore(engine), now=site.clock.now())
    visitor = site.visitor("boan-admin")
    visitor.get("/merchant/claims?period=2026-11-11")
    assert "更正扣抵 1,000\u2009元，實付 2,000\u2009元" in visitor.page
    assert "3,000\u2009元" in visitor.page
    visitor.get(f"/merchant/transactions/{wrong}")
    assert "已更正，扣回 1,000\u2009元" in visitor.page
    assert "房客未入住 &lt;b&gt;申訴成立&lt;/b&gt;" in visitor.page


def test_a_correction_stands_where_it_happened(engine: Engine) -> None:
    site = open_site(engine, now=FRIDAY)
    wrong = site.till.redeem(FRIDAY, vouchers=1)
    confirm_all(site.parts.confirmations, merchant_id="boan-hotel", staff_id="boan-admin", now=FRIDAY)
    site.clock.advance(days=7)
    settle_due(SqlSettlementStore(engine), now=site.clock.now())
    visitor = site.visitor("boan-admin")
    visitor.get(f"/merchant/transactions/{wrong}")
    assert "已更正" not in visitor.page
    site.clock.advance(minutes=5)
    correct(SqlCorrectionStore(engine), SqlPeople(engine), Wish(wrong, "申訴成立", "office-1"), now=site.clock.now())
    visitor.get(f"/merchant/transactions/{wrong}")
    assert visitor.page.count("已更正") == 1
    assert visitor.page.index("併入") < visitor.page.index("已更正")
