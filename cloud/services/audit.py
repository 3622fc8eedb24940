"""Record what somebody did, and verify that the record is whole."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cloud.domain.audit import AuditFact, Break, Facts, Head, changes, facts_text, find_break
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
    old, new = changes(before or {}, after or {})
    fact = AuditFact(
        happened_at=act.at,
        actor=act.actor,
        action=act.action,
        object_kind=act.action.partition(".")[0],
        object_id=act.object_id,
        before=facts_text(old),
        after=facts_text(new),
    )
    return log.append(fact)


def verify(trail: AuditTrail, *, noted: Iterable[Head] = ()) -> tuple[Head, Break | None]:
    """Walk the whole log; see :func:`cloud.domain.audit.find_break`.

    Raises:
        PortError: the database failed.
    """
    with trail.walk() as (head, entries):
        return find_break(entries, head, noted=noted)
