"""Tables and triggers of the outbox. What can be a rule of the schema is one, so that no later program can break it.

Numbers that the protocol knows too (the first sequence is 1) are repeated here as text; a test compares them.
"""

import sqlite3
from collections.abc import Iterator
from typing import Final

VERSION: Final = 1
"""Kept in ``user_version``."""

SCHEMA: Final = """
create table request (
    sequence integer primary key check (sequence >= 1),
    id text not null unique,
    source text not null,
    type text not null,
    time text not null,
    body blob not null,
    auth text not null,
    saved_at text not null
) strict;
create table request_voucher (
    voucher_no text not null,
    sequence integer not null references request,
    position integer not null,
    primary key (voucher_no, sequence)
) strict, without rowid;
create index request_voucher_sequence on request_voucher (sequence);
create table answer (
    sequence integer primary key references request,
    source text not null,
    type text not null,
    time text not null,
    body blob not null,
    auth text not null
) strict;
create table pending (sequence integer primary key references request) strict;
create table shown (sequence integer primary key references answer) strict;
create table probe (id integer primary key check (id = 1), count integer not null) strict;
insert into probe values (1, 0);
create view unanswered as select sequence from request except select sequence from answer;
create trigger request_without_gap before insert on request
    when new.sequence <> (select coalesce(max(sequence), 0) + 1 from request)
    begin select raise(abort, 'the sequence has no gap'); end;
create trigger finished_stays_finished before insert on pending
    when exists (select 1 from answer where sequence = new.sequence)
    begin select raise(abort, 'a finished request never becomes pending again'); end;
create trigger pending_ends_by_answer before delete on pending
    when not exists (select 1 from answer where sequence = old.sequence)
    begin select raise(abort, 'a request is pending until it is answered'); end;
"""

APPEND_ONLY: Final = ("request", "request_voucher", "answer", "shown")


def statements() -> Iterator[str]:
    """Yield what makes the schema, one statement at a time."""
    statement = ""
    for line in SCHEMA.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    for table in APPEND_ONLY:
        for change in ("update", "delete"):
            yield (
                f"create trigger {table}_no_{change} before {change} on {table} "
                f"begin select raise(abort, '{table} is append-only'); end"
            )
