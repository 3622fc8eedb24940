"""What every ingest database does, in memory, on SQLite and on PostgreSQL alike: one use, one answer, five guesses."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from msgspec.structs import replace
from pytest_mock import MockerFixture
from sqlalchemy import Engine, update

from cloud.adapters import postgres_ingest, sqlite_ingest
from cloud.adapters.ingest_stores import make_ingest_store
from cloud.adapters.postgres_pipeline import PipelinedConnection
from cloud.adapters.sql import engine as sql_engine
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.tables import device
from cloud.adapters.sqlite_ingest import SqliteIngestStore
from cloud.domain.records import Ask, Decisions, Knowledge, StoredAnswer, WrongTry
from cloud.domain.redemption import judge
from cloud.ports.ingest import ConflictError, IngestStore, IngestTransaction, Meanwhile
from cloud.services.answer import answer_batch
from protocol.errors import PortError
from protocol.limits import DIGIT_TRIES_MAX, HOLD_S
from protocol.messages import CheckAccepted, RedeemAccepted, Refused, Released, decode_answer
from protocol.reasons import Reason
from tests.fakes.cloud_ingest import MemoryIngestStore
from tests.support.asks import OTHER_VISIT, VISIT, Asks
from tests.support.ingest_stores import Bench, memory_bench, sql_bench
from tests.support.worlds import NOW, insert_world, make_world

pytest_plugins = ("tests.support.databases",)

THREADS = 20


@pytest.fixture(params=("memory", "sqlite", "postgres"))
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """One world in each kind of database in turn."""
    if request.param == "memory":
        yield memory_bench(make_world())
        return
    engine = make_engine(request.getfixturevalue(f"{request.param}_url"))
    yield sql_bench(engine, make_world())
    engine.dispose()


@pytest.fixture
def asks(bench: Bench) -> Asks:
    return Asks(bench.world, bench.world.shops[0])


@pytest.fixture
def others(bench: Bench) -> Asks:
    """Requests from the other hotel."""
    return Asks(bench.world, bench.world.shops[1])


def _reason(answer: StoredAnswer) -> Reason | None:
    body = decode_answer(answer.answer)
    return body.reason if isinstance(body, Refused) else None


def _accepted(answers: Sequence[StoredAnswer]) -> int:
    return sum(_reason(answer) is None for answer in answers)


class Interposed:
    """A store with something happening before each load, before each save and after each commit."""

    def __init__(
        self,
        store: IngestStore,
        *,
        before_load: Callable[[], None] = lambda: None,
        loaded: Callable[[Knowledge], None] = lambda _: None,
        before_save: Callable[[], None] = lambda: None,
        after_save: Callable[[], None] = lambda: None,
    ) -> None:
        self.store, self.before_load, self.loaded = store, before_load, loaded
        self.before_save, self.after_save = before_save, after_save

    def begin(self, meanwhile: Meanwhile | None = None) -> AbstractContextManager[IngestTransaction]:
        return self._begin(meanwhile)

    @contextmanager
    def _begin(self, meanwhile: Meanwhile | None) -> Iterator[IngestTransaction]:
        with self.store.begin(meanwhile) as transaction:
            yield _InterposedTransaction(transaction, self)


class _InterposedTransaction:
    def __init__(self, transaction: IngestTransaction, around: Interposed) -> None:
        self._transaction, self._around = transaction, around

    def load(self, asks: Sequence[Ask]) -> Knowledge:
        self._around.before_load()
        knowledge = self._transaction.load(asks)
        self._around.loaded(knowledge)
        return knowledge

    def save(self, decisions: Decisions) -> None:
        self._around.before_save()
        self._transaction.save(decisions)
        self._around.after_save()


def test_a_whole_visit(bench: Bench, asks: Asks) -> None:
    one, two = bench.world.numbers("stay-2021")[:2]
    checks = answer_batch(bench.store, [asks.check(one), asks.check(two)], now=NOW)
    assert [type(decode_answer(found.answer)) for found in checks] == [CheckAccepted, CheckAccepted]
    assert bench.facts.holds() == {one: VISIT, two: VISIT}
    order = asks.redeem(one, two, total=5050)
    (answer,) = answer_batch(bench.store, [order], now=NOW)
    body = decode_answer(answer.answer)
    assert isinstance(body, RedeemAccepted)
    assert (body.voucher_count, body.redeemed_twd, body.order_total_twd, body.topup_twd) == (2, 2000, 5050, 3050)
    assert bench.facts.uses() == {one: order.request_id, two: order.request_id}
    assert bench.facts.holds() == {}
    assert bench.facts.balances()["merchant:sun-hotel:redeemed"] == -2000
    assert bench.facts.balances()["programme:stay-2021:outstanding"] == -6000
    assert sum(bench.facts.balances().values()) == 0
    assert bench.facts.unbalanced_journals() == 0


def test_everything_that_is_written_is_read_again(bench: Bench, asks: Asks, others: Asks) -> None:
    used, held, guessed = bench.world.numbers("stay-2021")[:3]
    order = asks.redeem(used)
    written = answer_batch(bench.store, [order, asks.check(held), asks.check(guessed, digits="none")], now=NOW)
    again = others.redeem(used, held, guessed)
    with bench.store.begin() as transaction:
        known = transaction.load([order, again])
    assert known.answers == {order.request_id: written[0]}
    assert written[0].answered_at == NOW
    assert (written[0].sequence, written[0].link) == (1, order.link)
    assert known.sequences == {(order.sender_id, 1): order.request_id}
    assert known.senders["device", order.sender_id] == bench.world.shops[0].sender("device")
    assert known.senders["device", again.sender_id] == bench.world.shops[1].sender("device")
    assert known.programmes["stay-2021"] == bench.world.programmes[0]
    assert known.vouchers == {number: bench.world.known_vouchers()[number] for number in (used, held, guessed)}
    assert known.uses[used].redemption_id == order.request_id
    assert (known.uses[used].redeemed_at, known.uses[used].site_name) == (NOW, "sun-hotel 大廳")
    assert known.wrong_tries == {guessed: 1}
    assert known.holds[held].visit_id == VISIT
    assert known.holds[held].expires_at == NOW + timedelta(seconds=HOLD_S)


def test_staff_redeem_as_kiosks_do(bench: Bench) -> None:
    person = Asks(bench.world, bench.world.shops[0], kind="staff")
    number = bench.world.numbers()[0]
    (answer,) = answer_batch(bench.store, [person.redeem(number)], now=NOW)
    assert _reason(answer) is None
    assert answer.sequence is None
    with bench.store.begin() as transaction:
        assert transaction.load([person.check(number)]).uses[number].redemption_id == answer.request_id


def test_a_repeat_gets_the_same_bytes_for_ever(bench: Bench, asks: Asks, others: Asks) -> None:
    number = bench.world.numbers()[0]
    order = asks.redeem(number)
    first = answer_batch(bench.store, [order, order], now=NOW)
    later = answer_batch(bench.store, [others.check(number), order], now=NOW + timedelta(days=400))
    assert first[0] == first[1] == later[1]
    assert _reason(first[0]) is None
    assert len(bench.facts.answers()) == 2


def test_the_same_id_with_another_body_is_refused_and_changes_nothing(bench: Bench, asks: Asks) -> None:
    one, two = bench.world.numbers("stay-2021")[:2]
    order = asks.redeem(one)
    (first,) = answer_batch(bench.store, [order], now=NOW)
    (second,) = answer_batch(bench.store, [asks.redeem(two, id=order.request_id)], now=NOW)
    assert _reason(second) is Reason.REQUEST_CONFLICT
    assert bench.facts.answers() == {order.request_id: first.answer}
    assert bench.facts.uses() == {one: order.request_id}


def test_the_same_sequence_in_another_request_is_refused_for_good(bench: Bench, asks: Asks) -> None:
    one, two = bench.world.numbers("stay-2021")[:2]
    answer_batch(bench.store, [asks.redeem(one)], now=NOW)
    fork = asks.redeem(two, sequence=1)
    (first,) = answer_batch(bench.store, [fork], now=NOW)
    (again,) = answer_batch(bench.store, [fork], now=NOW)
    assert _reason(first) is Reason.SEQUENCE_CONFLICT
    assert first == again
    assert first.sequence is None
    assert two not in bench.facts.uses()


def test_release_drops_the_holds_of_its_visit_only(bench: Bench, asks: Asks) -> None:
    mine, theirs = bench.world.numbers("stay-2021")[:2]
    answer_batch(bench.store, [asks.check(mine), asks.check(theirs, visit=OTHER_VISIT)], now=NOW)
    (answer,) = answer_batch(bench.store, [asks.release(mine, theirs)], now=NOW)
    assert decode_answer(answer.answer) == Released(request_id=answer.request_id)
    assert bench.facts.holds() == {theirs: OTHER_VISIT}


def test_a_hold_is_replaced_once_it_has_run_out(bench: Bench, asks: Asks, others: Asks) -> None:
    number = bench.world.numbers()[0]
    answer_batch(bench.store, [asks.check(number)], now=NOW)
    (early,) = answer_batch(bench.store, [others.check(number, visit=OTHER_VISIT)], now=NOW)
    (late,) = answer_batch(bench.store, [others.check(number, visit=OTHER_VISIT)], now=NOW + timedelta(seconds=HOLD_S))
    assert [_reason(early), _reason(late)] == [Reason.HELD_ELSEWHERE, None]
    assert bench.facts.holds() == {number: OTHER_VISIT}


def test_wrong_tries_are_counted_for_numbers_that_do_not_exist_too(bench: Bench, asks: Asks) -> None:
    real, none = bench.world.numbers()[0], "999999999999"
    for number in (real, none):
        found = [answer_batch(bench.store, [asks.check(number, digits="????")], now=NOW)[0] for _ in range(7)]
        assert [_reason(answer) for answer in found] == [Reason.NO_MATCH] * 5 + [Reason.TRIES_EXHAUSTED] * 2
    assert bench.facts.wrong_tries() == {real: 5, none: 5}
    (right,) = answer_batch(bench.store, [asks.check(real)], now=NOW)
    assert _reason(right) is Reason.TRIES_EXHAUSTED


def test_leaving_without_save_writes_nothing(bench: Bench, asks: Asks) -> None:
    batch = [asks.redeem(bench.world.numbers()[0]), asks.check(bench.world.numbers()[1], digits="????")]
    with bench.store.begin() as transaction:
        judge(batch, transaction.load(batch), NOW)
    assert not bench.facts.answers()
    assert not bench.facts.uses()
    assert not bench.facts.wrong_tries()


def test_an_error_of_ours_between_load_and_save_writes_nothing(bench: Bench, asks: Asks) -> None:
    batch = [asks.redeem(bench.world.numbers()[0])]

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        answer_batch(Interposed(bench.store, before_save=fail), batch, now=NOW)
    assert not bench.facts.answers()
    assert _accepted(answer_batch(bench.store, batch, now=NOW)) == 1


def _decided(bench: Bench, batch: Sequence[Ask]) -> Decisions:
    with bench.store.begin() as transaction:
        return judge(batch, transaction.load(batch), NOW).decisions


def test_constraints_refuse_a_decision_that_came_too_late_and_write_none_of_it(bench: Bench, asks: Asks, others: Asks) -> None:
    one, two = bench.world.numbers("stay-2021")[:2]
    late = _decided(bench, [others.redeem(two), others.redeem(one)])
    answer_batch(bench.store, [asks.redeem(one)], now=NOW)
    with pytest.raises(ConflictError), bench.store.begin() as transaction:
        transaction.save(late)
    assert set(bench.facts.uses()) == {one}
    assert len(bench.facts.answers()) == 1
    assert bench.facts.unbalanced_journals() == 0


@pytest.mark.parametrize("part", ["answers", "redemptions", "journals", "wrong_tries"])
def test_each_kind_of_row_is_written_once(bench: Bench, asks: Asks, part: str) -> None:
    one, two = bench.world.numbers("stay-2021")[:2]
    whole = _decided(bench, [asks.redeem(one), asks.check(two, digits="????")])
    with bench.store.begin() as transaction:
        transaction.save(whole)
    # Wrong tries take their time from their answers: these carry new ones.
    answers = [replace(found, request_id=UUID(int=place), sequence=None) for place, found in enumerate(whole.answers, start=1)]
    tries = [WrongTry(two, 1, answers[1].request_id)]
    again = {"answers": whole.answers, "redemptions": whole.redemptions, "journals": whole.journals, "wrong_tries": tries}
    repeated = Decisions(answers=answers) if part == "wrong_tries" else Decisions()
    setattr(repeated, part, again[part])
    with pytest.raises(ConflictError), bench.store.begin() as transaction:
        transaction.save(repeated)


def test_no_sixth_wrong_try_is_ever_written(bench: Bench, asks: Asks) -> None:
    number = bench.world.numbers()[0]
    ask = asks.check(number, digits="????")
    answers = _decided(bench, [ask]).answers
    for try_no in range(1, DIGIT_TRIES_MAX + 2):
        stored = [replace(found, request_id=UUID(int=try_no)) for found in answers]
        decisions = Decisions(answers=stored, wrong_tries=[WrongTry(number, try_no, UUID(int=try_no))])
        if try_no > DIGIT_TRIES_MAX:
            with pytest.raises(ConflictError), bench.store.begin() as transaction:
                transaction.save(decisions)
        else:
            with bench.store.begin() as transaction:
                transaction.save(decisions)
    assert bench.facts.wrong_tries() == {number: DIGIT_TRIES_MAX}


def test_a_crash_before_the_commit_loses_nothing(bench: Bench, asks: Asks) -> None:
    order = asks.redeem(bench.world.numbers()[0])

    def crash() -> None:
        raise PortError("killed", retry=True)

    with pytest.raises(PortError):
        answer_batch(Interposed(bench.store, before_save=crash), [order], now=NOW)
    assert not bench.facts.answers()
    (answer,) = answer_batch(bench.store, [order], now=NOW)
    assert _reason(answer) is None


def test_a_crash_between_commit_and_answer_gives_the_same_answer_again(bench: Bench, asks: Asks) -> None:
    order = asks.redeem(bench.world.numbers()[0])

    def crash() -> None:
        raise PortError("killed", retry=True)

    with pytest.raises(PortError):
        answer_batch(Interposed(bench.store, after_save=crash), [order], now=NOW)
    stored = bench.facts.answers()[order.request_id]
    (answer,) = answer_batch(bench.store, [order], now=NOW + timedelta(minutes=1))
    assert answer.answer == stored
    assert bench.facts.redemptions() == {order.request_id}


def test_threads_that_redeem_one_voucher_get_one_acceptance(bench: Bench) -> None:
    number = bench.world.numbers()[0]
    batches = [
        [Asks(bench.world, bench.world.shops[place % 2], first_id=place + 1).redeem(number, sequence=place + 1)]
        for place in range(THREADS)
    ]
    answers = _at_once(bench.store, batches)
    assert _accepted(answers) == 1
    assert {_reason(found) for found in answers} == {None, Reason.ALREADY_REDEEMED}
    assert len(bench.facts.redemptions()) == 1
    assert len(bench.facts.answers()) == THREADS
    assert bench.facts.balances()["programme:stay-2021:outstanding"] == -7000


def test_threads_with_one_request_get_one_answer(bench: Bench, asks: Asks) -> None:
    order = asks.redeem(bench.world.numbers()[0])
    answers = _at_once(bench.store, [[order] for _ in range(THREADS)])
    assert len({found.answer for found in answers}) == 1
    assert bench.facts.answers() == {order.request_id: answers[0].answer}
    assert bench.facts.redemptions() == {order.request_id}


def test_threads_with_one_id_and_two_bodies_get_one_acceptance(bench: Bench, asks: Asks) -> None:
    one, two = bench.world.numbers("stay-2021")[:2]
    order = asks.redeem(one, sequence=1)
    other = asks.redeem(two, id=order.request_id, sequence=1)
    answers = _at_once(bench.store, [[order], [other]] * (THREADS // 2))
    outcomes = {(place % 2, _reason(found)) for place, found in enumerate(answers)}
    assert outcomes in ({(0, None), (1, Reason.REQUEST_CONFLICT)}, {(1, None), (0, Reason.REQUEST_CONFLICT)})
    assert len(bench.facts.uses()) == 1


def test_threads_with_one_sequence_number_get_one_acceptance(bench: Bench) -> None:
    numbers = bench.world.numbers("stay-2021")
    batches = [
        [Asks(bench.world, bench.world.shops[0], first_id=place + 1).redeem(number, sequence=7)]
        for place, number in enumerate(numbers)
    ]
    answers = _at_once(bench.store, batches)
    assert sorted(str(_reason(found)) for found in answers) == ["None"] + ["sequence_conflict"] * (len(numbers) - 1)
    assert len(bench.facts.redemptions()) == 1


def test_threads_with_crossing_orders_end(bench: Bench) -> None:
    """Each pair of threads names the same vouchers in opposite orders; unsorted locks would deadlock."""
    numbers = bench.world.numbers("stay-2021")[:4]
    batches = []
    for place in range(THREADS):
        maker = Asks(bench.world, bench.world.shops[place % 2], first_id=place + 1)
        turned = numbers if place % 2 else numbers[::-1]
        batches.append([maker.redeem(number, sequence=place * 10 + turn + 1) for turn, number in enumerate(turned)])
    answers = _at_once(bench.store, batches)
    assert _accepted(answers) == 4
    assert set(bench.facts.uses()) == set(numbers)


def test_threads_that_guess_have_five_guesses_compared_in_all(bench: Bench) -> None:
    """Not only five counted: no transaction, not even one that is judged again, sees a sixth chance."""
    number = bench.world.numbers()[0]
    compared: list[int] = []

    def seen(knowledge: Knowledge) -> None:
        tries = knowledge.wrong_tries.get(number, 0)
        if tries < DIGIT_TRIES_MAX:
            compared.append(tries)

    batches = [
        [Asks(bench.world, bench.world.shops[place % 2], first_id=place + 1).check(number, digits=f"x{place:03d}")]
        for place in range(THREADS)
    ]
    answers = _at_once(Interposed(bench.store, loaded=seen), batches)
    assert sorted(compared) == list(range(DIGIT_TRIES_MAX))
    assert sorted(str(_reason(found)) for found in answers) == ["no_match"] * 5 + ["tries_exhausted"] * (THREADS - 5)
    assert bench.facts.wrong_tries() == {number: DIGIT_TRIES_MAX}


def _at_once(store: IngestStore, batches: Sequence[Sequence[Ask]]) -> list[StoredAnswer]:
    """Answer each batch in a thread of its own, all let go together."""
    gate = threading.Barrier(len(batches))

    def run(batch: Sequence[Ask]) -> list[StoredAnswer]:
        gate.wait()
        return answer_batch(store, batch, now=NOW)

    with ThreadPoolExecutor(len(batches)) as pool:
        return [answer for answers in pool.map(run, batches) for answer in answers]


def _large_batch(bench: Bench) -> list[Ask]:
    maker = Asks(bench.world, bench.world.shops[0])
    numbers = bench.world.numbers("stay-2021")
    batch = [maker.redeem(number) for number in numbers[:150]] + [maker.check(number) for number in numbers[150:]]
    return batch + [maker.check(number, digits="????") for number in bench.world.numbers("tour-2021")]


def test_a_large_batch_takes_two_round_trips(postgres_url: str, mocker: MockerFixture) -> None:
    engine = make_engine(postgres_url)
    bench = sql_bench(engine, make_world(voucher_count=200))
    batch = _large_batch(bench)
    with bench.store.begin() as transaction:
        # Once in a worker's life it must learn which programmes there are.
        transaction.load(batch)
    trips = mocker.spy(PipelinedConnection, "run")
    others = mocker.spy(psycopg.Connection, "wait")
    assert _accepted(answer_batch(bench.store, batch, now=NOW)) == 200
    assert [len(trip.args[1]) for trip in trips.call_args_list] == [8, 8]
    assert others.call_count == 0
    assert len(bench.facts.uses()) == 150
    engine.dispose()


def test_a_large_batch_takes_few_reads(sqlite_url: str) -> None:
    engine = make_engine(sqlite_url)
    bench = sql_bench(engine, make_world(voucher_count=200))
    assert isinstance(bench.store, SqliteIngestStore)
    statements: list[str] = []
    with bench.store.begin() as transaction:
        transaction._connection.set_trace_callback(statements.append)  # type: ignore[attr-defined]
    assert _accepted(answer_batch(bench.store, _large_batch(bench), now=NOW)) == 200
    reads = [statement for statement in statements if statement.lstrip().startswith("SELECT")]
    assert len(reads) == 6
    assert len(bench.facts.uses()) == 150
    engine.dispose()


def test_no_read_walks_a_table_that_grows(engine: Engine) -> None:
    """Least of all on empty or small tables, where a planner finds nothing wrong with it and remembers the plan for ever."""
    adapter = postgres_ingest if engine.dialect.name == "postgresql" else sqlite_ingest
    grows = ("_VOUCHERS", "_MARKS", "_ANSWERS", "_SEQUENCES")
    store = make_ingest_store(engine)
    for fill in (None, _fill_a_little):
        if fill is not None:
            fill(engine)
        with engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE")
        with store.begin() as transaction:
            driver = transaction._connection  # type: ignore[attr-defined]
            for name in grows:
                walked = _walks_on_postgres if adapter is postgres_ingest else _walks_on_sqlite
                assert (name, walked(driver, getattr(adapter, name))) == (name, [])


def _fill_a_little(engine: Engine) -> None:
    bench = sql_bench(engine, make_world())
    maker = Asks(bench.world, bench.world.shops[0])
    one, two, three = bench.world.numbers("stay-2021")[:3]
    answer_batch(bench.store, [maker.redeem(one), maker.check(two), maker.check(three, digits="????")], now=NOW)


def _walks_on_postgres(driver: Any, statement: str) -> list[str]:
    """Every step that reads a table or an index without a condition on the index."""
    count = 2 if "$2" in statement else 1
    driver.execute(f"PREPARE probe AS {statement}")
    ((plans,),) = driver.execute(f"EXPLAIN (FORMAT JSON) EXECUTE probe({', '.join(['NULL'] * count)})").fetchall()
    driver.execute("DEALLOCATE probe")
    found = []
    waiting = [plans[0]["Plan"]]
    while waiting:
        step = waiting.pop()
        waiting += step.get("Plans", [])
        kind = step["Node Type"]
        if kind == "Seq Scan" or (kind.endswith(("Index Scan", "Index Only Scan")) and "Index Cond" not in step):
            found.append(f"{kind} on {step.get('Relation Name')}")
    return found


def _walks_on_sqlite(driver: Any, statement: str) -> list[str]:
    plan = [str(row) for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}", ["[]"])]
    assert plan
    return [
        line for line in plan if "SCAN" in line and not any(small in line for small in ("json_each", "w VIRTUAL", "SCAN f"))
    ]


def test_a_revocation_counts_from_the_moment_it_is_written(engine: Engine) -> None:
    bench = sql_bench(engine, make_world())
    maker = Asks(bench.world, bench.world.shops[0])
    one, two = bench.world.numbers("stay-2021")[:2]
    before = answer_batch(bench.store, [maker.redeem(one)], now=NOW)
    with engine.begin() as connection:
        connection.execute(update(device).where(device.c.device_id == "sun-hotel-kiosk").values(state="revoked"))
    after = answer_batch(bench.store, [maker.redeem(two)], now=NOW)
    assert [_reason(found) for found in before + after] == [None, Reason.DEVICE_NOT_ACTIVE]


def test_a_batch_with_more_vouchers_than_locks_takes_the_gate_alone(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_ingest, "VOUCHER_LOCKS_MAX", 3)
    engine = make_engine(postgres_url)
    bench = sql_bench(engine, make_world())
    numbers = bench.world.numbers("stay-2021")
    batches = []
    for place in range(8):
        maker = Asks(bench.world, bench.world.shops[place % 2], first_id=place + 1)
        count = 6 if place % 2 else 2
        batches.append([maker.redeem(number, sequence=place * 10 + turn + 1) for turn, number in enumerate(numbers[:count])])
    answers = _at_once(bench.store, batches)
    assert _accepted(answers) == 6
    engine.dispose()


def test_a_killed_connection_is_worth_another_try(postgres_url: str) -> None:
    engine, killer = make_engine(postgres_url), make_engine(postgres_url)
    world = insert_world(engine, make_world())
    order = Asks(world, world.shops[0]).redeem(world.numbers()[0])

    def kill() -> None:
        with killer.connect() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    store = make_ingest_store(engine)
    with pytest.raises(PortError) as caught:
        answer_batch(Interposed(store, before_save=kill), [order], now=NOW)
    assert caught.value.retry
    assert _accepted(answer_batch(store, [order], now=NOW)) == 1
    engine.dispose()
    killer.dispose()


def test_a_connection_that_died_while_idle_is_replaced(postgres_url: str) -> None:
    engine, killer = make_engine(postgres_url), make_engine(postgres_url)
    world = insert_world(engine, make_world())
    maker, store = Asks(world, world.shops[0]), make_ingest_store(engine)
    one, two = world.numbers("stay-2021")[:2]
    assert _accepted(answer_batch(store, [maker.redeem(one)], now=NOW)) == 1
    with killer.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert _accepted(answer_batch(store, [maker.redeem(two)], now=NOW)) == 1
    engine.dispose()
    killer.dispose()


def test_a_postgres_that_may_forget_gets_no_orders(postgres_url: str) -> None:
    engine = make_engine(postgres_url)
    world = insert_world(engine, make_world())
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {engine.url.database} SET synchronous_commit = off")
    with pytest.raises(PortError, match="synchronous_commit") as caught:
        answer_batch(make_ingest_store(engine), [Asks(world, world.shops[0]).redeem(world.numbers()[0])], now=NOW)
    assert not caught.value.retry
    engine.dispose()


def test_a_busy_sqlite_is_worth_another_try(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, writer = make_engine(sqlite_url), make_engine(sqlite_url)
    world = insert_world(engine, make_world())
    order = Asks(world, world.shops[0]).redeem(world.numbers()[0])
    monkeypatch.setitem(sql_engine._SQLITE_SETTINGS, "busy_timeout", 1)
    store = make_ingest_store(engine)
    with writer.begin(), pytest.raises(PortError) as caught:
        answer_batch(store, [order], now=NOW)
    assert caught.value.retry
    assert _accepted(answer_batch(store, [order], now=NOW)) == 1
    engine.dispose()
    writer.dispose()


def test_another_batch_between_load_and_save_makes_the_fake_judge_again() -> None:
    bench = memory_bench(make_world())
    assert isinstance(bench.store, MemoryIngestStore)
    number = bench.world.numbers()[0]
    first, second = (Asks(bench.world, shop).redeem(number) for shop in bench.world.shops)
    steps: list[str] = []

    def interleave(step: str) -> None:
        steps.append(step)
        if step == "loaded" and steps.count("loaded") == 1:
            assert _accepted(answer_batch(bench.store, [second], now=NOW)) == 1

    bench.store.at_step = interleave
    (answer,) = answer_batch(bench.store, [first], now=NOW)
    assert _reason(answer) is Reason.ALREADY_REDEEMED
    assert steps.count("loaded") == 3
