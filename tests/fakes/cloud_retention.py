"""Forgetting holders in memory, in the same rows that the ingest fake keeps."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from cloud.domain.retention import KnownDraft, KnownIssue
from cloud.ports.drafts import DraftStore
from cloud.ports.retention import Stretch
from tests.fakes.cloud_ingest import MemoryIngestStore


class MemoryRetentionStore:
    """``RetentionStore`` in memory."""

    def __init__(self, store: MemoryIngestStore, issues: Mapping[UUID, tuple[KnownIssue, Sequence[str]]]) -> None:
        """``issues`` with the numbers of their vouchers, in the order of their places from 0."""
        self._store = store
        self._issues = dict(issues)
        self.purged_at: dict[UUID, datetime] = {}

    @property
    def drafts(self) -> DraftStore:
        raise NotImplementedError

    def known_drafts(self) -> Sequence[KnownDraft]:
        return ()

    def known_issues(self) -> Sequence[KnownIssue]:
        known = [issue for issue, _ in self._issues.values() if issue.issue_id not in self.purged_at]
        return sorted(known, key=lambda issue: (issue.issued_at, issue.issue_id))

    def forget_holders(self, issue_id: UUID, *, after: int, limit: int) -> Stretch | None:
        _, every = self._issues[issue_id]
        numbers = every[after + 1 : after + 1 + limit]
        if not numbers:
            return None
        vouchers, tries = self._store.forget(numbers)
        return Stretch(after + len(numbers), vouchers, tries)

    def forget_strangers(self, *, before: datetime, after: str, limit: int) -> tuple[str, int] | None:
        keys = sorted(self._store.tried_at)
        begin = bisect_right(keys, after, key=lambda key: key[0])
        if begin == len(keys):
            return None
        last = keys[min(begin + limit, len(keys)) - 1][0]
        here = keys[begin : bisect_right(keys, last, key=lambda key: key[0])]
        old = [key for key in here if self._store.tried_at[key] < before and not self._is_held(key[0])]
        self._store.forget_tries(old)
        return last, len(old)

    def finish(self, issue_ids: Sequence[UUID], *, now: datetime) -> None:
        for issue_id in issue_ids:
            self.purged_at.setdefault(issue_id, now)

    def _is_held(self, voucher_no: str) -> bool:
        voucher = self._store.vouchers.get(voucher_no)
        return voucher is not None and voucher.digit_tag is not None


def nobody_to_forget() -> MemoryRetentionStore:
    """Of a cloud that has issued nothing."""
    return MemoryRetentionStore(MemoryIngestStore(senders={}, programmes={}, vouchers={}), {})
