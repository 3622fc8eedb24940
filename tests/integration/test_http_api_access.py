"""Every operation of the programs' interface for every scope and merchant, and what hostile input does there: nothing."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, select, update

from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import (
    claim,
    confirmation,
    connect_event,
    item_category,
    merchant,
    programme,
    redemption,
    site,
    staff,
)
from cloud.ports.connect import ConnectEvent
from cloud.services.settle import settle_due
from tests.support.web import NOW, Site, issue, open_site
from tests.support.web_api import NEEDS, SCOPES, Program, admit_program, connect_boan
from tests.support.web_routes import routes

pytest_plugins = ("tests.support.databases",)

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}"
INJECTED = [
    "' OR '1'='1", "1; DROP TABLE redemption; --", "\" OR 1=1 --", "%' UNION SELECT password_hash FROM staff --", "\\", "\0",
    "\ud7ff", "${7*7}", "../../etc/passwd",
]  # fmt: skip
DIGITS = {f"{number:012d}": "4321" for number in range(900_000, 900_040)}


@pytest.fixture
def web(sqlite_url: str) -> Iterator[Site]:
    engine = make_engine(sqlite_url)
    opened = open_site(engine)
    issue(opened, DIGITS)
    yield opened
    engine.dispose()


def _ids(web: Site) -> dict[str, UUID]:
    """A redemption and a claim of the first merchant."""
    redemption_id = web.till.redeem(NOW - timedelta(days=7))
    boan = admit_program(web)
    assert boan.post("/confirmations", {"all": True}).status_code == 201
    settle_due(SqlSettlementStore(web.engine), now=NOW)
    with web.engine.connect() as connection:
        return {"redemption_id": redemption_id, "claim_id": connection.scalars(select(claim.c.claim_id)).one()}


def _bodies(numbers: Iterator[str]) -> dict[str, dict[str, Any]]:
    number = next(numbers)
    return {
        "checkVoucher": {"voucher_no": number, "last_four": "4321"},
        "redeemOrder": {
            "vouchers": [{"voucher_no": number, "last_four": "4321"}],
            "item_category": "room",
            "order_total_twd": 1,
        },
        "releaseVouchers": {"vouchers": [number], "visit_id": str(UUID(int=1))},
        "confirm": {"all": True},
    }


def _operations(web: Site) -> list[tuple[str, str, str, frozenset[str]]]:
    found = [
        (rule.endpoint.partition(".")[2], method, rule.rule, frozenset(rule.arguments))
        for audience, method, rule in routes(web.app)
        if audience == "http_api" and rule.rule.startswith("/api/v1")
    ]
    assert {name for name, *_ in found} == set(NEEDS)
    return found


def test_every_operation_for_every_scope_and_merchant(web: Site) -> None:
    ids, numbers = _ids(web), iter(DIGITS)
    programs = {
        (admin_id, scope): admit_program(web, admin_id, scopes=frozenset({scope}))
        for admin_id in ("boan-admin", "yunling-admin")
        for scope in sorted(SCOPES)
    }
    for (admin_id, scope), program in programs.items():
        for name, method, rule, arguments in _operations(web):
            path = rule.removeprefix("/api/v1")
            for argument in arguments:
                path = path.replace(f"<uuid:{argument}>", str(ids[argument]))
            answer = program.get(path) if method == "GET" else program.post(path, _bodies(numbers)[name])
            told = f"{admin_id} {scope} {method} {path}: {answer.status_code} {answer.text}"
            if scope not in NEEDS[name]:
                assert (answer.status_code, answer.json["code"]) == (403, "forbidden"), told
            elif admin_id == "yunling-admin" and arguments:
                assert (answer.status_code, answer.json["code"]) == (404, "not_found"), told
            elif admin_id == "yunling-admin":
                # "room" is not sold at an amusement park; all else it may, for itself.
                assert answer.status_code in (200, 201) or answer.json["code"] == "item_not_allowed", told
                assert str(ids["redemption_id"]) not in answer.text, told
                assert str(ids["claim_id"]) not in answer.text, told
            else:
                assert answer.status_code in (200, 201), told
    with web.engine.connect() as connection:
        assert set(connection.scalars(select(confirmation.c.merchant_id))) == {"boan-hotel"}
        assert set(connection.scalars(select(redemption.c.merchant_id))) == {"boan-hotel"}


def test_foreign_ids_confirm_nothing(web: Site) -> None:
    redemption_id = web.till.redeem(NOW)
    park = admit_program(web, "yunling-admin")
    done = park.post("/confirmations", {"redemption_ids": [str(redemption_id), str(UUID(int=5))]})
    assert done.json["redemption_count"] == 0
    assert park.get(f"/payouts?claim_id={UUID(int=2)}").json["rows"] == []
    with web.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(confirmation)) == 0


def test_nobody_lets_go_of_what_another_holds(web: Site) -> None:
    number = next(iter(DIGITS))
    boan, park = admit_program(web), admit_program(web, "yunling-admin")
    held = boan.post("/checks", {"voucher_no": number, "last_four": "4321"}).json
    park.post("/releases", {"vouchers": [number], "visit_id": held["request_id"]})
    other = admit_program(web, name="POS 4")
    order = {"vouchers": [{"voucher_no": number, "last_four": "4321"}], "item_category": "room", "order_total_twd": 1}
    assert other.post("/orders", order).json["code"] == "held_elsewhere"


def test_words_of_sql_are_words(web: Site) -> None:
    program = admit_program(web)
    web.till.redeem(NOW)
    for text in INJECTED:
        for name in ("state", "first_day", "claim_id", "limit", "cursor", "sort"):
            answer = program.get("/transactions", query_string={name: text})
            assert answer.status_code == 400, (name, text)
        assert program.get(f"/transactions/{text}").status_code == 404
        order = {"vouchers": [{"voucher_no": "1" * 12, "last_four": "0000"}], "item_category": text, "order_total_twd": 1}
        assert (
            program.post(
                "/orders", order, once=text if text.isascii() and text.isprintable() and " " not in text else "a"
            ).status_code
            == 422
        )
        body = {"voucher_no": text, "last_four": "0000"}
        assert program.post("/checks", body).status_code == 422
    with web.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(redemption)) == 1


def test_words_of_sql_are_words_to_both_databases(engine: Engine) -> None:
    opened = open_site(engine)
    program = admit_program(opened)
    for text in INJECTED:
        order = {"vouchers": [{"voucher_no": "1" * 12, "last_four": "0000"}], "item_category": text, "order_total_twd": 1}
        assert program.post("/orders", order).status_code == 422, text
    visitor = opened.visitor("boan-admin")
    for text in INJECTED:
        for path in ("/merchant/transactions", "/merchant/claims"):
            for name in ("state", "from", "to", "claim", "sort", "after", "before", "row", "size", "period"):
                assert visitor.get(path, query_string={name: text}).status_code in (200, 404), (path, name, text)
        assert visitor.get(f"/merchant/staff/{text}").status_code in (200, 404)
        assert visitor.get(f"/merchant/connect/webhooks/{text}").status_code == 404
        assert visitor.get(f"/merchant/connect/keys/{text}").status_code == 404


def test_hostile_names_are_data_to_programs_and_text_on_pages(web: Site) -> None:
    connect_boan(web)
    program = admit_program(web, name=HOSTILE[:60])
    with web.engine.begin() as connection:
        connection.execute(update(merchant).values(name=HOSTILE))
        connection.execute(update(site).values(name=HOSTILE))
        connection.execute(update(staff).values(name=HOSTILE))
        connection.execute(update(programme).values(name_zh=HOSTILE, name_en=HOSTILE))
        connection.execute(update(item_category).values(name_zh=HOSTILE, name_en=HOSTILE))
    web.till.redeem(NOW)
    for path in ("/key", "/programmes", "/item-categories", "/transactions"):
        answer = program.get(path)
        assert answer.content_type == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert HOSTILE in json.dumps(answer.json, ensure_ascii=False).replace('\\"', '"') or path == "/transactions"
    admin, paths = (
        web.visitor("boan-admin"),
        ("/merchant/connect", "/merchant/connect/keys/k-boan", "/merchant/connect/keys/new"),
    )
    for path in (*paths, "/merchant/transactions", "/merchant/transactions?size=25", "/merchant/claims", "/merchant/"):
        admin.get(path)
        assert "<script>alert" not in admin.page, path
        assert "<img src=x" not in admin.page, path
    for path in paths[:2]:
        admin.get(path)
        assert "&lt;script&gt;alert(1)" in admin.page, path


def test_what_is_typed_about_keys_and_webhooks_comes_back_as_text(web: Site) -> None:
    admin = web.visitor("boan-admin")
    admin.get("/merchant/connect/keys/new")
    admin.post("/merchant/connect/keys/new", {"name": HOSTILE * 2, "site": HOSTILE, "scope": HOSTILE, "lifetime": HOSTILE})
    assert "<script>alert" not in admin.page
    assert "&lt;script&gt;alert(1)" in admin.page
    admin.get("/merchant/connect/webhooks/new")
    for url in (HOSTILE, "javascript:alert(1)", "http://127.0.0.1/", "https://a@b/", "https://x/#y"):
        admin.post("/merchant/connect/webhooks/new", {"url": url, "event": "payout.paid"})
        assert "<script>alert" not in admin.page
        assert 'id="url-problem"' in admin.page
    with web.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(connect_event)) == 0


def test_a_key_is_made_shown_once_used_and_revoked_on_the_pages(web: Site) -> None:
    admin = web.visitor("boan-admin")
    admin.get("/merchant/connect/keys/new")
    made = admin.post("/merchant/connect/keys/new", {"name": "POS", "site": "boan-lobby", "scope": "read", "lifetime": "90"})
    assert made.headers["Cache-Control"] == "no-store"
    key = admin.page.partition("<code>")[2].partition("</code>")[0]
    assert key.startswith("vk_")
    program = Program(web, key, "")
    assert program.get("/key").json["scopes"] == ["read"]
    assert program.post("/checks", {}).status_code == 403
    for path in ("/merchant/connect", "/merchant/connect/keys/" + program.get("/key").json["key_id"]):
        admin.get(path)
        assert key not in admin.page
        assert key[:9] in admin.page
    assert admin.post("/merchant/connect/keys/" + program.get("/key").json["key_id"] + "/revoke").status_code == 302
    assert program.get("/key").status_code == 401
    admin.get("/merchant/connect")
    assert "已撤銷" in admin.page


def test_what_connects_programs_needs_a_fresh_proof(web: Site) -> None:
    connect_boan(web)
    admin = web.visitor("boan-admin")
    with admin.client.session_transaction() as cookie:
        cookie["fs_paa"] = 1.0
    assert admin.get("/merchant/connect").status_code == 200, "looking is not changing"
    token = admin.hidden_fields("/sign-out")
    for path in ("keys/new", "keys/k-boan", "webhooks/new"):
        assert "/account/verify" in (admin.get(f"/merchant/connect/{path}").location or ""), path
    for path in ("keys/new", "keys/k-boan/revoke", "webhooks/new", "webhooks/w-boan/secret", "webhooks/w-boan/state"):
        sent = admin.post(f"/merchant/connect/{path}", token | {"do": "remove"}, hidden=False)
        assert "/account/verify" in (sent.location or ""), path
    assert [key.active for key in web.parts.connect.keys.keys_of("boan-hotel")] == [True]


def test_a_webhook_is_made_rotated_paused_and_removed_on_the_pages(web: Site) -> None:
    admin = web.visitor("boan-admin")
    admin.get("/merchant/connect/webhooks/new")
    admin.post(
        "/merchant/connect/webhooks/new", {"url": "https://pos.example.tw/hook", "event": ["payout.paid", "claim.settled"]}
    )
    assert "whsec_" in admin.page
    first = admin.page.partition("<code>")[2].partition("</code>")[0]
    [webhook] = web.parts.connect.webhooks.store.webhooks_of("boan-hotel")
    path = f"/merchant/connect/webhooks/{webhook.webhook_id}"
    assert webhook.events == {"payout.paid", "claim.settled"}
    admin.get(path)
    assert "whsec_" not in admin.page
    admin.post(f"{path}/secret")
    assert first not in admin.page
    assert "whsec_" in admin.page
    admin.get(path)
    for button, state in (("pause", "paused"), ("resume", "active"), ("remove", "removed")):
        token = admin.hidden_fields(f"{path}/state")
        admin.post(f"{path}/state", token | {"do": button}, hidden=False)
        found = web.parts.connect.webhooks.store.find(webhook.webhook_id, merchant_id="boan-hotel")
        assert (found.state if found else "removed") == state
        admin.get(path)
    assert admin.status == 404


def test_a_webhook_that_was_disabled_is_told_on_the_first_page(web: Site) -> None:
    connect_boan(web)
    event = ConnectEvent(NOW, "boan-hotel", "webhook_disabled", "w-boan", None, "", "unreachable")
    web.parts.connect.webhooks.store.disable("w-boan", event)
    admin, foreign = web.visitor("boan-admin"), web.visitor("yunling-admin")
    for visitor, told in ((admin, True), (foreign, False)):
        for path in ("/merchant/", "/merchant/connect"):
            visitor.get(path)
            assert ("通知已停用：https://pos.example.tw/hook" in visitor.page) is told, path
