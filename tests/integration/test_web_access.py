"""Every route for every role and tenant, against a table of who may open what that is written here, not read from the app.

A route that is not in the table fails the test: whoever adds one has to say here, a second time, who may open it.
"""

from collections.abc import Iterator

import pytest
from flask import Blueprint
from sqlalchemy import Engine

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.tables import confirmation, staff
from cloud.web.access import install_access
from tests.support.applying import CATEGORY, LOGIN, PASSWORD, begin, papers_of, send
from tests.support.web import DOORS, NOW, Site, Visitor, enrol_device, open_site
from tests.support.web_api import NEEDS, connect_boan
from tests.support.web_routes import address, routes

pytest_plugins = ("tests.support.databases",)

PEOPLE = {
    "boan-admin": "merchant_admin",
    "yunling-admin": "merchant_admin",
    "boan-scan-1": "scan_staff",
    "yunling-scan-1": "scan_staff",
    "office-1": "programme_admin",
    "finance-1": "finance",
    "reviewer-1": "reviewer",
    "technician-1": "technician",
    "auditor-1": "auditor",
    "applicant": "applicant",
}
"""Two merchants, everybody of the office, and a business that applies."""

LOGINS: dict[str, tuple[str, ...]] = {**DOORS, "applicant": (CATEGORY, LOGIN, PASSWORD)}

ALL = frozenset(PEOPLE.values())
ADMIN, SCAN, APPLICANT = frozenset({"merchant_admin"}), frozenset({"scan_staff"}), frozenset({"applicant"})
PROGRAMME = frozenset({"programme_admin"})
KIOSKS = PROGRAMME | {"technician"}
EVERYBODY = None

KEYS_ONLY = frozenset({"a key"})
"""The interface of merchants' programs: nobody who is signed in, and nobody who is not."""

