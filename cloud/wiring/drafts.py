"""Lists of holders that are handed in: read into a draft in the background, one list after the other.

The list stays in memory until it is read and is written nowhere. A program that is stopped meanwhile leaves a draft that came
no further, which the page says and the next list sweeps away.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

from cloud.adapters.holders_file import HoldersError, read_list
from cloud.adapters.voucher_numbers import random_voucher_nos
from cloud.domain.holders import Listed
from cloud.ports.drafts import DraftStore, NewDraft
from cloud.services.drafts import fill_draft, open_draft
from cloud.services.issue import IssueError
from cloud.web.parts import HandedIn, HoldersFileError
from protocol.errors import PortError

_log = logging.getLogger(__name__)

Run = Callable[[Callable[[], None]], object]
"""Does something now or later."""

_SMALL: Final = 500
"""A list up to this length is read before the page answers: nobody needs to see its progress."""


class DraftDesk:
    """Takes lists in; see :class:`cloud.web.parts.OfficeParts`."""

    def __init__(self, store: DraftStore, *, pepper: bytes, now: Callable[[], datetime], run: Run) -> None:
        self._store = store
        self._pepper = pepper
        self._now = now
        self._run = run

    def __call__(self, handed: HandedIn) -> None:
        """Read a list into a draft.

        Raises:
            HoldersFileError: which line cannot be read. There is no draft.
            PortError: the database failed.
        """
        people = _people(handed)
        draft = NewDraft(
            handed.draft_id, handed.programme_id, handed.kind, handed.suffixes, handed.by, self._now(), len(people)
        )
        if not open_draft(self._store, draft):
            return
        if len(people) <= _SMALL:
            self._fill(draft, people)
        else:
            self._run(lambda: self._fill_and_say(draft, people))

    def _fill(self, draft: NewDraft, people: Sequence[Listed]) -> None:
        fill_draft(self._store, draft, people, numbers=random_voucher_nos(), pepper=self._pepper, now=self._now)

    def _fill_and_say(self, draft: NewDraft, people: Sequence[Listed]) -> None:
        try:
            self._fill(draft, people)
        except (PortError, IssueError) as problem:
            # Nobody waits for this any more; the page shows a draft that comes no further.
            _log.warning("draft %s could not be read: %s", draft.draft_id, problem)


def one_after_the_other() -> Run:
    """Do things in a thread of their own, in order."""
    return ThreadPoolExecutor(1, thread_name_prefix="drafts").submit


def _people(handed: HandedIn) -> Sequence[Listed]:
    try:
        people = read_list(handed.content)
    except HoldersError as problem:
        raise HoldersFileError(str(problem), line=problem.line) from problem
    if handed.kind == "draw" and any(one.holder.national_id is None for one in people):
        raise HoldersFileError("A draw needs whole IDs: the column national_id.", line=1)
    return people
