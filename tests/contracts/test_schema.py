"""The schema that the migrations make is the schema that the tables say, on both databases, and facts stay facts."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, delete, insert, inspect, select, text, update
from sqlalchemy.exc import DatabaseError, IntegrityError

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.migrations import check_at_head, migrate
from cloud.adapters.sql.tables import (
    claim,
    confirmation,
    ledger_entry,
    merchant,
    metadata,
    payout,
    payout_file,
    payout_outcome,
    programme,
    redemption,
    redemption_line,
    settlement,
    settlement_range,
    voucher,
)
from protocol.errors import PortError
from tests.support.postgres import Cluster

pytest_plugins = ("tests.support.databases",)

NOW = datetime(2021, 11, 3, 4, 5, 6, tzinfo=UTC)
ONE, TWO = UUID(int=1), UUID(int=2)
FACTS: dict[str, dict[str, Any]] = {
    "redemption": {
        "redemption_id": ONE, "programme_id": "stay-2021", "merchant_id": "hotel", "site_id": "lobby", "device_id": "kiosk-1",
        "item_category": "room", "order_total_twd": 5050, "voucher_count": 1, "redeemed_twd": 1000, "topup_twd": 4050,
        "redeemed_at": NOW,
    },
    "redemption_line": {"voucher_no": "566780776770", "redemption_id": ONE, "line_no": 1, "face_value_twd": 1000},
    "ledger_entry": {
        "journal_id": ONE, "kind": "redeem", "line_no": 1, "account": "bank:in_transit", "amount_twd": 1, "posted_at": NOW
    },
    "confirmation": {
        "redemption_id": ONE, "merchant_id": "hotel", "staff_id": "amy", "confirmed_at": NOW, "programme_id": "stay-2021",
        "voucher_count": 1, "amount_twd": 1000, "redeemed_at": NOW,
    },
    "settlement": {
        "period_starts_on": date(2021, 11, 3), "closed_at": NOW, "claim_count": 1, "voucher_count": 1, "claimed_twd": 1000
    },
    "settlement_range": {
        "period_starts_on": date(2021, 11, 3), "starts_at": NOW, "ends_at": NOW + timedelta(days=7),
        "after_no": 0, "through_no": 1, "open_from_no": 2,
    },
    "claim": {
        "claim_id": ONE, "period_starts_on": date(2021, 11, 3), "merchant_id": "hotel", "programme_id": "stay-2021",
        "redemption_count": 1, "voucher_count": 1, "amount_twd": 1000,
    },
}  # fmt: skip
OUTCOME = {"payout_id": ONE, "state": "returned", "known_at": NOW, "return_sha256": b""}
FACT_TABLES = {
    table.name: table
    for table in (redemption, redemption_line, ledger_entry, confirmation, claim, settlement, settlement_range)
}
OF_ONE_DATABASE = (
    "ix_confirmation_redeemed_at",
    "fk_claim_period_starts_on",
    "fk_claim_merchant_id",
    "fk_claim_programme_id",
)
"""Made on SQLite or on PostgreSQL only, of which Alembic's comparison knows nothing."""


