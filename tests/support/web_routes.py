"""The app's own list of routes, with addresses that belong to the first merchant."""

from uuid import UUID

from flask import Flask
from werkzeug.routing import Rule

from tests.support.web import Site

STAFF_OF = {"merchant": "boan-scan-1", "office": "finance-1"}
"""Whose account the pages of a blueprint are about."""


def address(web: Site, rule: Rule, redemption_id: UUID, application: tuple[UUID, UUID] = (UUID(int=1), UUID(int=1))) -> str:
    """The address of a route, its parts filled in with what belongs to the first merchant, or to the office.

    Args:
        application: an application and one of its papers.
    """
    values = {
        "redemption_id": redemption_id,
        "issue_id": UUID(int=1),
        "part": 1,
        "draft_id": UUID(int=1),
        "programme_id": "travel-2026",
        "signal_kind": "burst",
        "device_id": "kiosk-boan22",
        "door": "lodging",
        "language": "en",
        "scheme": "dark",
        "voucher_no": "566780776770",
        "filename": "style.css",
        "staff_id": STAFF_OF.get(rule.endpoint.partition(".")[0], ""),
        "token": "made-up",
        "site_id": "boan-lobby",
        "merchant_id": "boan-hotel",
        "application_id": application[0],
        "paper_id": application[1],
        "kind": "csv",
        "claim_id": UUID(int=2),
        "run_id": UUID(int=3),
        "digest": "00" * 32,
        "period": "2026-11-04",
        "case_kind": "parked",
        "case_id": "1",
        "key_id": "k-boan",
        "webhook_id": "w-boan",
    }
    return web.app.url_map.bind("localhost").build(rule.endpoint, {name: values[name] for name in rule.arguments})


def routes(app: Flask) -> list[tuple[str, str, Rule]]:
    """Every route with each of its methods, and the blueprint that it belongs to."""
    found = [
        (rule.endpoint.partition(".")[0], method, rule)
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]
    assert len(found) > 50
    return found
