"""Record what somebody did, and verify that the record is whole."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cloud.domain.audit import Break, Facts, Head, find_break, make_fact
from cloud.ports.audit import AuditLog, AuditTrail


@dataclass(frozen=True, slots=True)
class Act:
    """Who does what to what, and when."""

    actor: str
    """``staff_id``; ``cli`` or ``schedule`` where it is a program."""
    action: str
    """``object_kind.past_tense``: ``programme.changed``."""
    object_id: str
    at: datetime


def record(log: AuditLog, act: Act, *, before: Facts | None = None, after: Facts | None = None) -> Head:
    """Append one entry, in the transaction of what it is about and as the last thing there.

    Args:
        before: the state before, None where there was nothing; of two states only what differs is kept.
        after: the state after, None where there is nothing any more.

    Raises:
        ValueError: a field is personal (:data:`cloud.domain.audit.PERSONAL`).
        PortError: the database failed; the transaction is rolled back with what it was to record.
    """
    return log.append(make_fact(act.actor, act.action, act.object_id, act.at, before=before, after=after))


def verify(trail: AuditTrail, *, noted: Iterable[Head] = ()) -> tuple[Head, Break | None]:
    """Walk the whole log; see :func:`cloud.domain.audit.find_break`.

    Raises:
        PortError: the database failed.
    """
    with trail.walk() as (head, entries):
        return find_break(entries, head, noted=noted)
