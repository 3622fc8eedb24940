"""Does a copied kiosk show? Every redeem request names the one before it by number and hash (ADR 0007).

Two machines with one identity cannot go on from the same request without one of these:

* both use the next number: the second is refused with ``sequence_conflict`` and stored without a number;
* a request names another one before it than the one that is stored under the number before its own.

What is no fork: a number that is not there at all. A request that the edge answered ``malformed`` is not stored, and its kiosk
goes on after it. A device that is revoked is not looked at any more: that is the answer to a fork, and facts stay as they are.
"""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, or_, select

from cloud.adapters.sql.rules import Rule
from cloud.adapters.sql.tables import device, inbox
from protocol.chain import FIRST_SEQUENCE, GENESIS

_COLUMNS: Final = ("sender_id", "sequence", "request_id", "previous", "answered_at")


def chain_rules() -> Iterator[Rule]:
    """Yield the rules."""
    found = [inbox.c[name] for name in _COLUMNS]
    yield Rule(
        "I13",
        "two requests of one kiosk have one number: it was copied, or restored from an image",
        select(*found).where(inbox.c.previous.is_not(None), inbox.c.sequence.is_(None), _is_trusted()),
    )
    before = inbox.alias("before")
    follows = and_(before.c.sender_id == inbox.c.sender_id, before.c.sequence == inbox.c.sequence - 1)
    forked = or_(
        before.c.link.is_distinct_from(inbox.c.previous) & before.c.request_id.is_not(None),
        and_(inbox.c.sequence == FIRST_SEQUENCE, inbox.c.previous.is_distinct_from(GENESIS)),
        and_(before.c.request_id.is_(None), inbox.c.sequence > FIRST_SEQUENCE, _names_another()),
    )
    yield Rule(
        "I13",
        "a request does not follow the one before it: its kiosk was copied, or restored from an image",
        select(*found, before.c.link.label("link_before"))
        .select_from(inbox.outerjoin(before, follows))
        .where(inbox.c.sequence.is_not(None), forked, _is_trusted()),
    )


def _names_another() -> ColumnElement[bool]:
    """Behind a gap: the request names one that is there, which then has the wrong number, or nothing at all."""
    named = inbox.alias("named")
    same_link = exists().where(named.c.sender_id == inbox.c.sender_id, named.c.link == inbox.c.previous)
    return or_(inbox.c.previous == GENESIS, same_link)


def _is_trusted() -> ColumnElement[bool]:
    return ~exists().where(device.c.device_id == inbox.c.sender_id, device.c.state == "revoked")
