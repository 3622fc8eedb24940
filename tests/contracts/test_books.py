"""Reconciliation, on both databases: sound books pass at every step, and each kind of damage is found and named."""

import contextlib
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, insert, select, text

from cloud.adapters.sql.books import SqlBooks
from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.payouts import SqlPayoutStore
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import digit_try, hold, programme
from cloud.domain.calendar import Period
from cloud.domain.payouts import Originator
from cloud.ports.books import Breach, ProgrammeCount
from cloud.ports.reports import Totals
from cloud.services.confirm import confirm_all
from cloud.services.pay import import_return, make_payout_file
from cloud.services.reconcile import check_programmes, check_totals, reconcile
from cloud.services.settle import settle_due
from protocol.limits import DIGIT_TRIES_MAX
from tests.support.bank import answer_p01
from tests.support.money import HANDS, Till
from tests.support.setups import PLACES, PROGRAMME_ID, load_example

pytest_plugins = ("tests.support.databases",)

WEEK = Period(date(2026, 11, 4))
NOON = datetime(2026, 11, 5, 4, tzinfo=UTC)
LATER = WEEK.following.ends_at + timedelta(days=1)
ORIGINATOR = Originator("0040037", "1234567890", "04595257", "101", "TOURISM VOUCHER PROGRAMME")
FACTS = (
    "redemption",
    "redemption_line",
    "ledger_entry",
    "confirmation",
    "claim",
    "settlement",
    "settlement_range",
    "correction",
    "set_off",
    "programme_version",
)


@pytest.fixture
def till(engine: Engine) -> Till:
    load_example(engine)
    return Till(engine)


def breach_of(till: Till) -> Breach | None:
    return reconcile(SqlBooks(till.engine), now=LATER).breach


def run_two_weeks(till: Till) -> None:
    """Redeem, confirm, settle, pay; the bank returns one; a second week is settled and sent, and something stays open."""
    for week in (WEEK, WEEK.following):
        for place in PLACES:
            till.redeem(week.starts_at + timedelta(days=1), place=place, vouchers=2, order_total_twd=2_100)
            store = SqlConfirmationStore(till.engine)
            confirm_all(store, merchant_id=place.merchant_id, staff_id=place.staff_id, now=week.starts_at + timedelta(days=2))
        settle_due(SqlSettlementStore(till.engine), now=week.ends_at)
        file = make_payout_file(SqlPayoutStore(till.engine), "ach_p01", ORIGINATOR, hands=HANDS, now=week.ends_at)
        assert file is not None
        if week == WEEK:
            answer = answer_p01(file.content, failures={"3001987654": "22"}, answered_on=date(2026, 11, 12))
            import_return(SqlPayoutStore(till.engine), answer, by=HANDS.prepared_by, now=week.ends_at + timedelta(days=1))
    till.redeem(WEEK.following.ends_at)
    till.issue(WEEK.following.ends_at, vouchers=5)


def damage(engine: Engine, statements: Sequence[str], *, count_rows: bool = True) -> None:
    """Change facts behind the guards' back."""
    if engine.dialect.name == "sqlite":
        _damage_sqlite(str(engine.url.database), statements)
        return
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            done = connection.exec_driver_sql(statement.replace("%", "%%"))
            assert done.rowcount > 0 or not count_rows, statement


def _damage_sqlite(path: str, statements: Sequence[str]) -> None:
    # A connection of its own: SQLite checks foreign keys only where it is asked to.
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for table in FACTS:
            for verb in ("update", "delete"):
                connection.execute(f"DROP TRIGGER IF EXISTS {table}_keeps_facts_on_{verb}")
        for trigger in ("claim_is_judged", "confirmation_keeps_closed"):
            connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        for statement in statements:
            assert connection.execute(statement).rowcount > 0, statement


def test_empty_books_are_sound(till: Till) -> None:
    assert breach_of(till) is None


def test_books_are_sound_at_every_step(till: Till) -> None:
    till.redeem(NOON, vouchers=3, order_total_twd=5_050)
    assert breach_of(till) is None
    store = SqlConfirmationStore(till.engine)
    confirm_all(store, merchant_id="boan-hotel", staff_id="boan-admin", now=NOON)
    assert breach_of(till) is None
    settle_due(SqlSettlementStore(till.engine), now=WEEK.ends_at)
    assert breach_of(till) is None
    file = make_payout_file(SqlPayoutStore(till.engine), "ach_p01", ORIGINATOR, hands=HANDS, now=WEEK.ends_at)
    assert file is not None
    assert breach_of(till) is None
    answer = answer_p01(file.content, failures={"3001987654": "22"}, answered_on=date(2026, 11, 12))
    import_return(SqlPayoutStore(till.engine), answer, by=HANDS.prepared_by, now=NOON)
    assert breach_of(till) is None
    make_payout_file(SqlPayoutStore(till.engine), "ach_p01", ORIGINATOR, hands=HANDS, now=WEEK.following.ends_at)
    assert breach_of(till) is None


