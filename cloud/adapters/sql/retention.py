"""Forgetting holders in the database, for :mod:`cloud.ports.retention`.

Vouchers are walked in the order of their places, which is the order of their rows on PostgreSQL's pages: neighbours are
changed together.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Select, and_, delete, exists, func, select, update

from cloud.adapters.sql.drafts import SqlDraftStore
from cloud.adapters.sql.tables import (
    digit_try,
    draw_win,
    hold,
    issue_batch,
    issue_draft,
    issue_purge,
    programme,
    voucher,
    voucher_holder,
)
from cloud.adapters.sql.transactions import Lock, insert_new, reading, take_lock, writing
from cloud.domain.retention import KnownDraft, KnownIssue
from cloud.ports.retention import Stretch


class SqlRetentionStore:
    """``RetentionStore`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def drafts(self) -> SqlDraftStore:
        return SqlDraftStore(self._engine)

    def known_drafts(self) -> Sequence[KnownDraft]:
        wanted = (
            select(issue_draft.c.draft_id, issue_draft.c.touched_at, programme.c.ends_on, programme.c.dispute_days)
            .join(programme, programme.c.programme_id == issue_draft.c.programme_id)
            .where(issue_draft.c.state.in_(("reading", "ready")))
            .order_by(issue_draft.c.touched_at, issue_draft.c.draft_id)
        )
        with reading(self._engine) as connection:
            return [KnownDraft(**row) for row in connection.execute(wanted).mappings()]

    def known_issues(self) -> Sequence[KnownIssue]:
        wanted = (
            select(issue_batch.c.issue_id, issue_batch.c.issued_at, programme.c.ends_on, programme.c.dispute_days)
            .join(programme, programme.c.programme_id == issue_batch.c.programme_id)
            .where(~exists().where(issue_purge.c.issue_id == issue_batch.c.issue_id))
            .order_by(issue_batch.c.issued_at, issue_batch.c.issue_id)
        )
        with reading(self._engine) as connection:
            return [KnownIssue(**row) for row in connection.execute(wanted).mappings()]

    def forget_holders(self, issue_id: UUID, *, after: int, limit: int) -> Stretch | None:
        with writing(self._engine) as connection:
            take_lock(connection, Lock.PURGE)
            left = and_(voucher.c.issue_id == issue_id, voucher.c.position > after)
            last = _last(connection, select(voucher.c.position).where(left).order_by(voucher.c.position).limit(limit))
            if last is None:
                return None
            here = and_(left, voucher.c.position <= last)
            numbers = select(voucher.c.voucher_no).where(here)
            tries = connection.execute(delete(digit_try).where(digit_try.c.voucher_no.in_(numbers))).rowcount
            connection.execute(delete(hold).where(hold.c.voucher_no.in_(numbers)))
            nobody = {"digit_tag": None, "holder_name_masked": None, "holder_id_masked": None}
            vouchers = connection.execute(update(voucher).where(here, voucher.c.digit_tag.is_not(None)).values(nobody)).rowcount
            # After the vouchers: triggers let these go only where the voucher's holder is forgotten.
            whose = delete(voucher_holder).where(voucher_holder.c.voucher_no.in_(numbers))
            tags = set(connection.scalars(whose.returning(voucher_holder.c.holder_tag)))
            if tags:
                connection.execute(delete(draw_win).where(draw_win.c.issue_id == issue_id, draw_win.c.holder_tag.in_(tags)))
            return Stretch(last, vouchers, tries)

    def forget_strangers(self, *, before: datetime, after: str, limit: int) -> tuple[str, int] | None:
        with writing(self._engine) as connection:
            take_lock(connection, Lock.PURGE)
            left = digit_try.c.voucher_no > after
            last = _last(connection, select(digit_try.c.voucher_no).where(left).order_by(digit_try.c.voucher_no).limit(limit))
            if last is None:
                return None
            held = exists().where(voucher.c.voucher_no == digit_try.c.voucher_no, voucher.c.digit_tag.is_not(None))
            old = delete(digit_try).where(left, digit_try.c.voucher_no <= last, digit_try.c.tried_at < before, ~held)
            return last, connection.execute(old).rowcount

    def finish(self, issue_ids: Sequence[UUID], *, now: datetime) -> None:
        with writing(self._engine) as connection:
            insert_new(connection, issue_purge, [{"issue_id": issue_id, "purged_at": now} for issue_id in issue_ids])


def _last(connection: Connection, some: Select[Any]) -> Any:
    """The greatest of some values; None where there are none."""
    found = some.subquery()
    return connection.scalar(select(func.max(next(iter(found.c)))))