WHO: dict[str, frozenset[str] | None] = {
    "static": EVERYBODY,
    **{
        f"public.{name}": EVERYBODY
        for name in (
            "home", "start", "health", "sign_in_form", "sign_in_sent", "sign_out", "set_language", "set_scheme",
            "shops", "status_form", "status", "guide", "accessibility", "privacy",
        )
    },
    **{
        f"security.{name}": EVERYBODY
        for name in (
            "login", "tf_select", "two_factor_token_validation", "two_factor_rescue", "mf_recovery", "wan_signin",
            "wan_signin_response",
        )
    },
    **{
        f"security.{name}": ALL
        for name in (
            "verify", "two_factor_setup", "two_factor_setup_validate", "mf_recovery_codes", "wan_register",
            "wan_register_response", "wan_delete", "wan_verify", "wan_verify_response",
        )
    },
    **{f"account.{name}": ALL for name in ("own", "protect", "password_form", "change_password", "end_others")},
    **{
        f"merchant.{name}": ADMIN
        for name in (
            "overview", "transactions", "transaction", "confirm_one", "confirm_all_preview", "confirm_every", "claims",
            "kiosks", "people", "new_person", "add_person", "person", "change_person", "set_active", "forget_factors",
            "transactions_as", "statement", "confirm_some_preview", "confirm_some", "undo_confirmation", "ask_dispute",
            "dispute", "withdraw",
        )
    },
    **{
        f"staff.{name}": SCAN
        for name in (
            "start", "landing", "gather", "voucher", "check", "remove", "cancel", "checkout", "total", "review", "redeem",
        )
    },
    **{
        f"connect.{name}": ADMIN
        for name in (
            "overview", "new_key", "add_key", "key", "revoke", "new_webhook", "add_webhook", "webhook", "set_state", "rotate",
            "resend",
        )
    },
    "api_docs.docs": EVERYBODY,
    "http_api.openapi": EVERYBODY,
    **{f"http_api.{name}": KEYS_ONLY for name in NEEDS},
    "office.overview": PROGRAMME | {"finance", "auditor"},
    "office.merchants": PROGRAMME | {"reviewer", "auditor"},
    "office.issues": PROGRAMME | {"auditor"},
    "office.issue": PROGRAMME,
    "office.sheets": PROGRAMME,
    "office.draft": PROGRAMME | {"auditor"},
    **{f"office.{name}": PROGRAMME for name in ("issue_one", "discard_one")},
    **{f"programme.{name}": PROGRAMME | {"finance", "auditor"} for name in ("programmes", "one")},
    **{f"programme.{name}": PROGRAMME | {"auditor"} for name in ("items", "signals", "signal_rows", "audit")},
    **{f"programme.{name}": PROGRAMME for name in ("new", "make", "edit", "change", "save_item", "move_item")},
    "office.kiosks": KIOSKS | {"auditor"},
    "office.claim_code": KIOSKS,
    "office.ask_revoke": KIOSKS,
    "office.revoke": KIOSKS,
    "office.settlements": PROGRAMME | {"finance", "auditor"},
    **{f"apply.{name}": EVERYBODY for name in ("form", "begin")},
    **{f"apply.{name}": APPLICANT for name in ("own", "save", "again", "paper", "take_back")},
    **{
        f"business.{name}": ADMIN
        for name in (
            "profile", "save_profile", "sites", "new_site", "add_one", "site", "save_site", "account", "save_account",
        )
    },
    **{f"review.{name}": PROGRAMME | {"reviewer", "auditor"} for name in ("queue", "application", "paper")},
    **{f"review.{name}": PROGRAMME | {"reviewer"} for name in ("decide_on", "rule_on")},
    "review.merchant": PROGRAMME | {"reviewer", "finance", "auditor"},
    "review.accounts": PROGRAMME | {"finance", "auditor"},
    **{
        f"office.{name}": PROGRAMME | {"finance", "auditor"}
        for name in (
            "settlements", "week", "claim", "claim_rows", "claim_statement", "payouts", "pay_run", "returns", "cases", "case",
        )
    },
    **{f"office.{name}": PROGRAMME | {"finance"} for name in ("settle", "act_on_case")},
    **{
        f"office.{name}": frozenset({"finance"})
        for name in ("prepare", "release", "withdraw_run", "payout_file", "bring_return", "look_at_return", "apply_return")
    },
    **{
        f"office.{name}": PROGRAMME
        for name in ("people", "new_person", "add_person", "person", "change_person", "set_active", "forget_factors")
    },
}  # fmt: skip

THEIRS = frozenset({"redemption_id", "staff_id", "site_id", "claim_id", "key_id", "webhook_id"})
"""Parts of an address that name something of one merchant; for another merchant there is no such thing."""

MAYBE_NOT_THERE = frozenset({"issue_id", "draft_id", "signal_kind", "claim_id", "run_id", "digest", "period", "case_id"})
"""Parts that name something which this table's site has none of; :mod:`tests.integration.test_web_money` has."""


@pytest.fixture
def web(sqlite_url: str) -> Iterator[Site]:
    engine = make_engine(sqlite_url)
    yield open_site(engine)
    engine.dispose()


def test_every_route_is_in_the_table(web: Site) -> None:
    assert set(web.app.view_functions) == set(WHO)


def test_route_that_names_nobody_keeps_the_app_from_starting(web: Site) -> None:
    forgetful = Blueprint("forgetful", __name__)
    forgetful.add_url_rule("/forgotten", "page", lambda: "")
    web.app._got_first_request = False
    web.app.register_blueprint(forgetful)
    with pytest.raises(RuntimeError, match=r"forgetful\.page"):
        install_access(web.app, is_fresh=bool, others={})