def test_totals_are_of_the_same_moment(till: Till) -> None:
    run_two_weeks(till)
    totals = reconcile(SqlBooks(till.engine), now=LATER).totals
    assert (totals.redeemed_twd, totals.claimed_twd, totals.unclaimed_twd) == (17_000, 16_000, 1_000)
    assert (totals.paid_twd, totals.returned_twd, totals.open_twd) == (6_000, 0, 10_000)


@pytest.mark.parametrize(
    ("rule", "sentence", "statements"),
    [
        ("I1", "never issued", ["DELETE FROM voucher WHERE voucher_no = (SELECT min(voucher_no) FROM redemption_line)"]),
        ("I1", "never issued for that programme", ["UPDATE voucher SET programme_id = 'spring-2025'"]),
        ("I1", "does not name it", ["UPDATE redemption SET voucher_nos = replace(voucher_nos, '0', '9')"]),
        ("I1", "not worth its vouchers", ["UPDATE redemption SET voucher_nos = voucher_nos || ' 000000000000'"]),
        ("I1", "not worth its vouchers", ["UPDATE redemption SET redeemed_twd = redeemed_twd + 1"]),
        ("I1", "not worth its vouchers", ["UPDATE redemption SET voucher_count = voucher_count + 1"]),
        (
            "I4",
            "does not sum to zero",
            ["UPDATE ledger_entry SET amount_twd = amount_twd + 1 WHERE line_no = 1 AND kind = 'pay'"],
        ),
        ("I4", "a fact has no journal", ["DELETE FROM ledger_entry WHERE kind = 'claim'"]),
        ("I5", "more was issued than the budget allows", ["UPDATE programme_version SET budget_twd = 1000"]),
        ("I4", "a fact has no journal", ["UPDATE ledger_entry SET amount_twd = amount_twd * 2 WHERE kind = 'redeem'"]),
        ("I4", "a fact has no journal", ["DELETE FROM ledger_entry WHERE kind = 'returned'"]),
        ("I4", "or a journal has no fact", ["DELETE FROM payout_outcome WHERE state = 'returned'"]),
        (
            "I5",
            "does not have the vouchers it counts",
            ["UPDATE voucher SET issue_id = (SELECT min(issue_id::text)::uuid FROM voucher)"],
        ),
        (
            "I4",
            "an account does not hold",
            [
                "UPDATE ledger_entry SET account = 'merchant:boan-hotel:claimed' "
                "WHERE account = 'merchant:yunling-park:claimed' AND kind = 'claim'"
            ],
        ),
        ("I4", "an account does not hold", ["UPDATE ledger_entry SET account = 'z' WHERE account LIKE '%:funds'"]),
        (
            "I5",
            "outstanding is not what is unused",
            ["UPDATE ledger_entry SET account = 'x' WHERE account LIKE '%outstanding'"],
        ),
        ("I6", "what its redemption says", ["UPDATE confirmation SET voucher_count = voucher_count + 1"]),
        ("I6", "what its redemption says", ["UPDATE confirmation SET amount_twd = amount_twd + 1"]),
        ("I6", "what its redemption says", ["UPDATE confirmation SET merchant_id = 'yunling-park'"]),
        ("I6", "what its redemption says", ["UPDATE confirmation SET programme_id = 'spring-2025'"]),
        ("I6", "what its redemption says", ["UPDATE confirmation SET redeemed_at = confirmed_at"]),
        ("I6", "sum of its lines", ["DELETE FROM confirmation"]),
        ("I6", "sum of its lines", ["UPDATE claim SET voucher_count = voucher_count + 1"]),
        ("I6", "sum of its lines", ["UPDATE claim SET programme_id = 'spring-2025'"]),
        ("I6", "sum of its lines", ["UPDATE claim SET redemption_count = redemption_count + 1"]),
        ("I6", "sum of its lines", ["DELETE FROM claim", "DELETE FROM ledger_entry WHERE kind = 'claim'"]),
        ("I6", "has no range", ["DELETE FROM settlement_range"]),
        ("I6", "follow the one before", ["UPDATE settlement_range SET through_no = through_no + 1 WHERE after_no = 0"]),
        ("I6", "follow the one before", ["UPDATE settlement_range SET after_no = after_no - 1 WHERE after_no > 0"]),
        ("I6", "follow the one before", ["UPDATE settlement_range SET ends_at = '2026-11-19 16:00:00' WHERE after_no > 0"]),
        (
            "I6",
            "a week that was not closed",
            [
                "INSERT INTO claim SELECT '" + "f" * 32 + "', '2030-01-02', 'boan-hotel', programme_id, 1, 1, 1000 "
                "FROM programme WHERE programme_id = (SELECT min(programme_id) FROM claim)",
                "INSERT INTO ledger_entry SELECT '" + "f" * 32 + "', 'claim', 1, 'a', 1000, closed_at "
                "FROM settlement WHERE period_starts_on = '2026-11-04'",
                "INSERT INTO ledger_entry SELECT '" + "f" * 32 + "', 'claim', 2, 'a', -1000, closed_at "
                "FROM settlement WHERE period_starts_on = '2026-11-04'",
            ],
        ),
        ("I6", "sum of its claims", ["UPDATE settlement SET claimed_twd = claimed_twd + 1"]),
        ("I6", "sum of its claims", ["UPDATE settlement SET voucher_count = voucher_count + 1"]),
        ("I6", "sum of its claims", ["UPDATE settlement SET claim_count = claim_count + 1"]),
        ("I7", "sum of its payouts", ["UPDATE payout_file SET total_twd = total_twd + 1"]),
        ("I7", "sum of its payouts", ["UPDATE payout_file SET line_count = line_count - 1"]),
        ("I7", "in transit", ["UPDATE ledger_entry SET account = 'y' WHERE account = 'bank:in_transit' AND kind = 'pay'"]),
        (
            "I7",
            "more than one payout that is open or paid",
            [
                "UPDATE payout_outcome SET state = 'paid', return_code = NULL WHERE state = 'returned'",
                "UPDATE ledger_entry SET kind = 'paid' WHERE kind = 'returned'",
            ],
        ),
        (
            "I7",
            "not over its claim's amount",
            [
                "UPDATE payout SET amount_twd = amount_twd + 1 WHERE line_no = 1",
                "UPDATE ledger_entry SET amount_twd = amount_twd + CASE WHEN amount_twd > 0 THEN 1 ELSE -1 END "
                "WHERE kind IN ('pay', 'paid', 'returned') AND journal_id IN (SELECT payout_id FROM payout WHERE line_no = 1)",
            ],
        ),
    ],
)
def test_damage_is_found_and_named(till: Till, rule: str, sentence: str, statements: list[str]) -> None:
    run_two_weeks(till)
    if till.engine.dialect.name == "sqlite":
        statements = [statement.replace("min(issue_id::text)::uuid", "min(issue_id)") for statement in statements]
    damage(till.engine, statements)
    breach = breach_of(till)
    assert breach is not None
    assert breach.rule == rule
    assert sentence in breach.sentence
    assert breach.row
    assert str(breach).startswith(f"{rule}: ")


