"""The audit log's chain: what an entry says, how it is bound to the one before, and where a chain breaks. Pure.

An entry's hash is SHA-256 over its own fields and the hash of the entry before. Whoever changes, removes, adds or moves an
entry must change every hash behind it, and the head, and every note of a head that was taken out of the database (ADR 0026).

What changed is kept as JSON text, and the hash is over that very text: no database may spell it anew.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from msgspec import Struct

from cloud.domain.instants import encode_instant

HASH_BYTES: Final = 32
FIRST_HASH: Final = bytes(HASH_BYTES)
"""What the first entry names as the one before."""

PERSONAL: Final = frozenset(
    {
        "account_name", "account_no", "address", "birthday", "contact", "digits", "email", "holder", "holder_name", "last_four",
        "login", "mail", "mobile", "name", "national_id", "password", "password_hash", "payee_id", "person", "phone",
    }
)  # fmt: skip
"""Fields that no entry may show: the log is kept for ever. That one of them changed may be said; to what may not."""

_DOMAIN: Final = b"voucher-kiosk audit 1\0"
Value = str | int | bool | None | date | tuple[str, ...]
Facts = Mapping[str, Value]


class AuditFact(Struct, frozen=True, kw_only=True):
    """One thing that somebody did."""

    happened_at: datetime
    actor: str
    """The member of staff; ``cli`` or ``schedule`` where it was a program."""
    action: str
    """Verb of the past behind what it was done to: ``programme.changed``."""
    object_kind: str
    object_id: str
    before: str = "{}"
    after: str = "{}"


class AuditEntry(Struct, frozen=True, kw_only=True):
    """A fact in its place in the log."""

    entry_no: int
    """From 1, without gaps."""
    fact: AuditFact
    previous_hash: bytes
    entry_hash: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """Number and hash of the newest entry; ``Head(0, FIRST_HASH)`` of an empty log."""

    entry_no: int
    entry_hash: bytes

    def __str__(self) -> str:
        return f"{self.entry_no}:{self.entry_hash.hex()}"


EMPTY: Final = Head(0, FIRST_HASH)


@dataclass(frozen=True, slots=True)
class Break:
    """The first link that does not hold."""

    entry_no: int
    why: str


def decode_head(text: str) -> Head:
    """Read a head that was noted down, ``number:hash``.

    Raises:
        ValueError: it is none.
    """
    number, _, digest = text.strip().partition(":")
    if not (number.isascii() and number.isdigit()) or len(digest) != 2 * HASH_BYTES:
        raise ValueError("a head is the number of an entry, a colon and 64 hexadecimal digits")
    return Head(int(number), bytes.fromhex(digest))


def facts_text(facts: Facts) -> str:
    """Spell facts as JSON, keys sorted, the same for the same facts.

    Raises:
        ValueError: a field names a person or what a person keeps secret.
    """
    if shown := PERSONAL & facts.keys():
        raise ValueError(f"the audit log shows nothing personal: {', '.join(sorted(shown))}")
    plain = {name: value.isoformat() if isinstance(value, date) else value for name, value in facts.items()}
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def changes(before: Facts, after: Facts) -> tuple[Facts, Facts]:
    """Keep of two states only what differs; a field that one of them lacks is shown by the other alone."""
    names = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
    return (
        {name: before[name] for name in names if name in before},
        {name: after[name] for name in names if name in after},
    )


def make_fact(
    actor: str, action: str, object_id: str, at: datetime, *, before: Facts | None = None, after: Facts | None = None
) -> AuditFact:
    """Build a fact; of two states only what differs is kept.

    Raises:
        ValueError: a field names a person or what a person keeps secret.
    """
    old, new = changes(before or {}, after or {})
    return AuditFact(
        happened_at=at,
        actor=actor,
        action=action,
        object_kind=action.partition(".")[0],
        object_id=object_id,
        before=facts_text(old),
        after=facts_text(new),
    )


def link(head: Head, fact: AuditFact) -> AuditEntry:
    """Put a fact behind the newest entry."""
    entry_no = head.entry_no + 1
    return AuditEntry(
        entry_no=entry_no, fact=fact, previous_hash=head.entry_hash, entry_hash=_hash(entry_no, fact, head.entry_hash)
    )


def find_break(entries: Iterable[AuditEntry], head: Head, *, noted: Iterable[Head] = ()) -> tuple[Head, Break | None]:
    """Walk the log from its first entry.

    Args:
        entries: all of them, in order of their numbers.
        head: as the database keeps it.
        noted: heads that were written down elsewhere; the log must still contain each.

    Returns:
        How far the chain holds, and the first link that does not.
    """
    expected = {one.entry_no: one.entry_hash for one in noted}
    reached = EMPTY
    for entry in entries:
        why = _fault(entry, reached)
        if why is None and expected.pop(entry.entry_no, entry.entry_hash) != entry.entry_hash:
            why = "it is not the entry whose hash was noted down"
        if why is not None:
            return reached, Break(reached.entry_no + 1, why)
        reached = Head(entry.entry_no, entry.entry_hash)
    if reached.entry_no > head.entry_no:
        return reached, Break(head.entry_no + 1, f"it was put behind the end: the head of the log is entry {head.entry_no}")
    if reached != head:
        return reached, Break(reached.entry_no + 1, f"the log ends here, but its head is entry {head.entry_no}")
    missing = [entry_no for entry_no in sorted(expected) if entry_no > 0]
    if missing:
        return reached, Break(missing[0], "it was noted down and is not there any more")
    return reached, None


def _fault(entry: AuditEntry, before: Head) -> str | None:
    if entry.entry_no != before.entry_no + 1:
        return f"an entry is missing, or its number was changed: the next one there is {entry.entry_no}"
    if entry.previous_hash != before.entry_hash:
        return "it does not follow the entry before it"
    if entry.entry_hash != _hash(entry.entry_no, entry.fact, entry.previous_hash):
        return "it is not what was written"
    return None


def _hash(entry_no: int, fact: AuditFact, previous_hash: bytes) -> bytes:
    happened_at = encode_instant(fact.happened_at)
    fields = (
        str(entry_no), happened_at, fact.actor, fact.action, fact.object_kind, fact.object_id, fact.before, fact.after,
    )  # fmt: skip
    hashed = hashlib.sha256(_DOMAIN + previous_hash)
    for field in fields:
        text = field.encode()
        # With its length in front: no two lists of fields have the same bytes.
        hashed.update(len(text).to_bytes(8, "big") + text)
    return hashed.digest()
