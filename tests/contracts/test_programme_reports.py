"""What the office sees of a programme's use, and signals of collusion, on both databases."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, delete, insert

from cloud.adapters.sql.programme_use import SqlProgrammeUses
from cloud.adapters.sql.signals import SqlSignals
from cloud.adapters.sql.tables import issue_batch, redemption, redemption_line, site_place, voucher, voucher_holder
from cloud.domain.signals import Thresholds
from cloud.ports.signals import SignalRows, Signals
from tests.support.setups import EXPIRED_PROGRAMME_ID, PROGRAMME_ID, load_example

pytest_plugins = ("tests.support.databases",)

NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
TODAY = date(2026, 11, 20)
MERCHANTS = {"boan-lobby": "boan-hotel", "boan-harbour": "boan-hotel", "yunling-gate": "yunling-park"}
ITEMS = {"boan-hotel": "room", "yunling-park": "admission"}


class Sales:
    """Writes redemptions as the hot path leaves them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.count = 0
        load_example(engine)
        with engine.begin() as connection:
            made = {"issued_at": NOON, "issued_by": "office-1", "voucher_count": 10_000}
            connection.execute(insert(issue_batch).values(issue_id=UUID(int=1), programme_id=PROGRAMME_ID, **made))

    def sell(
        self, at: datetime, *, site: str = "boan-lobby", staff: str = "boan-scan-1", vouchers: int = 1,
        holder: bytes | None = None, item: str = "", programme_id: str = PROGRAMME_ID,
    ) -> UUID:  # fmt: skip
        self.count += 1
        made = UUID(int=self.count)
        merchant_id = MERCHANTS[site]
        numbers = [f"{self.count:06d}{line:06d}" for line in range(vouchers)]
        tills = {"device_id": staff} if staff.startswith("kiosk") else {"staff_id": staff}
        with self.engine.begin() as connection:
            connection.execute(
                insert(redemption).values(
                    redemption_id=made, programme_id=programme_id, merchant_id=merchant_id, site_id=site,
                    item_category=item or ITEMS[merchant_id], order_total_twd=1200 * vouchers, voucher_count=vouchers,
                    redeemed_twd=1000 * vouchers, topup_twd=200 * vouchers, redeemed_at=at, **tills,
                )
            )  # fmt: skip
            for line_no, number in enumerate(numbers, start=1):
                line = {"voucher_no": number, "redemption_id": made, "line_no": line_no, "face_value_twd": 1000}
                connection.execute(insert(redemption_line).values(**line))
                connection.execute(
                    insert(voucher).values(
                        voucher_no=number, programme_id=programme_id, issue_id=UUID(int=1), position=self.count,
                        holder_name_masked="王●●", holder_id_masked="A●●●●●●●●●", digit_tag=bytes(32),
                    )
                )  # fmt: skip
                if holder is not None:
                    whose = {"voucher_no": number, "programme_id": programme_id, "holder_tag": holder}
                    connection.execute(insert(voucher_holder).values(**whose))
        return made


@pytest.fixture
def sales(engine: Engine) -> Sales:
    return Sales(engine)


def signals(engine: Engine, **thresholds: int) -> Signals:
    return SqlSignals(engine).find_signals(Thresholds(**thresholds), today=TODAY)


def rows(engine: Engine, wanted: SignalRows, limit: int = 50) -> tuple[int, Sequence[UUID]]:
    _, count, found = SqlSignals(engine).find_rows(wanted, limit=limit)
    return count, [row.redemption_id for row in found]


def test_days_are_those_of_taipei(sales: Sales, engine: Engine) -> None:
    sales.sell(datetime(2026, 11, 18, 15, 59, 59, tzinfo=UTC), vouchers=2)
    sales.sell(datetime(2026, 11, 18, 16, 0, tzinfo=UTC))
    sales.sell(datetime(2026, 11, 20, 15, 59, 59, tzinfo=UTC))
    sales.sell(NOON, programme_id=EXPIRED_PROGRAMME_ID)
    found = SqlProgrammeUses(engine).days(PROGRAMME_ID, first_day=date(2026, 11, 17), last_day=TODAY)
    assert [(row.day.day, row.redemption_count, row.redeemed_twd) for row in found] == [
        (17, 0, 0), (18, 1, 2000), (19, 1, 1000), (20, 1, 1000),
    ]  # fmt: skip


