"""A merchant's program in the tests: makes its key as an admin would, and sends requests with it."""

import itertools
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from werkzeug.test import TestResponse

from cloud.adapters.sql.connect import SqlKeyStore
from cloud.domain.webhooks import EVENTS
from cloud.ports.connect import ConnectEvent
from cloud.ports.people import Person
from cloud.ports.webhooks import Attempt, MessageState
from cloud.services.accounts import Hand
from cloud.services.connect import KeyForm, make_key, revoke_key
from cloud.services.webhooks import WebhookForm, make_webhook
from tests.support.web import Site

SCOPES = frozenset({"redeem", "read", "confirm"})
SITES = {"boan-admin": "boan-lobby", "yunling-admin": "yunling-gate"}

NEEDS: dict[str, frozenset[str]] = {
    **dict.fromkeys(("checkVoucher", "redeemOrder", "releaseVouchers"), frozenset({"redeem"})),
    "getOrder": frozenset({"redeem", "read"}),
    **dict.fromkeys(("listItemCategories", "listProgrammes", "getKey"), frozenset({"redeem", "read", "confirm"})),
    **dict.fromkeys(
        (
            "listTransactions", "getTransaction", "listConfirmations", "listClaims", "getClaim", "listClaimLines",
            "listPayouts",
        ),
        frozenset({"read"}),
    ),
    "confirm": frozenset({"confirm"}),
}  # fmt: skip
"""Which scopes of a key open an operation: one of these is enough."""


@dataclass
class Program:
    """One till or booking system."""

    site: Site
    key: str
    key_id: str
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def get(self, path: str, **options: Any) -> TestResponse:
        """Ask; ``path`` is under ``/api/v1``."""
        headers = {"Authorization": f"Bearer {self.key}", **options.pop("headers", {})}
        return self.site.app.test_client().get(f"/api/v1{path}", headers=headers, **options)

    def post(self, path: str, body: object, *, once: str = "", **options: Any) -> TestResponse:
        """Send; ``once`` is the Idempotency-Key, a new one where it is left out."""
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": once or f"request-{next(self._numbers)}"}
        headers |= options.pop("headers", {})
        return self.site.app.test_client().post(f"/api/v1{path}", json=body, headers=headers, **options)


def admit_program(
    site: Site,
    admin_id: str = "boan-admin",
    *,
    scopes: frozenset[str] = SCOPES,
    name: str = "POS 3",
    days: int = 365,
    key_id: str = "",
) -> Program:
    """Make a key for a merchant's program."""
    key_id = key_id or f"k-{site.parts.randomness(6).hex()}"
    hand = Hand(_admin(site, admin_id), site.clock.now(), "127.0.0.1")
    made = make_key(
        SqlKeyStore(site.engine),
        hand,
        KeyForm(name, SITES[admin_id], scopes, days),
        key_id=key_id,
        sites=frozenset(SITES.values()),
        randomness=site.parts.randomness,
    )
    assert isinstance(made, str), made
    return Program(site, made, key_id)


def connect_boan(site: Site) -> None:
    """Give the first merchant a key and a webhook that the list of routes knows by name."""
    admit_program(site, key_id="k-boan")
    hand = Hand(_admin(site, "boan-admin"), site.clock.now(), "127.0.0.1")
    form = WebhookForm("https://pos.example.tw/hook", frozenset(EVENTS))
    made = make_webhook(site.parts.connect.webhooks, hand, form, webhook_id="w-boan", calendar=site.clock.now())
    assert isinstance(made, str), made


def connect_life(site: Site) -> None:
    """Keys and webhooks of the first merchant, in every state that they have, for pictures."""
    hand = Hand(_admin(site, "boan-admin"), site.clock.now(), "127.0.0.1")
    till = admit_program(site, key_id="k-lobby", name="大廳收銀機 3 號", scopes=frozenset({"redeem"}))
    assert till.get("/key").status_code == 200
    admit_program(site, key_id="k-books", name="會計系統", scopes=frozenset({"read", "confirm"}), days=0)
    admit_program(site, key_id="k-old", name="舊訂房系統", scopes=SCOPES)
    revoke_key(site.parts.connect.keys, hand, "k-old")
    store, now = site.parts.connect.webhooks.store, site.clock.now()
    for merchant, webhook_id in (("boan", "w-pos"), ("yunling", "w-gone")):
        form = WebhookForm(f"https://pos.{merchant}.example.tw/voucher-kiosk/hook", frozenset(EVENTS))
        by = Hand(_admin(site, f"{merchant}-admin"), now, "127.0.0.1")
        made = make_webhook(site.parts.connect.webhooks, by, form, webhook_id=webhook_id, calendar=now - timedelta(days=2))
        assert isinstance(made, str), made
    found = store.find("w-pos", merchant_id="boan-hotel")
    assert found is not None
    store.gather(found, calendar=now, now=now)
    states: tuple[MessageState, ...] = ("delivered", "delivered", "given_up", "waiting")
    for number, message in enumerate(store.due("w-pos", now=now, limit=100)[:-1]):
        state = states[number % 4]
        attempt = Attempt(now, {"delivered": 204, "given_up": 500}.get(state), "" if state != "waiting" else "too_slow", 41)
        store.record(message, attempt, state=state, next_at=now + timedelta(minutes=5), wait_until=None)
    store.disable("w-gone", ConnectEvent(now, "yunling-park", "webhook_disabled", "w-gone", None, "", "unreachable"))


def _admin(site: Site, admin_id: str) -> Person:
    admin = site.parts.people.find_person(admin_id)
    assert admin is not None
    return admin
