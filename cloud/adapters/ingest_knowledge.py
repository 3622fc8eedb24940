"""Rows of :mod:`cloud.adapters.ingest_queries` to what the judge knows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from cloud.domain.records import Hold, Knowledge, KnownVoucher, Programme, Sender, StoredAnswer, Use
from protocol.topics import RequestKind

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a driver's values become ours."""

    uuid: Callable[[Any], UUID]
    instant: Callable[[Any], datetime]
    date: Callable[[Any], date]


@dataclass(slots=True)
class Found:
    """The rows that were found, per statement."""

    vouchers: Sequence[Row]
    marks: Sequence[Row] = ()
    answers: Sequence[Row] = ()
    sequences: Sequence[Row] = ()
    senders: Sequence[Row] = ()
    programmes: Sequence[Row] = field(default_factory=list)


def knowledge_of(found: Found, decode: Decoding) -> Knowledge:
    """Build the judge's knowledge."""
    programmes = _programmes(found.programmes, decode)
    uses: dict[str, Use] = {}
    holds: dict[str, Hold] = {}
    wrong_tries: dict[str, int] = {}
    for kind, number, made_by, at, name, count in found.marks:
        if kind == "use":
            uses[number] = Use(decode.uuid(made_by), decode.instant(at), name or "")
        elif kind == "hold":
            holds[number] = Hold(number, decode.uuid(made_by), name, decode.instant(at))
        else:
            wrong_tries[number] = count
    return Knowledge(
        answers={answer.request_id: answer for answer in _answers(found.answers, decode)},
        sequences={(sender_id, sequence): decode.uuid(request_id) for sender_id, sequence, request_id in found.sequences},
        senders={(row[0], row[1]): _sender(row) for row in found.senders},
        programmes=programmes,
        # A voucher whose programme is gone is no voucher: better refused than judged by no rules.
        vouchers={row[0]: KnownVoucher(*row) for row in found.vouchers if row[1] in programmes},
        uses=uses,
        wrong_tries=wrong_tries,
        holds=holds,
    )


def _answers(rows: Iterable[Row], decode: Decoding) -> Iterable[StoredAnswer]:
    for request_id, sender_id, kind, body_hash, answer, answered_at, sequence, link, previous in rows:
        yield StoredAnswer(
            request_id=decode.uuid(request_id),
            sender_id=sender_id,
            kind=RequestKind(kind),
            body_hash=body_hash,
            answer=answer,
            answered_at=decode.instant(answered_at),
            sequence=sequence,
            link=link,
            previous=previous,
        )


def _sender(row: Row) -> Sender:
    _, sender_id, active, merchant_id, merchant_category, merchant_state, site_id, site_name = row
    return Sender(
        sender_id=sender_id,
        active=bool(active),
        merchant_id=merchant_id,
        merchant_category=merchant_category,
        merchant_approved=merchant_state == "approved",
        site_id=site_id,
        site_name=site_name,
    )


def _programmes(rows: Iterable[Row], decode: Decoding) -> Mapping[str, Programme]:
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row[0], []).append(row)
    return {programme_id: _programme(mine, decode) for programme_id, mine in grouped.items()}


def _programme(rows: Sequence[Row], decode: Decoding) -> Programme:
    programme_id, face_value_twd, starts_on, ends_on, vouchers_per_order_max = rows[0][:5]
    pairs = [(merchant_category, item_category) for *_, merchant_category, item_category in rows]
    return Programme(
        programme_id=programme_id,
        face_value_twd=face_value_twd,
        starts_on=decode.date(starts_on),
        ends_on=decode.date(ends_on),
        vouchers_per_order_max=vouchers_per_order_max,
        merchant_categories=frozenset(category for category, _ in pairs if category is not None),
        item_categories=frozenset((category, item) for category, item in pairs if item is not None),
    )
