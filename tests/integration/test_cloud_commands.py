"""The commands, as ``python -m cloud`` runs them: what they print, where, and their exit codes."""

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import insert

from cloud import wiring
from cloud.adapters.crash_points import VARIABLE
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.tables import ledger_entry
from cloud.adapters.vault import open_vault
from protocol.enrolment import ENROLMENT_PATH
from tests.support.broker import HOST, free_port
from tests.support.kiosk_client import wait_until
from tests.support.setups import EXAMPLE, PROGRAMME_ID

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@dataclass
class Ended:
    code: int
    out: str
    err: str

    @property
    def line(self) -> dict[str, object]:
        """The last line of stdout."""
        found: dict[str, object] = json.loads(self.out.splitlines()[-1])
        return found


Run = Callable[..., Ended]


def write_config(folder: Path) -> Path:
    path = folder / "cloud.toml"
    path.write_text(
        f'database_url = "sqlite:///{folder}/cloud.sqlite3"\nvault_dir = "{folder}/vault"\n'
        f'calendar_file = "{folder}/calendar"\n[web]\nport = {free_port()}\n[broker]\nport = {free_port()}\n'
    )
    return path


BY = ("--prepared-by", "finance-1", "--released-by", "finance-2")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path)


@pytest.fixture
def run(config: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process: starting Python thirty times would take half a minute."""

    def run(*arguments: object) -> Ended:
        capsys.readouterr()
        code = run_here(config, *arguments)
        printed = capsys.readouterr()
        return Ended(code, printed.out, printed.err)

    return run


def run_here(config: Path, *arguments: object) -> int:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        return wiring.main(["--config", str(config), *map(str, arguments)])
    except SystemExit as ended:
        return int(ended.code or 0)
    finally:
        root.handlers[:], root.level = handlers, level


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where ``init`` and ``load`` have run. Hashing the passwords of the example takes a second."""
    folder = tmp_path_factory.mktemp("prepared")
    config = write_config(folder)
    assert run_here(config, "init") == 0
    assert run_here(config, "load", EXAMPLE) == 0
    return folder


@pytest.fixture
def ready(run: Run, config: Path, prepared: Path) -> Run:
    """Initialised and loaded."""
    for path in prepared.iterdir():
        if path.is_dir():
            shutil.copytree(path, config.parent / path.name)
        elif path.name != config.name:
            shutil.copy(path, config.parent)
    return run


def test_init_makes_everything_once(run: Run, config: Path) -> None:
    first, second = run("init"), run("init")
    assert (first.code, second.code) == (0, 0)
    assert "vault made" in first.out
    assert "vault kept" in second.out
    open_vault(config.parent / "vault")


def test_load_is_safe_to_repeat_and_makes_the_keys_that_sign(run: Run, config: Path) -> None:
    run("init")
    first, second = run("load", EXAMPLE), run("load", EXAMPLE)
    assert (first.code, second.code) == (0, 0)
    made = first.line["voucher_keys_made"]
    assert isinstance(made, list)
    assert made == sorted(open_vault(config.parent / "vault").voucher_keys)
    assert second.line["voucher_keys_made"] == []
    assert second.line["staff_added"] == 0
    assert "password" not in first.out + first.err


def test_a_claim_code_is_the_only_thing_printed(ready: Run) -> None:
    made = ready("claim-code", "--site", "boan-lobby")
    assert made.code == 0
    assert re.fullmatch(r"([A-Z2-7]{4}-){3}[A-Z2-7]{4}\n", made.out)


def test_broker_files_are_written_and_renewed(ready: Run, config: Path) -> None:
    folder = config.parent / "broker"
    for _ in range(2):
        written = ready("broker-files", folder)
        assert written.code == 0
        assert Path(written.out.strip()) == folder / "mosquitto.conf"
    assert (folder / "server.key").stat().st_mode & 0o077 == 0


def test_nothing_to_settle_confirm_or_pay_is_no_failure(ready: Run, config: Path) -> None:
    out = config.parent / "payout.txt"
    assert ready("settle").line == {"closed": [], "claims": 0}
    assert ready("settlements").out == ""
    assert ready("confirm-all", "--merchant", "boan-hotel").line == {"confirmed": 0, "vouchers": 0, "amount_twd": 0}
    assert ready("pay", *BY, "--format", "ach_p01", "--out", out).line["payouts"] == 0
    assert not out.exists()


def test_issue_prints_numbers_writes_sheets_and_leaves_no_digits(ready: Run, config: Path) -> None:
    holders, sheets = config.parent / "holders.csv", config.parent / "sheets"
    holders.write_text("name,last_four\n" + "".join(f"王小明{number},☂☃☄☇\n" for number in range(9)), "utf-8")
    issued = ready("issue", "--programme", PROGRAMME_ID, "--holders", holders, "--sheets", sheets)
    assert issued.code == 0, issued.err
    numbers = issued.line["voucher_nos"]
    assert isinstance(numbers, list)
    assert len(set(numbers)) == 9
    assert all(re.fullmatch("[0-9]{12}", number) for number in numbers)
    assert sorted(path.name for path in sheets.iterdir()) == ["page-0001.png", "page-0002.png", "vouchers-01.pdf"]
    assert issued.line["pages"] == 2
    holders.unlink()
    for path in config.parent.rglob("*"):
        if path.is_file():
            assert "☂☃☄☇".encode() not in path.read_bytes(), path
    assert "☂" not in issued.out + issued.err


def test_reconcile_prints_the_totals_and_fails_where_a_row_breaks_a_rule(ready: Run, config: Path) -> None:
    sound = ready("reconcile")
    assert sound.code == 0
    assert (sound.line["issued"], sound.line["ledger_sum_twd"], sound.line["double_redeemed"]) == (0, 0, 0)
    engine = make_engine(f"sqlite:///{config.parent}/cloud.sqlite3")
    with engine.begin() as connection:
        connection.execute(
            insert(ledger_entry).values(
                journal_id=UUID(int=7), kind="redeem", line_no=1, account="merchant:inn:redeemed", amount_twd=-1, posted_at=NOW
            )
        )
    engine.dispose()
    broken = ready("reconcile")
    assert broken.code == 1
    assert broken.line["ledger_sum_twd"] == -1
    assert "I4" in broken.err
    assert str(UUID(int=7)) in broken.err
    assert len(broken.err.splitlines()) == 1


def test_audit_verify_prints_the_head_and_names_the_first_broken_link(ready: Run, config: Path) -> None:
    whole = ready("audit-verify")
    assert whole.code == 0
    head = str(whole.line["head"])
    assert (whole.line["entries"], head.partition(":")[0]) == (2, "2")
    ready("claim-code", "--site", "boan-lobby")
    assert ready("audit-verify", "--head", head).line["entries"] == 3
    assert ready("audit-verify", "--head", "nonsense").code == 2
    engine = make_engine(f"sqlite:///{config.parent}/cloud.sqlite3")
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_entry_keeps_facts_on_delete")
        connection.exec_driver_sql("DELETE FROM audit_entry WHERE entry_no = 2")
    engine.dispose()
    broken = ready("audit-verify", "--head", head)
    assert broken.code == 1
    assert "breaks at entry 2" in broken.err
    assert broken.line["entries"] == 1


def test_a_bad_list_of_holders_issues_nothing(ready: Run, config: Path) -> None:
    holders = config.parent / "holders.csv"
    holders.write_text("name,last_four\n王小明,12345\n", "utf-8")
    refused = ready("issue", "--programme", PROGRAMME_ID, "--holders", holders, "--sheets", config.parent / "sheets")
    assert refused.code == 1
    assert "Line 2" in refused.err
    assert "12345" not in refused.err
    assert not (config.parent / "sheets").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["claim-code", "--site", "attic"], "no site attic"),
        (["revoke", "--device", "kiosk-nobody", "--reason", "x"], "no device kiosk-nobody"),
        (["load", "/nowhere/setup.toml"], "/nowhere/setup.toml"),
        (["load", "/dev/null/x"], "/dev/null/x"),
        (["pay", *BY, "--format", "ach_p01", "--out", "/nowhere/out.txt"], "/nowhere"),
        (["pay", *BY[:3], "finance-1", "--format", "ach_p01", "--out", "/tmp/x"], "somebody else"),
        (["pay", *BY[:3], "office-1", "--format", "ach_p01", "--out", "/tmp/x"], "role finance"),
        (["import-return", "/etc/hostname"], ""),
        (["payout-file", "--file-no", "7", "--out", "/tmp/x"], "no payout file 7"),
        (["payout-file", "--file-no", "7", "--out", "/nowhere/x"], "/nowhere"),
    ],
)
def test_what_cannot_be_done_fails_in_one_sentence(ready: Run, arguments: Sequence[str], words: str) -> None:
    ended = ready(*arguments)
    assert ended.code == 1
    assert ended.out == ""
    assert words in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("arguments", [[], ["dance"], ["pay"], ["pay", "--format", "cheque", "--out", "x"], ["claim-code"]])
