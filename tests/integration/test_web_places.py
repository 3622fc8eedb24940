"""Where a site is: written by a merchant, an approval or a setup file, and the same for everybody who reads it."""

import re
from collections.abc import Iterator

import msgspec
import pytest
from sqlalchemy import Engine

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.programmes import SqlSetupStore
from cloud.domain.setup import MerchantSetup, Setup
from cloud.services.setup import load_setup
from tests.support.applying import NAME, WHOLE, approved
from tests.support.setups import PROGRAMME_ID, example_setup
from tests.support.web import NOW, PASSWORDS, Site, Visitor, open_site

pytest_plugins = ("tests.support.databases",)

MOVED = {"name": "泊岸旅館 太麻里館", "name_en": "", "address": "台東縣太麻里鄉金崙 10 號", "phone": "０８９-７７１-234"}


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    engine = make_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def web(engine: Engine) -> Site:
    return open_site(engine)


def found(visitor: Visitor, query: str) -> list[str]:
    """Names of the shops that the public search finds."""
    visitor.get(f"/shops?{query}")
    return re.findall(r'<h2 lang="zh-Hant-TW">([^<]+)</h2>', visitor.page)


def charted(web: Site) -> list[str]:
    """Counties in the chart of the programme, as the office sees them."""
    officer = web.visitor("office-1")
    officer.get(f"/office/programmes/{PROGRAMME_ID}")
    return [name for name in ("宜蘭縣", "臺東縣", "未填縣市") if name in officer.page]


def move(web: Site) -> Visitor:
    admin = web.visitor("boan-admin")
    admin.get("/merchant/sites/boan-lobby")
    assert admin.post("/merchant/sites/boan-lobby", MOVED).location == "/merchant/sites"
    return admin


def load(web: Site, setup: Setup) -> None:
    load_setup(SqlSetupStore(web.engine), setup, hash_password=PASSWORDS.hash, now=NOW)


def test_what_a_merchant_writes_is_what_everybody_reads(web: Site) -> None:
    web.till.redeem(NOW, vouchers=3)
    citizen = web.visitor()
    assert (found(citizen, "county=ILA&q=大廳"), charted(web)) == (["泊岸旅館 一樓大廳"], ["宜蘭縣"])
    admin = move(web)
    assert found(citizen, "county=TTT&district=太麻里鄉") == [MOVED["name"]]
    assert MOVED["address"] in citizen.page
    assert 'href="tel:089771234"' in citizen.page
    assert found(citizen, "county=ILA&q=大廳") == []
    assert charted(web) == ["臺東縣"]
    admin.get("/merchant/sites/boan-lobby")
    assert MOVED["address"] in admin.page
    assert 'value="089-771-234"' in admin.page


def test_an_approved_business_is_found_where_it_applied_from(web: Site) -> None:
    admin = approved(web)
    citizen = web.visitor()
    assert found(citizen, "county=NAN&district=仁愛鄉") == [NAME]
    assert WHOLE["phone"] not in citizen.page, "that one is for the office"
    admin.get("/merchant/sites")
    assert WHOLE["address"] in admin.page


def test_a_file_moves_a_site_unless_its_merchant_did(web: Site) -> None:
    setup = example_setup()
    citizen = web.visitor()
    load(web, _moved(setup, "臺東縣臺東市中華路 1 號"))
    assert len(found(citizen, "county=TTT&district=臺東市")) == 2
    move(web)
    load(web, setup)
    assert found(citizen, "county=TTT") == [MOVED["name"]]
    assert len(found(citizen, "county=ILA")) == 1, "the other one is the file's still"


@pytest.mark.parametrize("decision", ["suspend", "terminate"])
def test_a_merchant_that_does_not_take_part_is_not_found(web: Site, decision: str) -> None:
    officer, citizen = web.visitor("office-1"), web.visitor()
    assert len(found(citizen, "q=泊岸")) == 2
    officer.get("/office/merchants/boan-hotel")
    officer.post("/office/merchants/boan-hotel/rule", {"action": decision, "reason": "未依約改善。", "sure": "1"})
    assert found(citizen, "q=泊岸") == []
    assert found(citizen, "county=ILA") == []


def _moved(setup: Setup, address: str) -> Setup:
    """The setup with all places of one merchant elsewhere."""

    def elsewhere(one: MerchantSetup) -> MerchantSetup:
        if one.merchant_id != "boan-hotel":
            return one
        return msgspec.structs.replace(one, sites=[msgspec.structs.replace(at, address=address) for at in one.sites])

    return msgspec.structs.replace(setup, merchants=[elsewhere(one) for one in setup.merchants])