@pytest.mark.parametrize("staff_id", [None, *PEOPLE])
def test_every_route_for_every_role_and_tenant(web: Site, staff_id: str | None) -> None:
    redemption_id = web.till.redeem(NOW, vouchers=1)
    enrol_device(web, "kiosk-boan22", "boan-lobby")
    send(begin(web))
    visitor = web.visitor()
    if staff_id is not None:
        visitor.sign_in(*LOGINS[staff_id])
    connect_boan(web)
    for _, method, rule in routes(web.app):
        token = _signed_in_token(web, visitor, staff_id)
        where = address(web, rule, redemption_id, papers_of(web))
        answer = visitor.get(where) if method == "GET" else visitor.post(where, token, hidden=False)
        told = f"{staff_id} {method} {where}: {answer.status_code} {answer.location or ''}"
        assert answer.status_code < 500, told
        _check(staff_id, method, rule.endpoint, frozenset(rule.arguments), answer, told)
    assert _confirmed(web.engine) == (staff_id == "boan-admin"), "only its own merchant confirmed the transaction"
    assert _closed(web.engine) == {"boan-admin": {"boan-scan-1", "k-boan"}, "office-1": {"finance-1"}}.get(
        staff_id or "", set()
    )


def _check(staff_id: str | None, method: str, endpoint: str, arguments: frozenset[str], answer: object, told: str) -> None:
    status, location = answer.status_code, answer.location or ""  # type: ignore[attr-defined]
    may = WHO[endpoint]
    if may is KEYS_ONLY:
        assert status == 401, told
    elif may is EVERYBODY:
        assert status in (200, 302, 400), told
    elif staff_id is None:
        assert status == 302, told
        assert location == "/" or location.startswith(("/?", "/sign-in/")), told
    elif PEOPLE[staff_id] not in may:
        led_to_the_door = status == 302 and location.startswith("/sign-in/") and method == "GET"
        assert status == 403 or led_to_the_door, told
    elif staff_id.startswith("yunling") and arguments & THEIRS:
        assert status == 404, told
    else:
        assert status in (200, 302, 400) or (status == 404 and arguments & MAYBE_NOT_THERE), told
        assert not location.startswith(("/?", "/sign-in/")), told


def test_accounts_of_others_are_not_there(web: Site) -> None:
    foreign = {"boan-admin": ["boan-admin", "yunling-scan-1", "office-1", "nobody"], "office-1": ["boan-scan-1", "nobody"]}
    for staff_id, accounts in foreign.items():
        visitor = web.visitor(staff_id)
        path = "/merchant/staff" if staff_id == "boan-admin" else "/office/people"
        for account in accounts:
            token = _signed_in_token(web, visitor, staff_id)
            assert visitor.get(f"{path}/{account}").status_code == 404, account
            for action in ("", "/active", "/factors"):
                typed = token | {"name": "x", "login": "x", "role": "scan_staff", "active": "0"}
                assert visitor.post(f"{path}/{account}{action}", typed, hidden=False).status_code == 404, (account, action)
    assert _closed(web.engine) == set()


def test_nobody_shuts_themselves_out(web: Site) -> None:
    visitor = web.visitor("office-1")
    token = _signed_in_token(web, visitor, "office-1")
    assert visitor.get("/office/people/office-1").status_code == 200
    assert "停用帳號" not in visitor.page
    assert visitor.post("/office/people/office-1/active", token | {"active": "0"}, hidden=False).status_code == 404
    typed = {"name": "王若寧", "login": "office", "role": "auditor"}
    visitor.post("/office/people/office-1", token | typed, hidden=False)
    assert "請選擇角色" in visitor.page
    assert _closed(web.engine) == set()


def _signed_in_token(web: Site, visitor: Visitor, staff_id: str | None) -> dict[str, str]:
    visitor.get("/")
    token = visitor.hidden_fields("/sign-out")
    if staff_id is None:
        visitor.get("/sign-in/lodging")
        return {"csrf_token": visitor.hidden_fields("/sign-in/lodging")["csrf_token"]}
    if not token:
        visitor.sign_in(*LOGINS[staff_id])
        visitor.get("/")
        token = visitor.hidden_fields("/sign-out")
    assert token, staff_id
    return token


def _confirmed(engine: Engine) -> bool:
    with engine.connect() as connection:
        return connection.execute(confirmation.select()).first() is not None


def _closed(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return {row.staff_id for row in connection.execute(staff.select()) if not row.active}
