"""What the judge decided, as rows: one :class:`Target` per table, the columns the same on each database.

Every list is sorted by primary key, so that two writers cannot deadlock. Ids and instants are spelled as the database wants
them; spelled ids sort as the ids themselves do.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

from cloud.domain.records import Decisions

Row = tuple[Any, ...]
Kind = Literal["uuid", "text", "int", "bytes", "instant"]


class Spelling(NamedTuple):
    """How a database wants what Python writes in no way of its own."""

    id: Callable[[UUID], Any]
    instant: Callable[[datetime], Any]


@dataclass(frozen=True, slots=True)
class Target:
    """One table that the hot path writes."""

    table: str
    columns: Mapping[str, Kind]
    rows: Callable[[Decisions, Spelling], Sequence[Row]]


_first = itemgetter(0)


def _answers(decisions: Decisions, spell: Spelling) -> list[Row]:
    rows = [
        (
            spell.id(found.request_id),
            found.sender_id,
            found.kind.value,
            found.body_hash,
            found.sequence,
            found.link,
            found.previous,
            found.answer,
            spell.instant(found.answered_at),
        )
        for found in decisions.answers
    ]
    # By what is spelled, here and below: comparing two UUIDs runs in Python.
    rows.sort(key=_first)
    return rows


def _redemptions(decisions: Decisions, spell: Spelling) -> list[Row]:
    rows = [
        (
            spell.id(made.redemption_id),
            made.programme_id,
            made.merchant_id,
            made.site_id,
            made.device_id,
            made.staff_id,
            made.item_category,
            made.order_total_twd,
            len(made.voucher_nos),
            made.redeemed_twd,
            made.topup_twd,
            spell.instant(made.redeemed_at),
            " ".join(made.voucher_nos),
        )
        for made in decisions.redemptions
    ]
    rows.sort(key=_first)
    return rows


def _lines(decisions: Decisions, spell: Spelling) -> list[Row]:
    rows = []
    for made in decisions.redemptions:
        redemption_id = spell.id(made.redemption_id)
        for line_no, voucher_no in enumerate(made.voucher_nos, start=1):
            rows.append((voucher_no, redemption_id, line_no, made.face_value_twd))
    rows.sort(key=_first)
    return rows


def _journals(decisions: Decisions, spell: Spelling) -> list[Row]:
    rows = []
    for journal in decisions.journals:
        journal_id, posted_at = spell.id(journal.journal_id), spell.instant(journal.posted_at)
        for line_no, posting in enumerate(journal.postings, start=1):
            rows.append((journal_id, journal.kind, line_no, posting.account, posting.amount_twd, posted_at))
    rows.sort()
    return rows


def _wrong_tries(decisions: Decisions, spell: Spelling) -> list[Row]:
    if not decisions.wrong_tries:
        return []
    answered_at = {answer.request_id: answer.answered_at for answer in decisions.answers}
    return sorted(
        (wrong.voucher_no, wrong.try_no, spell.id(wrong.request_id), spell.instant(answered_at[wrong.request_id]))
        for wrong in decisions.wrong_tries
    )


def _holds(decisions: Decisions, spell: Spelling) -> list[Row]:
    return sorted(
        (voucher_no, spell.id(hold.visit_id), hold.sender_id, spell.instant(hold.expires_at))
        for voucher_no, hold in decisions.holds.items()
        if hold is not None
    )


APPENDED: Final = (
    Target(
        "inbox",
        {
            "request_id": "uuid",
            "sender_id": "text",
            "kind": "text",
            "body_hash": "bytes",
            "sequence": "int",
            "link": "text",
            "previous": "text",
            "answer": "bytes",
            "answered_at": "instant",
        },
        _answers,
    ),
    Target(
        "redemption",
        {
            "redemption_id": "uuid",
            "programme_id": "text",
            "merchant_id": "text",
            "site_id": "text",
            "device_id": "text",
            "staff_id": "text",
            "item_category": "text",
            "order_total_twd": "int",
            "voucher_count": "int",
            "redeemed_twd": "int",
            "topup_twd": "int",
            "redeemed_at": "instant",
            "voucher_nos": "text",
        },
        _redemptions,
    ),
    Target(
        "redemption_line", {"voucher_no": "text", "redemption_id": "uuid", "line_no": "int", "face_value_twd": "int"}, _lines
    ),
    Target(
        "ledger_entry",
        {
            "journal_id": "uuid",
            "kind": "text",
            "line_no": "int",
            "account": "text",
            "amount_twd": "int",
            "posted_at": "instant",
        },
        _journals,
    ),
    Target("digit_try", {"voucher_no": "text", "try_no": "int", "request_id": "uuid", "tried_at": "instant"}, _wrong_tries),
)
"""Facts, in the order in which they are written."""

HOLDS: Final = Target("hold", {"voucher_no": "text", "visit_id": "uuid", "sender_id": "text", "expires_at": "instant"}, _holds)
"""The one table that changes: what stood there for the vouchers of ``Decisions.holds`` is deleted first."""


def remembered(write: Callable[[datetime], Any]) -> Callable[[datetime], Any]:
    """Write each instant once: those of a batch are nearly all the same.

    Raises (when called):
        ValueError: a time without a zone is not an instant.
    """
    written: dict[datetime, Any] = {}

    def remember(value: datetime) -> Any:
        spelled = written.get(value)
        if spelled is None:
            if value.tzinfo is None:
                raise ValueError("a time without a zone is not an instant")
            spelled = written[value] = write(value)
        return spelled

    return remember
