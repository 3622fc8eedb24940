"""``pay``, ``payout-file`` and ``import-return`` as processes: what the bank gets, and a machine that dies in between."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from cloud.adapters.crash_points import VARIABLE
from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import payout_file
from cloud.domain.calendar import Period
from cloud.services.confirm import confirm_all
from cloud.services.settle import settle_due
from tests.support.bank import Says, answer_p01, read_p01, read_pain001, report_pain001
from tests.support.kiosk_client import wait_until
from tests.support.money import Till
from tests.support.setups import PLACES, load_example

pytest_plugins = ("tests.support.databases",)

WEEK = Period(date(2026, 11, 4))


@pytest.fixture
def config(tmp_path: Path, sqlite_url: str) -> Path:
    path = tmp_path / "cloud.toml"
    path.write_text(f'database_url = "{sqlite_url}"\nvault_dir = "{tmp_path}/vault"\n')
    return path


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    engine = make_engine(sqlite_url)
    load_example(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def claimed(engine: Engine) -> Engine:
    """A week with a claim of 2,000 and one of 3,000."""
    till = Till(engine)
    for place, vouchers in ((PLACES[1], 2), (PLACES[2], 3)):
        till.redeem(WEEK.starts_at + timedelta(days=1), place=place, vouchers=vouchers)
        confirm_all(
            SqlConfirmationStore(engine),
            merchant_id=place.merchant_id,
            staff_id=place.staff_id,
            now=WEEK.starts_at + timedelta(days=2),
        )
    settle_due(SqlSettlementStore(engine), now=WEEK.ends_at)
    return engine


BY = ("--prepared-by", "finance-1", "--released-by", "finance-2")


def start(config: Path, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "cloud", "--config", str(config), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name != VARIABLE},
    )


def run(config: Path, *arguments: object) -> dict[str, object]:
    process = start(config, *arguments)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    printed: dict[str, object] = json.loads(out)
    return printed


def content_of(engine: Engine, file_no: int) -> bytes | None:
    with engine.connect() as connection:
        return connection.scalar(select(payout_file.c.content).where(payout_file.c.file_no == file_no))


def test_killed_between_commit_and_write_nothing_is_lost(claimed: Engine, config: Path, tmp_path: Path) -> None:
    out = tmp_path / "payout.txt"
    # The file is first written under this name. A pipe that nobody reads holds the process there: after the commit.
    pipe = tmp_path / ".payout.txt.new"
    os.mkfifo(pipe)
    process = start(config, "pay", *BY, "--format", "ach_p01", "--out", out)
    try:
        wait_until(lambda: content_of(claimed, 1) is not None, what="the commit of pay", wait_s=60)
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    pipe.unlink()
    assert not out.exists()

    again = run(config, "pay", *BY, "--format", "ach_p01", "--out", out)
    assert again == {"file_no": None, "payouts": 0, "total_twd": 0, "newest_file_no": 1}
    assert not out.exists()
    assert run(config, "payout-file", "--file-no", 1, "--out", out) == {"file_no": 1, "payouts": 2, "total_twd": 5_000}
    assert out.read_bytes() == content_of(claimed, 1)
    assert sum(payment.amount_twd for payment in read_p01(out.read_bytes()).payments) == 5_000


def test_a_file_is_written_again_byte_for_byte(claimed: Engine, config: Path, tmp_path: Path) -> None:
    first, again = tmp_path / "first.xml", tmp_path / "again.xml"
    made = run(config, "pay", *BY, "--format", "pain_001", "--out", first)
    assert run(config, "payout-file", "--file-no", 1, "--out", again) == made
    assert first.read_bytes() == again.read_bytes()


def test_a_file_that_rotted_in_the_database_is_not_given_to_the_bank(claimed: Engine, config: Path, tmp_path: Path) -> None:
    run(config, "pay", *BY, "--format", "ach_p01", "--out", tmp_path / "first.txt")
    with claimed.begin() as connection:
        connection.execute(update(payout_file).values(content=b"BOF"))
    process = start(config, "payout-file", "--file-no", 1, "--out", tmp_path / "again.txt")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err == "Payout file 1 in the database is not what was made: take it from a back-up.\n"
    assert not (tmp_path / "again.txt").exists()


def test_reports_are_imported_as_they_come(claimed: Engine, config: Path, tmp_path: Path) -> None:
    sent = tmp_path / "sent.xml"
    run(config, "pay", *BY, "--format", "pain_001", "--out", sent)
    assert len(read_pain001(sent.read_bytes()).transfers) == 2
    first, second = tmp_path / "first.xml", tmp_path / "second.xml"
    first.write_bytes(
        report_pain001(sent.read_bytes(), lambda item: Says("ACCC") if item.amount_twd == 2_000 else Says("ACSP"))
    )
    second.write_bytes(
        report_pain001(sent.read_bytes(), lambda item: Says("RJCT", "AC04") if item.amount_twd == 3_000 else None)
    )
    nothing = {"paid": 0, "paid_twd": 0, "returned": 0, "returned_twd": 0, "open": 0}
    assert run(config, "import-return", first) == nothing | {"file_no": 1, "paid": 1, "paid_twd": 2_000, "open": 1}
    assert run(config, "import-return", first) == nothing | {"file_no": None}
    assert run(config, "import-return", second) == nothing | {"file_no": 1, "returned": 1, "returned_twd": 3_000}


def test_a_return_that_says_too_little_is_told_which_file(claimed: Engine, config: Path, tmp_path: Path) -> None:
    sent, returned = tmp_path / "sent.txt", tmp_path / "returned.txt"
    run(config, "pay", *BY, "--format", "ach_p01", "--out", sent)
    day = read_p01(sent.read_bytes()).sent_on
    answer = answer_p01(sent.read_bytes(), failures={}, answered_on=date(int(day[:4]) + 1911, int(day[4:6]), int(day[6:])))
    trailer = answer.index(b"EOFACHR01")
    returned.write_bytes(answer[: trailer + 55] + b" " * 8 + answer[trailer + 63 :])
    process = start(config, "import-return", returned)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "say which payout file" in err) == (1, True)
    assert run(config, "import-return", returned, "--file-no", 1)["paid_twd"] == 5_000
    assert run(config, "import-return", returned)["file_no"] is None