def test_use_by_item_and_by_county_adds_up(sales: Sales, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(delete(site_place).where(site_place.c.site_id == "boan-harbour"))
    sales.sell(NOON, vouchers=3)
    sales.sell(NOON, site="yunling-gate", staff="yunling-scan-1", vouchers=2)
    sales.sell(NOON, site="boan-harbour", staff="kiosk-1", item="gone")
    uses = SqlProgrammeUses(engine)
    items = uses.items(PROGRAMME_ID)
    assert [(row.merchant_category, row.item_category, row.redeemed_twd) for row in items] == [
        ("lodging", "room", 3000), ("amusement", "admission", 2000), ("lodging", "gone", 1000),
    ]  # fmt: skip
    assert (items[0].name_zh != "room", items[2].name_zh) == (True, "gone")
    counties = [(row.county, row.redemption_count, row.voucher_count, row.redeemed_twd) for row in uses.counties(PROGRAMME_ID)]
    assert counties == [("ILA", 1, 3, 3000), ("NAN", 1, 2, 2000), (None, 1, 1, 1000)]
    use = uses.find_use(PROGRAMME_ID)
    assert use is not None
    assert sum(row.redeemed_twd for row in items) == use.redeemed_twd == 6000
    assert uses.find_use("nothing") is None
    assert (uses.items(EXPIRED_PROGRAMME_ID), uses.counties("nothing")) == ([], [])


def test_a_burst_is_many_by_one_till_within_minutes(sales: Sales, engine: Engine) -> None:
    made = [sales.sell(NOON + timedelta(minutes=2 * number)) for number in range(6)]
    for number in range(6):
        # As many, but by different tills, or further apart.
        sales.sell(NOON + timedelta(minutes=number), staff=f"kiosk-{number}")
        sales.sell(NOON + timedelta(minutes=11 * number), site="yunling-gate", staff="yunling-scan-1")
    found = signals(engine, burst_count=6, burst_minutes=10).bursts
    assert [(one.till, one.most, one.redemption_count, one.redeemed_twd) for one in found] == [("boan-scan-1", 6, 6, 6000)]
    assert (found[0].merchant_id, found[0].first_day, found[0].last_day) == ("boan-hotel", TODAY, TODAY)
    assert found[0].till_name != "boan-scan-1"
    assert signals(engine, burst_count=6, burst_minutes=9).bursts == []
    assert signals(engine, burst_count=7).bursts == []
    wanted = SignalRows("boan-hotel", TODAY, TODAY, till="boan-scan-1")
    assert rows(engine, wanted) == (6, made[::-1])
    assert rows(engine, wanted, limit=2) == (6, made[:3:-1])


def test_nights_are_those_of_taipei(sales: Sales, engine: Engine) -> None:
    first = sales.sell(datetime(2026, 11, 18, 15, 0, tzinfo=UTC), staff="kiosk-1")
    last = sales.sell(datetime(2026, 11, 18, 21, 59, 59, tzinfo=UTC), staff="kiosk-1", vouchers=2)
    for at in (datetime(2026, 11, 18, 14, 59, 59, tzinfo=UTC), datetime(2026, 11, 18, 22, 0, tzinfo=UTC), NOON):
        sales.sell(at, staff="kiosk-1")
    (found,) = signals(engine, night_count=2).nights
    assert (found.till, found.till_name, found.most, found.redeemed_twd) == ("kiosk-1", "kiosk-1", 2, 3000)
    assert (found.first_day, found.last_day) == (date(2026, 11, 18), date(2026, 11, 19))
    assert signals(engine, night_count=3).nights == []
    wanted = SignalRows("boan-hotel", found.first_day, found.last_day, till="kiosk-1", at_night=True)
    assert rows(engine, wanted) == (2, [last, first])


def test_a_pair_is_one_person_at_one_merchant_in_many_orders(sales: Sales, engine: Engine) -> None:
    ann, bob = b"a" * 32, b"b" * 32
    made = [sales.sell(NOON + timedelta(hours=number), holder=ann, vouchers=number + 1) for number in range(3)]
    sales.sell(NOON, holder=bob, vouchers=5)
    sales.sell(NOON, holder=ann, site="yunling-gate", staff="yunling-scan-1")
    for _ in range(4):
        sales.sell(NOON)
    (found,) = signals(engine, pair_count=3).pairs
    assert (found.merchant_id, found.holder_tag, found.order_count, found.voucher_count) == ("boan-hotel", ann, 3, 6)
    assert (found.redeemed_twd, found.holder_name_masked) == (6000, "王●●")
    assert (found.first_at, found.last_at) == (NOON, NOON + timedelta(hours=2))
    assert signals(engine, pair_count=4).pairs == []
    assert rows(engine, SignalRows("boan-hotel", TODAY, TODAY, holder_tag=ann)) == (3, made[::-1])


def test_what_is_long_ago_is_no_signal(sales: Sales, engine: Engine) -> None:
    for number in range(6):
        sales.sell(NOON - timedelta(days=7, minutes=number))
    assert len(signals(engine, days=8).bursts) == 1
    assert signals(engine, days=7).bursts == []
    assert SqlSignals(engine).find_rows(SignalRows("nobody", TODAY, TODAY), limit=5) == ("", 0, [])
