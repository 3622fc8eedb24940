"""``purge`` as it is run: what it prints, and that it may be killed at any moment."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from cloud.adapters.sql.books import SqlBooks
from cloud.adapters.sql.engine import for_reading
from cloud.adapters.sql.tables import issue_purge, voucher
from cloud.services.purge import VOUCHERS_PER_STEP
from cloud.services.reconcile import reconcile
from tests.support.kiosk_client import wait_until
from tests.support.worlds import NOW, insert_world, make_programme, make_world

pytest_plugins = ("tests.support.databases",)

STEPS = 8
VOUCHERS = STEPS * VOUCHERS_PER_STEP


@pytest.fixture
def config(database_url: str, tmp_path: Path) -> Path:
    """Of a cloud with a programme that was over long ago. Its calendar is the machine's."""
    path = tmp_path / "cloud.toml"
    path.write_text(f'database_url = "{database_url}"\nvault_dir = "{tmp_path}/vault"\n')
    return path


@pytest.fixture
def filled(engine: Engine) -> Engine:
    insert_world(engine, make_world(voucher_count=VOUCHERS, programmes=(make_programme(),)))
    return engine


def start(config: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "cloud", "--config", str(config), "purge"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def known(engine: Engine) -> int:
    with for_reading(engine).connect() as connection:
        count = select(func.count()).select_from(voucher).where(voucher.c.digit_tag.is_not(None))
        return int(connection.scalar(count) or 0)


def test_killed_in_the_middle_and_run_again_it_forgets_the_rest(config: Path, filled: Engine) -> None:
    with start(config) as first:
        wait_until(lambda: known(filled) < VOUCHERS, what="the first holders are forgotten", wait_s=60)
        first.send_signal(signal.SIGKILL)
    left = known(filled)
    with start(config) as second:
        out, err = second.communicate(timeout=100)
    assert second.returncode == 0, err
    # What the first had sent before it died may have been committed after we looked.
    assert json.loads(out)["vouchers"] <= left
    assert known(filled) == 0
    with for_reading(filled).connect() as connection:
        assert connection.scalar(select(func.count()).select_from(issue_purge)) == 1
    assert reconcile(SqlBooks(filled), now=NOW).breach is None
