"""A copied kiosk shows in the stored requests, on both databases; what is no copy does not."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import pytest
from sqlalchemy import Engine, insert

from cloud.adapters.sql.books import SqlBooks
from cloud.adapters.sql.tables import device, inbox, merchant, site
from cloud.ports.books import Breach
from cloud.services.reconcile import reconcile
from protocol.chain import GENESIS

pytest_plugins = ("tests.support.databases",)

NOW = datetime(2026, 11, 5, 4, tzinfo=UTC)
KIOSK, OTHER = "kiosk-a", "kiosk-b"


def link(number: int, machine: str = "one") -> str:
    """Stands for the hash of a request; each machine's request of a number has its own."""
    return f"{machine}-{number}".ljust(64, ".")


def store(engine: Engine, *rows: tuple[int | None, str, str], sender: str = KIOSK) -> None:
    """Store redeem requests: number (None: refused with ``sequence_conflict``), own hash, hash of the one before."""
    with engine.begin() as connection:
        for number, own, previous in rows:
            connection.execute(insert(inbox).values(_request(sender, number, own, previous)))


def _request(sender: str, number: int | None, own: str, previous: str) -> dict[str, Any]:
    return {
        "request_id": uuid5(UUID(int=0), f"{sender}/{own}/{previous}"),
        "sender_id": sender,
        "kind": "redeem",
        "body_hash": b"",
        "sequence": number,
        "link": own,
        "previous": previous,
        "answer": b"{}",
        "answered_at": NOW,
    }


def breach_of(engine: Engine) -> Breach | None:
    return reconcile(SqlBooks(engine), now=NOW).breach


def enrol(engine: Engine, state: str) -> None:
    shop = {"merchant_id": "inn", "name": "Inn", "ubn": "04595257", "merchant_category": "hotel", "state": "approved"}
    keys = {"seal_public": b"", "certificate_serial": "1", "certificate_pem": ""}
    times = {"enrolled_at": NOW, "state_changed_at": NOW}
    with engine.begin() as connection:
        connection.execute(insert(merchant).values(shop))
        connection.execute(insert(site).values(site_id="inn-1", merchant_id="inn", name="Inn"))
        connection.execute(insert(device).values(device_id=KIOSK, site_id="inn-1", state=state, serial="1", **keys, **times))


def test_whole_chains_are_sound(engine: Engine) -> None:
    for sender in (KIOSK, OTHER):
        store(engine, (1, link(1), GENESIS), (2, link(2), link(1)), (3, link(3), link(2)), sender=sender)
    assert breach_of(engine) is None


def test_a_request_that_the_edge_answered_is_no_fork(engine: Engine) -> None:
    # Number 1 of one kiosk and number 2 of the other were malformed: answered, and not stored.
    store(engine, (2, link(2), link(1)), (3, link(3), link(2)))
    store(engine, (1, link(1), GENESIS), (3, link(3), link(2)), (4, link(4), link(3)), sender=OTHER)
    assert breach_of(engine) is None


@pytest.mark.parametrize(
    ("copy", "sentence"),
    [
        ((None, link(3, "two"), link(2)), "two requests of one kiosk have one number"),
        ((4, link(4, "two"), link(3, "two")), "does not follow"),
        ((4, link(4, "two"), link(2)), "does not follow"),
        ((9, link(9, "two"), link(2)), "does not follow"),
        ((9, link(9, "two"), GENESIS), "does not follow"),
    ],
)
def test_a_copy_is_found_until_its_device_is_revoked(engine: Engine, copy: tuple[int | None, str, str], sentence: str) -> None:
    store(engine, (1, link(1), GENESIS), (2, link(2), link(1)), (3, link(3), link(2)), sender=OTHER)
    store(engine, (1, link(1), GENESIS), (2, link(2), link(1)), (3, link(3), link(2)), copy)
    breach = breach_of(engine)
    assert breach is not None
    assert breach.rule == "I13"
    assert sentence in breach.sentence
    assert (breach.row["sender_id"], breach.row["sequence"], breach.row["previous"]) == (KIOSK, copy[0], copy[2])
    enrol(engine, "revoked")
    assert breach_of(engine) is None


def test_an_active_device_is_looked_at(engine: Engine) -> None:
    enrol(engine, "active")
    store(engine, (1, link(1), link(0)))
    breach = breach_of(engine)
    assert breach is not None
    assert breach.row["sequence"] == 1
