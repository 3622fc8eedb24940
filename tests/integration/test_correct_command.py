"""``correct`` and ``corrections`` as an operator meets them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine

from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.domain.calendar import Period
from cloud.services.confirm import confirm_all
from cloud.services.settle import settle_due
from tests.support.money import Till
from tests.support.setups import PLACES, PROGRAMME_ID, load_example

pytest_plugins = ("tests.support.databases",)

WEEK = Period(date(2026, 11, 4))
HOTEL = PLACES[1]


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    engine = make_engine(sqlite_url)
    load_example(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def claimed(engine: Engine) -> UUID:
    """A redemption of two vouchers that is claimed."""
    redemption_id = Till(engine).redeem(WEEK.starts_at + timedelta(days=1), place=HOTEL, vouchers=2)
    confirm_all(SqlConfirmationStore(engine), merchant_id=HOTEL.merchant_id, staff_id=HOTEL.staff_id, now=WEEK.starts_at)
    settle_due(SqlSettlementStore(engine), now=WEEK.ends_at)
    return redemption_id


@pytest.fixture
def config(tmp_path: Path, sqlite_url: str) -> Path:
    path = tmp_path / "cloud.toml"
    path.write_text(f'database_url = "{sqlite_url}"\nvault_dir = "{tmp_path}/vault"\n')
    return path


def run(config: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "cloud", "--config", str(config), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_what_is_corrected_is_listed_and_owed(config: Path, claimed: UUID) -> None:
    wish = ("correct", "--redemption", claimed, "--reason", "the guest never came", "--by", "office-1")
    done = run(config, *wish, "--amount", 1_000)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert (made["redemption_id"], made["amount_twd"], made["corrected_by"]) == (str(claimed), 1_000, "office-1")
    listed = run(config, "corrections")
    assert json.loads(listed.stdout) == made
    owed = {"corrected_twd": 1_000, "set_off_twd": 0, "owed_twd": 1_000}
    found = json.loads(run(config, "corrections", "--owed").stdout)
    assert found == {"merchant_id": HOTEL.merchant_id, "programme_id": PROGRAMME_ID, **owed}
    again = run(config, *wish)
    assert (again.returncode, again.stderr.strip().endswith("by 1000 TWD already, which stays.")) == (1, True), again.stderr
