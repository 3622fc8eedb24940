"""Drafts on both databases: read, looked at, issued once; budget, caps and draws are judged in the transaction that issues."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import count
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import Engine, func, select

from cloud.adapters.sql.audit import SqlAuditTrail
from cloud.adapters.sql.books import SqlBooks
from cloud.adapters.sql.drafts import SqlDraftStore
from cloud.adapters.sql.issues import SqlIssueStore
from cloud.adapters.sql.programme_office import SqlProgrammeOffice
from cloud.adapters.sql.retention import SqlRetentionStore
from cloud.adapters.sql.tables import draw_suffix, draw_win, issue_batch, issue_draft_line, voucher, voucher_holder
from cloud.domain.digits import digit_tag
from cloud.domain.holders import Holder, Listed, holder_with_digits
from cloud.ports.audit import AuditSearch
from cloud.ports.drafts import DraftKind, DraftView, NewDraft, Tally
from cloud.services.drafts import (
    PIECE_LINES,
    STALE,
    discard_draft,
    fill_draft,
    is_stale,
    issue_draft,
    open_draft,
    refusal_of,
)
from cloud.services.issue import IssueError, IssueOrder, issue_vouchers
from cloud.services.programmes import By, change_programme
from cloud.services.purge import purge_due
from cloud.services.reconcile import reconcile
from tests.support.setups import EXPIRED_PROGRAMME_ID, PROGRAMME_ID, load_example

pytest_plugins = ("tests.support.databases",)

NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
PEPPER = bytes(range(32))
SOLD = {"lodging", "amusement", "travel_agency", "hotspring_or_ppp"}


def person(number: int) -> Holder:
    """A made-up ID that ends with the last digits of the number; its check digit does not matter here."""
    return Holder("王●●", "A●●●●●●●●●", f"{number:04d}"[-4:], f"A1{number:08d}")


def people(*numbers: int) -> list[Listed]:
    return [Listed(line_no, person(number)) for line_no, number in enumerate(numbers, start=2)]


@pytest.fixture
def store(engine: Engine) -> SqlDraftStore:
    load_example(engine)
    return SqlDraftStore(engine)


def hand_in(
    store: SqlDraftStore,
    listed: Sequence[Listed],
    *,
    id: int = 1,
    kind: DraftKind = "list",
    suffixes: tuple[str, ...] = (),
    numbers: Iterator[str] | None = None,
    programme_id: str = PROGRAMME_ID,
) -> DraftView:
    new = NewDraft(UUID(int=id), programme_id, kind, suffixes, "office-1", NOW, len(listed))
    assert open_draft(store, new)
    drawn = numbers or (f"{number:012d}" for number in count(id * 10**6))
    fill_draft(store, new, listed, numbers=drawn, pepper=PEPPER, now=lambda: NOW)
    return view(store, id)


def view(store: SqlDraftStore, id: int = 1) -> DraftView:
    found = store.find_view(UUID(int=id))
    assert found is not None
    return found


def issue(store: SqlDraftStore, id: int = 1) -> str | None:
    return issue_draft(store, UUID(int=id), by="office-1", now=NOW)


def limit(engine: Engine, **values: Any) -> None:
    office = SqlProgrammeOffice(engine)
    state = office.find(PROGRAMME_ID)
    assert state is not None
    terms = msgspec.structs.replace(state.terms, **values)
    by, keys = By("office-1", NOW), {"travel-2026"}
    assert change_programme(office, terms, by, sold=SOLD, keys=keys, seen_version=state.version_no) == []


def size(engine: Engine, table: Any) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)


def whole(engine: Engine) -> None:
    """The books add up."""
    assert reconcile(SqlBooks(engine), now=NOW).breach is None


def test_a_draft_becomes_vouchers_whole_and_once(store: SqlDraftStore, engine: Engine) -> None:
    seen = hand_in(store, people(1, 2, 3))
    assert (seen.draft.state, seen.draft.tally, seen.amount_twd) == ("ready", Tally(3, 3), 3000)
    assert refusal_of(seen, now=NOW) is None
    assert size(engine, voucher) == 0, "looking at it issues nothing"
    assert issue(store) is None
    assert issue(store) is None, "the second click finds it done"
    assert (size(engine, issue_batch), size(engine, voucher), size(engine, issue_draft_line)) == (1, 3, 0)
    with engine.connect() as connection:
        rows = connection.execute(select(voucher).order_by(voucher.c.position)).all()
    assert [row.position for row in rows] == [1, 2, 3]
    assert bytes(rows[1].digit_tag) == digit_tag(PEPPER, rows[1].voucher_no, "0002")
    (entry,) = SqlAuditTrail(engine).search(AuditSearch(action="issue.made"), page_size=5).rows
    assert entry.entry.fact.object_id == str(UUID(int=1))
    assert '"amount_twd":3000' in entry.entry.fact.after
    assert store.open_drafts() == []
    whole(engine)


def test_nothing_of_a_person_is_stored(store: SqlDraftStore, engine: Engine) -> None:
    hand_in(store, [Listed(2, Holder("王●●", "A●●●●●●●●●", "☂☃☄☇", "A123☂☃☄☇"))])
    with engine.connect() as connection:
        (row,) = connection.execute(select(issue_draft_line)).all()
    text = repr(tuple(row))
    assert "☂" not in text
    assert repr("☂☃☄☇".encode())[2:-1] not in text


def test_discarded_and_sent_twice(store: SqlDraftStore, engine: Engine) -> None:
    seen = hand_in(store, people(1))
    assert not open_draft(store, seen.draft.new)
    assert discard_draft(store, UUID(int=1), by="office-1", now=NOW)
    assert not discard_draft(store, UUID(int=1), by="office-1", now=NOW)
    assert issue(store) == "gone"
    assert issue(store, 99) == "gone"
    assert (size(engine, voucher), size(engine, issue_draft_line)) == (0, 0)


def test_numbers_of_drafts_and_vouchers_are_nobody_elses(store: SqlDraftStore, engine: Engine) -> None:
    hand_in(store, people(1, 2), numbers=iter(("000000000001", "000000000002")))
    others = iter(("000000000001", "000000000003", "000000000002", "000000000004"))
    order = IssueOrder(UUID(int=7), PROGRAMME_ID, "office-1", NOW)
    made = issue_vouchers(SqlIssueStore(engine), order, [person(8), person(9)], numbers=others, pepper=PEPPER)
    assert made.voucher_nos == ("000000000004", "000000000003")
    hand_in(store, people(5), id=2, numbers=iter(("000000000001", "000000000003", "000000000009")))
    assert issue(store) is None
    assert issue(store, 2) is None
    with engine.connect() as connection:
        assert set(connection.scalars(select(voucher.c.voucher_no))) == {f"{number:012d}" for number in (1, 2, 3, 4, 9)}


def test_the_budget_stops_issuing(store: SqlDraftStore, engine: Engine) -> None:
    limit(engine, budget_twd=5_000)
    for draft_no in (1, 2):
        hand_in(store, people(1, 2, 3), id=draft_no)
    assert issue(store) is None
    assert refusal_of(view(store, 2), now=NOW) == "budget"
    assert issue(store, 2) == "budget"
    order = IssueOrder(UUID(int=7), PROGRAMME_ID, "cli", NOW)
    with pytest.raises(IssueError, match="2000 TWD left"):
        issue_vouchers(SqlIssueStore(engine), order, [person(1)] * 3, numbers=map(str, count()), pepper=PEPPER)
    assert size(engine, voucher) == 3
    limit(engine, budget_twd=6_000)
    assert issue(store, 2) is None
    whole(engine)


def test_issuing_at_once_never_passes_the_budget(store: SqlDraftStore, engine: Engine) -> None:
    limit(engine, budget_twd=5_000)
    for draft_no in range(1, 7):
        hand_in(store, people(1, 2), id=draft_no)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda draft_no: issue(store, draft_no), range(1, 7)))
    assert sorted(answers, key=str) == [None, None, *["budget"] * 4]
    assert size(engine, voucher) == 4
    whole(engine)


def test_one_person_gets_no_more_than_the_cap(store: SqlDraftStore, engine: Engine) -> None:
    limit(engine, vouchers_per_holder_max=2)
    hand_in(store, people(1, 2, 1))
    assert issue(store) is None
    seen = hand_in(store, people(3, 2, 2, 1), id=2)
    assert seen.beyond_cap_line == 4
    assert issue(store, 2) == "cap"
    assert hand_in(store, people(3, 2), id=3).beyond_cap_line is None
    assert issue(store, 3) is None
    assert hand_in(store, [Listed(2, holder_with_digits("Ada", "0067"))], id=4).beyond_cap_line == 2
    order = IssueOrder(UUID(int=7), PROGRAMME_ID, "cli", NOW)
    for holder in (person(1), holder_with_digits("Ada", "0067")):
        with pytest.raises(IssueError, match="holder 2"):
            issue_vouchers(SqlIssueStore(engine), order, [person(9), holder], numbers=map(str, count()), pepper=PEPPER)
    assert size(engine, voucher_holder) == 5


def test_a_draw_takes_who_is_drawn_once_over_all_draws(store: SqlDraftStore, engine: Engine) -> None:
    registered = people(121, 222, 321, 410, 999, 121)
    first = hand_in(store, registered, kind="draw", suffixes=("21",))
    assert first.draft.tally == Tally(6, 2, not_drawn_count=3, won_before_count=0, twice_count=1)
    assert issue(store) is None
    assert store.suffixes_drawn(PROGRAMME_ID) == ["21"]
    assert size(engine, draw_win) == 2
    second = hand_in(store, registered, id=2, kind="draw", suffixes=("2121", "410", "321"))
    assert second.draft.tally == Tally(6, 1, not_drawn_count=4, won_before_count=1)
    assert issue(store, 2) is None
    third = hand_in(store, registered, id=3, kind="draw", suffixes=("410",))
    assert third.drawn_before == ("410",)
    assert third.draft.tally.voucher_count == 0
    assert issue(store, 3) == "nobody"
    assert (size(engine, draw_win), size(engine, draw_suffix)) == (3, 4)
    whole(engine)


def test_of_two_draws_that_were_read_at_once_the_second_loses_who_won_the_first(store: SqlDraftStore, engine: Engine) -> None:
    hand_in(store, people(121, 222), kind="draw", suffixes=("21",))
    hand_in(store, people(121, 3121, 5500), id=2, kind="draw", suffixes=("121", "00"))
    assert issue(store) is None
    assert issue(store, 2) == "changed", "what was looked at is not what would be issued"
    assert view(store, 2).draft.tally == Tally(3, 2, won_before_count=1)
    assert issue(store, 2) is None
    assert size(engine, draw_win) == 3
    whole(engine)


def test_no_suffix_is_drawn_twice_at_once(store: SqlDraftStore, engine: Engine) -> None:
    for draft_no in (1, 2, 3):
        hand_in(store, people(1000 * draft_no + 21), id=draft_no, kind="draw", suffixes=("21",))
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda draft_no: issue(store, draft_no), (1, 2, 3)))
    assert sorted(answers, key=str) == [None, "suffix", "suffix"]
    assert size(engine, voucher) == 1


def test_a_programme_that_is_over_issues_nothing(store: SqlDraftStore) -> None:
    hand_in(store, people(1), programme_id=EXPIRED_PROGRAMME_ID)
    assert issue(store) == "ended"


def test_reading_that_was_interrupted_issues_nothing_and_is_swept_away(store: SqlDraftStore, engine: Engine) -> None:
    new = NewDraft(UUID(int=1), PROGRAMME_ID, "list", (), "office-1", NOW, PIECE_LINES + 1)
    assert open_draft(store, new)

    def stopped() -> datetime:
        raise KeyboardInterrupt

    listed = people(*range(PIECE_LINES + 1))
    with pytest.raises(KeyboardInterrupt):
        fill_draft(store, new, listed, numbers=(f"{n:012d}" for n in count()), pepper=PEPPER, now=_once_then(NOW, stopped))
    seen = view(store)
    assert (seen.draft.state, seen.draft.tally.read_count) == ("reading", PIECE_LINES)
    assert issue(store) == "not_ready"
    assert not is_stale(seen.draft, now=NOW)
    assert is_stale(seen.draft, now=NOW + STALE + timedelta(seconds=1))
    assert open_draft(store, NewDraft(UUID(int=2), PROGRAMME_ID, "list", (), "office-1", NOW + timedelta(hours=1), 1))
    assert view(store).draft.state == "discarded"
    assert size(engine, issue_draft_line) == 0


def _once_then(at: datetime, then: Any) -> Any:
    calls = count()
    return lambda: at if next(calls) == 0 else then()


def test_who_reads_on_after_it_was_discarded_leaves_nothing(store: SqlDraftStore, engine: Engine) -> None:
    new = NewDraft(UUID(int=1), PROGRAMME_ID, "list", (), "office-1", NOW, 1)
    assert open_draft(store, new)
    assert discard_draft(store, UUID(int=1), by="office-1", now=NOW)
    fill_draft(store, new, people(1), numbers=iter(("000000000001",)), pepper=PEPPER, now=lambda: NOW)
    assert (view(store).draft.state, size(engine, issue_draft_line)) == ("discarded", 0)


def test_random_draws_leave_everybody_at_most_one_win(store: SqlDraftStore, engine: Engine) -> None:
    random = Random(20211012)
    registered = people(*(random.randrange(10**8) for _ in range(600)))
    drawn: set[str] = set()
    for draft_no in range(1, 6):
        suffixes = {f"{random.randrange(100):02d}" for _ in range(4)} - drawn
        drawn |= suffixes
        hand_in(store, random.sample(registered, 500), id=draft_no, kind="draw", suffixes=tuple(sorted(suffixes)))
        assert issue(store, draft_no) is None
    with engine.connect() as connection:
        times = select(func.count()).select_from(voucher_holder).group_by(voucher_holder.c.holder_tag)
        assert set(connection.scalars(times)) == {1}
    assert size(engine, voucher) == size(engine, draw_win)
    whole(engine)


def test_programme_dates_are_days_of_taipei(store: SqlDraftStore, engine: Engine) -> None:
    limit(engine, ends_on=date(2026, 11, 20))
    hand_in(store, people(1))
    last_minute = datetime(2026, 11, 20, 15, 59, tzinfo=UTC)
    assert refusal_of(view(store), now=last_minute) is None
    assert refusal_of(view(store), now=last_minute + timedelta(minutes=1)) == "ended"


def test_who_won_is_forgotten_with_the_holders(store: SqlDraftStore, engine: Engine) -> None:
    hand_in(store, people(121, 222), kind="draw", suffixes=("21",))
    assert issue(store) is None
    assert (size(engine, voucher_holder), size(engine, draw_win)) == (1, 1)
    done = purge_due(SqlRetentionStore(engine), now=datetime(2028, 1, 1, tzinfo=UTC), go_on=lambda: True)
    assert done.vouchers == 1
    assert (size(engine, voucher_holder), size(engine, draw_win), size(engine, voucher)) == (0, 0, 1)
