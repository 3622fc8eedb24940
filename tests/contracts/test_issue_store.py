"""Issuing, on both databases: numbers, tags, journals, and that the digits are nowhere."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, Table, func, insert, select

from cloud.adapters.sql.issues import SqlIssueStore
from cloud.adapters.sql.tables import issue_batch, ledger_entry, metadata, voucher
from cloud.adapters.voucher_numbers import random_voucher_nos
from cloud.domain.digits import digit_tag
from cloud.domain.holders import holder_with_digits, holder_with_id
from cloud.services.issue import NUMBER_ROUNDS_MAX, Issued, IssueError, IssueOrder, issue_vouchers
from tests.support.setups import EXPIRED_PROGRAMME_ID, PROGRAMME_ID, load_example

pytest_plugins = ("tests.support.databases",)

NOW = datetime(2026, 10, 15, 2, tzinfo=UTC)
PEPPER = bytes(range(32))
HOLDERS = [holder_with_id("王小明", "A123456789"), holder_with_digits("陳美玲", "☂♞⚘♜"), holder_with_digits("Ada", "0067")]


def numbers(*first: str) -> Iterator[str]:
    """The given numbers, then fresh ones."""
    yield from first
    yield from (f"{number:012d}" for number in count(900))


def issue(engine: Engine, drawn: Iterator[str] | None = None, *, id: int = 1, programme_id: str = PROGRAMME_ID) -> Issued:
    order = IssueOrder(UUID(int=id), programme_id, "office-1", NOW)
    return issue_vouchers(SqlIssueStore(engine), order, HOLDERS, numbers=drawn or numbers(), pepper=PEPPER)


def rows(engine: Engine, table: Table) -> Sequence[Any]:
    with engine.connect() as connection:
        return connection.execute(select(table).order_by(*table.primary_key)).all()


def test_every_holder_gets_a_voucher_with_a_tag_of_their_digits(engine: Engine) -> None:
    load_example(engine)
    issued = issue(engine, numbers("000000000007", "999999999999", "409842918253"))
    assert issued.voucher_nos == ("000000000007", "999999999999", "409842918253")
    by_number = {row.voucher_no: row for row in rows(engine, voucher)}
    for position, (number, holder) in enumerate(zip(issued.voucher_nos, HOLDERS, strict=True), start=1):
        row = by_number[number]
        assert bytes(row.digit_tag) == digit_tag(PEPPER, number, holder.digits)
        assert (row.position, row.issue_id, row.programme_id) == (position, issued.issue_id, PROGRAMME_ID)
        assert (row.holder_name_masked, row.holder_id_masked) == (holder.name_masked, holder.id_masked)


def test_the_issue_is_in_the_books(engine: Engine) -> None:
    load_example(engine)
    issue(engine)
    (batch,) = rows(engine, issue_batch)
    assert (batch.voucher_count, batch.issued_by, batch.issued_at) == (3, "office-1", NOW)
    entries = {row.account: row.amount_twd for row in rows(engine, ledger_entry)}
    assert entries == {"programme:travel-2026:entitlement": 3_000, "programme:travel-2026:outstanding": -3_000}


def test_a_taken_number_is_drawn_again(engine: Engine) -> None:
    load_example(engine)
    issue(engine, numbers("000000000001", "000000000002", "000000000003"))
    again = issue(engine, numbers("000000000002", "000000000010", "000000000001", "000000000003", "000000000011"), id=2)
    assert again.voucher_nos == ("000000000900", "000000000010", "000000000011")
    first = {row.voucher_no: row.issue_id for row in rows(engine, voucher)}
    assert first["000000000002"] == UUID(int=1)
    row = next(row for row in rows(engine, voucher) if row.voucher_no == "000000000900")
    assert bytes(row.digit_tag) == digit_tag(PEPPER, "000000000900", "6789")


def test_a_number_that_comes_twice_in_one_draw_is_used_once(engine: Engine) -> None:
    load_example(engine)
    issued = issue(engine, numbers("000000000001", "000000000001", "000000000001", "000000000002"))
    assert issued.voucher_nos == ("000000000001", "000000000002", "000000000900")


def test_no_free_number_issues_nothing(engine: Engine) -> None:
    load_example(engine)
    taken = ["000000000001", "000000000002", "000000000003"]
    issue(engine, iter(taken))
    with pytest.raises(IssueError, match="No free voucher numbers"):
        issue(engine, iter(taken * (NUMBER_ROUNDS_MAX + 1)), id=2)
    with pytest.raises(IssueError, match="ran out"):
        issue(engine, iter(["000000000004"]), id=3)
    assert len(rows(engine, issue_batch)) == 1
    assert len(rows(engine, voucher)) == 3


def test_unknown_programme_or_nobody_issues_nothing(engine: Engine) -> None:
    load_example(engine)
    with pytest.raises(IssueError, match="no programme nowhere"):
        issue(engine, programme_id="nowhere")
    order = IssueOrder(UUID(int=1), PROGRAMME_ID, "office-1", NOW)
    with pytest.raises(IssueError, match="nobody"):
        issue_vouchers(SqlIssueStore(engine), order, [], numbers=numbers(), pepper=PEPPER)
    assert rows(engine, issue_batch) == []


def test_an_issue_can_be_printed_again(engine: Engine) -> None:
    load_example(engine)
    issued = issue(engine, numbers("999999999999", "000000000007"), programme_id=EXPIRED_PROGRAMME_ID)
    store = SqlIssueStore(engine)
    found = store.find_issue(issued.issue_id)
    assert found is not None
    terms, vouchers = found
    assert terms == issued.terms
    assert (terms.name_zh, terms.face_value_twd, terms.ends_on) == ("春遊券", 500, date(2025, 6, 30))
    assert [one.voucher_no for one in vouchers] == list(issued.voucher_nos)
    assert [one.holder_name_masked for one in vouchers] == ["王●●", "陳●●", "A●●"]
    assert store.find_issue(UUID(int=404)) is None


def test_many_vouchers_in_several_statements(engine: Engine) -> None:
    load_example(engine)
    holders = [holder_with_digits("王小明", f"{number:04d}") for number in range(1_201)]
    order = IssueOrder(UUID(int=1), PROGRAMME_ID, "office-1", NOW)
    issued = issue_vouchers(SqlIssueStore(engine), order, holders, numbers=random_voucher_nos(), pepper=PEPPER)
    assert len(set(issued.voucher_nos)) == 1_201
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(voucher)) == 1_201


def test_the_digits_are_in_no_column(engine: Engine) -> None:
    load_example(engine)
    issue(engine)
    stored = "".join(repr(row) for table in metadata.sorted_tables for row in rows(engine, table))
    assert "陳●●" in stored
    assert not any(symbol in stored for symbol in "☂♞⚘♜")
    with engine.begin() as connection:
        # The search finds what is there.
        connection.execute(insert(metadata.tables["parked_message"]).values(_parked("☂")))
    assert "☂" in "".join(repr(row) for row in rows(engine, metadata.tables["parked_message"]))


def test_random_numbers_are_twelve_digits() -> None:
    drawn = random_voucher_nos()
    some = [next(drawn) for _ in range(200)]
    assert all(len(number) == 12 and number.isascii() and number.isdigit() for number in some)
    assert len(set(some)) == 200


def _parked(problem: str) -> dict[str, object]:
    return {"parked_at": NOW, "topic": "t", "problem": problem, "payload_sha256": bytes(32)}