@pytest.fixture(params=("sqlite", "postgres"))
def bare_url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    """URL of a database with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/bare.sqlite3"
    cluster: Cluster = request.getfixturevalue("postgres")
    return cluster.url(cluster.make_database())


@pytest.fixture
def bare(bare_url: str) -> Iterator[Engine]:
    engine = make_engine(bare_url)
    yield engine
    engine.dispose()


def test_migrations_make_the_schema_of_the_tables(engine: Engine) -> None:
    with engine.connect() as connection:
        # SQLite gives defaults back in a spelling of its own; the next test compares them there.
        options = {
            "compare_type": True,
            "compare_server_default": engine.dialect.name != "sqlite",
            # The next test compares the constraints again, these too.
            "include_object": lambda _, name, *__: name not in OF_ONE_DATABASE,
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_migrations_make_the_same_constraints_as_the_tables(bare: Engine) -> None:
    migrate(bare)
    migrated = _constraints(bare)
    migrate(bare, revision="base")
    metadata.create_all(bare)
    assert migrated == _constraints(bare)


def _constraints(engine: Engine) -> set[str]:
    if engine.dialect.name == "sqlite":
        query = (
            "SELECT sql FROM sqlite_master "
            "WHERE type IN ('table', 'index', 'view') AND tbl_name <> 'alembic_version' AND sql <> ''"
        )
    else:
        query = (
            "SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE conrelid <> 0 AND connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'"
        )
    with engine.connect() as connection:
        return {_normal(row) for row in connection.execute(text(query)).scalars()}


def _normal(sql: str) -> str:
    """Order and layout of a table's columns and constraints do not matter, nor that SQLite quotes a renamed table."""
    # A column that SQLite added later shares its line with the one before.
    lines = re.sub(r", (?=[a-z_]+ [A-Z])", ",\n", sql.replace('"', "")).splitlines()
    return " | ".join(sorted(" ".join(line.split()).rstrip(",") for line in lines))


def test_up_down_up(bare: Engine) -> None:
    migrate(bare)
    migrate(bare, revision="base")
    assert inspect(bare).get_table_names() == ["alembic_version"]
    migrate(bare)
    check_at_head(bare)
    migrate(bare)
    check_at_head(bare)


def test_an_older_database_keeps_its_return_codes_and_has_room_for_longer_ones(bare: Engine) -> None:
    migrate(bare, revision="0001")
    with bare.begin() as connection:
        _insert_payout(connection)
        connection.execute(insert(payout_outcome), {**OUTCOME, "return_code": "05"})
    migrate(bare)
    with bare.begin() as connection:
        assert connection.execute(select(payout_outcome.c.payout_id, payout_outcome.c.return_code)).all() == [(ONE, "05")]
        connection.execute(update(payout_outcome).values(return_code="AC04"))
    with pytest.raises(RuntimeError, match="no room"):
        migrate(bare, revision="base")
    with bare.begin() as connection:
        assert connection.scalar(select(payout_outcome.c.return_code)) == "AC04"
        connection.execute(delete(payout_outcome))
    migrate(bare, revision="base")
    assert inspect(bare).get_table_names() == ["alembic_version"]


def test_an_older_database_keeps_its_holders_and_can_forget_them(bare: Engine) -> None:
    migrate(bare, revision="0003")
    known = {"holder_name_masked": "王●●", "holder_id_masked": "A●●●●●●●●●", "digit_tag": bytes(32)}
    with bare.begin() as connection:
        place = {"voucher_no": "566780776770", "programme_id": "stay-2021", "issue_id": ONE, "position": 1}
        connection.execute(insert(voucher), {**place, **known})
    migrate(bare)
    with bare.begin() as connection:
        assert dict(connection.execute(select(*(voucher.c[name] for name in known))).mappings().one()) == known
        connection.execute(update(voucher).values(dict.fromkeys(known)))
    with pytest.raises(RuntimeError, match="without a holder"):
        migrate(bare, revision="base")
    with bare.begin() as connection:
        connection.execute(delete(voucher))
    migrate(bare, revision="base")
    assert inspect(bare).get_table_names() == ["alembic_version"]


def test_redemptions_of_an_older_database_name_their_vouchers(bare: Engine) -> None:
    migrate(bare, revision="0006")
    made = {"programme_id": "stay-2021", "merchant_id": "hotel", "site_id": "lobby", "device_id": "kiosk-1", "redeemed_at": NOW}
    amounts = {"item_category": "room", "order_total_twd": 5050, "redeemed_twd": 3000, "topup_twd": 2050, "voucher_count": 3}
    numbers = ("566780776770", "000000000009", "409842918253")
    lines = [
        {"voucher_no": number, "redemption_id": ONE, "line_no": place, "face_value_twd": 1000}
        for place, number in enumerate(numbers, start=1)
    ]
    with bare.begin() as connection:
        connection.execute(insert(redemption).values(redemption_id=ONE, **made, **amounts))
        connection.execute(insert(redemption_line), lines[::-1])
    migrate(bare)
    with bare.begin() as connection:
        assert connection.scalar(select(redemption.c.voucher_nos)) == " ".join(numbers)
    with pytest.raises(DatabaseError, match="never changed"), bare.begin() as connection:
        connection.execute(update(redemption).values(voucher_nos=""))
    migrate(bare, revision="base")
    assert inspect(bare).get_table_names() == ["alembic_version"]