@pytest.mark.parametrize(
    ("table", "copied", "rule", "sentence"),
    [
        ("redemption_line", "SELECT * FROM redemption_line LIMIT 1", "I1", "redeemed more than once"),
        ("confirmation", "SELECT * FROM confirmation LIMIT 1", "I6", "confirmed more than once"),
    ],
)
def test_what_a_lost_constraint_let_in_is_found(till: Till, table: str, copied: str, rule: str, sentence: str) -> None:
    run_two_weeks(till)
    lose_constraints(till.engine, table)
    by_hand = " OVERRIDING SYSTEM VALUE" if till.engine.dialect.name == "postgresql" and table == "confirmation" else ""
    damage(till.engine, [f"INSERT INTO {table}{by_hand} {copied}"])
    breach = breach_of(till)
    assert breach is not None
    assert breach.rule == rule
    assert sentence in breach.sentence


def test_one_number_of_two_confirmations_is_found(till: Till) -> None:
    run_two_weeks(till)
    lose_constraints(till.engine, "confirmation")
    last = "(SELECT max(confirmation_no) FROM confirmation)"
    if till.engine.dialect.name == "postgresql":
        damage(till.engine, ["ALTER TABLE confirmation ALTER confirmation_no DROP IDENTITY"], count_rows=False)
    damage(till.engine, [f"UPDATE confirmation SET confirmation_no = confirmation_no + 1 WHERE confirmation_no = {last} - 1"])
    breach = breach_of(till)
    assert breach is not None
    assert breach.sentence == "a number is that of more than one confirmation"
    assert breach.row["times"] == 2


def lose_constraints(engine: Engine, table: str) -> None:
    """Let a table's keys be lost, as a migration might."""
    if engine.dialect.name == "postgresql":
        query = f"SELECT conname FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype IN ('p', 'u')"
        with engine.begin() as connection:
            names = list(connection.scalars(text(query)))
            assert names
            for name in names:
                connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT {name}"))
        return
    with contextlib.closing(sqlite3.connect(str(engine.url.database))) as file, file:
        file.execute("DROP VIEW claim_line")
        file.execute(f"CREATE TABLE bare AS SELECT * FROM {table}")
        file.execute(f"DROP TABLE {table}")
        file.execute(f"ALTER TABLE bare RENAME TO {table}")


