"""The audit log on both databases: gap-free under concurrent writers, part of its transaction, each change behind it named."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, delete, select, text, update
from sqlalchemy.exc import IntegrityError

from cloud.adapters.sql.audit import SqlAuditLog, SqlAuditTrail
from cloud.adapters.sql.tables import audit_entry, audit_head
from cloud.adapters.sql.transactions import writing
from cloud.domain.audit import EMPTY, Head
from cloud.ports.audit import AuditSearch
from cloud.services.audit import Act, record, verify
from tests.support.setups import load_example

pytest_plugins = ("tests.support.databases",)

NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
WRITERS, EACH = 6, 5


def write(engine: Engine, number: int, *, actor: str = "office-1", action: str = "programme.changed") -> Head:
    with writing(engine) as connection:
        act = Act(actor, action, "travel-2026", NOW + timedelta(seconds=number))
        return record(
            SqlAuditLog(connection), act, before={"budget_twd": number, "same": 1}, after={"budget_twd": None, "same": 1}
        )


def test_entries_follow_each_other_and_say_only_what_changed(engine: Engine) -> None:
    trail = SqlAuditTrail(engine)
    assert verify(trail) == (EMPTY, None)
    heads = [write(engine, number) for number in range(3)]
    assert [head.entry_no for head in heads] == [1, 2, 3]
    assert verify(trail, noted=heads) == (heads[-1], None)
    (newest, *_) = trail.search(AuditSearch(), page_size=10).rows
    assert (newest.entry.fact.before, newest.entry.fact.after) == ('{"budget_twd":2}', '{"budget_twd":null}')
    assert newest.entry.fact.happened_at == NOW + timedelta(seconds=2)


def test_writers_at_once_leave_one_whole_chain(engine: Engine) -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda number: [write(engine, number) for _ in range(EACH)], range(WRITERS)))
    reached, broken = verify(SqlAuditTrail(engine))
    assert broken is None
    assert reached.entry_no == WRITERS * EACH


def test_what_is_rolled_back_is_not_in_the_log(engine: Engine) -> None:
    write(engine, 1)
    with pytest.raises(ZeroDivisionError):
        _write_and_fail(engine)
    assert write(engine, 2).entry_no == 2
    assert verify(SqlAuditTrail(engine))[1] is None


@pytest.mark.parametrize(
    ("statement", "entry_no"),
    [
        (update(audit_entry).where(audit_entry.c.entry_no == 2).values(actor="somebody"), 2),
        (update(audit_entry).where(audit_entry.c.entry_no == 2).values(happened_at=NOW), 2),
        (delete(audit_entry).where(audit_entry.c.entry_no == 1), 1),
        (delete(audit_entry).where(audit_entry.c.entry_no == 3), 3),
        (delete(audit_head), 1),
    ],
    ids=str,
)
def test_a_change_behind_the_guards_is_named(engine: Engine, statement: object, entry_no: int) -> None:
    for number in range(3):
        write(engine, number)
    _take_guards_away(engine)
    with engine.begin() as connection:
        connection.execute(statement)  # type: ignore[call-overload]
    _, broken = verify(SqlAuditTrail(engine))
    assert broken is not None
    assert broken.entry_no == entry_no


def test_the_log_holds_facts(engine: Engine) -> None:
    write(engine, 1)
    for statement in (update(audit_entry).values(actor="x"), delete(audit_entry)):
        with pytest.raises(IntegrityError, match="facts"), engine.begin() as connection:
            connection.execute(statement)
    with engine.connect() as connection:
        assert len(connection.execute(select(audit_entry)).all()) == 1


def test_search_by_who_what_and_when(engine: Engine) -> None:
    load_example(engine)
    trail = SqlAuditTrail(engine)
    before = trail.search(AuditSearch(), page_size=1).row_count
    for number in range(4):
        write(
            engine, number, actor="auditor-1" if number % 2 else "cli", action=("draft.issued", "draft.discarded")[number // 2]
        )
    newest = before + 4

    def found(wanted: AuditSearch, **options: int) -> tuple[list[int], int]:
        page = trail.search(wanted, **({"page_size": 10} | options))  # type: ignore[arg-type]
        return [row.entry.entry_no for row in page.rows], page.row_count

    assert found(AuditSearch(actor="auditor-1")) == ([newest, newest - 2], 2)
    assert found(AuditSearch(action="draft.issued")) == ([newest - 2, newest - 3], 2)
    assert found(AuditSearch(object_kind="draft", object_id="travel-2026"), page_size=3)[1] == 4
    assert found(AuditSearch(object_kind="draft"), below_no=newest - 1) == ([newest - 2, newest - 3], 4)
    today = NOW.date()
    assert found(AuditSearch(object_kind="draft", first_day=today, last_day=today))[1] == 4
    assert found(AuditSearch(object_kind="draft", first_day=today + timedelta(days=1)))[1] == 0
    (row,) = trail.search(AuditSearch(actor="auditor-1"), page_size=1).rows
    assert row.actor_name
    assert ("auditor-1", row.actor_name) in trail.names().actors
    assert {"draft.discarded", "draft.issued"} <= set(trail.names().actions)


def _write_and_fail(engine: Engine) -> None:
    with writing(engine) as connection:
        record(SqlAuditLog(connection), Act("office-1", "programme.changed", "x", NOW))
        raise ZeroDivisionError


def _take_guards_away(engine: Engine) -> None:
    """As somebody with the rights of the database's owner can."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("DROP TRIGGER audit_entry_keeps_facts ON audit_entry"))
            return
        for verb in ("update", "delete"):
            connection.execute(text(f"DROP TRIGGER audit_entry_keeps_facts_on_{verb}"))
