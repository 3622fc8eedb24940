"""No change of the audit log goes unseen: ten thousand random tamperings, each found at the right place."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.domain.audit import EMPTY, AuditEntry, AuditFact, Head, changes, decode_head, facts_text, find_break, link

TAMPERINGS = 10_000
ENTRIES = 40
NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
TEXTS = ("actor", "action", "object_kind", "object_id", "before", "after")


@dataclass
class Log:
    """What the database would hold."""

    entries: list[AuditEntry]
    head: Head


def written(random: Random) -> Log:
    entries: list[AuditEntry] = []
    head = EMPTY
    for number in range(ENTRIES):
        fact = AuditFact(
            happened_at=NOW + timedelta(seconds=number),
            actor=random.choice(("office-1", "finance-1", "cli")),
            action=random.choice(("programme.changed", "programme.made", "draft.issued")),
            object_kind="programme",
            object_id=random.choice(("travel-2026", "spring-2025")),
            before=facts_text({"budget_twd": random.randrange(10**6)}),
            after=facts_text({"budget_twd": random.randrange(10**6), "ends_on": NOW.date()}),
        )
        entries.append(link(head, fact))
        head = Head(entries[-1].entry_no, entries[-1].entry_hash)
    return Log(entries, head)


def tamper(log: Log, random: Random) -> int:
    """Change something; returns the number of the first entry that is not what it was."""
    place = random.randrange(len(log.entries))
    kind = random.randrange(9)
    if kind == 0:
        log.entries.pop(place)
        return place + 1
    if kind == 1:
        log.entries.insert(place, log.entries[place])
        return place + 2
    if kind == 2:
        other = random.choice([number for number in range(len(log.entries)) if number != place])
        log.entries[place], log.entries[other] = log.entries[other], log.entries[place]
        return min(place, other) + 1
    if kind == 3:
        del log.entries[place:]
        return place + 1
    if kind == 4:
        log.entries.append(link(log.head, log.entries[place].fact))
        return len(log.entries)
    if kind == 5:
        log.head = Head(log.head.entry_no, _other_byte(log.head.entry_hash, random))
        return len(log.entries) + 1
    entry = log.entries[place]
    if kind == 6:
        # With a fresh hash of its own, as somebody would who knows how: the next entry still names the old one.
        forged = _changed(entry.fact, random)
        log.entries[place] = link(Head(place, entry.previous_hash), forged)
        return place + 2
    if kind == 7:
        log.entries[place] = msgspec.structs.replace(entry, fact=_changed(entry.fact, random))
        return place + 1
    field = random.choice(("previous_hash", "entry_hash"))
    log.entries[place] = msgspec.structs.replace(entry, **{field: _other_byte(getattr(entry, field), random)})
    return place + 1


def _changed(fact: AuditFact, random: Random) -> AuditFact:
    if random.randrange(8) == 0:
        return msgspec.structs.replace(fact, happened_at=fact.happened_at + timedelta(microseconds=random.randrange(1, 10**9)))
    field = random.choice(TEXTS)
    text = getattr(fact, field)
    place = random.randrange(len(text))
    letter = random.choice([letter for letter in 'abc017",:' if letter != text[place]])
    return msgspec.structs.replace(fact, **{field: text[:place] + letter + text[place + 1 :]})


def _other_byte(content: bytes, random: Random) -> bytes:
    place = random.randrange(len(content))
    return content[:place] + bytes([content[place] ^ random.randrange(1, 256)]) + content[place + 1 :]


def test_ten_thousand_tamperings_are_found_at_their_place() -> None:
    random = Random(20261120)
    whole = written(random)
    assert find_break(whole.entries, whole.head) == (whole.head, None)
    for number in range(TAMPERINGS):
        log = Log(list(whole.entries), whole.head)
        place = tamper(log, random)
        reached, broken = find_break(log.entries, log.head)
        assert broken is not None, number
        assert broken.entry_no == place, (number, broken)
        assert reached.entry_no >= place - 1


def test_a_log_that_was_written_anew_is_found_by_a_head_that_was_noted() -> None:
    random = Random(1)
    whole, anew = written(random), written(random)
    noted = Head(7, whole.entries[6].entry_hash)
    assert find_break(anew.entries, anew.head)[1] is None, "a chain of its own, from end to end"
    _, broken = find_break(anew.entries, anew.head, noted=[noted])
    assert broken is not None
    assert broken.entry_no == 7
    assert find_break(whole.entries, whole.head, noted=[noted, EMPTY])[1] is None


def test_a_log_that_was_cut_off_with_its_head_is_found_by_a_head_that_was_noted() -> None:
    whole = written(Random(2))
    shorter = whole.entries[:30]
    head = Head(30, shorter[-1].entry_hash)
    assert find_break(shorter, head)[1] is None
    _, broken = find_break(shorter, head, noted=[whole.head])
    assert broken is not None
    assert broken.entry_no == ENTRIES


def test_an_empty_log_is_whole() -> None:
    assert find_break([], EMPTY) == (EMPTY, None)
    assert find_break([], Head(3, bytes(32)))[1] is not None


@given(st.lists(st.text(max_size=4), min_size=2, max_size=2), st.lists(st.text(max_size=4), min_size=2, max_size=2))
def test_letters_do_not_wander_between_fields(one: list[str], other: list[str]) -> None:
    hashes = [
        link(EMPTY, AuditFact(happened_at=NOW, actor="a", action=texts[0], object_kind=texts[1], object_id="x")).entry_hash
        for texts in (one, other)
    ]
    assert (hashes[0] == hashes[1]) == (one == other)


def test_heads_are_read_as_they_are_written() -> None:
    head = Head(7, bytes(range(32)))
    assert decode_head(f" {head}\n") == head
    for text in ("", "7", "7:00", "x:" + "0" * 64, "7:" + "g" * 64):
        with pytest.raises(ValueError, match=r"head|hexadecimal"):
            decode_head(text)


def test_only_what_differs_is_kept_and_nothing_personal() -> None:
    assert changes({"a": 1, "b": 2}, {"b": 2, "a": 3, "c": None}) == ({"a": 1}, {"a": 3})
    assert changes({}, {"c": 5}) == ({}, {"c": 5})
    assert facts_text({"ends_on": NOW.date(), "names": ("甲",)}) == '{"ends_on":"2026-11-20","names":["甲"]}'
    with pytest.raises(ValueError, match="national_id"):
        facts_text({"national_id": "A123456789"})
