"""Accounts and lists on both databases, as the pages read them."""

import pytest
from sqlalchemy import Engine, update

from cloud.adapters.sql.choices import SqlChoices
from cloud.adapters.sql.people import SqlPeople
from cloud.adapters.sql.tables import staff
from tests.support.setups import load_example

pytest_plugins = ("tests.support.databases",)


@pytest.fixture
def people(engine: Engine) -> SqlPeople:
    load_example(engine)
    return SqlPeople(engine)


def test_scan_staff_come_with_merchant_and_site(people: SqlPeople) -> None:
    person = people.find_by_login("scan", "boan2")
    assert person is not None
    assert (person.staff_id, person.role, person.door) == ("boan-scan-2", "scan_staff", "scan")
    assert (person.merchant_id, person.merchant_category) == ("boan-hotel", "lodging")
    assert (person.merchant_name, person.site_name) == ("泊岸旅館股份有限公司", "泊岸旅館 港邊別館")
    assert people.find_person("boan-scan-2") == person


def test_office_belongs_to_no_merchant(people: SqlPeople) -> None:
    person = people.find_by_login("office", "office")
    assert person is not None
    assert (person.role, person.merchant_id, person.merchant_name, person.site_name) == ("programme_admin", None, "", "")


def test_login_is_found_at_its_own_door_only(people: SqlPeople) -> None:
    assert people.find_by_login("lodging", "boan") is not None
    assert people.find_by_login("amusement", "boan") is None
    assert people.find_by_login("lodging", "BOAN") is None
    assert people.find_by_login("lodging", "' OR 1=1 --") is None
    assert people.find_person("nobody") is None


def test_closed_account_is_found_and_says_so(engine: Engine, people: SqlPeople) -> None:
    with engine.begin() as connection:
        connection.execute(update(staff).where(staff.c.staff_id == "boan-admin").values(active=False))
    person = people.find_person("boan-admin")
    assert person is not None
    assert not person.active


def test_lists_are_in_order(engine: Engine, people: SqlPeople) -> None:
    choices = SqlChoices(engine)
    assert [one.programme_id for one in choices.programmes()] == ["travel-2026", "spring-2025"]
    assert [one.face_value_twd for one in choices.programmes()] == [1000, 500]
    assert len(choices.sites()) == 5
    assert {one.merchant_name for one in choices.sites() if one.site_id.startswith("boan")} == {"泊岸旅館股份有限公司"}
    assert [one.code for one in choices.item_categories("lodging")] == ["room", "room_and_meals", "dining"]
    assert choices.item_categories("lodging")[0].names["ja"] == "宿泊"
    assert choices.item_categories("nothing") == []
