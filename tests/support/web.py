"""The dashboard on the example programme: real adapters on a real database, a clock that is moved by hand.

:func:`open_site` builds it; :class:`Visitor` is a browser without the browser, for forms and cookies; :func:`serving` serves
the site on a free port for a real one.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from html import unescape
from random import Random
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from sqlalchemy import Engine, insert
from waitress.server import create_server
from werkzeug.test import TestResponse

from cloud.adapters.ingest_stores import make_ingest_store
from cloud.adapters.passwords import Argon2Passwords, common_passwords
from cloud.adapters.secret_box import SecretBox
from cloud.adapters.spreadsheets import write_xlsx
from cloud.adapters.sql.accounts import SqlAccountStore, SqlWebSessions
from cloud.adapters.sql.api_reports import SqlApiReports
from cloud.adapters.sql.audit import SqlAuditTrail
from cloud.adapters.sql.cases import SqlCaseStore
from cloud.adapters.sql.choices import SqlChoices
from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.connect import SqlKeyStore
from cloud.adapters.sql.disputing import SqlDisputeStore
from cloud.adapters.sql.drafts import SqlDraftStore
from cloud.adapters.sql.factors import SqlFactorStore
from cloud.adapters.sql.fleet import SqlFleet
from cloud.adapters.sql.issues import SqlIssueStore
from cloud.adapters.sql.merchants import SqlMerchantStore
from cloud.adapters.sql.money_reports import SqlMoneyReports
from cloud.adapters.sql.payouts import SqlPayoutStore
from cloud.adapters.sql.people import SqlPeople
from cloud.adapters.sql.programme_office import SqlProgrammeOffice
from cloud.adapters.sql.programme_use import SqlProgrammeUses
from cloud.adapters.sql.programmes import SqlSetupStore
from cloud.adapters.sql.reports import SqlReports
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.shops import SqlShops
from cloud.adapters.sql.signals import SqlSignals
from cloud.adapters.sql.tables import device, device_presence
from cloud.adapters.sql.webhooks import SqlWebhookStore
from cloud.adapters.statements import render_statement
from cloud.adapters.taiwan_banks import read_banks
from cloud.adapters.taiwan_calendar import read_working_days
from cloud.domain.digits import digit_tag
from cloud.domain.holders import holder_with_digits
from cloud.domain.payouts import Originator
from cloud.services.accounts import PasswordRules
from cloud.services.issue import IssueOrder, issue_vouchers
from cloud.services.setup import load_setup
from cloud.services.sign_in import PasswordCheck
from cloud.services.webhooks import WebhookDesk
from cloud.web.app import make_app
from cloud.web.http_api.blueprint import make_api_docs, make_http_api, operations_of
from cloud.web.http_api.parts import ApiParts
from cloud.web.parts import (
    AccountParts,
    ConnectParts,
    MerchantParts,
    MoneyParts,
    OfficeParts,
    ProgrammeParts,
    ScanParts,
    WebParts,
)
from cloud.web.throttle import MemoryThrottle
from cloud.wiring.drafts import DraftDesk
from protocol.voucher import encode_voucher
from tests.fakes.web_people import StillClock
from tests.support.money import Till
from tests.support.setups import PROGRAMME_ID, example_setup
from tests.support.worlds import PEPPER

NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
"""Noon of a Friday in Taipei, within the example programme."""

STOP_S = 10
ORIGINATOR = Originator("0040037", "1234567890", "04595257", "101", "TOURISM VOUCHER PROGRAMME")
PASSWORD = "voucher-demo"
DOORS = {
    "boan-admin": ("lodging", "boan"),
    "yunling-admin": ("amusement", "yunling"),
    "boan-scan-1": ("scan", "boan1"),
    "yunling-scan-1": ("scan", "yunling1"),
    "boan-scan-2": ("scan", "boan2"),
    "office-1": ("office", "office"),
    "finance-1": ("office", "finance"),
    "finance-2": ("office", "finance2"),
    "reviewer-1": ("office", "reviewer"),
    "technician-1": ("office", "technician"),
    "auditor-1": ("office", "auditor"),
}
"""Door and login of the people that the tests are."""

KEY_ID = "travel-2026"
SIGNING_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PASSWORDS = Argon2Passwords(memory_kib=8, passes=1, lanes=1)
"""Real hashes, at the least cost there is: the suite signs in hundreds of times."""

_FIELD = re.compile(r'<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"')


@dataclass
class Site:
    """A dashboard and what stands behind it."""

    app: Flask
    parts: WebParts
    engine: Engine
    clock: StillClock
    till: Till

    def visitor(self, staff_id: str | None = None) -> "Visitor":
        """A browser; signed in where somebody is named."""
        visitor = Visitor(self.app)
        if staff_id is not None:
            visitor.sign_in(*DOORS[staff_id])
        return visitor


class Visitor:
    """One browser: keeps cookies, fills in hidden fields as they stood on the last page."""

    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()
        self.page = ""
        self.status = 0

    def get(self, path: str, **options: Any) -> TestResponse:
        return self._seen(self.client.get(path, **options))

    def post(self, path: str, fields: dict[str, Any] | None = None, *, hidden: bool = True, **options: Any) -> TestResponse:
        """Send a form; the hidden fields of the last page's form for ``path`` go along."""
        carried = self.hidden_fields(path) if hidden else {}
        return self._seen(self.client.post(path, data={**carried, **(fields or {})}, **options))

    def hidden_fields(self, action: str) -> dict[str, str]:
        """What the last page's form for ``action`` carries."""
        start = self.page.find(f'action="{action}"')
        form = self.page[start : self.page.find("</form>", start)] if start >= 0 else ""
        return {name: unescape(value) for name, value in _FIELD.findall(form)}

    def sign_in(self, door: str, login: str, password: str = PASSWORD, *, next_path: str = "") -> TestResponse:
        self.get(f"/sign-in/{door}", query_string={"next": next_path} if next_path else None)
        return self.post(f"/sign-in/{door}", {"login": login, "password": password})

    def _seen(self, answer: TestResponse) -> TestResponse:
        self.status = answer.status_code
        text = answer.get_data().decode() if answer.mimetype == "text/html" else None
        answer.close()
        answer.request.environ["wsgi.input"].close()  # a large upload is a file, and nobody else closes it
        if text is not None and answer.status_code not in (301, 302, 303):
            self.page = text
        return answer


