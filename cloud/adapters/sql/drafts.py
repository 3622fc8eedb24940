"""Drafts of issues in the database, for :mod:`cloud.ports.drafts`."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, Select, case, delete, func, insert, literal, or_, select, update

from cloud.adapters.sql.issues import IssueOpen, find_issued, find_staged
from cloud.adapters.sql.programme_office import find_state
from cloud.adapters.sql.tables import draw_suffix, draw_win, issue_draft, issue_draft_line, voucher, voucher_holder
from cloud.adapters.sql.transactions import Lock, reading, take_lock, writing
from cloud.ports.drafts import Draft, DraftLine, DraftState, DraftView, NewDraft, Tally
from cloud.ports.issues import IssueBatch

_TALLY = ("read_count", "voucher_count", "not_drawn_count", "won_before_count", "twice_count")
_TAGS_PER_QUERY_MAX = 5_000


class SqlDraftStore:
    """``DraftStore`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def begin(self) -> Iterator["_Transaction"]:
        with writing(self._engine) as connection:
            take_lock(connection, Lock.ISSUE)
            yield _Transaction(connection)

    def find_view(self, draft_id: UUID) -> DraftView | None:
        with reading(self._engine) as connection:
            return _find_view(connection, draft_id)

    def open_drafts(self) -> Sequence[Draft]:
        wanted = select(issue_draft).where(issue_draft.c.state.in_(("reading", "ready")))
        with reading(self._engine) as connection:
            rows = connection.execute(wanted.order_by(issue_draft.c.made_at.desc(), issue_draft.c.draft_id))
            return [_draft(row) for row in rows]

    def suffixes_drawn(self, programme_id: str) -> Sequence[str]:
        mine = draw_suffix.c.programme_id == programme_id
        wanted = select(draw_suffix.c.suffix).where(mine).order_by(draw_suffix.c.drawn_at, draw_suffix.c.suffix)
        with reading(self._engine) as connection:
            return list(connection.scalars(wanted))


class _Transaction(IssueOpen):
    def add_draft(self, draft: NewDraft) -> bool:
        if self._connection.scalar(select(issue_draft.c.draft_id).where(issue_draft.c.draft_id == draft.draft_id)):
            return False
        values = asdict(draft) | {"suffixes": " ".join(draft.suffixes), "state": "reading", "touched_at": draft.made_at}
        self._connection.execute(insert(issue_draft).values(**values, **asdict(Tally())))
        return True

    def add_lines(self, draft_id: UUID, lines: Sequence[DraftLine]) -> frozenset[str]:
        numbers = [line.voucher.voucher_no for line in lines]
        # Whoever issues has the lock that this transaction has: what is free now stays free.
        taken = find_issued(self._connection, numbers) | find_staged(self._connection, numbers)
        rows = [_line_row(draft_id, line) for line in lines if line.voucher.voucher_no not in taken]
        if rows:
            self._connection.execute(insert(issue_draft_line), rows)
        return taken

    def count(self, draft_id: UUID, tally: Tally, *, state: DraftState, at: datetime) -> bool:
        more = {name: issue_draft.c[name] + getattr(tally, name) for name in _TALLY}
        being_read = (issue_draft.c.draft_id == draft_id) & (issue_draft.c.state == "reading")
        statement = update(issue_draft).where(being_read).values(**more, state=state, touched_at=at)
        if self._connection.execute(statement).rowcount:
            return True
        self._drop_lines(draft_id)
        return False

    def winners(self, programme_id: str, holder_tags: Collection[bytes]) -> frozenset[bytes]:
        wanted, found = sorted(holder_tags), set[bytes]()
        for start in range(0, len(wanted), _TAGS_PER_QUERY_MAX):
            some = draw_win.c.holder_tag.in_(wanted[start : start + _TAGS_PER_QUERY_MAX])
            rows = self._connection.scalars(select(draw_win.c.holder_tag).where(draw_win.c.programme_id == programme_id, some))
            found.update(map(bytes, rows))
        return frozenset(found)

    def find_view(self, draft_id: UUID) -> DraftView | None:
        return _find_view(self._connection, draft_id)

    def drop_winners(self, draft_id: UUID, *, at: datetime) -> int:
        programme_id = select(issue_draft.c.programme_id).where(issue_draft.c.draft_id == draft_id).scalar_subquery()
        won = select(draw_win.c.holder_tag).where(draw_win.c.programme_id == programme_id)
        mine = issue_draft_line.c.draft_id == draft_id
        dropped = self._connection.execute(
            delete(issue_draft_line).where(mine, issue_draft_line.c.holder_tag.in_(won))
        ).rowcount
        if dropped:
            fewer = {
                "voucher_count": issue_draft.c.voucher_count - dropped,
                "won_before_count": issue_draft.c.won_before_count + dropped,
                "touched_at": at,
            }
            self._connection.execute(update(issue_draft).where(issue_draft.c.draft_id == draft_id).values(**fewer))
        return dropped

    def move_lines(self, batch: IssueBatch, *, wins: bool, suffixes: Sequence[str]) -> int:
        lines, mine = issue_draft_line.c, issue_draft_line.c.draft_id == batch.issue_id
        programme_id = literal(batch.programme_id, voucher.c.programme_id.type)
        columns = ("position", "holder_name_masked", "holder_id_masked", "digit_tag")
        moved = self._connection.execute(
            insert(voucher).from_select(
                ["voucher_no", "programme_id", "issue_id", *columns],
                select(lines.voucher_no, programme_id, lines.draft_id, *(lines[name] for name in columns)).where(mine),
            ),
            execution_options={"preserve_rowcount": True},
        ).rowcount
        known = (mine, lines.holder_tag.is_not(None))
        self._connection.execute(
            insert(voucher_holder).from_select(
                ["voucher_no", "programme_id", "holder_tag"],
                select(lines.voucher_no, programme_id, lines.holder_tag).where(*known),
            )
        )
        if wins:
            self._connection.execute(
                insert(draw_win).from_select(
                    ["programme_id", "holder_tag", "issue_id"],
                    select(programme_id, lines.holder_tag, lines.draft_id).where(*known),
                )
            )
        if suffixes:
            drawn = {"programme_id": batch.programme_id, "issue_id": batch.issue_id, "drawn_at": batch.issued_at}
            self._connection.execute(insert(draw_suffix), [drawn | {"suffix": suffix} for suffix in suffixes])
        return moved

    def close(self, draft_id: UUID, state: DraftState, *, at: datetime) -> None:
        which = issue_draft.c.draft_id == draft_id
        self._connection.execute(update(issue_draft).where(which).values(state=state, touched_at=at))
        self._drop_lines(draft_id)

    def close_stale(self, *, before: datetime) -> int:
        stale = (issue_draft.c.state == "reading") & (issue_draft.c.touched_at < before)
        drafts = list(self._connection.scalars(select(issue_draft.c.draft_id).where(stale)))
        for draft_id in drafts:
            self.close(draft_id, "discarded", at=before)
        return len(drafts)

    def _drop_lines(self, draft_id: UUID) -> None:
        self._connection.execute(delete(issue_draft_line).where(issue_draft_line.c.draft_id == draft_id))


def _find_view(connection: Connection, draft_id: UUID) -> DraftView | None:
    row = connection.execute(select(issue_draft).where(issue_draft.c.draft_id == draft_id)).one_or_none()
    if row is None:
        return None
    draft = _draft(row)
    programme = find_state(connection, draft.new.programme_id)
    assert programme is not None, "a foreign key holds it"
    cap = programme.terms.vouchers_per_holder_max
    beyond: int | None = None
    if cap is not None and draft.state == "ready":
        beyond = connection.execute(_first_beyond_cap(draft.new, cap)).scalar_one()
    drawn = select(draw_suffix.c.suffix).where(
        draw_suffix.c.programme_id == draft.new.programme_id,
        draw_suffix.c.suffix.in_(draft.new.suffixes),
        draw_suffix.c.issue_id != draft_id,
    )
    return DraftView(draft, programme, beyond, tuple(connection.scalars(drawn.order_by(draw_suffix.c.suffix))))


def _first_beyond_cap(new: NewDraft, cap: int) -> Select[Any]:
    """The first line whose holder is not known, or has more vouchers by then than one may: with those of before."""
    lines = issue_draft_line.c
    had = (
        select(func.count())
        .where(voucher_holder.c.programme_id == new.programme_id, voucher_holder.c.holder_tag == lines.holder_tag)
        .correlate(issue_draft_line)
        .scalar_subquery()
    )
    nth = func.row_number().over(partition_by=lines.holder_tag, order_by=lines.position)
    numbered = (
        select(lines.line_no, lines.holder_tag, nth.label("nth"), case((lines.holder_tag.is_(None), 0), else_=had).label("had"))
        .where(lines.draft_id == new.draft_id)
        .subquery("numbered")
    )
    beyond = or_(numbered.c.holder_tag.is_(None), numbered.c.had + numbered.c.nth > cap)
    return select(func.min(numbered.c.line_no)).where(beyond)


def _draft(row: Row[Any]) -> Draft:
    new = NewDraft(
        row.draft_id, row.programme_id, row.kind, tuple(row.suffixes.split()), row.made_by, row.made_at, row.people_count
    )
    return Draft(new, row.state, row.touched_at, Tally(**{name: getattr(row, name) for name in _TALLY}))


def _line_row(draft_id: UUID, line: DraftLine) -> dict[str, Any]:
    return asdict(line.voucher) | {"draft_id": draft_id, "line_no": line.line_no}
