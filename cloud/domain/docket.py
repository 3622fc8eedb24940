"""What the judge knows at one point of a batch: what the database knew, and on top of it what this batch has decided so far.

Requests of one batch must see each other's effects, in order, exactly as if each had its own transaction. So everything
that is decided is written twice: here, for the requests that follow, and into :class:`Decisions`, for the database.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from cloud.domain.calendar import day_of
from cloud.domain.instants import encode_instant
from cloud.domain.ledger import redeem_journal
from cloud.domain.records import (
    Ask,
    Decisions,
    Hold,
    Knowledge,
    Redemption,
    Sender,
    StoredAnswer,
    Use,
    WrongTry,
)
from protocol.limits import HOLD_S


@dataclass(slots=True)
class Docket:
    """The state of one batch. Made by :func:`open_docket`."""

    known: Knowledge
    now: datetime
    now_text: str
    """``now``, as answers say it."""
    today: date
    """The Taipei day of ``now``."""
    hold_until: datetime
    """When a hold that begins now runs out."""
    hold_until_text: str
    answers: dict[UUID, StoredAnswer]
    sequences: dict[tuple[str, int], UUID]
    uses: dict[str, Use]
    wrong_tries: dict[str, int]
    holds: dict[str, Hold]
    decisions: Decisions = field(default_factory=Decisions)

    def find_sender(self, ask: Ask) -> Sender | None:
        """Return who asks, if the database knows them."""
        return self.known.senders.get((ask.sender_kind, ask.sender_id))

    def find_hold(self, voucher_no: str) -> Hold | None:
        """Return who holds a voucher now; a hold that has run out is none."""
        hold = self.holds.get(voucher_no)
        return hold if hold is not None and hold.expires_at > self.now else None

    def file(self, answer: StoredAnswer) -> None:
        """Make an answer the final one of its request."""
        self.answers[answer.request_id] = answer
        if answer.sequence is not None:
            self.sequences[answer.sender_id, answer.sequence] = answer.request_id
        self.decisions.answers.append(answer)

    def count_wrong_try(self, voucher_no: str, request_id: UUID) -> int:
        """Count a wrong guess; return how many there have been, this one included."""
        try_no = self.wrong_tries.get(voucher_no, 0) + 1
        self.wrong_tries[voucher_no] = try_no
        self.decisions.wrong_tries.append(WrongTry(voucher_no, try_no, request_id))
        return try_no

    def hold(self, hold: Hold) -> None:
        """Hold a voucher; a hold that was there before is replaced."""
        self.holds[hold.voucher_no] = hold
        self.decisions.holds[hold.voucher_no] = hold

    def let_go(self, voucher_nos: Sequence[str]) -> None:
        """Drop whatever holds these vouchers."""
        if not self.holds:
            return
        for voucher_no in voucher_nos:
            if self.holds.pop(voucher_no, None) is not None:
                self.decisions.holds[voucher_no] = None

    def redeem(self, redemption: Redemption, *, site_name: str) -> None:
        """Use vouchers up, for good: the only place where a voucher becomes used."""
        use = Use(redemption.redemption_id, redemption.redeemed_at, site_name)
        self.uses.update(dict.fromkeys(redemption.voucher_nos, use))
        self.let_go(redemption.voucher_nos)
        self.decisions.redemptions.append(redemption)
        self.decisions.journals.append(redeem_journal(redemption))


def open_docket(known: Knowledge, now: datetime) -> Docket:
    """Start a batch on what the database knows; ``known`` is never changed."""
    hold_until = now + timedelta(seconds=HOLD_S)
    return Docket(
        known=known,
        now=now,
        now_text=encode_instant(now),
        today=day_of(now),
        hold_until=hold_until,
        hold_until_text=encode_instant(hold_until),
        answers=dict(known.answers),
        sequences=dict(known.sequences),
        uses=dict(known.uses),
        wrong_tries=dict(known.wrong_tries),
        holds=dict(known.holds),
    )
