"""Pages and HTTP interface, served by waitress."""

import logging
import signal
from datetime import datetime
from functools import partial
from types import FrameType
from typing import Any, Final
from uuid import UUID

from waitress.server import create_server

from cloud.adapters.clock import SystemClock
from cloud.adapters.holders_file import HoldersError
from cloud.adapters.metrics import WebMetrics, new_registry
from cloud.adapters.passwords import Argon2Passwords, common_passwords
from cloud.adapters.sheets import SHEET_VOUCHERS_MAX, render_sheets
from cloud.adapters.sql.accounts import SqlAccountStore, SqlWebSessions
from cloud.adapters.sql.choices import SqlChoices
from cloud.adapters.sql.factors import SqlFactorStore
from cloud.adapters.sql.people import SqlPeople
from cloud.adapters.sql.shops import SqlShops
from cloud.domain.digits import digit_tagger
from cloud.ports.meters import WebMeters
from cloud.services.accounts import PasswordRules
from cloud.services.issue import Issued, IssueError
from cloud.services.sign_in import PasswordCheck
from cloud.web.api import make_api
from cloud.web.app import make_app
from cloud.web.parts import AccountParts, HoldersFileError, OfficeParts, ScanParts, WebParts
from cloud.web.throttle import MemoryThrottle
from cloud.wiring.metrics import metrics_served
from cloud.wiring.parts import Wiring
from protocol.errors import PortError

_log = logging.getLogger(__name__)

WEB_THREADS: Final = 8
"""Requests served at the same moment; each holds a database connection for as long as it works."""


ANSWER_WAIT_S: Final = 60.0
"""Nobody waits for a page for longer."""


def serve(wiring: Wiring) -> None:
    """Serve until SIGTERM."""
    wiring.answer_wait_s = ANSWER_WAIT_S
    signal.signal(signal.SIGTERM, _end_program)
    where = wiring.config.web
    registry = new_registry()
    try:
        server = create_server(
            make_app(_web_parts(wiring, WebMetrics(registry))),
            host=where.host,
            port=where.port,
            threads=WEB_THREADS,
            ident="",
            **behind(where.trusted_proxy),
        )
    except OSError as problem:
        raise PortError(f"{where.host}:{where.port} cannot be listened on: {problem.strerror}", retry=False) from problem
    _log.info("serving at http://%s:%d", where.host, where.port)
    with metrics_served(wiring.config, "web", registry):
        server.run()
    server.close()


def behind(proxy: str) -> dict[str, Any]:
    """The server's settings that let it see, behind one proxy, who really asks."""
    if not proxy:
        return {"clear_untrusted_proxy_headers": True}
    return {
        "trusted_proxy": proxy,
        "trusted_proxy_count": 1,
        "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto"},
        "clear_untrusted_proxy_headers": True,
    }


def _web_parts(wiring: Wiring, meters: WebMeters) -> WebParts:
    passwords = Argon2Passwords()
    return WebParts(
        reports=wiring.reports,
        people=SqlPeople(wiring.engine),
        choices=SqlChoices(wiring.engine),
        throttle=MemoryThrottle(),
        passwords=PasswordCheck(passwords.verify, passwords.decoy()),
        accounts=AccountParts(
            store=SqlAccountStore(wiring.engine),
            sessions=SqlWebSessions(wiring.engine),
            factors=SqlFactorStore(wiring.engine),
            rules=PasswordRules(passwords.hash, common_passwords().__contains__),
        ),
        confirmations=wiring.confirmations,
        shops=SqlShops(wiring.engine),
        scan=ScanParts(
            store=wiring.ingest_store,
            digit_tag=digit_tagger(wiring.vault.pepper),
            voucher_keys=wiring.trusted_keys,
            seal_key=wiring.vault.web_seal_key,
        ),
        office=OfficeParts(
            fleet=wiring.fleet,
            issue=partial(_issue, wiring),
            sheets=partial(_sheets, wiring),
            sheet_vouchers_max=SHEET_VOUCHERS_MAX,
        ),
        clock=wiring.clock,
        wall_clock=SystemClock(),
        randomness=wiring.randomness,
        web_secret=wiring.vault.web_secret,
        https=wiring.config.web.https,
        api=make_api(wiring.enrol),
        meters=meters,
    )


def _issue(wiring: Wiring, programme_id: str, holders_csv: bytes, *, issue_id: UUID, staff_id: str, now: datetime) -> Issued:
    try:
        return wiring.issue(programme_id, holders_csv, issued_by=staff_id, now=now, issue_id=issue_id)
    except HoldersError as problem:
        raise HoldersFileError(str(problem), line=problem.line) from problem
    except IssueError as problem:
        raise HoldersFileError(str(problem), line=1) from problem


def _sheets(wiring: Wiring, issue_id: UUID, part: int) -> bytes | None:
    files = wiring.sheets_of(issue_id)
    return render_sheets(files[part - 1]) if 1 <= part <= len(files) else None


def _end_program(_number: int, _frame: FrameType | None) -> None:
    # waitress finishes the requests at hand when it meets this.
    raise SystemExit(0)
