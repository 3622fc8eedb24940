"""Accounts, sessions and factors on both databases: what must happen once happens once, whoever else asks at the same time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from cloud.adapters.sql.accounts import SqlAccountStore, SqlWebSessions
from cloud.adapters.sql.factors import SqlFactorStore
from cloud.adapters.sql.migrations import migrate
from cloud.adapters.sql.people import SqlPeople
from cloud.adapters.sql.tables import account_event, staff, web_session
from cloud.ports.accounts import AccountChange, AccountEvent, Passkey, WebSession
from cloud.ports.programmes import NewStaff, TakenError
from tests.support.setups import load_example

pytest_plugins = ("tests.support.databases",)

NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
WHO = "boan-admin"
EVENT = AccountEvent(NOW, "account_changed", WHO, "lodging", "10.0.0.1", None, "name")
AT_ONCE = 8


@pytest.fixture
def loaded(engine: Engine) -> Engine:
    load_example(engine)
    return engine


def session(number: int, *, seen_at: datetime = NOW, staff_id: str = WHO) -> WebSession:
    return WebSession(bytes([number]) * 32, staff_id, NOW, seen_at, "10.0.0.1", "Browser")


def test_session_is_found_with_its_person(loaded: Engine) -> None:
    sessions = SqlWebSessions(loaded)
    sessions.open(session(1), EVENT, stale_before=NOW - timedelta(hours=12))
    found = sessions.find(session(1).session_hash)
    assert found == (session(1), SqlPeople(loaded).find_person(WHO))
    sessions.seen(session(1).session_hash, NOW + timedelta(minutes=5))
    assert [one.seen_at for one in sessions.open_of(WHO)] == [NOW + timedelta(minutes=5)]
    sessions.close(session(1).session_hash, EVENT)
    sessions.close(session(1).session_hash, EVENT)
    assert sessions.find(session(1).session_hash) is None
    assert len(SqlAccountStore(loaded).events_of(WHO, limit=9)) == 2, "what was closed before is not noted again"


def test_opening_sweeps_out_what_nobody_has_seen(loaded: Engine) -> None:
    sessions = SqlWebSessions(loaded)
    sessions.open(session(1), EVENT, stale_before=NOW)
    later = NOW + timedelta(hours=13)
    sessions.open(session(2, seen_at=later), EVENT, stale_before=later - timedelta(hours=12))
    assert [one.session_hash[0] for one in sessions.open_of(WHO)] == [2]


def test_sessions_end_but_for_one(loaded: Engine) -> None:
    sessions, store = SqlWebSessions(loaded), SqlAccountStore(loaded)
    for number in (1, 2, 3):
        sessions.open(session(number), EVENT, stale_before=NOW)
    sessions.open(session(4, staff_id="office-1"), EVENT, stale_before=NOW)
    with store.begin() as transaction:
        assert transaction.end_sessions(WHO, but=session(2).session_hash) == 2
    assert [one.session_hash[0] for one in sessions.open_of(WHO)] == [2]
    assert len(sessions.open_of("office-1")) == 1


def test_account_is_added_changed_closed(loaded: Engine) -> None:
    store, people = SqlAccountStore(loaded), SqlPeople(loaded)
    with store.begin() as transaction:
        transaction.add(NewStaff("p-new", "boan-hotel", "boan-lobby", "scan", "boan9", "高子涵", "scan_staff", "hash"))
        transaction.change("p-new", AccountChange("高梓涵", "boan8", "scan_staff", "boan-harbour"))
        assert transaction.set_active("p-new", False)
        assert not transaction.set_active("p-new", False)
    made = people.find_by_login("scan", "boan8")
    assert made is not None
    assert (made.name, made.site_id, made.active, made.password_hash) == ("高梓涵", "boan-harbour", False, "hash")
    assert [one.staff_id for one in people.staff_of("boan-hotel")] == ["boan-scan-2", "boan-scan-1", "p-new"]
    with store.begin() as transaction:
        transaction.set_password("p-new", "hash2")
    again = people.find_person("p-new")
    assert again is not None
    assert again.password_hash == "hash2"


def test_login_belongs_to_one_account_of_a_door(loaded: Engine) -> None:
    store = SqlAccountStore(loaded)
    with pytest.raises(TakenError):
        _take_login(store)
    assert store.events_of(WHO, limit=9) == [], "nothing of it was written"


def _take_login(store: SqlAccountStore) -> None:
    with store.begin() as transaction:
        transaction.note(EVENT)
        transaction.change("boan-scan-1", AccountChange("x", "boan2", "scan_staff", "boan-lobby"))


def test_people_of_the_office_and_the_merchants_admins(loaded: Engine) -> None:
    people = SqlPeople(loaded).office_people()
    assert [one.door for one in people][:6] == ["office"] * 6
    assert {one.role for one in people[6:]} == {"merchant_admin"}
    assert len(people) == 10


def test_other_door_of_a_login(loaded: Engine) -> None:
    people = SqlPeople(loaded)
    found = people.find_at_other_doors("amusement", "boan")
    assert found is not None
    assert found.staff_id == WHO
    assert people.find_at_other_doors("lodging", "boan") is None
    with loaded.begin() as connection:
        connection.execute(update(staff).where(staff.c.staff_id == WHO).values(active=False))
    assert people.find_at_other_doors("amusement", "boan") is None


def test_time_step_of_a_code_is_spent_once(loaded: Engine) -> None:
    factors = SqlFactorStore(loaded)
    assert not factors.spend_counter(WHO, 5), "there is no second factor yet"
    factors.save_totp(WHO, "secret", EVENT)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert sum(pool.map(lambda _: factors.spend_counter(WHO, 5), range(AT_ONCE))) == 1
    assert not factors.spend_counter(WHO, 4)
    assert factors.spend_counter(WHO, 6)
    factors.save_totp(WHO, "another", EVENT)
    assert factors.find(WHO).totp_counter == 0


def test_recovery_code_is_spent_once(loaded: Engine) -> None:
    factors = SqlFactorStore(loaded)
    factors.save_codes(WHO, ["one", "two"], EVENT)
    factors.save_codes(WHO, ["three", "four"], EVENT)
    assert factors.find(WHO).recovery_codes == ("three", "four")
    assert not factors.spend_code(WHO, "one", EVENT)
    assert not factors.spend_code("office-1", "three", EVENT)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert sum(pool.map(lambda _: factors.spend_code(WHO, "three", EVENT), range(AT_ONCE))) == 1
    assert factors.find(WHO).recovery_codes == ("four",)
    factors.save_totp(WHO, None, EVENT)
    assert factors.find(WHO).recovery_codes == ()


def test_passkey_belongs_to_one_account(loaded: Engine) -> None:
    factors = SqlFactorStore(loaded)
    passkey = Passkey(b"id", WHO, "櫃台", "first", b"public", 1, "usb nfc", "single_device", False, NOW, NOW)
    factors.add_passkey(passkey, EVENT)
    assert factors.find_passkey(b"id") == passkey
    assert factors.find(WHO).passkeys == (passkey,)
    with pytest.raises(IntegrityError):
        factors.add_passkey(passkey, EVENT)
    later = NOW + timedelta(days=1)
    factors.use_passkey(b"id", sign_count=2, backed_up=True, at=later)
    used = factors.find_passkey(b"id")
    assert used is not None
    assert (used.sign_count, used.backed_up, used.used_at) == (2, True, later)
    with SqlAccountStore(loaded).begin() as transaction:
        transaction.drop_factors(WHO)
    factors.drop_passkey(b"id", EVENT)
    assert factors.find_passkey(b"id") is None


@pytest.mark.parametrize("change", [update(account_event).values(detail="x"), delete(account_event)])
def test_trail_is_never_changed(loaded: Engine, change: object) -> None:
    with SqlAccountStore(loaded).begin() as transaction:
        transaction.note(EVENT)
    with pytest.raises(IntegrityError, match="never changed"), loaded.begin() as connection:
        connection.execute(change)  # type: ignore[call-overload]
    assert SqlAccountStore(loaded).events_of(WHO, limit=9) == [EVENT]


def test_older_database_keeps_its_office_account(engine: Engine) -> None:
    load_example(engine)
    with engine.begin() as connection:
        connection.execute(delete(staff).where(staff.c.role.in_(("finance", "reviewer", "technician", "auditor"))))
    _downgrade(engine)
    with engine.connect() as connection:
        assert connection.scalar(select(staff.c.role).where(staff.c.staff_id == "office-1")) == "office"
    migrate(engine)
    with engine.connect() as connection:
        assert connection.scalar(select(staff.c.role).where(staff.c.staff_id == "office-1")) == "programme_admin"


def test_way_back_is_refused_while_there_are_new_roles(engine: Engine) -> None:
    load_example(engine)
    with pytest.raises(RuntimeError, match="roles"):
        _downgrade(engine)
    with engine.begin() as connection:
        connection.execute(
            insert(web_session).values(session_hash=b"x", staff_id=WHO, opened_at=NOW, seen_at=NOW, address="", agent="")
        )


def _downgrade(engine: Engine) -> None:
    from alembic import command

    from cloud.adapters.sql.migrations import _config

    with engine.begin() as connection:
        command.downgrade(_config(connection), "0003")
