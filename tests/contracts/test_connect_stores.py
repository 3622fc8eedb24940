"""Keys, kept answers and what programs read, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.exc import DBAPIError

from cloud.adapters.sql.api_reports import SqlApiReports
from cloud.adapters.sql.connect import SqlKeyStore
from cloud.adapters.sql.payouts import SqlPayoutStore
from cloud.adapters.sql.people import SqlPeople
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import api_key, confirmation, connect_event, staff
from cloud.ports.api_reports import TransactionsWanted
from cloud.ports.confirmations import Confirmed
from cloud.ports.connect import ConfirmRequest, ConnectEvent, NewKey
from cloud.services.connect import hash_key
from cloud.services.pay import import_return, make_payout_file
from cloud.services.settle import settle_due
from tests.support.bank import answer_p01
from tests.support.money import HANDS, PLACES, Till
from tests.support.setups import load_example
from tests.support.web_life import ORIGINATOR

pytest_plugins = ("tests.support.databases",)

START = datetime(2026, 11, 4, 1, 30, tzinfo=UTC)
HOTEL, PARK = PLACES[1], PLACES[2]
KEY = NewKey(
    key_id="k-1",
    name="POS 3",
    merchant_id=HOTEL.merchant_id,
    site_id=HOTEL.site_id,
    secret_hash=hash_key("vk_1"),
    prefix="vk_1",
    scopes=frozenset({"redeem", "read"}),
    made_at=START,
    made_by="boan-admin",
    expires_at=START + timedelta(days=90),
)
MADE = ConnectEvent(START, HOTEL.merchant_id, "key_made", "k-1", "boan-admin", "203.0.113.9", "vk_1")


@pytest.fixture
def keys(engine: Engine) -> SqlKeyStore:
    load_example(engine)
    store = SqlKeyStore(engine)
    store.add(KEY, MADE)
    return store


def test_a_key_is_found_by_its_hash_and_by_nothing_else(keys: SqlKeyStore) -> None:
    found = keys.find_by_hash(KEY.secret_hash)
    assert found is not None
    assert (found.merchant_id, found.site_id, found.merchant_category, found.scopes) == (
        HOTEL.merchant_id,
        HOTEL.site_id,
        "lodging",
        KEY.scopes,
    )
    assert keys.find_by_hash(hash_key("vk_2")) is None
    assert keys.keys_of(PARK.merchant_id) == []
    assert found.is_good(START)
    assert not found.is_good(START + timedelta(days=90))
    keys.used("k-1", START + timedelta(minutes=3))
    assert keys.keys_of(HOTEL.merchant_id) == [replace(found, used_at=START + timedelta(minutes=3))]


def test_a_key_is_revoked_by_its_merchant_once(keys: SqlKeyStore) -> None:
    gone = ConnectEvent(START, PARK.merchant_id, "key_revoked", "k-1", "yunling-admin")
    assert not keys.revoke("k-1", gone)
    mine = replace(gone, merchant_id=HOTEL.merchant_id, by_staff_id="boan-admin")
    assert not keys.revoke("boan-admin", mine), "an account that is no key is none"
    assert keys.revoke("k-1", mine)
    assert not keys.revoke("k-1", mine)
    [key] = keys.keys_of(HOTEL.merchant_id)
    assert (key.active, key.revoked_at, key.is_good(START)) == (False, START, False)
    assert [event.kind for event in keys.events_of(HOTEL.merchant_id, limit=5)] == ["key_revoked", "key_made"]


def test_nobody_signs_in_as_a_key(engine: Engine, keys: SqlKeyStore) -> None:
    people = SqlPeople(engine)
    assert "k-1" not in [person.staff_id for person in (*people.staff_of(HOTEL.merchant_id), *people.office_people())]
    person = people.find_person("k-1")
    assert person is not None
    assert not person.password_hash.startswith("$argon2")
    with engine.connect() as connection:
        assert b"vk_1" not in connection.scalars(select(api_key.c.secret_hash)).one()


def test_the_trail_is_never_changed(engine: Engine, keys: SqlKeyStore) -> None:
    for statement in (update(connect_event).values(detail=""), delete(connect_event)):
        with pytest.raises(DBAPIError, match="facts"), engine.begin() as connection:
            connection.execute(statement)


def _encode(done: Confirmed) -> bytes:
    return msgspec.json.encode(done.redemption_count)


def test_a_confirmation_that_is_asked_twice_at_once_is_made_and_answered_once(engine: Engine, keys: SqlKeyStore) -> None:
    till = Till(engine)
    for number in range(20):
        till.redeem(START + timedelta(seconds=number))
    asked = ConfirmRequest("k-1", HOTEL.merchant_id, bytes(32), b"body", None)
    with ThreadPoolExecutor(6) as pool:
        kept = list(pool.map(lambda _: keys.confirm_once(asked, encode=_encode, now=START), range(6)))
    assert {one.answer for one in kept} == {b"20"}
    other = keys.confirm_once(replace(asked, body_hash=b"another"), encode=_encode, now=START)
    assert (other.body_hash, other.answer) == (b"body", b"20")
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(confirmation)) == 20


def test_an_answer_that_cannot_be_made_confirms_nothing(engine: Engine, keys: SqlKeyStore) -> None:
    Till(engine).redeem(START)
    asked = ConfirmRequest("k-1", HOTEL.merchant_id, bytes(32), b"body", None)

    def break_off(_: Confirmed) -> bytes:
        raise RuntimeError("broken off")

    with pytest.raises(RuntimeError, match="broken off"):
        keys.confirm_once(asked, encode=break_off, now=START)
    assert keys.confirm_once(asked, encode=_encode, now=START).answer == b"1"


def test_what_programs_read(engine: Engine, keys: SqlKeyStore) -> None:
    till, reports = Till(engine), SqlApiReports(engine)
    first, second = till.redeem(START, vouchers=2, order_total_twd=5050), till.redeem(START + timedelta(hours=1))
    foreign = till.redeem(START, place=PARK)
    keys.confirm_once(ConfirmRequest("k-1", HOTEL.merchant_id, bytes(32), b"", [first, foreign]), encode=_encode, now=START)
    settle_due(SqlSettlementStore(engine), now=START + timedelta(days=7))
    payouts = SqlPayoutStore(engine)
    file = make_payout_file(payouts, "ach_p01", ORIGINATOR, hands=HANDS, now=START + timedelta(days=7))
    assert file is not None
    answer = answer_p01(file.content, failures=lambda _: "05", answered_on=file.value_date)
    import_return(payouts, answer, by=HANDS.prepared_by, now=START + timedelta(days=8), file_no=file.file_no)

    wanted = TransactionsWanted(HOTEL.merchant_id)
    rows = reports.transactions(wanted, limit=10, after=None)
    assert [(row.redemption_id, row.state) for row in rows] == [(second, "unconfirmed"), (first, "returned")]
    assert len(rows[1].voucher_nos) == rows[1].voucher_count == 2
    for state, ids in (("returned", [first]), ("unconfirmed", [second]), ("confirmed", []), ("paid", [])):
        found = reports.transactions(replace(wanted, state=state), limit=10, after=None)  # type: ignore[arg-type]
        assert [row.redemption_id for row in found] == ids
    [claim] = reports.claims(HOTEL.merchant_id, limit=10, after=None)
    assert (claim.amount_twd, claim.state, claim.return_code, rows[1].claim_id) == (2000, "returned", "05", claim.claim_id)
    assert [
        row.redemption_id for row in reports.transactions(replace(wanted, claim_id=claim.claim_id), limit=9, after=None)
    ] == [first]
    [payout] = reports.payouts(HOTEL.merchant_id, claim_id=claim.claim_id, limit=10, after=None)
    assert (payout.attempt, payout.amount_twd, payout.state) == (1, 2000, "returned")
    [made] = reports.confirmations(HOTEL.merchant_id, limit=10, after=None)
    assert (made.redemption_id, made.staff_id) == (first, "k-1")
    assert [one.programme_id for one in reports.programmes("lodging")] == ["spring-2025", "travel-2026"]

    for merchant_id in (PARK.merchant_id, "nobody"):
        assert reports.find_transaction(first, merchant_id=merchant_id) is None
        assert reports.find_claim(claim.claim_id, merchant_id=merchant_id) is None
        assert reports.payouts(merchant_id, claim_id=claim.claim_id, limit=10, after=None) == []
    assert reports.claims(HOTEL.merchant_id, limit=10, after=(claim.period_starts_on, claim.claim_id)) == []
    assert reports.confirmations(HOTEL.merchant_id, limit=10, after=(made.confirmation_no, UUID(int=0))) == []
    assert reports.payouts(HOTEL.merchant_id, claim_id=None, limit=10, after=(payout.sent_at, payout.payout_id)) == []
    days = replace(wanted, first_day=START.date(), last_day=START.date())
    assert len(reports.transactions(days, limit=10, after=None)) == 2
    assert reports.transactions(replace(days, first_day=START.date() + timedelta(days=1)), limit=10, after=None) == []
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(staff).where(staff.c.role == "api_key")) == 1
