"""Tell the holder of a voucher what is with it: one transaction of the store that judges kiosks' requests.

The same store, so the same locks: of all guesses at one number's digits, here, at kiosks and at desks, one at a time is
compared and counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from cloud.domain.records import Ask
from cloud.domain.voucher_status import VoucherStatus, ask_status, is_taken, look_up
from cloud.ports.ingest import ConflictError, IngestStore
from protocol.errors import PortError

ATTEMPTS_MAX: Final = 3


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants to know."""

    voucher_no: str
    tag: bytes = field(repr=False)
    """Of the typed characters, under the pepper."""
    ids: Sequence[UUID]
    """The id that the form carries, and one to use instead where that one names another question already."""


def find_status(store: IngestStore, question: Question, *, now: datetime) -> VoucherStatus | None:
    """Answer one question; None where number and digits are not known to belong together.

    Raises:
        PortError: the database failed, or others came first again and again. Asking the same again is safe.
    """
    for question_id in question.ids:
        ask = ask_status(question_id, question.voucher_no, question.tag)
        for _ in range(ATTEMPTS_MAX):
            try:
                answered, status = _answer(store, ask, now)
            except ConflictError:
                continue
            if answered:
                return status
            break
    raise PortError("others asked about the same voucher", retry=True)


def _answer(store: IngestStore, ask: Ask, now: datetime) -> tuple[bool, VoucherStatus | None]:
    with store.begin() as transaction:
        knowledge = transaction.load([ask])
        if is_taken(ask, knowledge):
            return False, None
        status, decisions = look_up(ask, knowledge, now)
        # With nothing to write, too: what was only read may be something that a fail-over would forget.
        transaction.save(decisions)
        return True, status
