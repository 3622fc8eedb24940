"""What the hot path reads: one statement per kind of thing, whatever the size of the batch, and the same on each database.

``$wanted`` is the list that the statement is asked about, as a table ``w``: an array on PostgreSQL, a JSON text on SQLite. It
always stands first and ``CROSS JOIN`` keeps it there, because SQLite's planner would sometimes walk the large table instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from string import Template
from typing import Final

from cloud.domain.records import Ask
from protocol.messages import Redeem
from protocol.voucher import is_voucher_no

VOUCHERS: Final = Template(
    """
    SELECT w.value, v.programme_id, v.digit_tag, r.redemption_id, r.redeemed_at, s.name, h.visit_id, h.sender_id, h.expires_at,
           (SELECT max(t.try_no) FROM digit_try AS t WHERE t.voucher_no = w.value)
    FROM $wanted
    LEFT JOIN voucher AS v ON v.voucher_no = w.value
    LEFT JOIN redemption_line AS l ON l.voucher_no = w.value
    LEFT JOIN redemption AS r ON r.redemption_id = l.redemption_id
    LEFT JOIN site AS s ON s.site_id = r.site_id
    LEFT JOIN hold AS h ON h.voucher_no = w.value
    """
)
"""Also for numbers that do not exist: they have wrong tries too."""

ANSWERS: Final = Template(
    """
    SELECT i.request_id, i.sender_id, i.kind, i.body_hash, i.answer, i.answered_at, i.sequence, i.link, i.previous
    FROM $wanted CROSS JOIN inbox AS i WHERE i.request_id = w.value
    """
)
SEQUENCES: Final = Template(
    """
    SELECT i.sender_id, i.sequence, i.request_id
    FROM $wanted CROSS JOIN inbox AS i WHERE i.sender_id = w.sender_id AND i.sequence = w.sequence
    """
)
DEVICES: Final = Template(
    """
    SELECT 'device', d.device_id, d.state = 'active', m.merchant_id, m.merchant_category, m.state, s.site_id, s.name
    FROM $wanted CROSS JOIN device AS d
    JOIN site AS s ON s.site_id = d.site_id
    JOIN merchant AS m ON m.merchant_id = s.merchant_id
    WHERE d.device_id = w.value
    """
)
STAFF: Final = Template(
    """
    SELECT 'staff', p.staff_id, p.active, m.merchant_id, m.merchant_category, m.state, s.site_id, s.name
    FROM $wanted CROSS JOIN staff AS p
    JOIN site AS s ON s.site_id = p.site_id AND s.merchant_id = p.merchant_id
    JOIN merchant AS m ON m.merchant_id = p.merchant_id
    WHERE p.staff_id = w.value
    """
)
"""Whoever stands at another merchant's site redeems for nobody."""

PROGRAMMES: Final = Template(
    """
    SELECT p.programme_id, p.face_value_twd, p.starts_on, p.ends_on, p.vouchers_per_order_max,
           c.merchant_category, i.item_category
    FROM $wanted CROSS JOIN programme AS p
    LEFT JOIN programme_merchant_category AS c ON c.programme_id = p.programme_id
    LEFT JOIN item_category AS i ON i.merchant_category = c.merchant_category
    WHERE p.programme_id = w.value
    """
)
"""One row per pair of categories that a programme accepts."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a batch touches. Every list is sorted and without doubles."""

    numbers: Sequence[str]
    requests: Sequence[str]
    """Request ids in hexadecimal."""
    sequences: Sequence[tuple[str, int]]
    devices: Sequence[str]
    staff: Sequence[str]


def wanted_by(asks: Sequence[Ask]) -> Wanted:
    """List what must be read to judge these requests."""
    return Wanted(
        # A number that is none can be in no table: the judge calls the request malformed.
        numbers=sorted({number for ask in asks for number in ask.request.voucher_nos if is_voucher_no(number)}),
        requests=sorted({ask.request_id.hex for ask in asks}),
        sequences=sorted(
            {
                (ask.sender_id, ask.request.sequence)
                for ask in asks
                if ask.sender_kind == "device" and isinstance(ask.request, Redeem)
            }
        ),
        devices=sorted({ask.sender_id for ask in asks if ask.sender_kind == "device"}),
        staff=sorted({ask.sender_id for ask in asks if ask.sender_kind == "staff"}),
    )
