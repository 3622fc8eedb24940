"""Forget the holders of programmes whose disputes are over (:mod:`cloud.domain.retention`).

In small transactions, so that orders pass in between. That an issue is done with is written last: killed at any point, running
again does what is left, and running twice does nothing. A request that was answered keeps its answer; a new one for such a
voucher finds no holder to prove and is answered as one for a number that nobody has.

Lists that were handed in and left lying are discarded, and with them who is on them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from cloud.domain.retention import is_forgettable, is_left_lying, tries_needed_since
from cloud.ports.retention import RetentionStore
from cloud.services.drafts import discard_draft

VOUCHERS_PER_STEP: Final = 2_000
"""One transaction's worth: some hundredths of a second, for which SQLite lets nobody else write."""

PURGE_PAUSE_S: Final = 0.05
"""Between two steps: long enough for whoever waits for SQLite, and looks every so often, to come to his turn."""


@dataclass(frozen=True, slots=True)
class Purged:
    """What was deleted."""

    issues: int
    """Done with; fewer than were due if it was stopped."""
    vouchers: int
    tries: int
    drafts: int = 0


class _StoppedError(Exception):
    """Somebody wants the program to end."""


@dataclass(slots=True)
class _Work:
    store: RetentionStore
    go_on: Callable[[], bool]
    vouchers: int = 0
    tries: int = 0
    drafts: int = 0

    def discard_drafts(self, now: datetime, by: str) -> None:
        for draft in self.store.known_drafts():
            if is_left_lying(draft, now):
                self.drafts += discard_draft(self.store.drafts, draft.draft_id, by=by, now=now)
                self._breathe()

    def done(self, *, issues: int) -> Purged:
        return Purged(issues, self.vouchers, self.tries, self.drafts)

    def forget(self, issue_id: UUID) -> None:
        after = -1
        while (done := self.store.forget_holders(issue_id, after=after, limit=VOUCHERS_PER_STEP)) is not None:
            after = done.after
            self.vouchers += done.voucher_count
            self.tries += done.try_count
            self._breathe()

    def forget_strangers(self, before: datetime) -> None:
        after = ""
        while (done := self.store.forget_strangers(before=before, after=after, limit=VOUCHERS_PER_STEP)) is not None:
            after, deleted = done
            self.tries += deleted
            self._breathe()

    def _breathe(self) -> None:
        if not self.go_on():
            raise _StoppedError


def purge_due(
    store: RetentionStore, *, now: datetime, go_on: Callable[[], bool], by: Literal["schedule", "cli"] = "schedule"
) -> Purged:
    """Forget whoever is to be forgotten.

    Args:
        by: the program, for the audit log.
        go_on: called between two transactions; may wait to leave room for others. False: end here, the rest is done next time.

    Raises:
        PortError: the database failed. What was done stays done; running again is safe.
    """
    known = store.known_issues()
    due = [issue.issue_id for issue in known if is_forgettable(issue, now)]
    work = _Work(store, go_on)
    try:
        work.discard_drafts(now, by)
        if not due:
            return work.done(issues=0)
        for issue_id in due:
            work.forget(issue_id)
        work.forget_strangers(tries_needed_since((issue for issue in known if not is_forgettable(issue, now)), now))
    except _StoppedError:
        return work.done(issues=0)
    store.finish(due, now=now)
    return work.done(issues=len(due))
