"""After the disputes nothing of a programme's holders is in any column of any table; money and everybody else stay whole."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import Engine, delete, inspect, select, text, update
from sqlalchemy.exc import DatabaseError

from cloud.adapters.sql.audit import SqlAuditTrail
from cloud.adapters.sql.books import SqlBooks
from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.drafts import SqlDraftStore
from cloud.adapters.sql.programme_office import SqlProgrammeOffice
from cloud.adapters.sql.retention import SqlRetentionStore
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import draw_win, voucher, voucher_holder
from cloud.domain.digits import digit_tag, holder_tagger
from cloud.domain.holders import Holder, Listed
from cloud.domain.retention import DRAFT_KEPT
from cloud.ports.audit import AuditSearch
from cloud.ports.drafts import DraftKind, NewDraft
from cloud.services.confirm import confirm_all
from cloud.services.drafts import fill_draft, issue_draft, open_draft
from cloud.services.purge import Purged, purge_due
from cloud.services.reconcile import reconcile
from cloud.services.settle import settle_due
from tests.support.retention import DUE, LASTING, OVER, Past, retention_world, sql_past
from tests.support.worlds import NOW, PEPPER

pytest_plugins = ("tests.support.databases",)

MAY_CHANGE = {
    "voucher", "voucher_holder", "draw_win", "issue_draft", "issue_draft_line", "issue_purge", "audit_entry", "audit_head",
}  # fmt: skip
"""Tables that forgetting writes. Every other keeps each of its rows as it is."""


@pytest.fixture
def past(engine: Engine) -> Past:
    return sql_past(engine, retention_world(vouchers=3))


def person(number: int, programme_id: str) -> Holder:
    return Holder(f"歐○{programme_id}", f"Z●{programme_id}●●", f"{number:04d}", f"A12345{number:04d}")


def hand_in(engine: Engine, id: int, people: Sequence[int], programme_id: str, *, kind: DraftKind = "list") -> UUID:
    """Read a list into a draft whose vouchers have the numbers from ``id`` millions on."""
    store, listed = SqlDraftStore(engine), [Listed(no, person(no, programme_id)) for no in people]
    new = NewDraft(UUID(int=id), programme_id, kind, ("21",) if kind == "draw" else (), "office-1", NOW, len(listed))
    assert open_draft(store, new)
    numbers = (f"{number:012d}" for number in count(id * 10**6))
    fill_draft(store, new, listed, numbers=numbers, pepper=PEPPER, now=lambda: NOW)
    return new.draft_id


def issue(engine: Engine, draft_id: UUID) -> str | None:
    return issue_draft(SqlDraftStore(engine), draft_id, by="office-1", now=NOW)


def fill(past: Past, engine: Engine) -> None:
    """Holders by list and by draw in both programmes, lists that nobody issued, and money up to a claim."""
    for place, programme_id in enumerate((OVER, LASTING), start=1):
        assert issue(engine, hand_in(engine, 10 * place, [1021, 2002], programme_id)) is None
        assert issue(engine, hand_in(engine, 10 * place + 1, [1021, 3021, 4004], programme_id, kind="draw")) is None
        hand_in(engine, 10 * place + 2, [5005], programme_id)
    past.ask(past.asks.redeem(*past.world.numbers(OVER)[:2]), past.asks.redeem(past.world.numbers(LASTING)[0]))
    shop = past.world.shops[0]
    confirm_all(SqlConfirmationStore(engine), merchant_id=shop.merchant_id, staff_id=shop.staff_id, now=NOW)
    assert settle_due(SqlSettlementStore(engine), now=NOW + timedelta(days=7))[0].claimed_twd == 3_000


def known_of(past: Past, programme_id: str) -> set[bytes | str]:
    """Everything that says something about a holder of a programme."""
    start = 1 if programme_id == OVER else 2
    numbers = {no: past.world.digits[no] for no in past.world.numbers(programme_id)}
    numbers |= {f"{start}0000000": "1021", f"{start}0000001": "2002", f"{start}1000000": "1021", f"{start}1000001": "3021"}
    numbers |= {f"{start}2000000": "5005"}
    of_person = holder_tagger(PEPPER, programme_id)
    tags = {digit_tag(PEPPER, no.zfill(12), digits) for no, digits in numbers.items()}
    tags |= {of_person(f"A12345{no}") for no in ("1021", "2002", "3021", "5005")}
    return {*tags, f"歐○{programme_id}", f"Z●{programme_id}●●"}


def everything(engine: Engine) -> Mapping[str, Sequence[tuple[Any, ...]]]:
    """Every row of every table, whether our tables name it or not."""
    with engine.connect() as connection:
        return {
            table: sorted((tuple(row) for row in connection.execute(text(f'SELECT * FROM "{table}"'))), key=repr)
            for table in inspect(connection).get_table_names()
        }


def found_in(rows: Mapping[str, Sequence[tuple[Any, ...]]], known: set[bytes | str]) -> set[tuple[str, bytes | str]]:
    """What of the known stands in which table, as it is, in hex, or within something longer."""
    hay = {
        table: b"\0".join(_bytes(value) for row in every for value in row if value is not None) for table, every in rows.items()
    }
    needles = [(one, needle) for one in known for needle in _spellings(one)]
    return {(table, one) for table, content in hay.items() for one, needle in needles if needle in content}


def _bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()


def _spellings(one: bytes | str) -> Iterator[bytes]:
    if isinstance(one, str):
        yield one.encode()
        yield one.encode("unicode_escape")
    else:
        yield one
        yield one.hex().encode()


def test_no_column_of_any_table_knows_a_holder_of_a_programme_that_is_over(past: Past, engine: Engine) -> None:
    fill(past, engine)
    before, books = everything(engine), reconcile(SqlBooks(engine), now=DUE)
    over, lasting = known_of(past, OVER), known_of(past, LASTING)
    assert {one for _, one in found_in(before, over)} == over, "the search finds all of it while it is there"
    assert {table for table, _ in found_in(before, over)} == {"voucher", "voucher_holder", "draw_win", "issue_draft_line"}

    done = purge_due(SqlRetentionStore(engine), now=DUE, go_on=lambda: True)

    assert done == Purged(issues=3, vouchers=3 + 4, tries=0, drafts=2)
    after = everything(engine)
    assert found_in(after, over) == set()
    issued = {one for table, one in found_in(before, lasting) if table != "issue_draft_line"}
    assert {one for _, one in found_in(after, lasting)} == issued, "the other programme goes on"
    assert {table for table in before if before[table] != after[table]} <= MAY_CHANGE
    assert reconcile(SqlBooks(engine), now=DUE) == books
    assert books.breach is None
    assert SqlRetentionStore(engine).known_drafts() == []
    entries = SqlAuditTrail(engine).search(AuditSearch(action="draft.discarded"), page_size=5).rows
    assert {entry.entry.fact.actor for entry in entries} == {"schedule"}


def test_lists_wait_so_many_days_and_no_longer(past: Past, engine: Engine) -> None:
    hand_in(engine, 12, [5005], OVER)
    store = SqlRetentionStore(engine)
    late = NOW + DRAFT_KEPT - timedelta(microseconds=1)
    assert purge_due(store, now=late, go_on=lambda: True) == Purged(0, 0, 0, drafts=0)
    assert purge_due(store, now=NOW + DRAFT_KEPT, go_on=lambda: True, by="cli") == Purged(0, 0, 0, drafts=1)
    assert purge_due(store, now=NOW + DRAFT_KEPT, go_on=lambda: True) == Purged(0, 0, 0, drafts=0)
    assert issue(engine, UUID(int=12)) == "gone"
    assert everything(engine)["issue_draft_line"] == []


def test_whose_a_voucher_is_goes_with_its_holder_and_not_before(past: Past, engine: Engine) -> None:
    fill(past, engine)
    mine = voucher_holder.c.programme_id == OVER
    early = (
        delete(voucher_holder).where(mine),
        delete(draw_win).where(draw_win.c.programme_id == OVER),
        update(voucher_holder).values(programme_id=LASTING),
        update(draw_win).values(programme_id=LASTING),
    )
    for statement in early:
        with pytest.raises(DatabaseError, match="holds facts"), engine.begin() as connection:
            connection.execute(statement)
    with engine.begin() as connection:
        connection.execute(update(voucher).where(voucher.c.issue_id == UUID(int=11)).values(digit_tag=None))
        gone = select(voucher.c.voucher_no).where(voucher.c.issue_id == UUID(int=11))
        assert connection.execute(delete(voucher_holder).where(voucher_holder.c.voucher_no.in_(gone))).rowcount == 2
        assert connection.execute(delete(draw_win).where(draw_win.c.issue_id == UUID(int=11))).rowcount == 2
    for statement in (delete(voucher_holder).where(mine), delete(draw_win)):
        with pytest.raises(DatabaseError, match="holds facts"), engine.begin() as connection:
            connection.execute(statement)


def test_caps_and_draws_of_a_later_programme_go_on(past: Past, engine: Engine) -> None:
    fill(past, engine)
    purge_due(SqlRetentionStore(engine), now=DUE, go_on=lambda: True)
    office = SqlProgrammeOffice(engine)
    state = office.find(LASTING)
    assert state is not None
    assert state.terms.ends_on == date(2023, 4, 30)
    with office.begin() as transaction:
        transaction.save(msgspec.structs.replace(state.terms, vouchers_per_holder_max=2), by="office-1", at=DUE)
    # The first has won and is on the list, the second is only on the list.
    assert issue(engine, hand_in(engine, 31, [1021], LASTING)) == "cap"
    assert issue(engine, hand_in(engine, 32, [2002], LASTING)) is None
    won_before = SqlDraftStore(engine).find_view(hand_in(engine, 33, [3021], LASTING, kind="draw"))
    assert won_before is not None
    assert won_before.draft.tally.won_before_count == 1
