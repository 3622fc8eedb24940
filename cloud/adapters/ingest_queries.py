"""What the hot path reads: one statement per table, whatever the size of the batch, and the same on each database.

A planner must have no choice here. Plans are made once, perhaps while a table is empty, and one that goes through a whole table
or index then costs more with every row (measured: 5 ms an order after 16 000 orders, on tables that had been analysed empty).
So what grows is only ever asked by a key, in one of three ways that leave no other plan than a look-up in the key's index:

* ``$among``: is among a list, which is an array on PostgreSQL and a JSON text on SQLite;
* in a subquery of one value, for each row that was found;
* ``$wanted``, the list as a table ``w``, standing first with ``CROSS JOIN``: for what does not grow with the orders.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from string import Template
from typing import Final
from uuid import UUID

from cloud.domain.records import Ask
from protocol.messages import Redeem
from protocol.voucher import are_voucher_nos, is_voucher_no

VOUCHERS: Final = Template("SELECT v.voucher_no, v.programme_id, v.digit_tag FROM voucher AS v WHERE v.voucher_no $among")
MARKS: Final = Template(
    """
    SELECT 'use', l.voucher_no, l.redemption_id,
           (SELECT r.redeemed_at FROM redemption AS r WHERE r.redemption_id = l.redemption_id),
           (SELECT s.name FROM site AS s
            WHERE s.site_id = (SELECT r.site_id FROM redemption AS r WHERE r.redemption_id = l.redemption_id)),
           0
    FROM redemption_line AS l WHERE l.voucher_no $among
    UNION ALL
    SELECT 'hold', h.voucher_no, h.visit_id, h.expires_at, h.sender_id, 0 FROM hold AS h WHERE h.voucher_no $among
    UNION ALL
    SELECT 'tries', t.voucher_no, NULL, NULL, NULL, max(t.try_no)
    FROM digit_try AS t WHERE t.voucher_no $among GROUP BY t.voucher_no
    """
)
"""What was done with a voucher: that it was used, is held, was guessed at. Nothing, for most. Numbers that do not exist are
guessed at too."""

ANSWERS: Final = Template(
    """
    SELECT i.request_id, i.sender_id, i.kind, i.body_hash, i.answer, i.answered_at, i.sequence, i.link, i.previous
    FROM inbox AS i WHERE i.request_id $among
    """
)
SEQUENCES: Final = Template(
    """
    SELECT f.sender_id, f.sequence, f.request_id
    FROM (SELECT w.sender_id, w.sequence, (SELECT i.request_id FROM inbox AS i
                                           WHERE i.sender_id = w.sender_id AND i.sequence = w.sequence) AS request_id
          FROM $wanted) AS f
    WHERE f.request_id IS NOT NULL
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
    """What a batch touches. All but the requests are sorted and without doubles."""

    numbers: Sequence[str]
    requests: Sequence[UUID]
    sequences: Sequence[tuple[str, int]]
    devices: Sequence[str]
    staff: Sequence[str]


def wanted_by(asks: Sequence[Ask]) -> Wanted:
    """List what must be read to judge these requests."""
    numbers: set[str] = set()
    sequences: set[tuple[str, int]] = set()
    devices: set[str] = set()
    staff: set[str] = set()
    for ask in asks:
        numbers.update(ask.request.voucher_nos)
        if ask.sender_kind != "device":
            staff.add(ask.sender_id)
            continue
        devices.add(ask.sender_id)
        if isinstance(ask.request, Redeem):
            sequences.add((ask.sender_id, ask.request.sequence))
    return Wanted(
        # A number that is none can be in no table: the judge calls the request malformed.
        numbers=sorted(numbers if are_voucher_nos(numbers) else filter(is_voucher_no, numbers)),
        requests=[ask.request_id for ask in asks],
        sequences=sorted(sequences),
        devices=sorted(devices),
        staff=sorted(staff),
    )
