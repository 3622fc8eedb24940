"""The public pages over HTTP: the search for shops, questions about a voucher, and what everybody may read."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine, func, insert, select, update

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.tables import digit_try, door, inbox, merchant, site
from cloud.ports.people import MERCHANT_DOORS
from cloud.web.language import LANGUAGES
from cloud.web.public_pages import QUESTIONS_MAX
from tests.fakes.web_store import Unreachable
from tests.support.web import NOW, Site, Visitor, issue, open_site, signed_path, with_parts

pytest_plugins = ("tests.support.databases",)

A, B, UNKNOWN = "566780776770", "409842918253", "999999999999"
HELP_LINE = "0800-211734"


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    engine = make_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def web(engine: Engine) -> Site:
    web = open_site(engine)
    issue(web, {A: "1234", B: "ᚠᚢᚦᚨ"})
    return web


@pytest.fixture
def citizen(web: Site) -> Visitor:
    return web.visitor()


def ask(citizen: Visitor, voucher_no: str, digits: str, *, fresh: bool = True, **options: object) -> str:
    if fresh:
        citizen.get("/voucher-status")
    citizen.post("/voucher-status", {"code": voucher_no, "digits": digits}, **options)  # type: ignore[arg-type]
    return citizen.page


def tries(web: Site) -> int:
    with web.engine.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(digit_try)) or 0)


def test_holder_sees_what_is_with_the_voucher(web: Site, citizen: Visitor) -> None:
    assert "可以使用" in ask(citizen, A, "1234")
    assert "1,000\u2009元" in citizen.page
    assert "2027/4/30" in citizen.page
    assert "可以使用" in ask(citizen, B, "ᚠᚢᚦᚨ")
    clerk = web.visitor("boan-scan-1")
    clerk.get("/scan")
    clerk.post("/scan/voucher", {"code": A})
    clerk.post("/scan/check", {"digits": "1234"})
    assert "正在櫃檯使用中" in ask(citizen, A, "1234")
    clerk.post("/scan/checkout")
    clerk.post("/scan/total", {"item": "room"})
    clerk.post("/scan/review", {"total": "1000"})
    clerk.post("/scan/redeem")
    page = ask(citizen, A, "1234")
    assert "已經使用" in page
    assert "泊岸旅館 一樓大廳" in page
    assert "2026/11/20 12:00" in page
    assert tries(web) == 0


def test_code_may_be_typed_with_gaps_or_be_the_whole_address(citizen: Visitor) -> None:
    assert "可以使用" in ask(citizen, "5667 8077 6770", "１２３４")
    assert "可以使用" in ask(citizen, f"https://x{signed_path(A)}"[:64], "1234") or "12 碼" in citizen.page


def test_wrong_unknown_and_closed_read_the_same(web: Site, citizen: Visitor) -> None:
    pages = [
        ask(citizen, A, "9999"),
        ask(citizen, UNKNOWN, "9999"),
        ask(citizen, A, "8888"),
        ask(citizen, A, "1234"),
    ]
    assert tries(web) == 3, "the last one was not compared any more, though it was right"
    assert len({_without_form(page) for page in pages}) == 1
    assert "查不到這張券" in pages[0]


def test_nobody_locks_a_voucher_from_afar(web: Site, citizen: Visitor) -> None:
    for number in range(QUESTIONS_MAX):
        ask(citizen, A, f"{5000 + number}")
    assert tries(web) == 2
    clerk = web.visitor("boan-scan-1")
    clerk.get("/scan")
    clerk.post("/scan/voucher", {"code": A})
    clerk.post("/scan/check", {"digits": "9999"})
    assert "還可以輸入 2 次" in clerk.page
    clerk.post("/scan/check", {"digits": "1234"})
    assert "總計折抵" in clerk.page


def test_tapping_twice_and_reloading_count_once(web: Site, citizen: Visitor) -> None:
    citizen.get("/voucher-status")
    form = citizen.hidden_fields("/voucher-status") | {"code": A, "digits": "9999"}
    for _ in range(3):
        citizen.post("/voucher-status", form, hidden=False)
    assert tries(web) == 1
    ask(citizen, A, "9999", fresh=False)
    assert tries(web) == 1, "the page that says so carries the same question"
    citizen.post("/voucher-status", form | {"digits": "1234"}, hidden=False)
    assert "可以使用" in citizen.page, "corrected, it is another question"


def test_one_line_asks_so_often_and_another_is_not_held_up(web: Site, citizen: Visitor) -> None:
    for _ in range(QUESTIONS_MAX):
        ask(citizen, A, "1234")
    ask(citizen, A, "1234")
    assert citizen.status == 429
    assert "分鐘後再試" in citizen.page
    assert "可以使用" not in citizen.page
    other = web.visitor()
    assert "可以使用" in ask(other, A, "1234", environ_overrides={"REMOTE_ADDR": "203.0.113.9"})
    web.clock.advance(minutes=16)
    assert "可以使用" in ask(citizen, A, "1234")


def test_line_of_ipv6_is_its_network(web: Site) -> None:
    for number in range(QUESTIONS_MAX + 1):
        visitor = web.visitor()
        ask(visitor, A, "1234", environ_overrides={"REMOTE_ADDR": f"2001:db8:1:2::{number + 1:x}"})
    assert visitor.status == 429
    assert "可以使用" in ask(web.visitor(), A, "1234", environ_overrides={"REMOTE_ADDR": "2001:db8:1:3::1"})


@pytest.mark.parametrize(
    ("code", "digits", "said"), [("12", "1234", "12 碼數字"), (A, "12", "需要四個字"), ("hello", "", "12 碼")]
)
def test_what_is_no_question_is_not_counted(web: Site, citizen: Visitor, code: str, digits: str, said: str) -> None:
    assert said in ask(citizen, code, digits)
    assert tries(web) == 0


def test_database_that_is_away_is_said(web: Site) -> None:
    store = Unreachable(web.parts.scan.store)
    store.fails = True
    away = with_parts(web, scan=type(web.parts.scan)(store, web.parts.scan.digit_tag, web.parts.scan.voucher_keys, bytes(32)))
    citizen = away.visitor()
    assert "還沒有結果" in ask(citizen, A, "1234")
    assert citizen.status == 503


def test_digits_of_a_question_stand_nowhere(web: Site, citizen: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    pages = [ask(citizen, B, "ᚠᚢᚦᚨ"), ask(citizen, A, "ᚷᚹᚺᚾ")]
    for text in (*pages, caplog.text):
        assert "ᚠᚢ" not in text
        assert "ᚷᚹ" not in text
    with web.engine.connect() as connection:
        rows = connection.execute(select(inbox.c.sender_id, inbox.c.answer)).all()
    assert [row.sender_id for row in rows] == ["public"]
    assert all("ᚷ".encode() not in row.answer for row in rows)


def test_search_filters_and_its_address_can_be_sent(citizen: Visitor) -> None:
    citizen.get("/shops")
    assert "共 5 處" in citizen.page
    citizen.get("/shops?category=lodging&county=HUA&district=花蓮市&q=港邊")
    assert "共 1 處" in citizen.page
    assert "泊岸旅館 港邊別館" in citizen.page
    assert "花蓮縣花蓮市港口路 12 號" in citizen.page
    assert 'href="tel:038550189"' in citizen.page
    assert 'value="港邊"' in citizen.page
    assert '<option value="HUA" selected>' in citizen.page
    citizen.get("/shops?q=沒有這一家")
    assert "沒有符合的店家" in citizen.page


@pytest.mark.parametrize(
    "query", ["category=x&county=x&district=x", "after=nobody", "before=%00", "q=%00%25", "county=HUA&district=%00"]
)
def test_edited_addresses_are_answered(citizen: Visitor, query: str) -> None:
    assert citizen.get(f"/shops?{query}").status_code == 200


def test_search_shows_approved_merchants_only_and_nothing_more_of_them(web: Site, citizen: Visitor) -> None:
    with web.engine.begin() as connection:
        connection.execute(update(merchant).where(merchant.c.merchant_id == "boan-hotel").values(state="suspended"))
    citizen.get("/shops")
    assert "共 3 處" in citizen.page
    assert "泊岸" not in citizen.page
    for secret in ("00488240", "00041210765432", "黃子晴", "yunling"):
        assert secret not in citizen.page.replace("yunling-gate", "")


def test_pages_of_the_search_lead_to_each_other(web: Site, citizen: Visitor) -> None:
    with web.engine.begin() as connection:
        rows = [{"site_id": f"many-{n:02}", "merchant_id": "boan-hotel", "name": f"分館 {n:02}"} for n in range(40)]
        connection.execute(insert(site), rows)
    citizen.get("/shops?category=lodging")
    seen = []
    while True:
        seen += citizen.page.split("<h2 ")[1:]
        if 'rel="next"' not in citizen.page:
            break
        citizen.get(_link(citizen.page, "next"))
        assert "category=lodging" in _link(citizen.page, "prev")
    assert len(seen) == 42
    citizen.get(_link(citizen.page, "prev"))
    assert "分館 20" in citizen.page


def test_door_of_the_search_opens_on_its_day(web: Site, citizen: Visitor) -> None:
    with web.engine.begin() as connection:
        connection.execute(door.delete())
        connection.execute(insert(door).values(door="shops", opens_on=date(2026, 11, 21)))
    for path in ("/", "/shops"):
        citizen.get(path)
        assert "2026/11/21（六）開放" in citizen.page
    assert "泊岸" not in citizen.page
    web.clock.at = NOW + timedelta(days=1)
    citizen.get("/shops")
    assert "泊岸" in citizen.page


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_we_owe_is_on_every_page_in_every_language(web: Site, citizen: Visitor, language: str) -> None:
    citizen.get(f"/language/{language}")
    titles = set()
    for path in ("/", "/shops", "/voucher-status", "/how-to-use", "/accessibility", "/privacy", "/sign-in/scan", "/nowhere"):
        citizen.get(path)
        assert HELP_LINE in citizen.page
        assert "8:30–18:30" in citizen.page
        for other in ("/how-to-use", "/voucher-status", "/shops", "/accessibility", "/privacy"):
            assert f'href="{other}"' in citizen.page
        titles.add(citizen.page[citizen.page.index("<title>") : citizen.page.index("</title>")])
    assert len(titles) == 8
    assert len(MERCHANT_DOORS) == 4


def _link(page: str, rel: str) -> str:
    start = page.index("href=", page.index(f'rel="{rel}"')) + 6
    return page[start : page.index('"', start)].replace("&amp;", "&")


def _without_form(page: str) -> str:
    for number in (A, UNKNOWN):
        page = page.replace(number, "")
    lines = [line for line in page.splitlines() if 'type="hidden"' not in line]
    return "\n".join(lines)
