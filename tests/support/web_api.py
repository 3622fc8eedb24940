"""A merchant's program in the tests: makes its key as an admin would, and sends requests with it."""

import itertools
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from werkzeug.test import TestResponse

from cloud.adapters.sql.connect import SqlKeyStore
from cloud.ports.people import Person
from cloud.services.accounts import Hand
from cloud.services.connect import KeyForm, make_key
from tests.support.web import Site

SCOPES = frozenset({"redeem", "read", "confirm"})
SITES = {"boan-admin": "boan-lobby", "yunling-admin": "yunling-gate"}


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
    site: Site, admin_id: str = "boan-admin", *, scopes: frozenset[str] = SCOPES, name: str = "POS 3", days: int = 365
) -> Program:
    """Make a key for a merchant's program."""
    admin = site.parts.people.find_person(admin_id)
    assert isinstance(admin, Person)
    key_id = f"k-{site.parts.randomness(6).hex()}"
    hand = Hand(admin, site.clock.now(), "127.0.0.1")
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


A_YEAR = timedelta(days=365)
