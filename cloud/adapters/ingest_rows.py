"""What the judge decided, as rows: one :class:`Target` per table, the columns the same on each database.

Every list is sorted by primary key, so that two writers cannot deadlock. Ids are hexadecimal text, which is what SQLite keeps
and what PostgreSQL reads; instants are text in the way of the database.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from cloud.domain.records import Decisions

Row = tuple[Any, ...]
Kind = Literal["uuid", "text", "int", "bytes", "instant"]
Instants = Callable[[datetime], str]
"""Writes an instant as the database wants it."""


@dataclass(frozen=True, slots=True)
class Target:
    """One table that the hot path writes."""

    table: str
    columns: Mapping[str, Kind]
    rows: Callable[[Decisions, Instants], Sequence[Row]]


def _answers(decisions: Decisions, instants: Instants) -> list[Row]:
    return [
        (
            found.request_id.hex,
            found.sender_id,
            str(found.kind),
            found.body_hash,
            found.sequence,
            found.link,
            found.previous,
            found.answer,
            instants(found.answered_at),
        )
        for found in sorted(decisions.answers, key=lambda found: found.request_id)
    ]


def _redemptions(decisions: Decisions, instants: Instants) -> list[Row]:
    return [
        (
            made.redemption_id.hex,
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
            instants(made.redeemed_at),
        )
        for made in sorted(decisions.redemptions, key=lambda made: made.redemption_id)
    ]


def _lines(decisions: Decisions, _instants: Instants) -> list[Row]:
    return sorted(
        (voucher_no, made.redemption_id.hex, line_no, made.face_value_twd)
        for made in decisions.redemptions
        for line_no, voucher_no in enumerate(made.voucher_nos, start=1)
    )


def _journals(decisions: Decisions, instants: Instants) -> list[Row]:
    return sorted(
        (journal.journal_id.hex, journal.kind, line_no, posting.account, posting.amount_twd, instants(journal.posted_at))
        for journal in decisions.journals
        for line_no, posting in enumerate(journal.postings, start=1)
    )


def _wrong_tries(decisions: Decisions, instants: Instants) -> list[Row]:
    if not decisions.wrong_tries:
        return []
    answered_at = {answer.request_id: answer.answered_at for answer in decisions.answers}
    return sorted(
        (wrong.voucher_no, wrong.try_no, wrong.request_id.hex, instants(answered_at[wrong.request_id]))
        for wrong in decisions.wrong_tries
    )


def _holds(decisions: Decisions, instants: Instants) -> list[Row]:
    return sorted(
        (voucher_no, hold.visit_id.hex, hold.sender_id, instants(hold.expires_at))
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


def remembered(write: Instants) -> Instants:
    """Write each instant once: those of a batch are nearly all the same.

    Raises (when called):
        ValueError: a time without a zone is not an instant.
    """
    written: dict[datetime, str] = {}

    def remember(value: datetime) -> str:
        text = written.get(value)
        if text is None:
            if value.tzinfo is None:
                raise ValueError("a time without a zone is not an instant")
            text = written[value] = write(value)
        return text

    return remember
