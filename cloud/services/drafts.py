"""Issue by list or by draw, in two steps: read the list into a draft, look at it, issue it.

Reading takes numbers and computes tags, piece by piece, each piece a transaction of its own: the list itself is never stored,
so what a crash interrupts is handed in again, and nothing was issued. Issuing is one transaction that moves the lines of the
draft into the vouchers; it happens whole or not at all, and once. What it is judged by (budget, cap, earlier draws) is read in
it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from cloud.ports.issues import IssueBatch, NewVoucher
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
        # Computed before the transaction begins: on SQLite kiosks wait while it is open.
        piece = _prepare(reading, people[start : start + PIECE_LINES])
        last = start + PIECE_LINES >= len(people)
        with store.begin() as transaction:
            tally = _add_piece(transaction, reading, piece)
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


@dataclass(frozen=True, slots=True)
class Piece:
    """Some people of a list who are to get a voucher, unless they have won before."""

    people: Mapping[int, Listed]
    """By position."""
    made: Sequence[NewVoucher]
    tally: Tally
    """Without those who get one."""


def _prepare(reading: Reading, people: Sequence[Listed]) -> Piece:
    chosen, tally = (people, Tally(len(people))) if reading.draft.kind == "list" else _drawn(reading, people)
    placed = dict(enumerate(chosen, start=reading.position + 1))
    reading.position += len(chosen)
    made = draw_numbers({position: one.holder for position, one in placed.items()}, reading.numbers, reading.tags)
    return Piece(placed, made, tally)


def _drawn(reading: Reading, people: Sequence[Listed]) -> tuple[Sequence[Listed], Tally]:
    """Who of a piece is drawn, and comes up for the first time."""
    chosen: list[Listed] = []
    twice = not_drawn = 0
    for one in people:
        national_id = one.holder.national_id
        if national_id is None or not is_drawn(national_id, reading.draft.suffixes):
            not_drawn += 1
        elif (tag := reading.tags.of_person(national_id)) in reading.seen:
            twice += 1
        else:
            reading.seen.add(tag)
            chosen.append(one)
    return chosen, Tally(len(people), not_drawn_count=not_drawn, twice_count=twice)


def _add_piece(transaction: DraftTransaction, reading: Reading, piece: Piece) -> Tally:
    before: frozenset[bytes] = frozenset()
    if reading.draft.kind == "draw":
        tags = {one.holder_tag for one in piece.made if one.holder_tag is not None}
        before = transaction.winners(reading.draft.programme_id, tags)
    made = [one for one in piece.made if one.holder_tag not in before]
    count = len(made)
    for _ in range(NUMBER_ROUNDS_MAX):
        lines = [DraftLine(one, piece.people[one.position].line_no) for one in made]
        taken = transaction.add_lines(reading.draft.draft_id, lines)
        again = {one.position: piece.people[one.position].holder for one in made if one.voucher_no in taken}
        if not again:
            return piece.tally + Tally(voucher_count=count, won_before_count=len(piece.made) - count)
        made = draw_numbers(again, reading.numbers, reading.tags)
    raise IssueError("No free voucher numbers were found.")


def _issue(transaction: DraftTransaction, view: DraftView, by: str, now: datetime) -> None:
    new, count = view.draft.new, view.draft.tally.voucher_count
    batch = IssueBatch(new.draft_id, new.programme_id, now, by, count)
    transaction.add_batch(batch)
    moved = transaction.move_lines(batch, wins=new.kind == "draw", suffixes=new.suffixes)
    assert moved == count, "a draft counts its lines"
    transaction.save_journal(issue_journal(new.draft_id, new.programme_id, amount_twd=view.amount_twd, at=now))
    transaction.close(new.draft_id, "issued", at=now)
    note_issue(transaction, batch, amount_twd=view.amount_twd, suffixes=new.suffixes)
