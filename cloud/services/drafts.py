"""Issue by list or by draw, in two steps: read the list into a draft, look at it, issue it.

Reading takes numbers and computes tags, piece by piece, each piece a transaction of its own: the list itself is never stored,
so what a crash interrupts is handed in again, and nothing was issued. Issuing is one transaction that moves the lines of the
draft into the vouchers; it happens whole or not at all, and once. What it is judged by (budget, cap, earlier draws) is read in
it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from cloud.domain.audit import Facts
from cloud.domain.calendar import day_of
from cloud.domain.draws import is_drawn
from cloud.domain.holders import Listed
from cloud.domain.ledger import issue_journal
from cloud.ports.drafts import Draft, DraftLine, DraftStore, DraftTransaction, DraftView, NewDraft, Tally
from cloud.ports.issues import IssueBatch
from cloud.services.audit import Act, record
from cloud.services.issue import NUMBER_ROUNDS_MAX, IssueError, Tags, draw_numbers, note_issue

PIECE_LINES: Final = 2_000
"""Lines per transaction while a list is read: on SQLite kiosks wait for it."""

STALE: Final = timedelta(minutes=2)
"""A draft that is being read and came no further for so long will not any more: its program was stopped."""

Refusal = Literal["gone", "not_ready", "nobody", "ended", "budget", "cap", "suffix", "changed"]


@dataclass(slots=True)
class Reading:
    """What is carried from piece to piece while a list is read."""

    draft: NewDraft
    tags: Tags
    numbers: Iterator[str]
    seen: set[bytes] = field(default_factory=set)
    """Who of a draw came up already."""
    position: int = 0


def open_draft(store: DraftStore, draft: NewDraft) -> bool:
    """Make the draft of a list that was handed in; False where it was made before: a form was sent twice.

    Raises:
        PortError: the database failed.
    """
    with store.begin() as transaction:
        transaction.close_stale(before=draft.made_at - STALE)
        return transaction.add_draft(draft)


def fill_draft(
    store: DraftStore,
    draft: NewDraft,
    people: Sequence[Listed],
    *,
    numbers: Iterator[str],
    pepper: bytes,
    now: Callable[[], datetime],
) -> None:
    """Read the list into the draft.

    Raises:
        IssueError: no free number was found.
        PortError: the database failed; the draft comes no further.
    """
    reading = Reading(draft, Tags.under(pepper, draft.programme_id), numbers)
    for start in range(0, len(people), PIECE_LINES):
        with store.begin() as transaction:
            tally = _read_piece(transaction, reading, people[start : start + PIECE_LINES])
            last = start + PIECE_LINES >= len(people)
            if not transaction.count(draft.draft_id, tally, state="ready" if last else "reading", at=now()):
                return


def refusal_of(view: DraftView | None, *, now: datetime) -> Refusal | None:
    """Why a draft may not be issued as it stands; None where it may."""
    if view is None or view.draft.state in ("issued", "discarded"):
        return "gone"
    if view.draft.state != "ready":
        return "not_ready"
    checks: tuple[tuple[Refusal, bool], ...] = (
        ("nobody", view.draft.tally.voucher_count == 0),
        ("ended", view.programme.terms.ends_on < day_of(now)),
        ("suffix", bool(view.drawn_before)),
        ("cap", view.beyond_cap_line is not None),
        ("budget", not view.programme.budget.allows(view.amount_twd)),
    )
    return next((why for why, applies in checks if applies), None)


def issue_draft(store: DraftStore, draft_id: UUID, *, by: str, now: datetime) -> Refusal | None:
    """Issue what a draft holds; None: it is issued, now or before.

    Raises:
        PortError: the database failed.
    """
    with store.begin() as transaction:
        view = transaction.find_view(draft_id)
        if view is not None and view.draft.state == "issued":
            return None
        if view is not None and view.draft.new.kind == "draw" and transaction.drop_winners(draft_id, at=now):
            return "changed"
        refusal = refusal_of(view, now=now)
        if refusal is None and view is not None:
            _issue(transaction, view, by, now)
        return refusal


def discard_draft(store: DraftStore, draft_id: UUID, *, by: str, now: datetime) -> bool:
    """Throw a draft away; False where there is none to throw away.

    Raises:
        PortError: the database failed.
    """
    with store.begin() as transaction:
        view = transaction.find_view(draft_id)
        if view is None or view.draft.state in ("issued", "discarded"):
            return False
        transaction.close(draft_id, "discarded", at=now)
        facts: Facts = {"programme_id": view.draft.new.programme_id, "voucher_count": view.draft.tally.voucher_count}
        record(transaction.audit, Act(by, "draft.discarded", str(draft_id), now), after=facts)
        return True


def is_stale(draft: Draft, *, now: datetime) -> bool:
    """Tell whether reading it has ended before its time."""
    return draft.state == "reading" and now - draft.touched_at > STALE


def _read_piece(transaction: DraftTransaction, reading: Reading, people: Sequence[Listed]) -> Tally:
    chosen, tally = (list(people), Tally()) if reading.draft.kind == "list" else _winners(transaction, reading, people)
    waiting = dict(enumerate(chosen, start=reading.position + 1))
    reading.position += len(chosen)
    for _ in range(NUMBER_ROUNDS_MAX):
        made = draw_numbers({position: one.holder for position, one in waiting.items()}, reading.numbers, reading.tags)
        lines = [DraftLine(voucher, waiting[voucher.position].line_no) for voucher in made]
        taken = transaction.add_lines(reading.draft.draft_id, lines)
        waiting = {voucher.position: waiting[voucher.position] for voucher in made if voucher.voucher_no in taken}
        if not waiting:
            return tally + Tally(read_count=len(people), voucher_count=len(chosen))
    raise IssueError("No free voucher numbers were found.")


def _winners(transaction: DraftTransaction, reading: Reading, people: Sequence[Listed]) -> tuple[list[Listed], Tally]:
    """Who of a piece wins: is drawn, comes up for the first time, and has won in no earlier draw."""
    drawn: dict[bytes, Listed] = {}
    twice = not_drawn = 0
    for one in people:
        national_id = one.holder.national_id
        if national_id is None or not is_drawn(national_id, reading.draft.suffixes):
            not_drawn += 1
            continue
        tag = reading.tags.of_person(national_id)
        if tag in reading.seen:
            twice += 1
            continue
        reading.seen.add(tag)
        drawn[tag] = one
    before = transaction.winners(reading.draft.programme_id, drawn.keys())
    chosen = [one for tag, one in drawn.items() if tag not in before]
    return chosen, Tally(not_drawn_count=not_drawn, won_before_count=len(before), twice_count=twice)


def _issue(transaction: DraftTransaction, view: DraftView, by: str, now: datetime) -> None:
    new, count = view.draft.new, view.draft.tally.voucher_count
    batch = IssueBatch(new.draft_id, new.programme_id, now, by, count)
    transaction.add_batch(batch)
    moved = transaction.move_lines(batch, wins=new.kind == "draw", suffixes=new.suffixes)
    assert moved == count, "a draft counts its lines"
    transaction.save_journal(issue_journal(new.draft_id, new.programme_id, amount_twd=view.amount_twd, at=now))
    transaction.close(new.draft_id, "issued", at=now)
    note_issue(transaction, batch, amount_twd=view.amount_twd, suffixes=new.suffixes)
