"""Forgetting holders, in memory, on SQLite and on PostgreSQL alike: when, what, and what a voucher answers afterwards."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture
from sqlalchemy import Engine, delete, func, insert, select, text

from cloud.adapters.sql.books import SqlBooks
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.issues import SqlIssueStore
from cloud.adapters.sql.retention import SqlRetentionStore
from cloud.adapters.sql.tables import digit_try, hold, issue_purge, voucher
from cloud.services import purge
from cloud.services.answer import answer_batch
from cloud.services.purge import Purged, purge_due
from cloud.services.reconcile import reconcile
from protocol.limits import DIGIT_TRIES_MAX
from protocol.messages import RedeemAccepted, Refused
from protocol.reasons import Reason
from tests.support.asks import OTHER_VISIT
from tests.support.retention import DISPUTED, DUE, LASTING, OVER, STRANGER, Past, memory_past, retention_world, sql_past
from tests.support.worlds import NOW, insert_vouchers, issue_id_of

pytest_plugins = ("tests.support.databases",)


@pytest.fixture(params=("memory", "sqlite", "postgres"))
def past(request: pytest.FixtureRequest) -> Iterator[Past]:
    """The same past in each kind of database in turn."""
    if request.param == "memory":
        yield memory_past(retention_world())
        return
    engine = make_engine(request.getfixturevalue(f"{request.param}_url"))
    yield sql_past(engine, retention_world())
    engine.dispose()


@pytest.fixture
def sql(engine: Engine) -> Past:
    return sql_past(engine, retention_world())


def go_on() -> bool:
    return True


def forget(past: Past, **changes: Any) -> Purged:
    return purge_due(past.retention, **{"now": DUE, "go_on": go_on, **changes})


def guess_wrong(past: Past, *numbers: str, **changes: Any) -> list[Refused]:
    answers = past.ask(*(past.asks.check(number, digits="????") for number in numbers), **changes)
    assert all(isinstance(answer, Refused) and answer.reason == Reason.NO_MATCH for answer in answers)
    return [answer for answer in answers if isinstance(answer, Refused)]


def tries_left(answer: Refused) -> int | None:
    return answer.refusals[0].tries_left


# When ----------------------------------------------------------------------------------------------------------------------


def test_nobody_is_forgotten_while_orders_may_be_disputed(past: Past) -> None:
    before = dict(past.tags())
    assert forget(past, now=DISPUTED) == Purged(0, 0, 0)
    assert past.tags() == before


def test_with_the_first_instant_after_the_disputes_holders_are_forgotten(past: Past) -> None:
    assert forget(past) == Purged(issues=1, vouchers=8, tries=0)
    assert set(past.tags()) == set(past.world.numbers(LASTING))


def test_twice_is_once(past: Past) -> None:
    forget(past)
    assert forget(past) == Purged(0, 0, 0)
    assert [issue.issue_id for issue in past.retention.known_issues()] == [issue_id_of(1)]


def test_each_programme_has_its_own_day(past: Past) -> None:
    forget(past)
    assert forget(past, now=DUE + timedelta(days=400)) == Purged(issues=1, vouchers=8, tries=0)
    assert past.tags() == {}


# What a voucher answers afterwards ---------------------------------------------------------------------------------------


def test_forgotten_vouchers_answer_like_numbers_that_nobody_has(past: Past) -> None:
    used, unused = past.world.numbers(OVER)[:2]
    past.ask(past.asks.redeem(used))
    forget(past)
    order, check, stranger = past.ask(
        past.asks.redeem(used, unused), past.asks.check(unused), past.asks.check(STRANGER, digits="1234"), now=DUE
    )
    for answer, left in ((order, DIGIT_TRIES_MAX - 1), (check, DIGIT_TRIES_MAX - 2), (stranger, DIGIT_TRIES_MAX - 1)):
        assert isinstance(answer, Refused)
        assert (answer.reason, tries_left(answer)) == (Reason.NO_MATCH, left)
        assert all(refusal.at is None and refusal.site is None for refusal in answer.refusals)


def test_requests_that_were_answered_keep_their_answer(past: Past) -> None:
    number = past.world.numbers(OVER)[0]
    order = past.asks.redeem(number)
    (first,) = answer_batch(past.bench.store, [order], now=NOW)
    forget(past)
    (again,) = answer_batch(past.bench.store, [order], now=DUE)
    assert again.answer == first.answer


def test_other_programmes_go_on(past: Past) -> None:
    number = past.world.numbers(LASTING)[0]
    forget(past)
    (answer,) = past.ask(past.asks.redeem(number), now=DUE)
    assert isinstance(answer, RedeemAccepted)


def test_money_stays_where_it_is(past: Past) -> None:
    past.ask(past.asks.redeem(*past.world.numbers(OVER)[:3]), past.asks.redeem(*past.world.numbers(LASTING)[:2]))
    before = (past.bench.facts.balances(), past.bench.facts.uses(), past.bench.facts.answers())
    forget(past)
    assert (past.bench.facts.balances(), past.bench.facts.uses(), past.bench.facts.answers()) == before
    assert past.bench.facts.unbalanced_journals() == 0


# Tries and holds ---------------------------------------------------------------------------------------------------------


def test_tries_and_holds_go_with_the_holder(past: Past) -> None:
    over, lasting = past.world.numbers(OVER), past.world.numbers(LASTING)
    guess_wrong(past, over[0], lasting[0], over[0])
    past.ask(past.asks.check(over[1]), past.asks.check(lasting[1], visit=OTHER_VISIT))
    assert forget(past) == Purged(issues=1, vouchers=8, tries=2)
    assert past.tried() == {lasting[0]}
    assert set(past.bench.facts.holds()) == {lasting[1]}


def test_tries_at_a_number_that_nobody_has_last_as_long_as_those_at_vouchers(past: Past) -> None:
    """Otherwise whoever waits would learn from ``tries_left`` which numbers exist."""
    lasting = past.world.numbers(LASTING)[0]
    guess_wrong(past, STRANGER, lasting)
    forget(past)
    assert [tries_left(answer) for answer in guess_wrong(past, STRANGER, lasting, now=DUE)] == [DIGIT_TRIES_MAX - 2] * 2
    late = DUE + timedelta(days=400)
    assert forget(past, now=late).tries == 3 + 1
    assert past.tried() == set()


def test_tries_that_come_later_go_with_the_next_that_is_forgotten(past: Past) -> None:
    forget(past)
    over = past.world.numbers(OVER)[0]
    guess_wrong(past, over, now=DUE)
    assert past.tried() == {over}
    forget(past, now=DUE + timedelta(days=400))
    assert past.tried() == set()


# Killed, stopped, at once ------------------------------------------------------------------------------------------------


class PowerCutError(Exception):
    pass


def cut_after(steps: int) -> Callable[[], bool]:
    left = iter(range(steps))

    def step() -> bool:
        if next(left, None) is None:
            raise PowerCutError
        return True

    return step


def test_killed_after_any_step_and_run_again_comes_to_the_same_end(past: Past, mocker: MockerFixture) -> None:
    mocker.patch.object(purge, "VOUCHERS_PER_STEP", 3)
    guess_wrong(past, *past.world.numbers(OVER)[:4], STRANGER)
    for steps in range(4):
        with pytest.raises(PowerCutError):
            forget(past, go_on=cut_after(steps))
        assert len(past.retention.known_issues()) == 2
    done = forget(past)
    assert done.issues == 1
    assert set(past.tags()) == set(past.world.numbers(LASTING))
    assert past.tried() == {STRANGER}


def test_told_to_stop_it_ends_and_the_rest_is_done_next_time(past: Past, mocker: MockerFixture) -> None:
    mocker.patch.object(purge, "VOUCHERS_PER_STEP", 3)
    assert forget(past, go_on=lambda: False) == Purged(issues=0, vouchers=3, tries=0)
    assert len(past.tags()) == 13
    assert forget(past) == Purged(issues=1, vouchers=5, tries=0)


def test_orders_pass_between_two_steps(past: Past, mocker: MockerFixture) -> None:
    mocker.patch.object(purge, "VOUCHERS_PER_STEP", 1)
    numbers = iter(past.world.numbers(LASTING))
    answers: list[Any] = []

    def sell() -> bool:
        number = next(numbers, None)
        if number is not None:
            answers.extend(past.ask(past.asks.redeem(number), now=DUE))
        return True

    assert forget(past, go_on=sell).vouchers == 8
    assert len(answers) == 8
    assert all(isinstance(answer, RedeemAccepted) for answer in answers)


def test_a_step_that_fails_half_way_leaves_nothing_behind(sql: Past, engine: Engine, mocker: MockerFixture) -> None:
    guess_wrong(sql, *sql.world.numbers(OVER)[:2])
    before = dict(sql.tags()), sql.tried()
    mocker.patch("cloud.adapters.sql.retention.update", side_effect=PowerCutError)
    with pytest.raises(PowerCutError):
        forget(sql)
    assert (dict(sql.tags()), sql.tried()) == before
    mocker.stopall()
    assert forget(sql).vouchers == 8


def test_two_at_once_forget_each_holder_once(sql: Past, engine: Engine, mocker: MockerFixture) -> None:
    mocker.patch.object(purge, "VOUCHERS_PER_STEP", 2)
    guess_wrong(sql, *sql.world.numbers(OVER)[:5])
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: purge_due(SqlRetentionStore(engine), now=DUE, go_on=go_on), range(2)))
    assert (sum(one.vouchers for one in done), sum(one.tries for one in done)) == (8, 5)
    assert [issue.issue_id for issue in sql.retention.known_issues()] == [issue_id_of(1)]


# In the database ---------------------------------------------------------------------------------------------------------


def test_the_books_stay_true(sql: Past, engine: Engine) -> None:
    sql.ask(sql.asks.redeem(*sql.world.numbers(OVER)[:3]))
    before = reconcile(SqlBooks(engine), now=DUE)
    forget(sql)
    after = reconcile(SqlBooks(engine), now=DUE)
    assert after.breach is None
    assert after == before


def test_nothing_of_the_holder_is_left_in_any_column(sql: Past, engine: Engine) -> None:
    guess_wrong(sql, sql.world.numbers(OVER)[0])
    forget(sql)
    gone = voucher.c.voucher_no.in_(sql.world.numbers(OVER))
    with engine.connect() as connection:
        rows = connection.execute(
            select(voucher.c.digit_tag, voucher.c.holder_name_masked, voucher.c.holder_id_masked).where(gone).distinct()
        ).all()
        assert rows == [(None, None, None)]
        tables = select(func.count()).select_from(digit_try), select(func.count()).select_from(hold)
        assert [connection.scalar(count) for count in tables] == [0, 0]
        assert connection.scalar(select(issue_purge.c.purged_at)) == DUE


def test_no_byte_of_a_tag_is_left_in_the_file(sqlite_url: str) -> None:
    """After VACUUM: until then SQLite keeps the room of what was deleted, and may keep what stood in it."""
    engine = make_engine(sqlite_url)
    past = sql_past(engine, retention_world(vouchers=500))
    tags = dict(past.tags())
    path = Path(engine.url.database or "")
    forget(past)
    engine.dispose()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        found = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    lasting = set(past.world.numbers(LASTING))
    assert {number for number, tag in tags.items() if tag in found} == lasting


def test_sheets_of_forgotten_holders_name_nobody(sql: Past, engine: Engine) -> None:
    forget(sql)
    names = {}
    for place in (0, 1):
        found = SqlIssueStore(engine).find_issue(issue_id_of(place))
        assert found is not None
        names[place] = {printed.holder_name_masked for printed in found[1]}
    assert names == {0: {""}, 1: {"王○明"}}


def test_what_is_issued_for_a_programme_that_is_over_is_forgotten_too(sql: Past, engine: Engine) -> None:
    forget(sql)
    with engine.begin() as connection:
        insert_vouchers(connection, sql.world.programmes[0], {"000000000042": "1234"}, issue_id=issue_id_of(7))
    assert "000000000042" in sql.tags()
    assert forget(sql) == Purged(issues=1, vouchers=1, tries=0)
    assert "000000000042" not in sql.tags()


def test_places_need_no_order_and_may_be_missing(sql: Past, engine: Engine) -> None:
    with engine.begin() as connection:
        insert_vouchers(
            connection, sql.world.programmes[0], {f"00000000004{n}": "1234" for n in range(5)}, issue_id=issue_id_of(7)
        )
        connection.execute(delete(voucher).where(voucher.c.voucher_no == "000000000042"))
    forget(sql)
    assert set(sql.tags()) == set(sql.world.numbers(LASTING))


def test_steps_are_bounded(sql: Past) -> None:
    after, steps = -1, []
    while (step := sql.retention.forget_holders(issue_id_of(0), after=after, limit=3)) is not None:
        after = step.after
        steps.append(step.voucher_count)
    assert steps == [3, 3, 2]


def test_strangers_are_looked_at_in_bounded_steps(sql: Past, engine: Engine) -> None:
    with engine.begin() as connection:
        request_id = issue_id_of(9)
        connection.execute(
            insert(digit_try),
            [
                {"voucher_no": f"70000000000{n}", "try_no": no, "request_id": request_id, "tried_at": NOW}
                for n in range(4)
                for no in (1, 2)
            ],
        )
    after, steps = "", []
    while (step := sql.retention.forget_strangers(before=DUE, after=after, limit=3)) is not None:
        after, deleted = step
        steps.append(deleted)
    assert steps == [4, 4]


def test_the_order_of_places_is_an_index(sql: Past, engine: Engine) -> None:
    query = "SELECT voucher_no FROM voucher WHERE issue_id = '{}' AND position > 3 ORDER BY position LIMIT 3"
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            plan = connection.execute(text("EXPLAIN QUERY PLAN " + query.format(issue_id_of(0).hex))).all()
        else:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
            connection.execute(text("SET LOCAL enable_sort = off"))
            plan = connection.execute(text("EXPLAIN " + query.format(issue_id_of(0)))).all()
    assert "ix_voucher_issue_id_position" in str(plan)
