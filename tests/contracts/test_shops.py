"""The public search, and questions about a voucher, on both databases."""

from collections.abc import Iterator
from datetime import date
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, insert, select, update

from cloud.adapters.ingest_stores import make_ingest_store
from cloud.adapters.sql.shops import SqlShops, save_places
from cloud.adapters.sql.tables import digit_try, inbox, merchant, site
from cloud.domain.digits import digit_tag
from cloud.domain.voucher_status import PUBLIC_TRIES_MAX
from cloud.ports.shops import ShopFilter, ShopMark, ShopPage
from cloud.services.voucher_status import Question, find_status
from tests.support.setups import load_example
from tests.support.web import NOW, issue, open_site
from tests.support.worlds import PEPPER

pytest_plugins = ("tests.support.databases",)

EVERYTHING = ShopFilter()


@pytest.fixture
def shops(engine: Engine) -> SqlShops:
    load_example(engine)
    return SqlShops(engine)


def names(page: ShopPage) -> list[str]:
    return [shop.site_id for shop in page.shops]


def find(shops: SqlShops, **wanted: str) -> set[str]:
    return set(names(shops.find_shops(ShopFilter(**wanted), page_size=50)))


def test_filters(shops: SqlShops) -> None:
    assert len(find(shops)) == 5
    assert find(shops, merchant_category="lodging") == {"boan-lobby", "boan-harbour"}
    assert find(shops, county="HUA") == {"boan-lobby", "boan-harbour"}
    assert find(shops, county="HUA", district="花蓮市", text="港邊") == {"boan-harbour"}
    assert find(shops, county="HUA", district="吉安鄉") == set()
    assert find(shops, text="台北") == find(shops, text="臺北") == {"rizuo-taipei"}
    assert find(shops, text="溫泉 烏來") == {"qingmu-counter"}
    assert find(shops, text="%") == find(shops, text="_") == find(shops, text="' OR 1=1 --") == set()
    assert shops.districts("HUA") == ["花蓮市"]
    assert shops.districts("PEN") == []


@pytest.mark.parametrize("state", ["suspended", "terminated", "applied"])
def test_approved_merchants_only(engine: Engine, shops: SqlShops, state: str) -> None:
    with engine.begin() as connection:
        connection.execute(update(merchant).where(merchant.c.merchant_id == "boan-hotel").values(state=state))
    assert find(shops) == {"rizuo-taipei", "yunling-gate", "qingmu-counter"}
    assert shops.find_shops(EVERYTHING, page_size=50).shop_count == 3
    assert shops.districts("HUA") == []


def test_pages_hold_every_shop_once_in_both_directions(engine: Engine, shops: SqlShops) -> None:
    with engine.begin() as connection:
        # Many of one name: the key does not end with it.
        rows = [{"site_id": f"many-{n:02}", "merchant_id": "boan-hotel", "name": f"分館 {n // 10}"} for n in range(30)]
        connection.execute(insert(site), rows)
        save_places(connection, [("many-07", "台東縣台東市中華路 1 號", "")])
    page = shops.find_shops(EVERYTHING, page_size=8)
    assert not page.has_previous
    seen, pages = names(page), [page]
    while page.has_next:
        page = shops.find_shops(EVERYTHING, page_size=8, mark=ShopMark(page.shops[-1].site_id))
        seen += names(page)
        pages.append(page)
        assert page.has_previous
    assert len(seen) == len(set(seen)) == page.shop_count == 35
    back = shops.find_shops(EVERYTHING, page_size=8, mark=ShopMark(pages[2].shops[0].site_id, before=True))
    assert names(back) == names(pages[1])
    assert (back.has_previous, back.has_next) == (True, True)
    first = shops.find_shops(EVERYTHING, page_size=8, mark=ShopMark(pages[1].shops[0].site_id, before=True))
    assert (names(first), first.has_previous) == (names(pages[0]), False)
    assert names(shops.find_shops(EVERYTHING, page_size=8, mark=ShopMark("nobody"))) == names(pages[0])
    assert find(shops, county="TTT") == {"many-07"}


@pytest.fixture
def tries(engine: Engine) -> Iterator[Engine]:
    issue(open_site(engine), {"566780776770": "1234"})
    return engine


def ask(engine: Engine, digits: str, number: int, voucher_no: str = "566780776770") -> str | None:
    question = Question(voucher_no, digit_tag(PEPPER, voucher_no, digits), (UUID(int=number), UUID(int=number + 1000)))
    status = find_status(make_ingest_store(engine), question, now=NOW)
    return None if status is None else f"{status.state} {status.face_value_twd} {status.ends_on}"


def test_questions_are_counted_with_all_other_tries_and_never_twice(tries: Engine) -> None:
    right = f"unused 1000 {date(2027, 4, 30)}"
    assert ask(tries, "1234", 1) == right
    assert count(tries, inbox) == 0
    assert ask(tries, "9999", 2) is None
    assert ask(tries, "9999", 2) is None
    assert count(tries, digit_try) == 1, "sent again, the same guess is the same guess"
    assert ask(tries, "1234", 2) == right, "another guess under the same id is a question of its own"
    assert ask(tries, "8888", 2) is None
    assert count(tries, digit_try) == PUBLIC_TRIES_MAX
    assert ask(tries, "1234", 3) is None, "not compared any more"
    assert ask(tries, "7777", 4) is None
    assert count(tries, digit_try) == PUBLIC_TRIES_MAX, "and the desk's tries stay the desk's"
    for number in (5, 6, 7):
        assert ask(tries, "9999", number, "999999999999") is None
    assert count(tries, digit_try) == 2 * PUBLIC_TRIES_MAX, "a number that does not exist is counted alike"


def count(engine: Engine, table: object) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)  # type: ignore[arg-type]
