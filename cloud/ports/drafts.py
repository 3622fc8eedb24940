"""Drafts of issues: vouchers that have number and tags, and wait for somebody to look at them before they are issued.

A draft holds no ID and no digits, only what the voucher will hold: it may lie in the database for as long as somebody thinks.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from cloud.ports.issues import IssueBatch, IssueTransaction, NewVoucher
from cloud.ports.programme_office import ProgrammeState

DraftKind = Literal["list", "draw"]
DraftState = Literal["reading", "ready", "issued", "discarded"]


@dataclass(frozen=True, slots=True)
class NewDraft:
    """A list that was handed in."""

    draft_id: UUID
    """Of the issue that it becomes."""
    programme_id: str
    kind: DraftKind
    suffixes: tuple[str, ...]
    """Of a draw."""
    made_by: str
    made_at: datetime
    people_count: int
    """On the list."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of some people of a list."""

    read_count: int = 0
    voucher_count: int = 0
    not_drawn_count: int = 0
    won_before_count: int = 0
    twice_count: int = 0
    """Again on the list of the same draw."""

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.read_count + other.read_count,
            self.voucher_count + other.voucher_count,
            self.not_drawn_count + other.not_drawn_count,
            self.won_before_count + other.won_before_count,
            self.twice_count + other.twice_count,
        )


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft as it stands."""

    new: NewDraft
    state: DraftState
    touched_at: datetime
    """When it last came further."""
    tally: Tally


@dataclass(frozen=True, slots=True)
class DraftLine:
    """One voucher of a draft."""

    voucher: NewVoucher
    line_no: int
    """Of the list."""


@dataclass(frozen=True, slots=True)
class DraftView:
    """A draft with what it is judged by, all of one moment."""

    draft: Draft
    programme: ProgrammeState
    beyond_cap_line: int | None
    """First line of the list whose holder would have more vouchers than one may, or is not known by a whole ID."""
    drawn_before: tuple[str, ...]
    """Suffixes of it that another draw has drawn."""

    @property
    def amount_twd(self) -> int:
        """Face value of its vouchers."""
        return self.draft.tally.voucher_count * self.programme.terms.face_value_twd


class DraftTransaction(IssueTransaction, Protocol):
    """One open transaction; see :class:`IssueTransaction`."""

    def add_draft(self, draft: NewDraft) -> bool:
        """Add it; False where there is one of this id already."""

    def add_lines(self, draft_id: UUID, lines: Sequence[DraftLine]) -> frozenset[str]:
        """Insert those whose number is free; return the numbers that vouchers or other drafts have already."""

    def count(self, draft_id: UUID, tally: Tally, *, state: DraftState, at: datetime) -> bool:
        """Add to its tally and set its state; False where it is not being read any more."""

    def winners(self, programme_id: str, holder_tags: Collection[bytes]) -> frozenset[bytes]:
        """Which of these people have won in an earlier draw."""

    def find_view(self, draft_id: UUID) -> DraftView | None: ...

    def drop_winners(self, draft_id: UUID, *, at: datetime) -> int:
        """Take out who has won in another draw since; return how many that were."""

    def move_lines(self, batch: IssueBatch, *, wins: bool, suffixes: Sequence[str]) -> int:
        """Turn the draft's lines into vouchers, with wins and suffixes where it is a draw; return how many there were.

        It is all done by the database, in five statements, however long the list is.
        """

    def close(self, draft_id: UUID, state: DraftState, *, at: datetime) -> None:
        """Set the state and drop the lines."""

    def close_stale(self, *, before: datetime) -> int:
        """Discard drafts that were being read and came no further since then; return how many."""


class DraftStore(Protocol):
    """Opens transactions on drafts, and reads them. Every method raises PortError where the database fails."""

    def begin(self) -> AbstractContextManager[DraftTransaction]:
        """Open a transaction; leaving it normally commits, an exception rolls back."""

    def find_view(self, draft_id: UUID) -> DraftView | None: ...

    def open_drafts(self) -> Sequence[Draft]:
        """Those that are neither issued nor discarded, newest first."""

    def suffixes_drawn(self, programme_id: str) -> Sequence[str]: ...
