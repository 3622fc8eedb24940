"""Pages and HTTP interface, served by waitress."""

import logging
import signal
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import Any, Final
from uuid import UUID

from waitress.server import create_server

from cloud.adapters.clock import SystemClock
from cloud.adapters.metrics import WebMetrics, new_registry
from cloud.adapters.passwords import Argon2Passwords, common_passwords
from cloud.adapters.secret_box import SecretBox
from cloud.adapters.sheets import SHEET_VOUCHERS_MAX, render_sheets
from cloud.adapters.spreadsheets import write_xlsx
from cloud.adapters.sql.accounts import SqlAccountStore, SqlWebSessions
from cloud.adapters.sql.api_reports import SqlApiReports
from cloud.adapters.sql.cases import SqlCaseStore
from cloud.adapters.sql.choices import SqlChoices
from cloud.adapters.sql.connect import SqlKeyStore
from cloud.adapters.sql.disputing import SqlDisputeStore
from cloud.adapters.sql.drafts import SqlDraftStore
from cloud.adapters.sql.factors import SqlFactorStore
from cloud.adapters.sql.merchants import SqlMerchantStore
from cloud.adapters.sql.money_reports import SqlMoneyReports
from cloud.adapters.sql.people import SqlPeople
from cloud.adapters.sql.programme_office import SqlProgrammeOffice
from cloud.adapters.sql.programme_use import SqlProgrammeUses
from cloud.adapters.sql.shops import SqlShops
from cloud.adapters.sql.signals import SqlSignals
from cloud.adapters.sql.webhooks import SqlWebhookStore
from cloud.adapters.statements import render_statement
from cloud.domain.digits import digit_tagger
from cloud.ports.meters import WebMeters
from cloud.services.accounts import PasswordRules
from cloud.services.sign_in import PasswordCheck
from cloud.services.webhooks import WebhookDesk
from cloud.web.api import make_api
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
from cloud.wiring.drafts import DraftDesk, one_after_the_other
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
    parts = WebParts(
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
        merchants=MerchantParts(SqlMerchantStore(wiring.engine), wiring.working_days, wiring.banks),
        shops=SqlShops(wiring.engine),
        scan=ScanParts(
            store=wiring.ingest_store,
            digit_tag=digit_tagger(wiring.vault.pepper),
            voucher_keys=wiring.trusted_keys,
            seal_key=wiring.vault.web_seal_key,
        ),
        office=OfficeParts(
            fleet=wiring.fleet,
            sheets=partial(_sheets, wiring),
            sheet_vouchers_max=SHEET_VOUCHERS_MAX,
        ),
        programmes=_programme_parts(wiring),
        money=_money_parts(wiring),
        connect=ConnectParts(
            keys=SqlKeyStore(wiring.engine),
            webhooks=WebhookDesk(
                SqlWebhookStore(wiring.engine),
                SecretBox(wiring.vault.web_secret),
                wiring.randomness,
                plain_http=wiring.config.webhooks.private,
            ),
        ),
        clock=wiring.clock,
        wall_clock=SystemClock(),
        randomness=wiring.randomness,
        web_secret=wiring.vault.web_secret,
        https=wiring.config.web.https,
        second_factor_required=wiring.config.web.second_factor == "required",
        api=make_api(wiring.enrol),
        meters=meters,
    )
    return _with_http_api(wiring, parts)


def _with_http_api(wiring: Wiring, parts: WebParts) -> WebParts:
    keys = SqlKeyStore(wiring.engine)
    api = ApiParts(
        keys=keys,
        confirming=keys,
        reports=SqlApiReports(wiring.engine),
        choices=parts.choices,
        scan=parts.scan,
        throttle=parts.throttle,
        clock=parts.clock,
        wall_clock=parts.wall_clock,
        randomness=parts.randomness,
    )
    operations = operations_of(api)
    return replace(parts, http_api=make_http_api(operations, api), api_docs=make_api_docs(operations))


def _programme_parts(wiring: Wiring) -> ProgrammeParts:
    drafts = SqlDraftStore(wiring.engine)
    return ProgrammeParts(
        office=SqlProgrammeOffice(wiring.engine),
        uses=SqlProgrammeUses(wiring.engine),
        drafts=drafts,
        hand_in=DraftDesk(drafts, pepper=wiring.vault.pepper, now=SystemClock().now, run=one_after_the_other()),
        signals=SqlSignals(wiring.engine),
        audit=wiring.audit_trail,
    )


def _money_parts(wiring: Wiring) -> MoneyParts:
    return MoneyParts(
        reports=SqlMoneyReports(wiring.engine),
        settlements=wiring.settlements,
        payouts=wiring.payouts,
        disputes=SqlDisputeStore(wiring.engine),
        cases=SqlCaseStore(wiring.engine),
        originator=lambda: wiring.originator,
        statement=render_statement,
        write_sheet=write_xlsx,
    )


def _sheets(wiring: Wiring, issue_id: UUID, part: int) -> bytes | None:
    files = wiring.sheets_of(issue_id)
    return render_sheets(files[part - 1]) if 1 <= part <= len(files) else None


def _end_program(_number: int, _frame: FrameType | None) -> None:
    # waitress finishes the requests at hand when it meets this.
    raise SystemExit(0)
