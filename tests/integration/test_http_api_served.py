"""The interface over real HTTP: the example of the documents, and the deliverer as a process that is killed."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from cloud.adapters.clock import SystemClock
from cloud.adapters.secret_box import SecretBox
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.webhooks import SqlWebhookStore
from cloud.adapters.vault import make_vault, open_vault
from cloud.adapters.webhook_post import WebhookPost
from cloud.domain.webhooks import EVENTS
from cloud.ports.people import Person
from cloud.services.accounts import Hand
from cloud.services.webhooks import LEASE, Teller, WebhookDesk, WebhookForm, make_webhook
from cloud.webhooks import WebhookParts, run_webhooks
from tests.support.money import Till
from tests.support.setups import load_example
from tests.support.web import issue, open_site, serving
from tests.support.web_api import admit_program
from tests.support.webhook_server import listening

pytest_plugins = ("tests.support.databases",)

ROOT = Path(__file__).parents[2]
WAIT_S = 30.0
VOUCHER_NO, DIGITS = "566780776770", "4321"


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    engine = make_engine(sqlite_url)
    yield engine
    engine.dispose()


def _run_example(host: str, key: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "docs" / "examples" / "till.py"), host, *arguments]
    return subprocess.run(command, env={**os.environ, "KEY": key}, capture_output=True, text=True, timeout=60, check=False)


def test_the_example_redeems_on_the_served_site(engine: Engine) -> None:
    site = open_site(engine)
    issue(site, {VOUCHER_NO: DIGITS})
    program = admit_program(site, scopes=frozenset({"redeem"}))
    with serving(site) as host:
        refused = _run_example(host, program.key, VOUCHER_NO, "0000", "room", "5050")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith("not redeemed (422):")
        assert "0000" not in refused.stderr
        done = _run_example(host, program.key, VOUCHER_NO, DIGITS, "room", "5050")
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip().endswith("1000 redeemed, the customer still pays 4050")


def _subscribe(store: SqlWebhookStore, box: SecretBox, url: str) -> None:
    now = SystemClock().now()
    hand = Hand(Person("boan-admin", "", "lodging", "boan", "merchant_admin", True, "", "boan-hotel"), now, "")
    desk = WebhookDesk(store, box, os.urandom, plain_http=True)
    made = make_webhook(desk, hand, WebhookForm(url, frozenset(EVENTS)), webhook_id="w-1", calendar=now)
    assert isinstance(made, str), made


def _wait(done: Callable[[], object]) -> None:
    end = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_the_deliverer_posts_what_happened_and_stops_when_asked(engine: Engine) -> None:
    load_example(engine)
    store, box, clock, stop = SqlWebhookStore(engine), SecretBox(bytes(32)), SystemClock(), threading.Event()
    teller = Teller(store, box, WebhookPost(private=True), clock, clock)
    with listening() as listener:
        _subscribe(store, box, f"{listener.address}/hook")
        loop = threading.Thread(target=run_webhooks, args=(WebhookParts(teller, stop, look_every_s=0.02),))
        loop.start()
        try:
            Till(engine).redeem(clock.now())
            _wait(lambda: listener.received)
        finally:
            stop.set()
            loop.join(WAIT_S)
        assert not loop.is_alive()
        [(headers, body)] = listener.received
        assert headers["webhook-signature"].startswith("v1,")
        assert b'"redemption.accepted"' in body


CONFIG = """
database_url = "{database_url}"
vault_dir = "{vault}"
[webhooks]
private = true
"""


def test_a_deliverer_that_was_killed_loses_nothing(sqlite_url: str, engine: Engine, tmp_path: Path) -> None:
    """Killed while a server makes it wait: whoever takes over sends the same message under the same id."""
    load_example(engine)
    vault = tmp_path / "vault"
    make_vault(vault, now=SystemClock().now())
    box, store = SecretBox(open_vault(vault).web_secret), SqlWebhookStore(engine)
    config = tmp_path / "cloud.toml"
    config.write_text(CONFIG.format(database_url=sqlite_url, vault=vault))
    command = [sys.executable, "-m", "cloud", "--config", str(config), "webhooks"]
    with listening() as listener:
        listener.slow_s = 0.2
        _subscribe(store, box, f"{listener.address}/hook")
        Till(engine).redeem(SystemClock().now())
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        try:
            _wait(lambda: listener.received)
        finally:
            process.kill()
            process.wait(WAIT_S)
        listener.slow_s = 0.0
        later = _Later(LEASE.total_seconds())
        stop = threading.Event()
        teller = Teller(store, box, WebhookPost(private=True), SystemClock(), later)
        loop = threading.Thread(target=run_webhooks, args=(WebhookParts(teller, stop, look_every_s=0.02),))
        loop.start()
        try:
            _wait(lambda: store.log_of("w-1", limit=1)[0].state == "delivered")
        finally:
            stop.set()
            loop.join(WAIT_S)
        assert len(listener.ids) == 2
        assert len(set(listener.ids)) == 1


class _Later:
    """The real time and so many seconds: the lease of whoever died is over."""

    def __init__(self, seconds: float) -> None:
        self._by = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return SystemClock().now() + self._by
