"""The ingest database in memory: serialisable transactions, the same constraints, and named steps at which things go wrong.

Transactions of different threads run one after the other, as SQLite's do. Others may still come in between, at the steps
that ``at_step`` is called for: it may run a whole transaction of its own there (in the same thread), or raise the
``PortError`` of a broken world. A transaction whose reads are no longer true when it saves gets :class:`ConflictError` and
changes nothing.

=================  ==================================================================================
``begun``          before anything is read
``loaded``         after reading, before judging
``saving``         before anything is written
``committed``      after the commit: a ``PortError`` here is a connection lost during the commit
=================  ==================================================================================
"""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import structs

from cloud.domain.records import (
    Ask,
    Decisions,
    Hold,
    Journal,
    Knowledge,
    KnownVoucher,
    Programme,
    Redemption,
    Sender,
    StoredAnswer,
    Use,
)
from cloud.ports.ingest import ConflictError, IngestTransaction, Meanwhile
from protocol.limits import DIGIT_TRIES_MAX
from protocol.messages import Redeem

STEPS: Final = ("begun", "loaded", "saving", "committed")

_Key = tuple[str, object]


class MemoryIngestStore:
    """``IngestStore`` in memory. Its public attributes are what a database would hold; read them, never write."""

    def __init__(
        self,
        *,
        senders: Mapping[tuple[str, str], Sender],
        programmes: Mapping[str, Programme],
        vouchers: Mapping[str, KnownVoucher],
        journals: Sequence[Journal] = (),
        at_step: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Start with these rows; everything else is empty. ``journals`` are those of the issues."""
        self.senders = dict(senders)
        self.programmes = dict(programmes)
        self.vouchers = dict(vouchers)
        self.answers: dict[UUID, StoredAnswer] = {}
        self.sequences: dict[tuple[str, int], UUID] = {}
        self.redemptions: dict[UUID, Redemption] = {}
        self.uses: dict[str, Use] = {}
        self.journals = {(journal.journal_id, journal.kind): journal for journal in journals}
        self.wrong_tries: dict[str, int] = {}
        self.tried_at: dict[tuple[str, int], datetime] = {}
        self.holds: dict[str, Hold] = {}
        self.at_step = at_step
        self._turn = threading.RLock()
        self._commits = 0
        self._written: dict[_Key, int] = {}

    def put_sender(self, kind: str, sender: Sender) -> None:
        """Enrol, suspend or revoke a kiosk (``device``), or change a person (``staff``)."""
        with self._turn:
            self.senders[kind, sender.sender_id] = sender

    def begin(self, meanwhile: Meanwhile | None = None) -> AbstractContextManager[IngestTransaction]:  # noqa: ARG002
        """Open a transaction; other threads wait until it is left."""
        return self._begin()

    @contextmanager
    def _begin(self) -> Iterator[IngestTransaction]:
        with self._turn:
            self.at_step("begun")
            yield _MemoryTransaction(self)

    def _snapshot(self, asks: Sequence[Ask]) -> Knowledge:
        numbers = {number for ask in asks for number in ask.request.voucher_nos}
        ids = {ask.request_id for ask in asks}
        places = {(ask.sender_id, ask.request.sequence) for ask in asks if isinstance(ask.request, Redeem)}
        return Knowledge(
            answers={key: found for key, found in self.answers.items() if key in ids},
            sequences={key: found for key, found in self.sequences.items() if key in places},
            senders=dict(self.senders),
            programmes=dict(self.programmes),
            vouchers={key: found for key, found in self.vouchers.items() if key in numbers},
            uses={key: found for key, found in self.uses.items() if key in numbers},
            wrong_tries={key: found for key, found in self.wrong_tries.items() if key in numbers},
            holds={key: found for key, found in self.holds.items() if key in numbers},
        )

    def _check_unchanged(self, read: set[_Key], since: int) -> None:
        stale = [key for key in read if self._written.get(key, 0) > since]
        if stale:
            raise ConflictError(f"{len(stale)} of the rows read were written in between")

    def _check_constraints(self, decisions: Decisions) -> None:
        """Hold what the tables' constraints hold, before anything is written."""
        lines = [number for made in decisions.redemptions for number in made.voucher_nos]
        places = [(found.sender_id, found.sequence) for found in decisions.answers if found.sequence is not None]
        unique: tuple[tuple[str, Sequence[object], Collection[object]], ...] = (
            ("inbox", [found.request_id for found in decisions.answers], self.answers),
            ("inbox sequence", places, self.sequences),
            ("redemption", [made.redemption_id for made in decisions.redemptions], self.redemptions),
            ("redemption_line", lines, self.uses),
            ("ledger_entry", [(made.journal_id, made.kind) for made in decisions.journals], self.journals),
        )
        for table, keys, present in unique:
            if len(set(keys)) < len(keys) or any(key in present for key in keys):
                raise ConflictError(f"{table} has such a row")
        counted = dict(self.wrong_tries)
        for wrong in sorted(decisions.wrong_tries, key=lambda wrong: (wrong.voucher_no, wrong.try_no)):
            if wrong.try_no != counted.get(wrong.voucher_no, 0) + 1 or wrong.try_no > DIGIT_TRIES_MAX:
                raise ConflictError("digit_try has such a row, or no room for more")
            counted[wrong.voucher_no] = wrong.try_no

    def _write(self, decisions: Decisions) -> None:
        self._commits += 1
        for answer in decisions.answers:
            self.answers[answer.request_id] = answer
            self._touch("answer", answer.request_id)
            if answer.sequence is not None:
                self.sequences[answer.sender_id, answer.sequence] = answer.request_id
                self._touch("sequence", (answer.sender_id, answer.sequence))
        for made in decisions.redemptions:
            self.redemptions[made.redemption_id] = made
            for number in made.voucher_nos:
                site_name = self._site_name(made)
                self.uses[number] = Use(made.redemption_id, made.redeemed_at, site_name)
                self._touch("voucher", number)
        self.journals.update({(journal.journal_id, journal.kind): journal for journal in decisions.journals})
        for wrong in decisions.wrong_tries:
            self.wrong_tries[wrong.voucher_no] = max(self.wrong_tries.get(wrong.voucher_no, 0), wrong.try_no)
            self.tried_at[wrong.voucher_no, wrong.try_no] = self.answers[wrong.request_id].answered_at
            self._touch("voucher", wrong.voucher_no)
        for number, hold in decisions.holds.items():
            self.holds.pop(number, None)
            if hold is not None:
                self.holds[number] = hold
            self._touch("voucher", number)

    def forget(self, voucher_nos: Collection[str]) -> tuple[int, int]:
        """Forget the holders of these vouchers, in a transaction; return how many were known, and how many tries there were."""
        with self._turn:
            self._commits += 1
            known = [number for number in voucher_nos if self.vouchers[number].digit_tag is not None]
            tries = [key for key in self.tried_at if key[0] in voucher_nos]
            for number in voucher_nos:
                self.vouchers[number] = structs.replace(self.vouchers[number], digit_tag=None)
                self.holds.pop(number, None)
                self._touch("voucher", number)
            self.forget_tries(tries)
            return len(known), len(tries)

    def forget_tries(self, tries: Sequence[tuple[str, int]]) -> None:
        """Delete tries, by voucher number and number of the try."""
        with self._turn:
            self._commits += 1
            for number, try_no in tries:
                del self.tried_at[number, try_no]
                left = [other for mine, other in self.tried_at if mine == number]
                self.wrong_tries.pop(number)
                if left:
                    self.wrong_tries[number] = max(left)
                self._touch("voucher", number)

    def _site_name(self, made: Redemption) -> str:
        return next(sender.site_name for sender in self.senders.values() if sender.site_id == made.site_id)

    def _touch(self, table: str, key: object) -> None:
        self._written[table, key] = self._commits


class _MemoryTransaction:
    def __init__(self, store: MemoryIngestStore) -> None:
        self._store = store
        self._read: set[_Key] = set()
        self._since = 0

    def load(self, asks: Sequence[Ask]) -> Knowledge:
        self._since = self._store._commits
        for ask in asks:
            self._read.add(("answer", ask.request_id))
            self._read.update(("voucher", number) for number in ask.request.voucher_nos)
            if isinstance(ask.request, Redeem):
                self._read.add(("sequence", (ask.sender_id, ask.request.sequence)))
        knowledge = self._store._snapshot(asks)
        self._store.at_step("loaded")
        return knowledge

    def save(self, decisions: Decisions) -> None:
        self._store.at_step("saving")
        self._store._check_unchanged(self._read, self._since)
        self._store._check_constraints(decisions)
        self._store._write(decisions)
        self._store.at_step("committed")
