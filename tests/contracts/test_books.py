"""Reconciliation, on both databases: sound books pass at every step, and each kind of damage is found and named."""

import contextlib
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from cloud.adapters.sql.books import SqlBooks
from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.payouts import SqlPayoutStore
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.domain.calendar import Period
from cloud.domain.payouts import Originator
from cloud.ports.books import Breach
from cloud.ports.reports import Totals
from cloud.services.confirm import confirm_all
from cloud.services.pay import import_return, make_payout_file
from cloud.services.reconcile import check_totals, reconcile
from cloud.services.settle import settle_due
from tests.support.bank import answer_p01
from tests.support.money import Till
from tests.support.setups import PLACES, load_example

pytest_plugins = ("tests.support.databases",)

WEEK = Period(date(2026, 11, 4))
NOON = datetime(2026, 11, 5, 4, tzinfo=UTC)
ORIGINATOR = Originator("0040037", "1234567890", "04595257", "101", "TOURISM VOUCHER PROGRAMME")
FACTS = ("redemption", "redemption_line", "ledger_entry", "confirmation", "claim", "settlement", "settlement_range")


@pytest.fixture
def till(engine: Engine) -> Till:
    load_example(engine)
    return Till(engine)


def breach_of(till: Till) -> Breach | None:
    return reconcile(SqlBooks(till.engine)).breach


def run_two_weeks(till: Till) -> None:
    """Redeem, confirm, settle, pay; the bank returns one; a second week is settled and sent, and something stays open."""
    for week in (WEEK, WEEK.following):
        for place in PLACES:
            till.redeem(week.starts_at + timedelta(days=1), place=place, vouchers=2, order_total_twd=2_100)
            store = SqlConfirmationStore(till.engine)
            confirm_all(store, merchant_id=place.merchant_id, staff_id=place.staff_id, now=week.starts_at + timedelta(days=2))
        settle_due(SqlSettlementStore(till.engine), now=week.ends_at)
        file = make_payout_file(SqlPayoutStore(till.engine), "ach_p01", ORIGINATOR, now=week.ends_at)
        assert file is not None
        if week == WEEK:
            answer = answer_p01(file.content, failures={"3001987654": "22"}, answered_on=date(2026, 11, 12))
            import_return(SqlPayoutStore(till.engine), answer, now=week.ends_at + timedelta(days=1))
    till.redeem(WEEK.following.ends_at)
    till.issue(WEEK.following.ends_at, vouchers=5)


def damage(engine: Engine, statements: Sequence[str]) -> None:
    """Change facts behind the guards' back."""
    if engine.dialect.name == "sqlite":
        _damage_sqlite(str(engine.url.database), statements)
        return
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            assert connection.execute(text(statement)).rowcount > 0, statement


def _damage_sqlite(path: str, statements: Sequence[str]) -> None:
    # A connection of its own: SQLite checks foreign keys only where it is asked to.
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for table in FACTS:
            for verb in ("update", "delete"):
                connection.execute(f"DROP TRIGGER {table}_keeps_facts_on_{verb}")
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
    file = make_payout_file(SqlPayoutStore(till.engine), "ach_p01", ORIGINATOR, now=WEEK.ends_at)
    assert file is not None
    assert breach_of(till) is None
    answer = answer_p01(file.content, failures={"3001987654": "22"}, answered_on=date(2026, 11, 12))
    import_return(SqlPayoutStore(till.engine), answer, now=NOON)
    assert breach_of(till) is None
    make_payout_file(SqlPayoutStore(till.engine), "ach_p01", ORIGINATOR, now=WEEK.following.ends_at)
    assert breach_of(till) is None


def test_totals_are_of_the_same_moment(till: Till) -> None:
    run_two_weeks(till)
    totals = reconcile(SqlBooks(till.engine)).totals
    assert (totals.redeemed_twd, totals.claimed_twd, totals.unclaimed_twd) == (17_000, 16_000, 1_000)
    assert (totals.paid_twd, totals.returned_twd, totals.open_twd) == (6_000, 0, 10_000)


@pytest.mark.parametrize(
    ("rule", "sentence", "statements"),
    [
        ("I1", "never issued", ["DELETE FROM voucher WHERE voucher_no = (SELECT min(voucher_no) FROM redemption_line)"]),
        ("I1", "never issued for that programme", ["UPDATE voucher SET programme_id = 'spring-2025'"]),
        ("I1", "not worth its vouchers", ["UPDATE redemption SET redeemed_twd = redeemed_twd + 1"]),
        ("I1", "not worth its vouchers", ["UPDATE redemption SET voucher_count = voucher_count + 1"]),
        (
            "I4",
            "does not sum to zero",
            ["UPDATE ledger_entry SET amount_twd = amount_twd + 1 WHERE line_no = 1 AND kind = 'pay'"],
        ),
        ("I4", "a fact has no journal", ["DELETE FROM ledger_entry WHERE kind = 'claim'"]),
        ("I4", "a fact has no journal", ["UPDATE ledger_entry SET amount_twd = amount_twd * 2 WHERE kind = 'redeem'"]),
        ("I4", "a fact has no journal", ["DELETE FROM ledger_entry WHERE kind = 'returned'"]),
        ("I4", "a journal has no fact", ["DELETE FROM payout_outcome WHERE state = 'returned'"]),
        (
            "I5",
            "does not have the vouchers it counts",
            ["UPDATE voucher SET issue_id = (SELECT min(issue_id::text)::uuid FROM voucher)"],
        ),
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
        ("I6", "sum of its lines", ["UPDATE settlement_range SET ends_at = starts_at, starts_at = '2000-01-01'"]),
        ("I6", "sum of its lines", ["UPDATE claim SET programme_id = 'spring-2025'"]),
        ("I6", "sum of its lines", ["DELETE FROM settlement_range"]),
        ("I6", "sum of its lines", ["UPDATE claim SET redemption_count = redemption_count + 1"]),
        ("I6", "passed over", ["DELETE FROM claim", "DELETE FROM ledger_entry WHERE kind = 'claim'"]),
        ("I6", "sum of its claims", ["UPDATE settlement SET claimed_twd = claimed_twd + 1"]),
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


def test_a_missing_week_is_found(till: Till) -> None:
    settle_due_of_three_weeks(till)
    damage(till.engine, ["DELETE FROM settlement WHERE period_starts_on = '2026-11-11'"])
    breach = breach_of(till)
    assert breach is not None
    assert (breach.rule, breach.sentence) == ("I6", "a week between two settlements was not closed")


def settle_due_of_three_weeks(till: Till) -> None:
    till.redeem(NOON)
    settle_due(SqlSettlementStore(till.engine), now=WEEK.starts_at + timedelta(weeks=3))


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
    ],
)
def test_the_totals_must_add_up(changes: dict[str, int], rule: str | None) -> None:
    breach = check_totals(replace(SOUND, **changes))
    assert (None if breach is None else breach.rule) == rule