def open_site(engine: Engine, *, now: datetime = NOW, https: bool = False) -> Site:
    """Load the example programme into a migrated, empty database and put a dashboard on it."""
    load_setup(SqlSetupStore(engine), example_setup(), hash_password=PASSWORDS.hash, now=now)
    clock = StillClock(now)
    parts = WebParts(
        reports=SqlReports(engine),
        people=SqlPeople(engine),
        choices=SqlChoices(engine),
        throttle=MemoryThrottle(),
        passwords=PasswordCheck(PASSWORDS.verify, PASSWORDS.decoy()),
        accounts=AccountParts(
            store=SqlAccountStore(engine),
            sessions=SqlWebSessions(engine),
            factors=SqlFactorStore(engine),
            rules=PasswordRules(PASSWORDS.hash, common_passwords().__contains__),
        ),
        confirmations=SqlConfirmationStore(engine),
        merchants=MerchantParts(SqlMerchantStore(engine), read_working_days(), read_banks()),
        shops=SqlShops(engine),
        scan=ScanParts(
            store=make_ingest_store(engine),
            digit_tag=partial(digit_tag, PEPPER),
            voucher_keys=lambda: {KEY_ID: SIGNING_KEY.public_key()},
            seal_key=bytes(range(32, 64)),
        ),
        office=OfficeParts(fleet=SqlFleet(engine), sheets=partial(_sheets, engine)),
        programmes=_programme_parts(engine, clock),
        money=money_parts(engine),
        connect=ConnectParts(
            keys=SqlKeyStore(engine),
            webhooks=WebhookDesk(
                SqlWebhookStore(engine), SecretBox(bytes(range(64, 96))), Random(7).randbytes, plain_http=False
            ),
        ),
        clock=clock,
        wall_clock=clock,
        randomness=Random(20261120).randbytes,
        web_secret=bytes(range(64, 96)),
        https=https,
    )
    parts = with_http_api(parts, engine)
    return Site(make_app(parts), parts, engine, clock, Till(engine))


