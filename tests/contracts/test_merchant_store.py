"""Applications and merchants on both databases: what must happen once happens once, whoever else decides at the same time."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, delete, select, update
from sqlalchemy.exc import IntegrityError

from cloud.adapters.sql.audit import SqlAuditTrail
from cloud.adapters.sql.merchants import SqlMerchantStore
from cloud.adapters.sql.people import SqlPeople
from cloud.adapters.sql.tables import merchant, merchant_event, payout_account_change
from cloud.domain.business import Business, Contact
from cloud.domain.working_days import WorkingDays
from cloud.ports.audit import AuditSearch
from cloud.ports.merchants import (
    Application,
    ApplicationFilter,
    Merchant,
    MerchantEvent,
    MerchantFilter,
    PayoutAccount,
    Place,
    SentPaper,
)
from cloud.ports.people import Person
from cloud.ports.programmes import NewStaff, TakenError
from cloud.services.accounts import Hand
from cloud.services.apply import StaleError
from cloud.services.review import Verdict, decide
from tests.support.setups import load_example

pytest_plugins = ("tests.support.databases",)

NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
TODAY = date(2026, 11, 20)
ONE, TWO = UUID(int=1), UUID(int=2)
CONTACT = Contact("Inn", "南投縣", "鄭宇恩", "049-2801-234", "stay@inn.example.tw")
BUSINESS = Business("lodging", "10458575", "山嵐民宿", licence_no="1234", contact=CONTACT)
SENT = Application(ONE, "p-one", "submitted", 3, BUSINESS, NOW, submitted_at=NOW)
HAND = Hand(Person("reviewer-1", "江子謙", "office", "reviewer", "reviewer", True, ""), NOW, "10.0.0.1")
ACCOUNT = PayoutAccount("8120012", "20881001234567", "山嵐民宿", "10458575")
AT_ONCE = 4


def account(staff_id: str, login: str) -> NewStaff:
    return NewStaff(staff_id, None, None, "lodging", login, "鄭宇恩", "applicant", "hash")


@pytest.fixture
def store(engine: Engine) -> SqlMerchantStore:
    load_example(engine)
    store = SqlMerchantStore(engine)
    with store.begin() as transaction:
        transaction.add_application(SENT, account("p-one", "one"))
    return store


def test_application_is_kept_whole(store: SqlMerchantStore) -> None:
    assert store.find_application(ONE) == SENT
    assert store.application_of("p-one") == SENT
    assert store.application_of("boan-admin") is None
    changed = replace(SENT, state="returned", version=4, correct_by=TODAY, reason="請補件。", decided_at=NOW)
    with store.begin() as transaction:
        assert transaction.find_application(ONE) == SENT
        transaction.save_application(changed)
    assert store.find_application(ONE) == changed


def test_one_account_has_one_application(store: SqlMerchantStore) -> None:
    with pytest.raises(TakenError), store.begin() as transaction:
        transaction.add_application(replace(SENT, application_id=TWO), account("p-two", "one"))
    assert store.find_application(TWO) is None


def test_lapse_follows_from_the_day_alone(store: SqlMerchantStore) -> None:
    with store.begin() as transaction:
        transaction.save_application(replace(SENT, state="returned", correct_by=TODAY))
    for today, state in ((TODAY, "returned"), (TODAY + timedelta(days=1), "lapsed")):
        rows, count = store.applications(ApplicationFilter(), today=today)
        assert [(row.state, count) for row in rows] == [(state, 1)]
        assert store.application_counts(today=today) == {state: 1}
        other = {"returned": "lapsed", "lapsed": "returned"}[state]
        assert store.applications(ApplicationFilter(other), today=today) == ([], 0)  # type: ignore[arg-type]


def test_papers_come_back_byte_for_byte(store: SqlMerchantStore) -> None:
    content = bytes(range(256)) * 400
    paper = SentPaper(TWO, ONE, "licence", "pdf", "執照.pdf", len(content), bytes(32), NOW)
    with store.begin() as transaction:
        transaction.add_paper(paper, content)
    assert store.find_paper(TWO) == (paper, content)
    with store.begin() as transaction:
        transaction.take_paper_back(TWO, NOW)
    assert [one.removed_at for one in store.papers(ONE)] == [NOW]
    [row] = store.applications(ApplicationFilter(), today=TODAY)[0]
    assert row.paper_count == 0
    with store.begin() as transaction:
        transaction.drop_paper(TWO)
    assert store.find_paper(TWO) is None


def test_many_reviewers_decide_once(store: SqlMerchantStore, engine: Engine) -> None:
    def approve(number: int) -> bool:
        try:
            decide(
                store,
                ONE,
                Verdict("approve", "", SENT.version),
                hand=HAND,
                working_days=WorkingDays(),
                mint_id=lambda kind: f"{kind}-{number}",
            )
        except StaleError:
            return False
        return True

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert sum(pool.map(approve, range(AT_ONCE))) == 1
    found = store.find_application(ONE)
    assert found is not None
    assert found.merchant_id is not None
    made = store.find_merchant(found.merchant_id)
    assert made == Merchant(found.merchant_id, "山嵐民宿", "10458575", "lodging", "approved", "", CONTACT, None, ONE)
    admin = SqlPeople(engine).find_person("p-one")
    assert admin is not None
    assert (admin.role, admin.merchant_id) == ("merchant_admin", found.merchant_id)
    assert [one.event.kind for one in store.trail(application_id=ONE)] == ["approved"]
    recorded = SqlAuditTrail(engine).search(AuditSearch(object_kind="merchant"), page_size=5).rows
    assert [(row.entry.fact.action, row.entry.fact.object_id) for row in recorded] == [("merchant.approved", found.merchant_id)]


def test_account_counts_from_now_on_and_every_one_is_kept(store: SqlMerchantStore, engine: Engine) -> None:
    before = store.find_merchant("boan-hotel")
    assert before is not None
    with store.begin() as transaction:
        transaction.save_account(before, ACCOUNT, by_staff_id="boan-admin", at=NOW)
    after = store.find_merchant("boan-hotel")
    assert after is not None
    assert after.account == ACCOUNT
    [change] = store.account_changes(merchant_id="boan-hotel")
    assert (change.account, change.by_name, change.replaces) == (ACCOUNT, "陳宥安", True)
    assert store.account_changes(since=NOW + timedelta(seconds=1)) == []
    for statement in (update(payout_account_change).values(account_no="1"), delete(payout_account_change)):
        with pytest.raises(IntegrityError, match="never changed"), engine.begin() as connection:
            connection.execute(statement)


def test_contact_and_places_of_a_merchant_from_a_file(store: SqlMerchantStore) -> None:
    place = Place("s-new", "boan-hotel", "泊岸旅館 新館", "New house", "基隆市", "02-2422-1234")
    with store.begin() as transaction:
        transaction.save_contact("boan-hotel", CONTACT)
        transaction.add_place(place, by="boan-admin", at=NOW)
        lobby = Place("boan-lobby", "boan-hotel", "泊岸旅館 大廳", "", "基隆市")
        transaction.save_place(lobby, by="boan-admin", at=NOW)
        assert transaction.find_place("s-new") == place
        assert transaction.find_place("nowhere") is None
    places = {one.site_id: one for one in store.places("boan-hotel")}
    assert places["s-new"] == place
    assert places["boan-lobby"] == lobby
    found = store.find_merchant("boan-hotel")
    assert found is not None
    assert found.contact == CONTACT
    assert store.places("yunling-park")[0].site_id == "yunling-gate"


def test_merchants_are_found_by_name_number_state_and_category(store: SqlMerchantStore, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(merchant).where(merchant.c.merchant_id == "boan-hotel").values(state="suspended"))
    wanted = {
        MerchantFilter(): 4, MerchantFilter("suspended"): 1, MerchantFilter("terminated"): 0, MerchantFilter(search="泊岸"): 1,
        MerchantFilter(search="0068"): 1, MerchantFilter(search="3704"): 0, MerchantFilter(search="%"): 0,
        MerchantFilter(merchant_category="lodging"): 1,
    }  # fmt: skip
    for which, count in wanted.items():
        rows, found = store.merchants(which)
        assert (len(rows), found) == (count, count), which
    assert store.merchants(MerchantFilter(), page_no=2) == ([], 4)
    [row] = store.merchants(MerchantFilter("suspended"))[0]
    assert len(row.site_names) == 2
    assert row.has_account


def test_trail_is_of_one_application_or_merchant(store: SqlMerchantStore, engine: Engine) -> None:
    with store.begin() as transaction:
        transaction.note(MerchantEvent(NOW, "submitted", "p-one", ONE))
        transaction.note(MerchantEvent(NOW, "suspended", "reviewer-1", merchant_id="boan-hotel", reason="x"))
    [told] = store.trail(application_id=ONE)
    assert (told.by_name, told.by_office) == ("鄭宇恩", False)
    [told] = store.trail(merchant_id="boan-hotel")
    assert (told.by_name, told.by_office, told.event.reason) == ("江子謙", True, "x")
    assert store.trail() == []
    with pytest.raises(IntegrityError, match="never changed"), engine.begin() as connection:
        connection.execute(delete(merchant_event))
    with engine.connect() as connection:
        assert len(connection.execute(select(merchant_event)).all()) == 2
