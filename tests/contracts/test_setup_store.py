"""Setting up, on both databases."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import Engine, Table, insert, select, update

from cloud.adapters.passwords import Argon2Passwords
from cloud.adapters.sql.programmes import SqlSetupStore
from cloud.adapters.sql.retention import SqlRetentionStore
from cloud.adapters.sql.tables import issue_batch, item_category, merchant, metadata, programme, site, staff
from cloud.domain.setup import Setup, SetupError
from cloud.services.setup import Loaded, load_setup
from tests.support.setups import LOADED_AT, PROGRAMME_ID, example_setup

pytest_plugins = ("tests.support.databases",)


def load(engine: Engine, setup: Setup | None = None) -> Loaded:
    return load_setup(
        SqlSetupStore(engine), setup or example_setup(), hash_password=lambda password: f"<{password[::-1]}>", now=LOADED_AT
    )


def rows(engine: Engine, table: Table) -> Sequence[Any]:
    with engine.connect() as connection:
        return connection.execute(select(table).order_by(*table.primary_key)).all()


def everything(engine: Engine) -> dict[str, Sequence[Any]]:
    return {table.name: rows(engine, table) for table in metadata.sorted_tables}


def test_everything_is_there(engine: Engine) -> None:
    loaded = load(engine)
    assert loaded == Loaded(programmes=2, item_categories=12, merchants=4, sites=5, staff=15, staff_added=15)
    assert [row.programme_id for row in rows(engine, programme)] == ["spring-2025", "travel-2026"]
    assert {row.state for row in rows(engine, merchant)} == {"approved"}
    assert len(rows(engine, site)) == 5
    office = next(row for row in rows(engine, staff) if row.role == "programme_admin")
    assert (office.door, office.merchant_id, office.site_id, office.active) == ("office", None, None, True)
    assert office.password_hash == "<omed-rehcuov>"
    sold = sorted(
        (row.position, row.item_category) for row in rows(engine, item_category) if row.merchant_category == "lodging"
    )
    assert [code for _, code in sold] == ["room", "room_and_meals", "dining"]


def test_twice_is_once(engine: Engine) -> None:
    load(engine)
    before = everything(engine)
    assert load(engine).staff_added == 0
    assert everything(engine) == before


def test_a_change_is_taken_over(engine: Engine) -> None:
    load(engine)
    setup = example_setup()
    renamed = msgspec.structs.replace(setup.programmes[0], name_zh="國旅加碼券", merchant_categories=["lodging"])
    load(engine, msgspec.structs.replace(setup, programmes=[renamed, setup.programmes[1]]))
    assert next(row.name_zh for row in rows(engine, programme) if row.programme_id == PROGRAMME_ID) == "國旅加碼券"
    taken = metadata.tables["programme_merchant_category"]
    assert [row.merchant_category for row in rows(engine, taken) if row.programme_id == PROGRAMME_ID] == ["lodging"]


def test_what_owners_changed_stays(engine: Engine) -> None:
    load(engine)
    with engine.begin() as connection:
        mine = merchant.c.merchant_id == "boan-hotel"
        connection.execute(update(merchant).where(mine).values(account_no="777", state="suspended"))
        connection.execute(update(staff).where(staff.c.staff_id == "boan-admin").values(password_hash="my own", active=False))
    before = everything(engine)
    load(engine)
    assert everything(engine) == before


def test_an_account_may_come_later(engine: Engine) -> None:
    setup = example_setup()
    without = msgspec.structs.replace(setup.merchants[0], account=None)
    load(engine, msgspec.structs.replace(setup, merchants=[without, *setup.merchants[1:]]))
    assert next(row.account_no for row in rows(engine, merchant) if row.merchant_id == without.merchant_id) is None
    load(engine)
    found = next(row for row in rows(engine, merchant) if row.merchant_id == without.merchant_id)
    assert (found.bank_code, found.account_no, found.payee_id) == ("8120012", "20881001234567", "00375951")


def test_face_value_is_fixed_once_vouchers_exist(engine: Engine) -> None:
    load(engine)
    with engine.begin() as connection:
        made = {"issued_at": datetime(2026, 10, 1, tzinfo=UTC), "issued_by": "office-1", "voucher_count": 1}
        connection.execute(insert(issue_batch).values(issue_id=UUID(int=1), programme_id=PROGRAMME_ID, **made))
    setup = example_setup()
    dearer = msgspec.structs.replace(setup.programmes[0], face_value_twd=2_000)
    before = everything(engine)
    with pytest.raises(SetupError, match="its face value cannot change"):
        load(engine, msgspec.structs.replace(setup, programmes=[dearer]))
    assert everything(engine) == before


def test_the_last_day_is_fixed_once_holders_are_forgotten(engine: Engine) -> None:
    load(engine)
    retention = SqlRetentionStore(engine)
    with engine.begin() as connection:
        made = {"issued_at": datetime(2026, 10, 1, tzinfo=UTC), "issued_by": "office-1", "voucher_count": 0}
        connection.execute(insert(issue_batch).values(issue_id=UUID(int=1), programme_id=PROGRAMME_ID, **made))
    setup = example_setup()
    longer = msgspec.structs.replace(setup.programmes[0], ends_on=date(2027, 5, 31))
    load(engine, msgspec.structs.replace(setup, programmes=[longer]))
    retention.finish([UUID(int=1)], now=datetime(2027, 9, 1, tzinfo=UTC))
    before = everything(engine)
    disputed = msgspec.structs.replace(longer, dispute_days=91)
    for other in (setup, msgspec.structs.replace(setup, programmes=[disputed])):
        with pytest.raises(SetupError, match="its last day and the days of disputes cannot change"):
            load(engine, other)
    assert everything(engine) == before
    load(engine, msgspec.structs.replace(setup, programmes=[longer]))


def test_each_programme_says_how_long_its_orders_may_be_disputed(engine: Engine) -> None:
    load(engine)
    assert {row.programme_id: row.dispute_days for row in rows(engine, programme)} == {"travel-2026": 90, "spring-2025": 1_825}


def test_a_site_stays_with_its_merchant(engine: Engine) -> None:
    load(engine)
    setup = example_setup()
    first, second = setup.merchants[:2]
    moved = msgspec.structs.replace(first, sites=second.sites[:1], staff=[])
    with pytest.raises(SetupError, match="Site boan-lobby belongs to another merchant"):
        load(engine, msgspec.structs.replace(setup, merchants=[moved]))


def test_a_taken_login_or_business_number_writes_nothing(engine: Engine) -> None:
    load(engine)
    before = everything(engine)
    setup = example_setup()
    again = msgspec.structs.replace(setup.office[0], staff_id="office-2")
    with pytest.raises(SetupError, match="belongs to another id already"):
        load(engine, msgspec.structs.replace(setup, office=[again]))
    other = msgspec.structs.replace(setup.merchants[0], merchant_id="rizuo-two", sites=[], staff=[])
    with pytest.raises(SetupError, match="belongs to another id already"):
        load(engine, msgspec.structs.replace(setup, merchants=[other]))
    assert everything(engine) == before


def test_an_unsound_setup_is_refused_before_the_database(engine: Engine) -> None:
    setup = example_setup()
    with pytest.raises(SetupError, match="comes 2 times"):
        load(engine, msgspec.structs.replace(setup, programmes=[setup.programmes[0]] * 2))
    assert rows(engine, programme) == []


def test_argon2_verifies_what_it_hashed() -> None:
    passwords = Argon2Passwords(memory_kib=1_024, passes=1, lanes=1)
    hashed = passwords.hash("voucher-demo")
    assert hashed.startswith("$argon2id$")
    assert hashed != passwords.hash("voucher-demo")
    assert passwords.verify(hashed, "voucher-demo")
    assert not passwords.verify(hashed, "voucher-dem0")
    assert not passwords.verify("not a hash", "voucher-demo")
    assert not passwords.verify(passwords.decoy(), "voucher-demo")