def money_parts(engine: Engine) -> MoneyParts:
    """What the pages about money need, all of it real."""
    return MoneyParts(
        reports=SqlMoneyReports(engine),
        settlements=SqlSettlementStore(engine),
        payouts=SqlPayoutStore(engine),
        disputes=SqlDisputeStore(engine),
        cases=SqlCaseStore(engine),
        originator=lambda: ORIGINATOR,
        statement=render_statement,
        write_sheet=write_xlsx,
    )


def with_http_api(parts: WebParts, engine: Engine) -> WebParts:
    """The same parts with the interface of merchants' programs, which is made of some of them."""
    keys = SqlKeyStore(engine)
    api = ApiParts(
        keys=keys,
        confirming=keys,
        reports=SqlApiReports(engine),
        choices=parts.choices,
        scan=parts.scan,
        throttle=parts.throttle,
        clock=parts.clock,
        wall_clock=parts.wall_clock,
        randomness=parts.randomness,
    )
    operations = operations_of(api)
    return replace(parts, http_api=make_http_api(operations, api), api_docs=make_api_docs(operations))


def with_parts(site: Site, **changes: Any) -> Site:
    """The same site with other parts."""
    parts = replace(site.parts, **changes)
    return replace(site, parts=parts, app=make_app(parts))


def issue(site: Site, digits: dict[str, str], *, programme_id: str = PROGRAMME_ID) -> None:
    """Issue vouchers: the holder's four characters by voucher number."""
    holders = [holder_with_digits("王小明", four) for four in digits.values()]
    order = IssueOrder(UUID(bytes=site.parts.randomness(16)), programme_id, "office-1", site.clock.now())
    issue_vouchers(SqlIssueStore(site.engine), order, holders, numbers=iter(digits), pepper=PEPPER)


def signed_path(voucher_no: str) -> str:
    """Path and query of the address that is printed on a voucher."""
    return encode_voucher(voucher_no, host="x", key_id=KEY_ID, key=SIGNING_KEY).removeprefix("https://x")


def enrol_device(site: Site, device_id: str, site_id: str, *, presence: str | None = None, state: str = "active") -> None:
    """Put a kiosk into the fleet, with what it last said where ``presence`` is given."""
    now = site.clock.now()
    with site.engine.begin() as connection:
        connection.execute(
            insert(device).values(
                device_id=device_id,
                site_id=site_id,
                state=state,
                serial=f"board of {device_id}",
                seal_public=bytes(32),
                certificate_serial="01",
                certificate_pem="",
                enrolled_at=now,
                state_changed_at=now,
            )
        )
        if presence is not None:
            said = {"state": presence, "seen_at": now, "version": "0.1.0", "pending": 0}
            connection.execute(insert(device_presence).values(device_id=device_id, **said))


@contextmanager
def serving(site: Site) -> Iterator[str]:
    """Serve the site on a free port; yields its address."""
    server = create_server(site.app, host="127.0.0.1", port=0, threads=4)
    thread = threading.Thread(target=server.run, name="dashboard")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        server.task_dispatcher.shutdown(timeout=STOP_S)
        # Sockets belong to the server's own thread; a browser keeps its connections open, and the loop ends with the last.
        # Not pull_trigger: it wakes the server after letting go of the lock, and the pipe may be closed by then.
        with server.trigger.lock:
            server.trigger.thunks.append(lambda: _shut(server))
            server.trigger._physical_pull()
        thread.join(STOP_S)
        assert not thread.is_alive()


def _shut(server: Any) -> None:
    for channel in list(server.active_channels.values()):
        channel.handle_close()
    server.close()


def _programme_parts(engine: Engine, clock: StillClock) -> ProgrammeParts:
    drafts = SqlDraftStore(engine)
    return ProgrammeParts(
        office=SqlProgrammeOffice(engine),
        uses=SqlProgrammeUses(engine),
        drafts=drafts,
        hand_in=DraftDesk(drafts, pepper=PEPPER, now=clock.now, run=lambda work: work()),
        signals=SqlSignals(engine),
        audit=SqlAuditTrail(engine),
    )


def _sheets(engine: Engine, issue_id: UUID, part: int) -> bytes | None:
    """Stands in for the PDF, whose own tests are elsewhere: the numbers that would be printed."""
    found = SqlIssueStore(engine).find_issue(issue_id)
    if found is None or part != 1:
        return None
    return "\n".join(one.voucher_no for one in found[1]).encode()