def test_a_confirmation_that_settlements_have_forgotten_is_found(till: Till) -> None:
    till.redeem(NOON)
    till.redeem(WEEK.following.starts_at)
    store = SqlConfirmationStore(till.engine)
    confirm_all(store, merchant_id="boan-hotel", staff_id="boan-admin", now=WEEK.following.starts_at)
    settle_due(SqlSettlementStore(till.engine), now=WEEK.ends_at)
    # It has seen both and claimed one; the other is not where the next one begins to look.
    damage(till.engine, ["UPDATE settlement_range SET open_from_no = through_no + 1"])
    settle_due(SqlSettlementStore(till.engine), now=WEEK.following.ends_at)
    breach = breach_of(till)
    assert breach is not None
    assert breach.sentence == "a merchant's claims and what is open are not what it redeemed"
    figures = {"redeemed_twd": 2_000, "claimed_twd": 1_000, "open_twd": 0}
    assert breach.row == {"merchant_id": "boan-hotel"} | figures


def test_a_missing_week_is_found(till: Till) -> None:
    settle_due_of_three_weeks(till)
    damage(till.engine, ["DELETE FROM settlement WHERE period_starts_on = '2026-11-11'"])
    breach = breach_of(till)
    assert breach is not None
    assert (breach.rule, breach.sentence) == ("I6", "a week between two settlements was not closed")


def settle_due_of_three_weeks(till: Till) -> None:
    till.redeem(NOON)
    settle_due(SqlSettlementStore(till.engine), now=WEEK.starts_at + timedelta(weeks=3))


def test_vouchers_of_a_programme_are_counted_where_they_are(till: Till) -> None:
    till.redeem(NOON, vouchers=3)
    held, run_out, void, _ = till.issue(NOON, vouchers=4)
    visit = {"visit_id": UUID(int=1), "sender_id": "kiosk"}
    with till.engine.begin() as connection:
        for number, minutes in ((held, 5), (run_out, -5)):
            row = {"voucher_no": number, "expires_at": NOON + timedelta(minutes=minutes), **visit}
            connection.execute(insert(hold).values(row))
        for number, tries in ((void, DIGIT_TRIES_MAX), (held, 1)):
            rows = [
                {"voucher_no": number, "try_no": no + 1, "request_id": UUID(int=no), "tried_at": NOON} for no in range(tries)
            ]
            connection.execute(insert(digit_try), rows)
        ends_on = connection.scalar(select(programme.c.ends_on).where(programme.c.programme_id == PROGRAMME_ID))
    books = SqlBooks(till.engine)
    assert reconcile(books, now=NOON).programmes == [
        ProgrammeCount(PROGRAMME_ID, issued=7, unused=2, held=1, redeemed=3, expired=0, void=1)
    ]
    assert ends_on is not None
    day_after = datetime.combine(ends_on + timedelta(days=1), time(12), UTC)
    assert reconcile(books, now=day_after).programmes == [
        ProgrammeCount(PROGRAMME_ID, issued=7, unused=0, held=0, redeemed=3, expired=3, void=1)
    ]


@pytest.mark.parametrize("state", ["unused", "held", "redeemed", "expired", "void"])
def test_the_vouchers_of_a_programme_must_add_up(state: str) -> None:
    sound = ProgrammeCount("stay-2021", issued=15, unused=1, held=2, redeemed=3, expired=4, void=5)
    assert check_programmes([sound]) is None
    broken = replace(sound, **{state: getattr(sound, state) - 1})
    breach = check_programmes([sound, broken])
    assert breach is not None
    assert (breach.rule, breach.row) == ("I5", asdict(broken))


SOUND = Totals(10, 4, 6, 6_000, 50, 3, 2, 5_000, 1_000, 3_000, 1_000, 1_000, 0, 0, 0)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({}, None),
        ({"ledger_sum_twd": 1}, "I4"),
        ({"unbalanced_journals": 1}, "I4"),
        ({"double_redeemed": 1}, "I1"),
        ({"vouchers_redeemed": 11}, "I5"),
        ({"unclaimed_twd": 999}, "I6"),
        ({"paid_twd": 3_001}, "I7"),
        ({"open_twd": 0}, "I7"),
        ({"set_off_twd": 1, "corrected_twd": 1}, "I7"),
        ({"set_off_twd": 1, "open_twd": 999}, "I7"),
        ({"set_off_twd": 1, "open_twd": 999, "corrected_twd": 1}, None),
    ],
)
def test_the_totals_must_add_up(changes: dict[str, int], rule: str | None) -> None:
    breach = check_totals(replace(SOUND, **changes))
    assert (None if breach is None else breach.rule) == rule