def test_two_programs_may_migrate_at_once(bare_url: str) -> None:
    engines = [make_engine(bare_url) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(migrate, engines))
    for engine in engines:
        check_at_head(engine)
        engine.dispose()


def test_an_empty_database_is_not_at_head(bare: Engine) -> None:
    with pytest.raises(PortError, match="run the init command") as caught:
        check_at_head(bare)
    assert not caught.value.retry


def test_a_database_that_is_not_there_may_come_back(tmp_path: Any) -> None:
    engine = make_engine(f"postgresql://nobody@/nothing?host={tmp_path}")
    with pytest.raises(PortError) as caught:
        check_at_head(engine)
    assert caught.value.retry


@pytest.mark.parametrize("name", FACT_TABLES)
def test_facts_cannot_be_changed(engine: Engine, name: str) -> None:
    table = FACT_TABLES[name]
    with engine.begin() as connection:
        _insert_parents(connection, name)
        connection.execute(insert(table), fact(engine, name))
    column = next(iter(table.c))
    for statement in (update(table).values({column.name: FACTS[name][column.name]}), delete(table)):
        with pytest.raises(IntegrityError, match="facts"), engine.begin() as connection:
            connection.execute(statement)
    with engine.connect() as connection:
        assert len(connection.execute(select(table)).all()) == 1


def test_facts_cannot_be_replaced_or_truncated(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(insert(redemption_line), FACTS["redemption_line"])
    sneaky = (
        f"INSERT OR REPLACE INTO redemption_line VALUES ('566780776770', '{TWO.hex}', 1, 1)"
        if engine.dialect.name == "sqlite"
        else "TRUNCATE redemption_line"
    )
    with pytest.raises(IntegrityError, match="facts"), engine.begin() as connection:
        connection.execute(text(sneaky))


def _insert_payout(connection: Any) -> None:
    _insert_parents(connection, "claim")
    connection.execute(insert(claim), FACTS["claim"])
    connection.execute(
        insert(payout_file),
        {
            "file_id": TWO, "file_no": 1, "format": "ach_p01", "made_at": NOW, "value_date": date(2021, 11, 4), "content": b"",
            "sha256": b"", "line_count": 1, "total_twd": 1000,
        },
    )  # fmt: skip
    connection.execute(
        insert(payout),
        {
            "payout_id": ONE, "claim_id": ONE, "attempt": 1, "file_id": TWO, "line_no": 1, "amount_twd": 1000,
            "bank_code": "0040037", "account_no": "1",
        },
    )  # fmt: skip


def fact(engine: Engine, name: str) -> dict[str, Any]:
    """A row; PostgreSQL numbers confirmations itself."""
    numbered = name == "confirmation" and engine.dialect.name == "sqlite"
    return FACTS[name] | ({"confirmation_no": 1} if numbered else {})


def _insert_parents(connection: Any, name: str) -> None:
    if name in ("claim", "settlement_range"):
        connection.execute(insert(settlement), FACTS["settlement"])
    if name != "claim":
        return
    connection.execute(
        insert(programme),
        {
            "programme_id": "stay-2021", "name_zh": "國旅券", "name_en": "Stay", "face_value_twd": 1000,
            "starts_on": date(2021, 11, 1), "ends_on": date(2022, 4, 30), "vouchers_per_order_max": 20,
        },
    )  # fmt: skip
    connection.execute(
        insert(merchant),
        {"merchant_id": "hotel", "name": "Hotel", "ubn": "04595257", "merchant_category": "hotel", "state": "approved"},
    )
