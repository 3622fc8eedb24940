"""What only the outbox on a disk can break: settings, damage, a full or read-only disk, a kill between two steps."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from kiosk.adapters import outbox_sqlite
from kiosk.adapters.outbox_sqlite import SqliteOutbox
from kiosk.domain.outbox import find_break
from protocol.chain import FIRST_SEQUENCE
from protocol.envelope import device_source
from protocol.errors import PortError
from protocol.topics import RequestKind
from tests.support.kiosk import DEVICE_ID, NOON, accepted, answer_event, make_redeem, request_id

SOURCE = device_source(DEVICE_ID)
VOUCHER = "000000000001"


def open_outbox(path: Path, *, reserve_bytes: int = 0, source: str = SOURCE) -> SqliteOutbox:
    return SqliteOutbox(path, source=source, reserve_bytes=reserve_bytes)


def fill(path: Path, count: int, *, answered: int = 0) -> None:
    outbox = open_outbox(path)
    fill_open(outbox, count)
    for number in range(1, answered + 1):
        outbox.store_answer(request_id(number), answer_event(RequestKind.REDEEM, accepted(request_id(number))))
    outbox.close()


def fill_open(outbox: SqliteOutbox, count: int) -> None:
    for number in range(1, count + 1):
        outbox.append(make_redeem(number), voucher_nos=(VOUCHER,), saved_at=NOON)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite3"


def test_everything_is_there_after_opening_again(path: Path) -> None:
    fill(path, 3, answered=1)
    outbox = open_outbox(path)
    assert [row.sequence for row in outbox.pending(9)] == [2, 3]
    first = outbox.find(request_id(1))
    assert first is not None
    assert first.answer is not None
    assert outbox.append(make_redeem(4), voucher_nos=(VOUCHER,), saved_at=NOON).sequence == 4
    outbox.close()


def test_file_is_readable_by_its_owner_only(path: Path) -> None:
    fill(path, 1)
    assert path.stat().st_mode & 0o077 == 0


def test_settings_that_do_not_hold_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = outbox_sqlite._read

    def lie(db: sqlite3.Connection, pragma: str) -> int:
        return 1 if pragma == "synchronous" else read(db, pragma)

    monkeypatch.setattr(outbox_sqlite, "_read", lie)
    with pytest.raises(PortError, match="not safe"):
        open_outbox(path)


def test_memory_database_is_refused_because_it_has_no_write_ahead_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(":memory:").touch()
    with pytest.raises(PortError, match="not safe"):
        open_outbox(Path(":memory:"))


@pytest.mark.parametrize(
    "damage",
    [
        "drop trigger request_no_update;"
        "update request set body = cast(replace(body, 'item-1', 'item-2') as blob) where sequence = 2",
        "drop trigger request_no_delete; drop trigger request_voucher_no_delete; pragma foreign_keys = off;"
        "delete from pending where 0; delete from request where sequence = 2",
        "drop trigger request_no_update; update request set body = x'00' where sequence = 3",
        "drop trigger pending_ends_by_answer; delete from pending",
        "drop trigger finished_stays_finished; insert into pending values (1)",
    ],
)
def test_damage_is_found_at_the_start(path: Path, damage: str) -> None:
    fill(path, 3, answered=1)
    db = sqlite3.connect(path)
    db.executescript(damage)
    db.commit()
    db.close()
    with pytest.raises(PortError, match="damaged"):
        open_outbox(path)


@pytest.mark.parametrize(
    "change",
    [
        "update request set auth = ''",
        "delete from request",
        "update answer set auth = ''",
        "delete from answer",
        "delete from request_voucher",
        "insert into pending values (1)",
        "delete from pending",
        "insert into request select 7, 'other', source, type, time, body, auth, saved_at from request where sequence = 2",
    ],
)
def test_schema_refuses_to_rewrite_history(path: Path, change: str) -> None:
    fill(path, 2, answered=1)
    db = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.IntegrityError):
        db.execute(change)
    db.close()
    open_outbox(path).close()


def test_schema_and_protocol_agree_on_the_first_sequence(path: Path) -> None:
    fill(path, 1)
    db = sqlite3.connect(path)
    assert db.execute("select min(sequence) from request").fetchone() == (FIRST_SEQUENCE,)
    db.close()


def test_outbox_of_another_kiosk_is_refused(path: Path) -> None:
    fill(path, 1)
    with pytest.raises(PortError, match="another kiosk"):
        open_outbox(path, source=device_source("kiosk-2"))


def test_newer_schema_is_refused(path: Path) -> None:
    fill(path, 1)
    db = sqlite3.connect(path)
    db.execute("pragma user_version = 99")
    db.close()
    with pytest.raises(PortError, match="schema 99"):
        open_outbox(path)


def test_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(PortError) as raised:
        open_outbox(path)
    assert not raised.value.retry


def test_disk_without_reserve_takes_no_request(path: Path) -> None:
    fill(path, 1)
    outbox = open_outbox(path, reserve_bytes=1 << 62)
    with pytest.raises(PortError, match="disk is full") as raised:
        outbox.append(make_redeem(2), voucher_nos=(VOUCHER,), saved_at=NOON)
    assert raised.value.retry
    with pytest.raises(PortError):
        outbox.probe()
    assert outbox.pending_count() == 1
    # An answer to what is already saved is taken as long as SQLite can write it.
    outbox.store_answer(request_id(1), answer_event(RequestKind.REDEEM, accepted(request_id(1))))
    assert outbox.pending_count() == 0
    outbox.close()


def test_full_database_changes_nothing_and_recovers(path: Path) -> None:
    outbox = open_outbox(path)
    outbox._db.execute("pragma max_page_count = 1")
    with pytest.raises(PortError) as raised:
        fill_open(outbox, 100)
    saved = outbox.pending_count()
    assert raised.value.retry
    assert saved < 100
    outbox._db.execute("pragma max_page_count = 1000000")
    assert outbox.append(make_redeem(100), voucher_nos=(VOUCHER,), saved_at=NOON).sequence == saved + 1
    outbox.close()


def test_read_only_disk_is_a_port_error_without_hope(path: Path) -> None:
    outbox = open_outbox(path)
    outbox._db.execute("pragma query_only = on")
    for act in (outbox.probe, lambda: outbox.append(make_redeem(1), voucher_nos=(VOUCHER,), saved_at=NOON)):
        with pytest.raises(PortError) as raised:
            act()
        assert not raised.value.retry
    assert outbox.pending_count() == 0
    outbox.close()


def test_directory_that_is_not_there_is_a_port_error(tmp_path: Path) -> None:
    with pytest.raises(PortError):
        open_outbox(tmp_path / "missing" / "outbox.sqlite3")


KILLED = """
import os, signal, sys
from pathlib import Path
from kiosk.adapters.outbox_sqlite import SqliteOutbox
from tests.support.kiosk import NOON, make_redeem
outbox = SqliteOutbox(Path(sys.argv[1]), source={source!r}, reserve_bytes=0)
for number in range(1, 1000):
    row = outbox.append(make_redeem(number), voucher_nos=("000000000001",), saved_at=NOON)
    print(row.sequence, flush=True)
    if number == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("count", [1, 2, 17])
def test_request_saved_before_a_kill_is_pending_after_it(path: Path, count: int) -> None:
    """Killed after the append returned and before anything was published: the request is there and the chain holds."""
    command = [sys.executable, "-c", KILLED.format(source=SOURCE), str(path), str(count)]
    killed = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert killed.returncode == -9, killed.stderr
    outbox = open_outbox(path)
    rows = outbox.pending(1000)
    assert [row.sequence for row in rows] == [int(line) for line in killed.stdout.split()]
    assert find_break((row.sequence, row.request.body) for row in rows) is None
    assert outbox.append(make_redeem(5_000), voucher_nos=(VOUCHER,), saved_at=NOON).sequence == count + 1
    outbox.close()
