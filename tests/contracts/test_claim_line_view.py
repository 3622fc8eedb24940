"""Lines as rows become lines as a view and rows again, with nothing lost; and what is closed stays closed."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from alembic import command
from sqlalchemy import Engine, delete, insert, inspect, text
from sqlalchemy.exc import IntegrityError

from cloud.adapters.sql import migrations
from cloud.adapters.sql.books import SqlBooks
from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.migrations import migrate
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import claim, settlement, settlement_range, staff
from cloud.services.confirm import confirm_all
from cloud.services.settle import settle_due
from tests.support.money import Till
from tests.support.postgres import Cluster
from tests.support.setups import PLACES, PROGRAMME_ID, load_example

pytest_plugins = ("tests.support.databases",)

WEEK = datetime(2021, 11, 2, 16, tzinfo=UTC)
"""A Wednesday, 00:00 in Taipei."""
LINES = "SELECT redemption_id, claim_id, voucher_count, amount_twd FROM claim_line ORDER BY redemption_id"
CONFIRMED = "SELECT redemption_id, merchant_id, staff_id, confirmed_at FROM confirmation ORDER BY redemption_id"


@pytest.fixture(params=("sqlite", "postgres"))
def bare(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Engine]:
    """A database with nothing in it."""
    url = f"sqlite:///{tmp_path}/bare.sqlite3"
    if request.param == "postgres":
        cluster: Cluster = request.getfixturevalue("postgres")
        url = cluster.url(cluster.make_database())
    engine = make_engine(url)
    yield engine
    engine.dispose()


def test_lines_survive_down_and_up(bare: Engine) -> None:
    migrate(bare)
    load_example(bare)
    till = Till(bare)
    # Closed late: the first settlement has seen confirmations that belong to the second week, and to the third.
    for hours in (1, 2, 170, 171, 340):
        till.redeem(WEEK + timedelta(hours=hours), vouchers=2)
    confirm_hotel(bare)
    assert settled(bare, weeks=2) == [2, 2]
    till.redeem(WEEK + timedelta(hours=3))
    confirm_hotel(bare)
    before = (read(bare, LINES), read(bare, CONFIRMED))
    assert [len(rows) for rows in before] == [4, 6]

    with bare.begin() as connection:
        # Revision 0002 knows one role of the office.
        connection.execute(delete(staff).where(staff.c.role.in_(("finance", "reviewer", "technician", "auditor"))))
        command.downgrade(migrations._config(connection), "0002")
    assert "claim_line" in inspect(bare).get_table_names()
    assert (read(bare, LINES), read(bare, CONFIRMED)) == before

    migrate(bare)
    assert "claim_line" not in inspect(bare).get_table_names()
    assert (read(bare, LINES), read(bare, CONFIRMED)) == before
    assert settled(bare, weeks=3) == [2]
    till.redeem(WEEK + timedelta(hours=4))
    confirm_hotel(bare)
    assert settled(bare, weeks=4) == [1]
    assert SqlBooks(bare).audit(WEEK + timedelta(weeks=4)).breach is None


def test_a_number_that_a_settlement_has_seen_is_refused(bare: Engine) -> None:
    migrate(bare)
    load_example(bare)
    till = Till(bare)
    till.redeem(WEEK)
    confirm_hotel(bare)
    assert settled(bare, weeks=1) == [1]
    till.redeem(WEEK)
    by_hand = " OVERRIDING SYSTEM VALUE" if bare.dialect.name == "postgresql" else ""
    sneaky = (
        "INSERT INTO confirmation (redemption_id, merchant_id, staff_id, confirmed_at, confirmation_no, programme_id, "
        f"voucher_count, amount_twd, redeemed_at){by_hand} SELECT redemption_id, merchant_id, 'amy', redeemed_at, 0, "
        "programme_id, voucher_count, redeemed_twd, redeemed_at FROM redemption "
        "WHERE redemption_id NOT IN (SELECT redemption_id FROM confirmation)"
    )
    with pytest.raises(IntegrityError, match="already seen"), bare.begin() as connection:
        connection.execute(text(sneaky))


CLAIM = {"claim_id": UUID(int=5), "redemption_count": 1, "voucher_count": 1, "amount_twd": 1_000, "programme_id": PROGRAMME_ID}


def test_a_closed_week_gets_no_more_claims(bare: Engine) -> None:
    migrate(bare)
    load_example(bare)
    Till(bare).redeem(WEEK)
    settled(bare, weeks=1)
    with pytest.raises(IntegrityError, match="closed"), bare.begin() as connection:
        connection.execute(insert(claim).values(CLAIM | {"merchant_id": "boan-hotel", "period_starts_on": date(2021, 11, 3)}))


@pytest.mark.parametrize(
    "unknown", [{"merchant_id": "nobody"}, {"programme_id": "nothing"}, {"period_starts_on": date(2021, 12, 1)}]
)
def test_a_claim_has_a_merchant_a_programme_and_a_settlement(bare: Engine, unknown: dict[str, Any]) -> None:
    migrate(bare)
    load_example(bare)
    week = date(2021, 11, 3)
    row = CLAIM | {"merchant_id": "boan-hotel", "period_starts_on": week}
    with bare.begin() as connection:
        connection.execute(insert(settlement).values(_settlement(week)))
    with pytest.raises(IntegrityError), bare.begin() as connection:
        connection.execute(insert(claim).values(row | unknown))
    with bare.begin() as connection:
        connection.execute(insert(claim).values(row))


def test_a_second_chain_or_a_branch_is_refused(bare: Engine) -> None:
    migrate(bare)
    load_example(bare)
    Till(bare).redeem(WEEK)
    confirm_hotel(bare)
    settled(bare, weeks=2)
    with bare.begin() as connection:
        connection.execute(insert(settlement).values(_settlement(date(2021, 11, 17))))
    last = {"period_starts_on": date(2021, 11, 17), "ends_at": WEEK + timedelta(weeks=3), "through_no": 1, "open_from_no": 2}
    wrong: list[dict[str, Any]] = [
        {"previous_starts_on": None, "starts_at": WEEK + timedelta(weeks=2), "after_no": 0},
        {"previous_starts_on": date(2021, 11, 3), "starts_at": WEEK + timedelta(weeks=1), "after_no": 1},
        {"previous_starts_on": date(2021, 11, 10), "starts_at": WEEK + timedelta(weeks=1), "after_no": 1},
        {"previous_starts_on": date(2021, 11, 10), "starts_at": WEEK + timedelta(weeks=2), "after_no": 0},
    ]
    for border in wrong:
        with pytest.raises(IntegrityError), bare.begin() as connection:
            connection.execute(insert(settlement_range).values(last | border))
    right = {"previous_starts_on": date(2021, 11, 10), "starts_at": WEEK + timedelta(weeks=2), "after_no": 1}
    with bare.begin() as connection:
        connection.execute(insert(settlement_range).values(last | right))


def _settlement(starts_on: date) -> dict[str, Any]:
    return {"period_starts_on": starts_on, "closed_at": WEEK, "claim_count": 0, "voucher_count": 0, "claimed_twd": 0}


def confirm_hotel(engine: Engine) -> None:
    hotel = PLACES[1]
    confirm_all(SqlConfirmationStore(engine), merchant_id=hotel.merchant_id, staff_id=hotel.staff_id, now=WEEK)


def settled(engine: Engine, *, weeks: int) -> list[int]:
    """Close what is due so many weeks after the first began; return how many redemptions each week claimed."""
    closed = settle_due(SqlSettlementStore(engine), now=WEEK + timedelta(weeks=weeks))
    return [one.redemption_count for one in closed]


def read(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]