def test_a_wrong_command_line_is_exit_2(run: Run, arguments: Sequence[str]) -> None:
    assert run(*arguments).code == 2


def test_a_wrong_configuration_is_exit_2(run: Run, config: Path) -> None:
    config.write_text("nonsense")
    ended = run("settle")
    assert ended.code == 2
    assert "cloud.toml" in ended.err


def test_before_init_every_command_says_what_to_do(run: Run) -> None:
    for arguments in (["settle"], ["claim-code", "--site", "boan-lobby"], ["ingest"], ["schedule"]):
        ended = run(*arguments)
        assert ended.code == 1
        assert "init" in ended.err, ended.err


def test_an_open_vault_stops_the_worker(ready: Run, config: Path) -> None:
    (config.parent / "vault" / "pepper").chmod(0o644)
    ended = ready("ingest")
    assert ended.code == 1
    assert "closed to all others" in ended.err


def test_a_wrong_crash_point_is_exit_2(ready: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "nowhere")
    assert ready("ingest").code == 2


# Processes -------------------------------------------------------------------------------------------------------------


def start(config: Path, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "cloud", "--config", str(config), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name != VARIABLE},
    )


def stop(process: "subprocess.Popen[str]") -> tuple[int, str]:
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    return process.returncode, err


@pytest.fixture
def web(ready: Run, config: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    process = start(config, "web")
    port = re.search(r"\[web\]\nport = (\d+)", config.read_text())
    assert port is not None
    url = f"http://{HOST}:{port[1]}"

    def answers() -> bool:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            return False
        return True

    wait_until(answers, what="the web to answer")
    yield process, url
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_the_web_serves_pages_and_enrolment_and_ends_when_asked(web: tuple["subprocess.Popen[str]", str]) -> None:
    process, url = web
    with urllib.request.urlopen(url, timeout=10) as page:
        assert "text/html" in page.headers["Content-Type"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url + ENROLMENT_PATH, data=b"{}", timeout=10)
    with refused.value as answer:
        assert answer.code == 400
        assert answer.headers["Content-Type"] == "application/problem+json"
    code, err = stop(process)
    assert code == 0, err
    assert "Traceback" not in err


def test_a_port_in_use_is_one_sentence(web: tuple["subprocess.Popen[str]", str], config: Path) -> None:
    _, err = (second := start(config, "web")).communicate(timeout=30)
    assert second.returncode == 1
    assert "in use" in err.splitlines()[-1]
    assert "Traceback" not in err


def test_the_scheduler_ends_when_asked(ready: Run, config: Path) -> None:
    process = start(config, "schedule")
    assert process.stderr is not None
    assert "closing" in process.stderr.readline()
    code, err = stop(process)
    assert code == 0, err
