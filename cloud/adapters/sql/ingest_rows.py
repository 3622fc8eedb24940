"""Records of the hot path to rows and back. Every list is sorted by primary key, so that two writers cannot deadlock."""

from typing import Any

from sqlalchemy import RowMapping

from cloud.domain.records import Decisions, Hold, KnownVoucher, Programme, Sender, StoredAnswer, Use
from protocol.topics import RequestKind

Row = dict[str, Any]


def of_answers(decisions: Decisions) -> list[Row]:
    """Rows of ``inbox``."""
    return [
        {
            "request_id": answer.request_id,
            "sender_id": answer.sender_id,
            "kind": str(answer.kind),
            "body_hash": answer.body_hash,
            "sequence": answer.sequence,
            "link": answer.link,
            "previous": answer.previous,
            "answer": answer.answer,
            "answered_at": answer.answered_at,
        }
        for answer in sorted(decisions.answers, key=lambda answer: answer.request_id)
    ]


def of_redemptions(decisions: Decisions) -> list[Row]:
    """Rows of ``redemption``."""
    return [
        {
            "redemption_id": made.redemption_id,
            "programme_id": made.programme_id,
            "merchant_id": made.merchant_id,
            "site_id": made.site_id,
            "device_id": made.device_id,
            "staff_id": made.staff_id,
            "item_category": made.item_category,
            "order_total_twd": made.order_total_twd,
            "voucher_count": len(made.voucher_nos),
            "redeemed_twd": made.redeemed_twd,
            "topup_twd": made.topup_twd,
            "redeemed_at": made.redeemed_at,
        }
        for made in sorted(decisions.redemptions, key=lambda made: made.redemption_id)
    ]


def of_lines(decisions: Decisions) -> list[Row]:
    """Rows of ``redemption_line``."""
    lines = [
        {
            "voucher_no": voucher_no,
            "redemption_id": made.redemption_id,
            "line_no": line_no,
            "face_value_twd": made.face_value_twd,
        }
        for made in decisions.redemptions
        for line_no, voucher_no in enumerate(made.voucher_nos, start=1)
    ]
    return sorted(lines, key=lambda line: str(line["voucher_no"]))


def of_journals(decisions: Decisions) -> list[Row]:
    """Rows of ``ledger_entry``."""
    return [
        {
            "journal_id": journal.journal_id,
            "kind": journal.kind,
            "line_no": line_no,
            "account": posting.account,
            "amount_twd": posting.amount_twd,
            "posted_at": journal.posted_at,
        }
        for journal in sorted(decisions.journals, key=lambda journal: (journal.journal_id, journal.kind))
        for line_no, posting in enumerate(journal.postings, start=1)
    ]


def of_wrong_tries(decisions: Decisions) -> list[Row]:
    """Rows of ``digit_try``."""
    answered_at = {answer.request_id: answer.answered_at for answer in decisions.answers}
    return [
        {
            "voucher_no": wrong.voucher_no,
            "try_no": wrong.try_no,
            "request_id": wrong.request_id,
            "tried_at": answered_at[wrong.request_id],
        }
        for wrong in sorted(decisions.wrong_tries, key=lambda wrong: (wrong.voucher_no, wrong.try_no))
    ]


def of_holds(decisions: Decisions) -> list[Row]:
    """Rows of ``hold`` that are to be there afterwards."""
    return [
        {
            "voucher_no": voucher_no,
            "visit_id": hold.visit_id,
            "sender_id": hold.sender_id,
            "expires_at": hold.expires_at,
        }
        for voucher_no, hold in sorted(decisions.holds.items())
        if hold is not None
    ]


def to_answer(row: RowMapping) -> StoredAnswer:
    """The inverse of :func:`of_answers`."""
    return StoredAnswer(**{**row, "kind": RequestKind(row["kind"])})


def to_voucher(row: RowMapping) -> KnownVoucher:
    """Of a row of ``voucher``."""
    return KnownVoucher(row["voucher_no"], row["programme_id"], row["digit_tag"])


def to_use(row: RowMapping) -> Use:
    """Of a row of ``redemption`` with its site's name."""
    return Use(row["redemption_id"], row["redeemed_at"], row["site_name"] or "")


def to_hold(row: RowMapping) -> Hold:
    """The inverse of :func:`of_holds`."""
    return Hold(row["voucher_no"], row["visit_id"], row["sender_id"], row["expires_at"])


def to_sender(row: RowMapping) -> Sender:
    """Of a device or a member of staff, joined with site and merchant."""
    return Sender(
        sender_id=row["sender_id"],
        active=bool(row["active"]),
        merchant_id=row["merchant_id"],
        merchant_category=row["merchant_category"],
        merchant_approved=row["merchant_state"] == "approved",
        site_id=row["site_id"],
        site_name=row["site_name"],
    )


def to_programme(row: RowMapping, categories: frozenset[str], items: frozenset[tuple[str, str]]) -> Programme:
    """Of a row of ``programme`` and its two lists."""
    return Programme(
        programme_id=row["programme_id"],
        face_value_twd=row["face_value_twd"],
        starts_on=row["starts_on"],
        ends_on=row["ends_on"],
        vouchers_per_order_max=row["vouchers_per_order_max"],
        merchant_categories=categories,
        item_categories=items,
    )
