"""Programmes and item categories as the office changes them, on both databases: versions, what is fixed, the audit log."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from cloud.adapters.sql.audit import SqlAuditTrail
from cloud.adapters.sql.programme_office import SqlProgrammeOffice
from cloud.adapters.sql.tables import issue_batch, programme, programme_merchant_category, programme_version
from cloud.domain.setup import ItemCategorySetup, ProgrammeSetup
from cloud.ports.audit import AuditSearch
from cloud.ports.programme_office import ProgrammeState
from cloud.services.audit import verify
from cloud.services.programmes import By, change_programme, make_programme, move_item_category, save_item_category
from tests.support.setups import PROGRAMME_ID, load_example

pytest_plugins = ("tests.support.databases",)

NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
BY = By("office-1", NOW)
SOLD = {"lodging", "amusement", "travel_agency", "hotspring_or_ppp"}
NEW = ProgrammeSetup(
    programme_id="autumn-2027",
    name_zh="秋遊券",
    name_en="Autumn",
    face_value_twd=500,
    starts_on=date(2027, 9, 1),
    ends_on=date(2027, 11, 30),
    merchant_categories=["amusement", "lodging"],
    budget_twd=50_000,
    vouchers_per_holder_max=2,
)


@pytest.fixture
def office(engine: Engine) -> SqlProgrammeOffice:
    load_example(engine)
    return SqlProgrammeOffice(engine)


def state(office: SqlProgrammeOffice, programme_id: str = PROGRAMME_ID) -> ProgrammeState:
    found = office.find(programme_id)
    assert found is not None
    return found


def change(office: SqlProgrammeOffice, programme_id: str = PROGRAMME_ID, **values: Any) -> list[tuple[str, str]]:
    now = state(office, programme_id)
    terms = msgspec.structs.replace(now.terms, **values)
    problems = change_programme(office, terms, BY, sold=SOLD, keys=set(), seen_version=now.version_no)
    return [(problem.field, problem.why) for problem in problems]


def issued(engine: Engine, count: int) -> None:
    with engine.begin() as connection:
        made = {"issued_at": NOW, "issued_by": "office-1", "voucher_count": count}
        connection.execute(insert(issue_batch).values(issue_id=UUID(int=1), programme_id=PROGRAMME_ID, **made))


def log(engine: Engine, action: str) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    trail = SqlAuditTrail(engine)
    assert verify(trail)[1] is None
    facts = [row.entry.fact for row in trail.search(AuditSearch(action=action), page_size=50).rows]
    return [(fact.object_id, json.loads(fact.before), json.loads(fact.after)) for fact in facts]


def test_a_new_programme_is_there_with_its_first_version(office: SqlProgrammeOffice, engine: Engine) -> None:
    assert make_programme(office, NEW, BY, sold=SOLD, keys=set()) == []
    now = state(office, NEW.programme_id)
    assert (now.terms, now.version_no, now.issued_twd) == (NEW, 1, 0)
    with engine.connect() as connection:
        row = connection.execute(select(programme).where(programme.c.programme_id == NEW.programme_id)).one()
        assert (row.face_value_twd, row.ends_on, row.dispute_days) == (500, NEW.ends_on, 90)
        taken = select(programme_merchant_category.c.merchant_category)
        rows = connection.scalars(taken.where(programme_merchant_category.c.programme_id == NEW.programme_id))
        assert set(rows) == {"amusement", "lodging"}
    (entry,) = [one for one in log(engine, "programme.made") if one[0] == NEW.programme_id]
    assert entry[1] == {}
    assert entry[2]["budget_twd"] == 50_000
    again = make_programme(office, NEW, BY, sold=SOLD, keys=set())
    assert [(one.field, one.why) for one in again] == [("programme_id", "taken")]


def test_a_change_is_a_version_and_an_entry(office: SqlProgrammeOffice, engine: Engine) -> None:
    assert change(office, budget_twd=2_000_000, ends_on=date(2027, 6, 30), dispute_days=30) == []
    newest, first = office.versions(PROGRAMME_ID)
    assert (first.version_no, newest.version_no, newest.changed_by, newest.effective_at) == (1, 2, "office-1", NOW)
    assert newest.changed_by_name
    assert (first.terms.budget_twd, newest.terms.budget_twd) == (None, 2_000_000)
    assert first.terms.ends_on == date(2027, 4, 30)
    assert state(office).terms == newest.terms
    (entry,) = log(engine, "programme.changed")
    assert entry == (
        PROGRAMME_ID,
        {"budget_twd": None, "dispute_days": 90, "ends_on": "2027-04-30"},
        {"budget_twd": 2_000_000, "dispute_days": 30, "ends_on": "2027-06-30"},
    )
    assert change(office, budget_twd=2_000_000) == []
    assert len(office.versions(PROGRAMME_ID)) == 2, "what stays the same is no version"


def test_what_is_fixed_is_refused_and_nothing_is_written(office: SqlProgrammeOffice, engine: Engine) -> None:
    issued(engine, 300)
    before = state(office)
    assert change(office, face_value_twd=2000, budget_twd=299_999) == [
        ("face_value_twd", "fixed"),
        ("budget_twd", "below_issued"),
    ]
    assert state(office) == before
    assert change(office, budget_twd=300_000) == []
    assert state(office).budget.notice == "full"


def test_two_forms_at_once_change_once(office: SqlProgrammeOffice) -> None:
    seen = state(office)

    def send(budget_twd: int) -> list[str]:
        terms = msgspec.structs.replace(seen.terms, budget_twd=budget_twd)
        return [one.why for one in change_programme(office, terms, BY, sold=SOLD, keys=set(), seen_version=seen.version_no)]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, (10**6, 2 * 10**6, 3 * 10**6, 4 * 10**6)))
    assert sorted(answers) == [[], ["changed_meanwhile"], ["changed_meanwhile"], ["changed_meanwhile"]]
    assert len(office.versions(PROGRAMME_ID)) == 2


def test_versions_are_facts(office: SqlProgrammeOffice, engine: Engine) -> None:
    with pytest.raises(IntegrityError, match="facts"), engine.begin() as connection:
        connection.execute(update(programme_version).values(budget_twd=1))
    assert state(office).terms.budget_twd is None


def test_a_file_does_not_undo_what_the_office_changed(office: SqlProgrammeOffice, engine: Engine) -> None:
    assert change(office, name_zh="國旅加碼券") == []
    load_example(engine)
    assert state(office).terms.name_zh == "國旅加碼券"
    assert len(office.versions(PROGRAMME_ID)) == 2


def test_an_unknown_programme(office: SqlProgrammeOffice) -> None:
    assert office.find("nothing") is None
    with pytest.raises(LookupError):
        change_programme(office, NEW, BY, sold=SOLD, keys=set(), seen_version=1)


def test_item_categories_are_added_renamed_and_moved(office: SqlProgrammeOffice, engine: Engine) -> None:
    spa = ItemCategorySetup(
        merchant_category="lodging", item_category="spa", name_zh="三溫暖", name_en="Spa", name_ja="スパ", name_ko="스파"
    )
    assert save_item_category(office, spa, BY, is_new=True) is None
    assert [item.item_category for item in office.item_categories()["lodging"]] == ["room", "room_and_meals", "dining", "spa"]
    problem = save_item_category(office, spa, BY, is_new=True)
    assert problem is not None
    assert problem.why == "taken"
    assert save_item_category(office, msgspec.structs.replace(spa, name_en="Sauna"), BY, is_new=False) is None
    later = By("office-1", NOW + timedelta(minutes=1))
    move_item_category(office, "lodging", "spa", later, where=-1)
    move_item_category(office, "lodging", "room", later, where=-1)
    items = office.item_categories()["lodging"]
    assert [item.item_category for item in items] == ["room", "room_and_meals", "spa", "dining"]
    assert items[2].name_en == "Sauna"
    assert log(engine, "item.changed") == [("lodging/spa", {"name_en": "Spa"}, {"name_en": "Sauna"})]
    assert log(engine, "item.moved") == [("lodging/spa", {"place": 4}, {"place": 3})]
    with pytest.raises(LookupError):
        move_item_category(office, "lodging", "nothing", BY, where=1)
    with pytest.raises(LookupError):
        save_item_category(office, msgspec.structs.replace(spa, item_category="nothing"), BY, is_new=False)
    bad = save_item_category(office, msgspec.structs.replace(spa, item_category="Not A Slug"), BY, is_new=True)
    assert bad is not None
    assert bad.field == "item_category"
